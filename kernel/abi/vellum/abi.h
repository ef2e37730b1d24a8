/* SPDX-License-Identifier: BSD-2-Clause */
/* abi.h: the contract between Vellum and its programs, as C. docs/abi.md explains it.
 *
 * libsys offers exactly these names (through <libsys/libsys.h>; how it splits them over headers is its own affair).
 * Values of enumerations and layouts of structures are fixed here; how arguments travel in registers is not.
 * Sizes, offsets and addresses are bytes. Every function may also return BAD_SYSCALL on an older kernel.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SYS_NORETURN [[noreturn]]
extern "C" {
#else
#define SYS_NORETURN _Noreturn
#endif

/* ---- basic types ------------------------------------------------------------------------------------------- */
typedef int32_t  sys_status_t;          /* SYS_OK or a negative SYS_ERR_* */
typedef uint64_t sys_cap_t;             /* bits 0..31 slot index, 32..63 generation of the slot (0 in a fresh slot) */
typedef uint32_t sys_rights_t;
typedef int64_t  sys_time_t;            /* nanoseconds since boot */
typedef uint64_t sys_koid_t;            /* never reused */
typedef uint64_t sys_vaddr_t, sys_paddr_t;

#define SYS_PAGE_SIZE     4096u
#define SYS_TIME_INFINITE INT64_MAX
#define SYS_TIME_POLL     0             /* any deadline in the past polls; what would wait returns TIMED_OUT */
#define SYS_MSG_WORDS     64u
#define SYS_MSG_CAPS      4u

enum {
	SYS_OK = 0,
	SYS_ERR_BAD_SYSCALL = -1, SYS_ERR_BAD_CAP = -2, SYS_ERR_WRONG_TYPE = -3, SYS_ERR_ACCESS_DENIED = -4,
	SYS_ERR_INVALID_ARGS = -5, SYS_ERR_OUT_OF_RANGE = -6, SYS_ERR_BAD_ADDRESS = -7, SYS_ERR_BAD_STATE = -8,
	SYS_ERR_NO_MEMORY = -9, SYS_ERR_NO_SLOT = -10, SYS_ERR_NO_RESOURCES = -11, SYS_ERR_NO_SPACE = -12,
	SYS_ERR_ALREADY_EXISTS = -13, SYS_ERR_NOT_FOUND = -14, SYS_ERR_NOT_SUPPORTED = -15, SYS_ERR_UNAVAILABLE = -16,
	SYS_ERR_SHOULD_WAIT = -17, SYS_ERR_TIMED_OUT = -18, SYS_ERR_CANCELED = -19, SYS_ERR_PEER_CLOSED = -20,
	SYS_ERR_BUFFER_TOO_SMALL = -21, SYS_ERR_INTERRUPTED = -22, SYS_ERR_IO = -23, SYS_ERR_IO_DATA_INTEGRITY = -24,
	SYS_ERR_IO_DATA_LOSS = -25, SYS_ERR_IO_NOT_PRESENT = -26, SYS_ERR_IO_OVERRUN = -27, SYS_ERR_IO_REFUSED = -28,
	SYS_ERR_IO_MISSED_DEADLINE = -29,
};
const char *sys_status_string(sys_status_t status);

enum {
	SYS_RIGHT_READ = 1u << 0, SYS_RIGHT_WRITE = 1u << 1, SYS_RIGHT_EXECUTE = 1u << 2, SYS_RIGHT_MAP = 1u << 3,
	SYS_RIGHT_COPY = 1u << 4, SYS_RIGHT_GRANT = 1u << 5, SYS_RIGHT_INSPECT = 1u << 6, SYS_RIGHT_RESIZE = 1u << 7,
	SYS_RIGHT_SET_PROPERTY = 1u << 8, SYS_RIGHT_SEND = 1u << 9, SYS_RIGHT_RECV = 1u << 10, SYS_RIGHT_MANAGE = 1u << 11,
	SYS_RIGHT_BUS_MASTER = 1u << 12,    /* the resource's: pin for DMA */
	SYS_RIGHT_WX = 1u << 13,            /* the resource's and a VMAR's: map writable and executable */
};
#define SYS_RIGHTS_SAME (1u << 31)

enum sys_type {
	SYS_TYPE_NONE, SYS_TYPE_UNTYPED, SYS_TYPE_CNODE, SYS_TYPE_THREAD, SYS_TYPE_ENDPOINT, SYS_TYPE_NOTIFICATION, SYS_TYPE_REPLY,
	SYS_TYPE_VMO, SYS_TYPE_VMAR, SYS_TYPE_PAGER, SYS_TYPE_PIN, SYS_TYPE_RESOURCE, SYS_TYPE_IRQ, SYS_TYPE_IOPORT, SYS_TYPE_CONSOLE,
};

/* All rights of a type: what a new object's capability has (a VMO: RESIZE only if resizable; a VMAR: READ, WRITE, EXECUTE as its CAN_MAP_*). */
#define SYS_RIGHTS_BASIC        (SYS_RIGHT_COPY | SYS_RIGHT_GRANT | SYS_RIGHT_INSPECT)
#define SYS_RIGHTS_UNTYPED      (SYS_RIGHTS_BASIC | SYS_RIGHT_WRITE | SYS_RIGHT_MANAGE)     /* WRITE: allocate from it */
#define SYS_RIGHTS_CNODE        (SYS_RIGHTS_BASIC | SYS_RIGHT_WRITE)
#define SYS_RIGHTS_THREAD       (SYS_RIGHTS_BASIC | SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_MANAGE)
#define SYS_RIGHTS_ENDPOINT     (SYS_RIGHTS_BASIC | SYS_RIGHT_SEND | SYS_RIGHT_RECV)
#define SYS_RIGHTS_NOTIFICATION (SYS_RIGHTS_BASIC | SYS_RIGHT_SEND | SYS_RIGHT_RECV)
#define SYS_RIGHTS_REPLY        (SYS_RIGHT_GRANT | SYS_RIGHT_INSPECT | SYS_RIGHT_SEND | SYS_RIGHT_RECV)   /* never copied */
#define SYS_RIGHTS_VMO          (SYS_RIGHTS_BASIC | SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_MAP | SYS_RIGHT_RESIZE | SYS_RIGHT_SET_PROPERTY)
#define SYS_RIGHTS_VMAR         (SYS_RIGHTS_BASIC | SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_EXECUTE | SYS_RIGHT_MANAGE)
#define SYS_RIGHTS_PAGER        (SYS_RIGHTS_BASIC | SYS_RIGHT_WRITE | SYS_RIGHT_RECV | SYS_RIGHT_MANAGE)   /* WRITE: attach VMOs */
#define SYS_RIGHTS_PIN          (SYS_RIGHT_GRANT | SYS_RIGHT_INSPECT)
#define SYS_RIGHTS_RESOURCE     (SYS_RIGHTS_BASIC | SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_MANAGE | SYS_RIGHT_BUS_MASTER | SYS_RIGHT_WX)
#define SYS_RIGHTS_IRQ          (SYS_RIGHT_GRANT | SYS_RIGHT_INSPECT | SYS_RIGHT_WRITE)
#define SYS_RIGHTS_IOPORT       (SYS_RIGHTS_BASIC | SYS_RIGHT_READ | SYS_RIGHT_WRITE)
#define SYS_RIGHTS_CONSOLE      (SYS_RIGHTS_BASIC | SYS_RIGHT_READ | SYS_RIGHT_WRITE)

/* Where every program finds what it was given. */
enum {
	SYS_CAP_NULL = 0, SYS_CAP_CNODE = 1, SYS_CAP_VMAR = 2, SYS_CAP_UNTYPED = 3, SYS_CAP_THREAD = 4, SYS_CAP_CONSOLE = 5,
	SYS_CAP_PARENT = 6, SYS_CAP_RESOURCE = 7, SYS_CAP_FIRST_FREE = 8,
};
#define SYS_SLOT_ANY UINT64_MAX         /* as a destination: the kernel picks a free slot */

/* ---- capabilities and accounts --------------------------------------------------------------------------------- */
typedef struct { uint32_t type; sys_rights_t rights; uint64_t badge; sys_koid_t koid; bool derived; } sys_cap_info_t;  /* derived: something is */
typedef struct { uint64_t total, used, promised, peak, reclaimable; } sys_untyped_info_t;                              /* bytes, whole frames */
enum sys_event { SYS_EVENT_ZERO_CHILDREN = 1, SYS_EVENT_EXITED, SYS_EVENT_ABANDONED, SYS_EVENT_DETACHED, SYS_EVENT_LOW };

sys_status_t sys_cap_copy(sys_cap_t src, sys_cap_t dst_cnode, sys_cap_t dst, sys_rights_t rights, sys_cap_t *out);
sys_status_t sys_cap_mint(sys_cap_t src, sys_cap_t dst_cnode, sys_cap_t dst, sys_rights_t rights, uint64_t badge, sys_cap_t *out);
sys_status_t sys_cap_move(sys_cap_t src, sys_cap_t dst_cnode, sys_cap_t dst, sys_cap_t *out);
sys_status_t sys_cap_delete(sys_cap_t cap);
sys_status_t sys_cap_revoke(sys_cap_t cap);                  /* all that is derived from it; cap itself stays */
sys_status_t sys_cap_info(sys_cap_t cap, sys_cap_info_t *info);
sys_status_t sys_cap_watch(sys_cap_t cap, enum sys_event event, uint64_t threshold, sys_cap_t ntfn, uint64_t bits);  /* one per slot and event; bits 0 ends it */
sys_status_t sys_cnode_create(sys_cap_t ut, uint32_t slots, sys_cap_t *out);          /* a power of two, 16 .. 1 << 20 */
sys_status_t sys_cnode_delete(sys_cap_t cnode, sys_cap_t cap);
sys_status_t sys_cnode_info(sys_cap_t cnode, uint32_t slot, sys_cap_t *name, sys_cap_info_t *info);
sys_status_t sys_untyped_create(sys_cap_t ut, uint64_t bytes, sys_cap_t *out);
sys_status_t sys_untyped_resize(sys_cap_t parent, sys_cap_t child, uint64_t bytes);
sys_status_t sys_untyped_info(sys_cap_t ut, sys_untyped_info_t *info);

/* ---- IPC ----------------------------------------------------------------------------------------------------------- */
typedef struct {
	uint64_t  label;                    /* the sender's, top bit clear (else INVALID_ARGS: those are the kernel's) */
	uint32_t  words;                    /* sent: how many; received: how many came */
	uint16_t  caps;                     /* sent: how many move to the receiver; received: how many came */
	uint16_t  accept;                   /* in, when receiving: how many may come (at most SYS_MSG_CAPS) */
	uint64_t  word[SYS_MSG_WORDS];
	sys_cap_t cap[SYS_MSG_CAPS];
} sys_msg_t;

sys_status_t sys_endpoint_create(sys_cap_t ut, sys_cap_t *out);
sys_status_t sys_notification_create(sys_cap_t ut, sys_cap_t *out);
sys_status_t sys_reply_create(sys_cap_t ut, sys_cap_t *out);
sys_status_t sys_ipc_send(sys_cap_t ep, const sys_msg_t *msg, sys_time_t deadline);
sys_status_t sys_ipc_call(sys_cap_t ep, sys_msg_t *msg, sys_time_t deadline);                     /* PEER_CLOSED: the reply was dropped or the endpoint ended */
sys_status_t sys_ipc_recv(sys_cap_t ep, sys_cap_t reply, sys_msg_t *msg, uint64_t *badge, sys_time_t deadline);   /* reply: SYS_CAP_NULL refuses calls' replies; one that still holds a caller: BAD_STATE */
sys_status_t sys_ipc_reply(sys_cap_t reply, const sys_msg_t *msg);
sys_status_t sys_ipc_reply_recv(sys_cap_t reply, sys_msg_t *msg, sys_cap_t ep, uint64_t *badge, sys_time_t deadline);
sys_status_t sys_ipc_call4(sys_cap_t ep, uint64_t *label, uint64_t word[4]);                      /* registers only, no deadline, no capabilities */
sys_status_t sys_ipc_reply_recv4(sys_cap_t reply, uint64_t *label, uint64_t word[4], sys_cap_t ep, uint64_t *badge);
sys_status_t sys_notification_signal(sys_cap_t ntfn, uint64_t bits);
sys_status_t sys_notification_wait(sys_cap_t ntfn, uint64_t *bits, sys_time_t deadline);          /* takes and clears them */

/* Labels that the kernel sends (the top bit is its own). */
#define SYS_LABEL_KERNEL       (1ull << 63)
#define SYS_FAULT_PAGE         (SYS_LABEL_KERNEL | 1)   /* words: address, access (SYS_ACCESS_*), instruction pointer, status */
#define SYS_FAULT_EXCEPTION    (SYS_LABEL_KERNEL | 2)   /* words: vector, error code, instruction pointer */
#define SYS_LABEL_NOTIFICATION (SYS_LABEL_KERNEL | 3)   /* a bound notification; word 0: the bits */
#define SYS_PAGER_READ         (SYS_LABEL_KERNEL | 16)  /* words: key, offset, length, access */
#define SYS_PAGER_DIRTY        (SYS_LABEL_KERNEL | 17)
#define SYS_PAGER_COMPLETE     (SYS_LABEL_KERNEL | 18)  /* words: key, 0, 0, 0; the last one for this VMO */
enum { SYS_ACCESS_READ = 1, SYS_ACCESS_WRITE = 2, SYS_ACCESS_EXECUTE = 4, SYS_ACCESS_PREFETCH = 8 };

/* ---- threads, time --------------------------------------------------------------------------------------------------- */
typedef struct { sys_koid_t koid; uint32_t state, priority; uint64_t affinity; int64_t exit_code; uint64_t switches, faults, page_requests; sys_time_t cpu_time; } sys_thread_info_t;
enum sys_thread_state { SYS_THREAD_NEW, SYS_THREAD_READY, SYS_THREAD_RUNNING, SYS_THREAD_WAITING, SYS_THREAD_SUSPENDED, SYS_THREAD_EXITED };
typedef struct { uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags, fs_base, gs_base; } sys_regs_t;
enum sys_state_kind { SYS_STATE_GENERAL = 1, SYS_STATE_FPU, SYS_STATE_DEBUG };

sys_status_t sys_vspace_create(sys_cap_t ut, sys_cap_t resource, uint32_t options, sys_cap_t *out_root_vmar);   /* options 0; resource: NULL, or one with WX: then the VMAR has WX */
sys_status_t sys_thread_create(sys_cap_t ut, sys_cap_t cspace, sys_cap_t root_vmar, sys_cap_t fault_ep, sys_cap_t *out);    /* fault_ep may be SYS_CAP_NULL: a fault kills */
sys_status_t sys_thread_start(sys_cap_t thread, sys_vaddr_t entry, sys_vaddr_t stack, uint64_t arg0, uint64_t arg1);   /* arg0 in rdi, arg1 in rsi, rsp as given, the rest 0 */
sys_status_t sys_thread_suspend(sys_cap_t thread);
sys_status_t sys_thread_resume(sys_cap_t thread);
sys_status_t sys_thread_kill(sys_cap_t thread, int64_t code);
sys_status_t sys_thread_set_priority(sys_cap_t thread, uint32_t priority);                 /* 0 .. 255, at most the caller's own */
sys_status_t sys_thread_set_affinity(sys_cap_t thread, uint64_t cpus);
sys_status_t sys_thread_set_fault_endpoint(sys_cap_t thread, sys_cap_t ep);
sys_status_t sys_thread_set_page_timeout(sys_cap_t thread, sys_time_t ns);                  /* INFINITE by default; 0: SHOULD_WAIT instead of waiting for a pager */
sys_status_t sys_thread_set_status_record(sys_cap_t thread, sys_cap_t vmo, uint64_t offset);/* a sys_thread_status_t the kernel keeps current */
sys_status_t sys_thread_bind_notification(sys_cap_t thread, sys_cap_t ntfn);
sys_status_t sys_thread_set_tls(sys_cap_t thread, sys_vaddr_t fs_base);
sys_status_t sys_thread_read_state(sys_cap_t thread, enum sys_state_kind kind, void *buf, size_t len);   /* suspended or waiting on its fault */
sys_status_t sys_thread_write_state(sys_cap_t thread, enum sys_state_kind kind, const void *buf, size_t len);
sys_status_t sys_thread_info(sys_cap_t thread, sys_thread_info_t *info);
SYS_NORETURN void sys_thread_exit(int64_t code);
void         sys_thread_yield(void);
sys_time_t   sys_clock_get(void);
sys_status_t sys_futex_wait(const uint32_t *addr, uint32_t expected, sys_time_t deadline);  /* BAD_STATE: the value differs */
sys_status_t sys_futex_wake(const uint32_t *addr, uint32_t count, uint32_t *out_woken);
typedef struct { uint32_t cpu, sequence; uint64_t switches; } sys_thread_status_t;         /* 16 bytes, aligned to 16; sequence: odd while it is written */

/* ---- VMOs -------------------------------------------------------------------------------------------------------------- */
enum { SYS_VMO_RESIZABLE = 1u << 0, SYS_VMO_DISCARDABLE = 1u << 1, SYS_VMO_TRAP_DIRTY = 1u << 2, SYS_VMO_UNBOUNDED = 1u << 3 };
enum {
	SYS_VMO_CHILD_SNAPSHOT = 1u << 0, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE = 1u << 1, SYS_VMO_CHILD_SNAPSHOT_MODIFIED = 1u << 2,
	SYS_VMO_CHILD_SLICE = 1u << 3, SYS_VMO_CHILD_REFERENCE = 1u << 4, SYS_VMO_CHILD_RESIZABLE = 1u << 8, SYS_VMO_CHILD_NO_WRITE = 1u << 9,
};
enum sys_vmo_op {
	SYS_VMO_OP_COMMIT = 1, SYS_VMO_OP_DECOMMIT, SYS_VMO_OP_ZERO, SYS_VMO_OP_LOCK, SYS_VMO_OP_TRY_LOCK, SYS_VMO_OP_UNLOCK,
	SYS_VMO_OP_ALWAYS_NEED, SYS_VMO_OP_DONT_NEED, SYS_VMO_OP_PREFETCH,
	SYS_VMO_OP_CACHE_SYNC, SYS_VMO_OP_CACHE_INVALIDATE, SYS_VMO_OP_CACHE_CLEAN, SYS_VMO_OP_CACHE_CLEAN_INVALIDATE,
};
typedef struct { uint64_t offset, size, discarded_offset, discarded_size; } sys_vmo_lock_state_t;
enum sys_cache_policy { SYS_CACHE_CACHED, SYS_CACHE_UNCACHED, SYS_CACHE_UNCACHED_DEVICE, SYS_CACHE_WRITE_COMBINING };
enum {
	SYS_VMO_INFO_RESIZABLE = 1u << 0, SYS_VMO_INFO_DISCARDABLE = 1u << 1, SYS_VMO_INFO_PAGER_BACKED = 1u << 2, SYS_VMO_INFO_CONTIGUOUS = 1u << 3,
	SYS_VMO_INFO_PHYSICAL = 1u << 4, SYS_VMO_INFO_COW_CLONE = 1u << 5, SYS_VMO_INFO_SLICE = 1u << 6, SYS_VMO_INFO_REFERENCE = 1u << 7,
	SYS_VMO_INFO_UNBOUNDED = 1u << 8, SYS_VMO_INFO_TRAP_DIRTY = 1u << 9, SYS_VMO_INFO_DETACHED = 1u << 10,
};
typedef struct {
	sys_koid_t koid, parent_koid;
	uint64_t   size, stream_size;
	uint64_t   committed, populated;    /* bytes reachable: pages; pages and content given up that can be had back */
	uint64_t   private_bytes;           /* reached by this VMO only */
	uint64_t   scaled_bytes, scaled_fraction;  /* its share of what is in use; the fraction in 2^-63 bytes */
	uint64_t   metadata_bytes;          /* tree nodes and headers */
	uint64_t   children, mappings;
	uint32_t   flags, cache_policy;
	sys_rights_t rights;
} sys_vmo_info_t;

sys_status_t sys_vmo_create(sys_cap_t ut, uint64_t size, uint32_t options, sys_cap_t *out);
sys_status_t sys_vmo_create_contiguous(sys_cap_t ut, uint64_t size, uint32_t align_log2, sys_cap_t *out);
sys_status_t sys_vmo_create_physical(sys_cap_t resource, sys_cap_t ut, sys_paddr_t paddr, uint64_t size, sys_cap_t *out);
sys_status_t sys_vmo_create_child(sys_cap_t vmo, sys_cap_t ut, uint32_t options, uint64_t offset, uint64_t size, sys_cap_t *out);
sys_status_t sys_vmo_read(sys_cap_t vmo, void *buf, uint64_t offset, size_t len);
sys_status_t sys_vmo_write(sys_cap_t vmo, const void *buf, uint64_t offset, size_t len);
sys_status_t sys_vmo_get_size(sys_cap_t vmo, uint64_t *size);
sys_status_t sys_vmo_set_size(sys_cap_t vmo, uint64_t size);
sys_status_t sys_vmo_get_stream_size(sys_cap_t vmo, uint64_t *size);
sys_status_t sys_vmo_set_stream_size(sys_cap_t vmo, uint64_t size);
sys_status_t sys_vmo_op_range(sys_cap_t vmo, enum sys_vmo_op op, uint64_t offset, uint64_t size, void *buf, size_t buf_size);
sys_status_t sys_vmo_set_cache_policy(sys_cap_t vmo, enum sys_cache_policy policy);
sys_status_t sys_vmo_replace_as_executable(sys_cap_t vmo, sys_cap_t resource, sys_cap_t *out);
sys_status_t sys_vmo_transfer_data(sys_cap_t dst, uint32_t options, uint64_t offset, uint64_t len, sys_cap_t src, uint64_t src_offset);
sys_status_t sys_vmo_info(sys_cap_t vmo, sys_vmo_info_t *info);
/* The pin pays, from ut, for the pages it holds. The resource needs BUS_MASTER. */
enum { SYS_PIN_READ = 1, SYS_PIN_WRITE = 2, SYS_PIN_CONTIGUOUS = 4 };
sys_status_t sys_vmo_pin(sys_cap_t vmo, sys_cap_t resource, sys_cap_t ut, uint32_t options, uint64_t offset, uint64_t size, sys_paddr_t *paddrs, size_t count, sys_cap_t *out);

/* ---- VMARs --------------------------------------------------------------------------------------------------------------- */
enum {
	SYS_VM_PERM_READ = 1u << 0, SYS_VM_PERM_WRITE = 1u << 1, SYS_VM_PERM_EXECUTE = 1u << 2, SYS_VM_COMPACT = 1u << 3,
	SYS_VM_SPECIFIC = 1u << 4, SYS_VM_SPECIFIC_OVERWRITE = 1u << 5, SYS_VM_OFFSET_IS_UPPER_LIMIT = 1u << 6, SYS_VM_MAP_RANGE = 1u << 7,
	SYS_VM_ALLOW_FAULTS = 1u << 8, SYS_VM_REQUIRE_NON_RESIZABLE = 1u << 9, SYS_VM_FAULT_BEYOND_STREAM_SIZE = 1u << 10,
	SYS_VM_CAN_MAP_READ = 1u << 11, SYS_VM_CAN_MAP_WRITE = 1u << 12, SYS_VM_CAN_MAP_EXECUTE = 1u << 13, SYS_VM_CAN_MAP_SPECIFIC = 1u << 14,
	SYS_VM_SHARED = 1u << 15,           /* sys_vmar_clone shares this mapping instead of copying it */
};
#define SYS_VM_ALIGN(log2) ((uint32_t)(log2) << 24)     /* 10 .. 32 */
enum sys_vmar_op { SYS_VMAR_OP_COMMIT = 1, SYS_VMAR_OP_DECOMMIT, SYS_VMAR_OP_MAP_RANGE, SYS_VMAR_OP_ZERO, SYS_VMAR_OP_ALWAYS_NEED, SYS_VMAR_OP_DONT_NEED, SYS_VMAR_OP_PREFETCH };
typedef struct { sys_koid_t koid; sys_vaddr_t base; uint64_t size; uint32_t options; } sys_vmar_info_t;
typedef struct {
	uint32_t kind;                      /* 0 region, 1 mapping */
	uint32_t depth, options;            /* options: permissions now, SHARED, CAN_MAP_* */
	sys_vaddr_t base; uint64_t size;
	sys_koid_t vmo_koid; uint64_t vmo_offset, committed, private_bytes, shared_bytes;
} sys_maps_t;

sys_status_t sys_vmar_allocate(sys_cap_t vmar, uint32_t options, uint64_t offset, uint64_t size, sys_cap_t *out, sys_vaddr_t *out_addr);
sys_status_t sys_vmar_map(sys_cap_t vmar, uint32_t options, uint64_t vmar_offset, sys_cap_t vmo, uint64_t vmo_offset, uint64_t len, sys_vaddr_t *out_addr);
sys_status_t sys_vmar_unmap(sys_cap_t vmar, sys_vaddr_t addr, uint64_t len);
sys_status_t sys_vmar_protect(sys_cap_t vmar, uint32_t options, sys_vaddr_t addr, uint64_t len);
sys_status_t sys_vmar_destroy(sys_cap_t vmar);
sys_status_t sys_vmar_op_range(sys_cap_t vmar, enum sys_vmar_op op, sys_vaddr_t addr, uint64_t len, void *buf, size_t buf_size);
sys_status_t sys_vmar_clone(sys_cap_t src_root, sys_cap_t ut, sys_cap_t *out_root);  /* private mappings: SNAPSHOT, or AT_LEAST_ON_WRITE where a pager stands behind */
sys_status_t sys_vmar_read(sys_cap_t root, sys_vaddr_t addr, void *buf, size_t len, size_t *out_actual);
sys_status_t sys_vmar_write(sys_cap_t root, sys_vaddr_t addr, const void *buf, size_t len, size_t *out_actual);   /* a read-only private mapping gets a private copy */
sys_status_t sys_vmar_info(sys_cap_t vmar, sys_vmar_info_t *info);
sys_status_t sys_vmar_maps(sys_cap_t vmar, sys_maps_t *buf, size_t count, size_t *out_actual, size_t *out_avail);

/* ---- pagers ----------------------------------------------------------------------------------------------------------------- */
enum sys_pager_op { SYS_PAGER_OP_FAIL = 1, SYS_PAGER_OP_DIRTY, SYS_PAGER_OP_WRITEBACK_BEGIN, SYS_PAGER_OP_WRITEBACK_END };
typedef struct { uint32_t type; uint32_t access; uint64_t key, offset, length; } sys_pager_request_t;     /* type: 0 READ, 1 DIRTY, 2 COMPLETE */
typedef struct { uint64_t offset, length; uint32_t options; } sys_dirty_range_t;
enum { SYS_DIRTY_RANGE_IS_ZERO = 1u << 0 };
typedef struct { bool modified; uint64_t committed, dirty, awaiting_clean, requests; } sys_pager_vmo_stats_t;
enum { SYS_PAGER_STATS_RESET = 1u << 0 };
enum { SYS_PAGER_WRITEBACK_IS_ZERO_RANGE = 1u << 0 };

sys_status_t sys_pager_create(sys_cap_t ut, sys_cap_t ep, uint64_t badge, sys_cap_t *out);
sys_status_t sys_pager_create_vmo(sys_cap_t pager, sys_cap_t ut, uint32_t options, uint64_t key, uint64_t size, sys_cap_t *out);
sys_status_t sys_pager_supply_pages(sys_cap_t pager, sys_cap_t vmo, uint64_t offset, uint64_t len, sys_cap_t aux, uint64_t aux_offset, uint64_t *out_new);   /* bytes that were new (known zero counts), on an error too */
sys_status_t sys_pager_op_range(sys_cap_t pager, enum sys_pager_op op, sys_cap_t vmo, uint64_t offset, uint64_t len, int64_t data);
sys_status_t sys_pager_query_dirty_ranges(sys_cap_t pager, sys_cap_t vmo, uint64_t offset, uint64_t len, sys_dirty_range_t *buf, size_t count, size_t *out_actual, size_t *out_avail);
sys_status_t sys_pager_query_vmo_stats(sys_cap_t pager, sys_cap_t vmo, uint32_t options, sys_pager_vmo_stats_t *stats);
sys_status_t sys_pager_detach_vmo(sys_cap_t pager, sys_cap_t vmo);
sys_status_t sys_pager_requeue(sys_cap_t pager);            /* what was delivered and not answered is queued again: one request per owner, from its first missing page to its end; no COMPLETE twice */
sys_status_t sys_pager_recv(sys_cap_t pager, sys_pager_request_t *buf, size_t count, size_t *out_actual, sys_time_t deadline);   /* the pager's own queue; ipc_recv on its endpoint takes from the same */
typedef struct { sys_cap_t pager, vmo, aux; uint64_t offset, len, aux_offset; } sys_pager_supply_t;
sys_status_t sys_pager_supply_recv(const sys_pager_supply_t *supply, uint64_t *out_new, sys_pager_request_t *buf, size_t count, size_t *out_actual, sys_time_t deadline);

/* ---- devices, console, system -------------------------------------------------------------------------------------------------- */
sys_status_t sys_irq_create(sys_cap_t resource, sys_cap_t ut, uint32_t gsi, sys_cap_t ntfn, uint64_t bits, sys_cap_t *out);
sys_status_t sys_msi_create(sys_cap_t resource, sys_cap_t ut, sys_cap_t ntfn, uint64_t bits, uint64_t *out_address, uint32_t *out_data, sys_cap_t *out);
sys_status_t sys_irq_ack(sys_cap_t irq);
sys_status_t sys_ioport_create(sys_cap_t resource, sys_cap_t ut, uint16_t first, uint16_t count, sys_cap_t *out);
sys_status_t sys_ioport_read(sys_cap_t ioport, uint16_t port, uint32_t width, uint32_t *value);     /* width 1, 2 or 4 */
sys_status_t sys_ioport_write(sys_cap_t ioport, uint16_t port, uint32_t width, uint32_t value);
sys_status_t sys_pci_read(sys_cap_t resource, uint32_t bdf, uint32_t reg, uint32_t width, uint32_t *value);
sys_status_t sys_pci_write(sys_cap_t resource, uint32_t bdf, uint32_t reg, uint32_t width, uint32_t value);
sys_status_t sys_console_write(sys_cap_t console, const char *buf, size_t len);
sys_status_t sys_console_read(sys_cap_t console, char *buf, size_t len, size_t *out_actual, sys_time_t deadline);   /* waits for at least one byte */
enum sys_topic { SYS_TOPIC_MACHINE = 1, SYS_TOPIC_COUNTERS };
typedef struct { uint64_t frames, free_frames; uint32_t cpus; char loader[64], cpu[64], version[64]; } sys_machine_info_t;
typedef struct { uint64_t entries, faults, zero_fills, copies, shares, requests, pages_supplied, evictions, shootdowns, longest_entry; } sys_counters_t;
sys_status_t sys_system_info(sys_cap_t resource, enum sys_topic topic, void *buf, size_t len);
/* What a trace records. In brackets: the words of such a record. */
enum sys_trace_event {
	SYS_TRACE_CALL         = 1u << 0,   /* a system call begins, or is made again after a wait [number, the first three arguments] */
	SYS_TRACE_RETURN       = 1u << 1,   /* it is over [number, status] */
	SYS_TRACE_FAULT        = 1u << 2,   /* an access was not in the page tables [address, SYS_ACCESS_*, status, instruction pointer] */
	SYS_TRACE_EXCEPTION    = 1u << 3,   /* [vector, error code, instruction pointer] */
	SYS_TRACE_PAGE_REQUEST = 1u << 4,   /* a call or an access waits for a pager's page [the VMO's koid, offset, SYS_ACCESS_*] */
	SYS_TRACE_SWITCH       = 1u << 5,   /* the CPU goes to this thread, koid 0: to none [its priority, its switches] */
	SYS_TRACE_INTERRUPT    = 1u << 6,   /* [1: the clock, 2: the console, 4: another CPU, or several of them] */
	SYS_TRACE_ALL          = (1u << 7) - 1,
};
/* The VMO begins with the header; record n, from 0 on, stands at byte 64 * (1 + n % records). What is below `head` is there: a record that was read is whole
 * if afterwards head - n < records, else a later one took its place. `events` is 0 when the trace is over. */
typedef struct { uint64_t records, head, lost; uint32_t events, unused[9]; } sys_trace_header_t;                  /* 64 bytes; lost: head - records, or 0 */
typedef struct { sys_time_t time; uint64_t n; uint32_t event, cpu; sys_koid_t thread; uint64_t word[4]; } sys_trace_record_t;     /* 64 bytes */
sys_status_t sys_trace_start(sys_cap_t resource, sys_cap_t vmo, uint32_t events);        /* records into a ring in that VMO's first 64 pages */
sys_status_t sys_trace_stop(sys_cap_t resource);
SYS_NORETURN void sys_system_shutdown(sys_cap_t resource, uint32_t code);

/* ---- libsys on top (no syscalls of their own) ------------------------------------------------------------------------------------ */
typedef struct { const char *name; sys_cap_t vmo; uint64_t size; } sys_startup_item_t;
size_t       sys_startup(sys_startup_item_t *buf, size_t count);                         /* what the parent passed by name: boot modules, endpoints (size 0) */
sys_status_t sys_thread_spawn(sys_cap_t ut, int (*fn)(void *), void *arg, size_t stack, sys_cap_t *out);   /* with TLS, in this program */
typedef struct {
	sys_cap_t   elf;                    /* VMO of the program */
	sys_cap_t   ut; uint64_t account;   /* bytes of a new account under ut */
	int         argc; char *const *argv;
	size_t      items; const sys_startup_item_t *item;   /* capabilities copied into the child, found by name */
	sys_cap_t   console, resource, fault_ep;             /* may be SYS_CAP_NULL */
	uint32_t    priority;
} sys_spawn_args_t;
typedef struct { sys_cap_t untyped, cspace, vmar, thread; } sys_process_t;
sys_status_t sys_spawn(const sys_spawn_args_t *args, sys_process_t *out);
sys_status_t sys_process_wait(const sys_process_t *process, int64_t *code, sys_time_t deadline);
sys_status_t sys_process_end(sys_process_t *process);                                     /* revokes its account: everything goes */

#ifdef __cplusplus
}
#endif
