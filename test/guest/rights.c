/* SPDX-License-Identifier: BSD-2-Clause */
/* rights.c: every call against wrong capabilities. The table says, from the contract's text, which types and rights
 * each capability argument needs. For each argument the call is made with names that are no capability (BAD_CAP), with
 * an object of another type (WRONG_TYPE), and without each right (ACCESS_DENIED); with exactly the rights named it gets
 * past these checks. A call of a later issue then gives NOT_SUPPORTED. Where a result goes to memory, places that are
 * no memory give BAD_ADDRESS. */
#include "common/helper.h"

#include <stdio.h>
#include <string.h>

enum { ARGS = 4, FULL_BUFFER = 4096 };

enum kind {
	NONE,
	CAP,                            /* must be there */
	MAY,                            /* may be SYS_CAP_NULL */
	ANY,                            /* of any type */
};
enum place {
	NO_RESULT,
	REGISTER,                       /* a result in a register, stored by libsys */
	MEMORY,                         /* memory that the kernel writes */
	SOURCE,                         /* memory that the kernel reads */
};
struct arg { enum kind kind; enum sys_type type; sys_rights_t rights; };
struct row {
	const char *call;
	sys_status_t (*run)(const sys_cap_t *c, void *out);
	enum place place;
	bool later;
	struct arg arg[ARGS];
};
struct job { const struct row *row; int arg; sys_rights_t right; };

static uint64_t buffer[FULL_BUFFER / 8];
static sys_msg_t message;
static uint64_t kernel_label = SYS_LABEL_KERNEL;
static size_t count;
static uint32_t token;

#define CALL(NAME, ...)                                                                                          \
	static sys_status_t call_##NAME(const sys_cap_t *c, void *out)                                           \
	{                                                                                                        \
		(void)c, (void)out;                                                                              \
		return sys_##NAME(__VA_ARGS__);                                                                  \
	}
#define CALL_AS(ID, NAME, ...)                                                                                   \
	static sys_status_t call_##ID(const sys_cap_t *c, void *out)                                             \
	{                                                                                                        \
		(void)c, (void)out;                                                                              \
		return sys_##NAME(__VA_ARGS__);                                                                  \
	}

CALL(cap_copy, c[0], c[1], SYS_SLOT_ANY, SYS_RIGHTS_SAME, out)
CALL(cap_mint, c[0], c[1], SYS_SLOT_ANY, SYS_RIGHTS_SAME, 5, out)
CALL(cap_move, c[0], c[1], SYS_SLOT_ANY, out)
CALL(cap_delete, c[0])
CALL(cap_revoke, c[0])
CALL(cap_info, c[0], out)
CALL(cap_watch, c[0], SYS_EVENT_ABANDONED, 0, c[1], 1)
CALL(cnode_create, c[0], 16, out)
CALL(cnode_delete, c[0], 1)
CALL(cnode_info, c[0], 1, (sys_cap_t *)buffer, out)
CALL_AS(cnode_info_name, cnode_info, c[0], 1, out, (sys_cap_info_t *)buffer)
CALL(untyped_create, c[0], PAGE, out)
CALL(untyped_resize, c[0], c[1], PAGE)
CALL(untyped_info, c[0], out)
CALL(endpoint_create, c[0], out)
CALL(notification_create, c[0], out)
CALL(reply_create, c[0], out)
CALL(ipc_send, c[0], &message, SYS_TIME_POLL)
CALL_AS(ipc_send_from, ipc_send, c[0], out, SYS_TIME_POLL)
CALL(ipc_call, c[0], &message, SYS_TIME_POLL)
CALL_AS(ipc_call_from, ipc_call, c[0], out, SYS_TIME_POLL)
CALL(ipc_recv, c[0], c[1], &message, NULL, SYS_TIME_POLL)
CALL_AS(ipc_recv_to, ipc_recv, c[0], c[1], out, NULL, SYS_TIME_POLL)
CALL(ipc_reply, c[0], &message)
CALL_AS(ipc_reply_from, ipc_reply, c[0], out)
CALL(ipc_reply_recv, c[0], &message, c[1], NULL, SYS_TIME_POLL)
CALL_AS(ipc_reply_recv_from, ipc_reply_recv, c[0], out, c[1], NULL, SYS_TIME_POLL)
CALL(ipc_call4, c[0], &kernel_label, buffer)    /* refused for its label: it must not wait */
CALL(ipc_reply_recv4, c[0], buffer, buffer + 1, c[1], NULL)
CALL(notification_signal, c[0], 1)
CALL(notification_wait, c[0], out, SYS_TIME_POLL)
CALL(vspace_create, c[0], c[1], 0, out)
CALL(thread_create, c[0], c[1], c[2], c[3], out)
CALL(thread_start, c[0], KERNEL_HALF, KERNEL_HALF, 0, 0)
CALL(thread_suspend, c[0])
CALL(thread_resume, c[0])
CALL(thread_kill, c[0], 3)
CALL(thread_set_priority, c[0], 0)
CALL(thread_set_affinity, c[0], 1)
CALL(thread_set_fault_endpoint, c[0], c[1])
CALL(thread_set_page_timeout, c[0], 1)
CALL(thread_set_status_record, c[0], c[1], 0)
CALL(thread_bind_notification, c[0], c[1])
CALL(thread_set_tls, c[0], 0)
CALL(thread_read_state, c[0], SYS_STATE_GENERAL, out, sizeof(sys_regs_t))
CALL(thread_write_state, c[0], SYS_STATE_GENERAL, out, sizeof(sys_regs_t))
CALL(thread_info, c[0], out)
CALL(futex_wait, out, 1, SYS_TIME_POLL)
CALL(futex_wake, (const uint32_t *)buffer, 1, out)
CALL_AS(futex_wake_at, futex_wake, out, 1, &token)
CALL(vmo_create, c[0], PAGE, 0, out)
CALL(vmo_create_contiguous, c[0], PAGE, 0, out)
CALL(vmo_create_physical, c[0], c[1], 0, PAGE, out)
CALL(vmo_create_child, c[0], c[1], SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, out)
CALL(vmo_read, c[0], out, 0, 64)
CALL(vmo_write, c[0], out, 0, 64)
CALL(vmo_get_size, c[0], out)
CALL(vmo_set_size, c[0], PAGE)
CALL(vmo_get_stream_size, c[0], out)
CALL(vmo_set_stream_size, c[0], PAGE)
CALL_AS(vmo_commit, vmo_op_range, c[0], SYS_VMO_OP_COMMIT, 0, PAGE, NULL, 0)
CALL_AS(vmo_decommit, vmo_op_range, c[0], SYS_VMO_OP_DECOMMIT, 0, PAGE, NULL, 0)
CALL_AS(vmo_prefetch, vmo_op_range, c[0], SYS_VMO_OP_PREFETCH, 0, PAGE, NULL, 0)
CALL_AS(vmo_zero, vmo_op_range, c[0], SYS_VMO_OP_ZERO, 0, PAGE, NULL, 0)
CALL(vmo_set_cache_policy, c[0], SYS_CACHE_CACHED)
CALL(vmo_replace_as_executable, c[0], c[1], out)
CALL(vmo_transfer_data, c[0], 0, 0, PAGE, c[1], 0)
CALL(vmo_info, c[0], out)
CALL(vmo_pin, c[0], c[1], c[2], SYS_PIN_READ, 0, PAGE, buffer, 1, out)
CALL_AS(vmo_pin_write, vmo_pin, c[0], c[1], c[2], SYS_PIN_WRITE, 0, PAGE, buffer, 1, out)
CALL(vmar_allocate, c[0], SYS_VM_CAN_MAP_READ, 0, PAGE, out, buffer)
CALL_AS(vmar_allocate_address, vmar_allocate, c[0], 0, 0, PAGE, buffer, out)
#define CAN_MAP (SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE | SYS_VM_CAN_MAP_EXECUTE)
CALL_AS(vmar_allocate_all, vmar_allocate, c[0], CAN_MAP, 0, PAGE, out, buffer)
CALL(vmar_map, c[0], SYS_VM_PERM_READ, 0, c[1], 0, PAGE, out)
CALL_AS(vmar_map_none, vmar_map, c[0], 0, 0, c[1], 0, PAGE, out)
CALL_AS(vmar_map_write, vmar_map, c[0], SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, c[1], 0, PAGE, out)
CALL_AS(vmar_map_execute, vmar_map, c[0], SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE, 0, c[1], 0, PAGE, out)
#define WX (SYS_VM_PERM_WRITE | SYS_VM_PERM_EXECUTE)
CALL_AS(vmar_map_wx, vmar_map, c[0], SYS_VM_PERM_READ | WX, 0, c[1], 0, PAGE, out)
CALL(vmar_unmap, c[0], PAGE, PAGE)
CALL(vmar_protect, c[0], SYS_VM_PERM_READ, PAGE, PAGE)
CALL_AS(vmar_protect_write, vmar_protect, c[0], SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, PAGE, PAGE)
CALL_AS(vmar_protect_execute, vmar_protect, c[0], SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE, PAGE, PAGE)
CALL_AS(vmar_protect_wx, vmar_protect, c[0], SYS_VM_PERM_READ | WX, PAGE, PAGE)
CALL(vmar_destroy, c[0])
CALL(vmar_op_range, c[0], SYS_VMAR_OP_COMMIT, PAGE, PAGE, NULL, 0)
CALL(vmar_clone, c[0], c[1], out)
CALL(vmar_read, c[0], PAGE, buffer, 8, &count)
CALL(vmar_write, c[0], PAGE, buffer, 8, &count)
CALL(vmar_info, c[0], out)
CALL(vmar_maps, c[0], (sys_maps_t *)buffer, 1, &count, &count)
CALL(pager_create, c[0], c[1], 0, out)
CALL(pager_create_vmo, c[0], c[1], 0, 1, PAGE, out)
CALL(pager_supply_pages, c[0], c[1], 0, PAGE, c[2], 0, buffer)
CALL(pager_op_range, c[0], SYS_PAGER_OP_FAIL, c[1], 0, PAGE, SYS_ERR_IO)
CALL(pager_query_dirty_ranges, c[0], c[1], 0, PAGE, (sys_dirty_range_t *)buffer, 1, &count, &count)
CALL(pager_query_vmo_stats, c[0], c[1], 0, (sys_pager_vmo_stats_t *)buffer)
CALL(pager_detach_vmo, c[0], c[1])
CALL(pager_requeue, c[0])
#define REQUESTS ((sys_pager_request_t *)buffer)
CALL(pager_supply_recv, (const sys_pager_supply_t *)buffer, buffer, REQUESTS, 1, &count, SYS_TIME_POLL)
CALL(pager_recv, c[0], REQUESTS, 1, &count, SYS_TIME_POLL)
CALL(irq_create, c[0], c[1], 9, c[2], 1, out)
CALL(msi_create, c[0], c[1], c[2], 1, buffer, &token, out)
CALL(irq_ack, c[0])
CALL(ioport_create, c[0], c[1], 0x80, 1, out)
CALL(ioport_read, c[0], 0x80, 1, &token)
CALL(ioport_write, c[0], 0x80, 1, 0)
CALL(pci_read, c[0], 0, 0, 4, &token)
CALL(pci_write, c[0], 0, 0, 4, 0)
CALL(console_write, c[0], (const char *)buffer, 0)
CALL(console_read, c[0], (char *)buffer, 1, &count, SYS_TIME_POLL)
CALL(system_info, c[0], SYS_TOPIC_COUNTERS, out, sizeof(sys_counters_t))
CALL(trace_start, c[0], c[1], 1)
CALL(trace_stop, c[0])

#define R(NAME) SYS_RIGHT_##NAME
#define A(TYPE, RIGHTS) {CAP, SYS_TYPE_##TYPE, RIGHTS}
#define M(TYPE, RIGHTS) {MAY, SYS_TYPE_##TYPE, RIGHTS}
#define ALL_TYPES(RIGHTS) {ANY, SYS_TYPE_ENDPOINT, RIGHTS}
#define NOW(NAME, PLACE, ...) {#NAME, call_##NAME, PLACE, false, {__VA_ARGS__}},
#define NOW_AS(ID, NAME, PLACE, ...) {#NAME, call_##ID, PLACE, false, {__VA_ARGS__}},
#define LATER(NAME, ...) {#NAME, call_##NAME, NO_RESULT, true, {__VA_ARGS__}},
#define LATER_AS(ID, NAME, ...) {#NAME, call_##ID, NO_RESULT, true, {__VA_ARGS__}},
#define UT A(UNTYPED, R(WRITE))

static const struct row rows[] = {
	NOW(cap_copy, REGISTER, ALL_TYPES(R(COPY)), A(CNODE, R(WRITE)))
	NOW(cap_mint, REGISTER, ALL_TYPES(R(COPY)), A(CNODE, R(WRITE)))
	NOW(cap_move, REGISTER, ALL_TYPES(0), A(CNODE, R(WRITE)))
	NOW(cap_delete, NO_RESULT, ALL_TYPES(0))
	NOW(cap_revoke, NO_RESULT, ALL_TYPES(0))
	NOW(cap_info, REGISTER, ALL_TYPES(0))
	NOW(cap_watch, NO_RESULT, ALL_TYPES(R(INSPECT)), M(NOTIFICATION, R(SEND)))
	NOW(cnode_create, REGISTER, UT)
	NOW(cnode_delete, NO_RESULT, A(CNODE, R(WRITE)))
	NOW(cnode_info, REGISTER, A(CNODE, R(INSPECT)))
	NOW_AS(cnode_info_name, cnode_info, REGISTER, A(CNODE, R(INSPECT)))
	NOW(untyped_create, REGISTER, UT)
	NOW(untyped_resize, NO_RESULT, UT, A(UNTYPED, R(MANAGE)))
	NOW(untyped_info, REGISTER, A(UNTYPED, R(INSPECT)))
	NOW(endpoint_create, REGISTER, UT)
	NOW(notification_create, REGISTER, UT)
	NOW(reply_create, REGISTER, UT)
	NOW(ipc_send, NO_RESULT, A(ENDPOINT, R(SEND)))
	NOW(ipc_call, NO_RESULT, A(ENDPOINT, R(SEND)))
	NOW(ipc_recv, NO_RESULT, A(ENDPOINT, R(RECV)), M(REPLY, R(RECV)))
	NOW_AS(ipc_recv_to, ipc_recv, REGISTER, A(ENDPOINT, R(RECV)), M(REPLY, R(RECV)))
	NOW(ipc_reply, NO_RESULT, A(REPLY, R(SEND)))
	NOW(ipc_reply_recv, NO_RESULT, A(REPLY, R(SEND) | R(RECV)), A(ENDPOINT, R(RECV)))
	NOW(ipc_call4, NO_RESULT, A(ENDPOINT, R(SEND)))
	NOW(ipc_reply_recv4, NO_RESULT, A(REPLY, R(SEND) | R(RECV)), A(ENDPOINT, R(RECV)))
	NOW(notification_signal, NO_RESULT, A(NOTIFICATION, R(SEND)))
	NOW(notification_wait, REGISTER, A(NOTIFICATION, R(RECV)))
	NOW(vspace_create, REGISTER, UT, M(RESOURCE, R(WX)))
	NOW(thread_create, REGISTER, UT, A(CNODE, R(WRITE)), A(VMAR, R(MANAGE)), M(ENDPOINT, R(SEND)))
	NOW(thread_start, NO_RESULT, A(THREAD, R(MANAGE)))
	NOW(thread_suspend, NO_RESULT, A(THREAD, R(MANAGE)))
	NOW(thread_resume, NO_RESULT, A(THREAD, R(MANAGE)))
	NOW(thread_kill, NO_RESULT, A(THREAD, R(MANAGE)))
	NOW(thread_set_priority, NO_RESULT, A(THREAD, R(MANAGE)))
	NOW(thread_set_affinity, NO_RESULT, A(THREAD, R(MANAGE)))
	NOW(thread_set_fault_endpoint, NO_RESULT, A(THREAD, R(MANAGE)), M(ENDPOINT, R(SEND)))
	NOW(thread_set_page_timeout, NO_RESULT, A(THREAD, R(MANAGE)))
	NOW(thread_set_status_record, NO_RESULT, A(THREAD, R(MANAGE)), M(VMO, R(WRITE)))
	NOW(thread_bind_notification, NO_RESULT, A(THREAD, R(MANAGE)), M(NOTIFICATION, R(RECV)))
	NOW(thread_set_tls, NO_RESULT, A(THREAD, R(MANAGE)))
	NOW(thread_read_state, MEMORY, A(THREAD, R(READ)))
	NOW(thread_write_state, SOURCE, A(THREAD, R(WRITE)))
	NOW(thread_info, MEMORY, A(THREAD, R(INSPECT)))
	NOW(futex_wait, SOURCE, {NONE, SYS_TYPE_NONE, 0})
	NOW(futex_wake, REGISTER, {NONE, SYS_TYPE_NONE, 0})
	NOW_AS(futex_wake_at, futex_wake, SOURCE, {NONE, SYS_TYPE_NONE, 0})
	NOW(vmo_create, REGISTER, UT)
	NOW(vmo_create_contiguous, REGISTER, UT)
	LATER(vmo_create_physical, A(RESOURCE, R(MANAGE)), UT)
	NOW(vmo_create_child, REGISTER, A(VMO, R(COPY) | R(READ)), UT)
	NOW(vmo_read, MEMORY, A(VMO, R(READ)))
	NOW(vmo_write, SOURCE, A(VMO, R(WRITE)))
	NOW(vmo_get_size, REGISTER, A(VMO, 0))
	NOW(vmo_set_size, NO_RESULT, A(VMO, R(WRITE)))
	NOW(vmo_get_stream_size, REGISTER, A(VMO, 0))
	NOW(vmo_set_stream_size, NO_RESULT, A(VMO, R(WRITE) | R(SET_PROPERTY)))
	NOW_AS(vmo_commit, vmo_op_range, NO_RESULT, A(VMO, R(WRITE)))
	NOW_AS(vmo_decommit, vmo_op_range, NO_RESULT, A(VMO, R(WRITE)))
	NOW_AS(vmo_prefetch, vmo_op_range, NO_RESULT, A(VMO, R(READ)))
	NOW_AS(vmo_zero, vmo_op_range, NO_RESULT, A(VMO, R(WRITE)))
	NOW(vmo_set_cache_policy, NO_RESULT, A(VMO, R(MAP)))
	NOW(vmo_replace_as_executable, REGISTER, A(VMO, R(READ)), A(RESOURCE, R(MANAGE)))
	NOW(vmo_transfer_data, NO_RESULT, A(VMO, R(WRITE)), A(VMO, R(READ) | R(WRITE)))
	NOW(vmo_info, MEMORY, A(VMO, R(INSPECT)))
	LATER(vmo_pin, A(VMO, R(MAP) | R(READ)), A(RESOURCE, R(BUS_MASTER)), UT)
	LATER_AS(vmo_pin_write, vmo_pin, A(VMO, R(MAP) | R(WRITE)), A(RESOURCE, R(BUS_MASTER)), UT)
	NOW(vmar_allocate, REGISTER, A(VMAR, R(READ)))
	NOW_AS(vmar_allocate_address, vmar_allocate, REGISTER, A(VMAR, 0))
	NOW_AS(vmar_allocate_all, vmar_allocate, REGISTER, A(VMAR, R(READ) | R(WRITE) | R(EXECUTE)))
	NOW(vmar_map, REGISTER, A(VMAR, R(READ)), A(VMO, R(MAP) | R(READ)))
	NOW_AS(vmar_map_none, vmar_map, REGISTER, A(VMAR, 0), A(VMO, R(MAP)))
	NOW_AS(vmar_map_write, vmar_map, REGISTER, A(VMAR, R(READ) | R(WRITE)), A(VMO, R(MAP) | R(READ) | R(WRITE)))
	NOW_AS(vmar_map_execute, vmar_map, REGISTER, A(VMAR, R(READ) | R(EXECUTE)),
	       A(VMO, R(MAP) | R(READ) | R(EXECUTE)))
	NOW_AS(vmar_map_wx, vmar_map, REGISTER, A(VMAR, R(READ) | R(WRITE) | R(EXECUTE) | R(WX)),
	       A(VMO, R(MAP) | R(READ) | R(WRITE) | R(EXECUTE)))
	NOW(vmar_unmap, NO_RESULT, A(VMAR, 0))
	NOW(vmar_protect, NO_RESULT, A(VMAR, R(READ)))
	NOW_AS(vmar_protect_write, vmar_protect, NO_RESULT, A(VMAR, R(READ) | R(WRITE)))
	NOW_AS(vmar_protect_execute, vmar_protect, NO_RESULT, A(VMAR, R(READ) | R(EXECUTE)))
	NOW_AS(vmar_protect_wx, vmar_protect, NO_RESULT, A(VMAR, R(READ) | R(WRITE) | R(EXECUTE) | R(WX)))
	LATER(vmar_destroy, A(VMAR, R(MANAGE)))
	LATER(vmar_op_range, A(VMAR, 0))
	LATER(vmar_clone, A(VMAR, R(MANAGE) | R(READ) | R(WRITE)), UT)
	LATER(vmar_read, A(VMAR, R(MANAGE) | R(READ)))
	LATER(vmar_write, A(VMAR, R(MANAGE) | R(READ) | R(WRITE)))
	NOW(vmar_info, REGISTER, A(VMAR, R(INSPECT)))
	NOW(vmar_maps, NO_RESULT, A(VMAR, R(INSPECT)))
	NOW(pager_create, REGISTER, UT, A(ENDPOINT, R(RECV)))
	NOW(pager_create_vmo, REGISTER, A(PAGER, R(WRITE)), UT)
	NOW(pager_supply_pages, NO_RESULT, A(PAGER, R(MANAGE)), A(VMO, 0), A(VMO, R(READ) | R(WRITE)))
	NOW(pager_op_range, NO_RESULT, A(PAGER, R(MANAGE)), A(VMO, 0))
	LATER(pager_query_dirty_ranges, A(PAGER, R(MANAGE)), A(VMO, 0))
	LATER(pager_query_vmo_stats, A(PAGER, R(MANAGE)), A(VMO, 0))
	LATER(pager_detach_vmo, A(PAGER, R(MANAGE)), A(VMO, 0))
	LATER(pager_requeue, A(PAGER, R(MANAGE)))
	NOW(pager_recv, NO_RESULT, A(PAGER, R(RECV)))
	/* its capabilities are in memory, which is not looked at yet */
	LATER(pager_supply_recv, {NONE, SYS_TYPE_NONE, 0})
	LATER(irq_create, A(RESOURCE, R(MANAGE)), UT, A(NOTIFICATION, R(SEND)))
	LATER(msi_create, A(RESOURCE, R(MANAGE)), UT, A(NOTIFICATION, R(SEND)))
	LATER(ioport_create, A(RESOURCE, R(MANAGE)), UT)
	LATER(pci_read, A(RESOURCE, R(MANAGE)))
	LATER(pci_write, A(RESOURCE, R(MANAGE)))
	NOW(console_write, NO_RESULT, A(CONSOLE, R(WRITE)))
	NOW(console_read, NO_RESULT, A(CONSOLE, R(READ)))
	NOW(system_info, MEMORY, A(RESOURCE, R(READ)))
	NOW(trace_start, NO_RESULT, A(RESOURCE, R(READ)), A(VMO, R(READ) | R(WRITE)))
	NOW(trace_stop, NO_RESULT, A(RESOURCE, R(READ)))
};
/* No object of these types can be had in this issue: only the checks of the name and the type can be seen. */
static const struct row typed_rows[] = {
	LATER(irq_ack, A(IRQ, R(WRITE)))
	LATER(ioport_read, A(IOPORT, R(READ)))
	LATER(ioport_write, A(IOPORT, R(WRITE)))
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), TYPED_ROWS = sizeof(typed_rows) / sizeof(typed_rows[0]), JOBS_MAX = 720 };

static struct job jobs[JOBS_MAX];
static int job_count;

/* A VMO that is executable, or an address space with WX, where the row asks for that right: no other has it. */
static sys_cap_t argument_object(const struct arg *arg)
{
	sys_cap_t cap = new_object(arg->type);
	if (arg->type == SYS_TYPE_VMAR && (arg->rights & SYS_RIGHT_WX))
		OKAY(sys_vspace_create(ut, SYS_CAP_RESOURCE, 0, &cap));
	if (arg->type == SYS_TYPE_VMO && (arg->rights & SYS_RIGHT_EXECUTE))
		OKAY(sys_vmo_replace_as_executable(cap, SYS_CAP_RESOURCE, &cap));
	return cap;
}

static void arguments(const struct row *row, sys_cap_t caps[ARGS])
{
	for (int i = 0; i < ARGS; i++)
		caps[i] = row->arg[i].kind == NONE ? SYS_CAP_NULL : argument_object(&row->arg[i]);
	memset(&message, 0, sizeof(message));
	memset(buffer, 0, sizeof(buffer));
}

static void bad_cap(int index)
{
	const struct job *job = &jobs[index];
	sys_cap_t caps[ARGS], stale = stale_cap();
	sys_cap_t bad[] = {stale, stale + (5ull << 32), 0x7fffffff, UINT64_MAX, SYS_CAP_NULL};

	arguments(job->row, caps);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (bad[i] == SYS_CAP_NULL && job->row->arg[job->arg].kind == MAY)
			continue;
		caps[job->arg] = bad[i];
		REFUSED(SYS_ERR_BAD_CAP, job->row->run(caps, buffer));
	}
}

static void wrong_type(int index)
{
	const struct job *job = &jobs[index];
	const struct arg *arg = &job->row->arg[job->arg];
	sys_cap_t caps[ARGS];

	arguments(job->row, caps);
	caps[job->arg] = new_object(arg->type == SYS_TYPE_ENDPOINT ? SYS_TYPE_VMO : SYS_TYPE_ENDPOINT);
	REFUSED(SYS_ERR_WRONG_TYPE, job->row->run(caps, buffer));
	caps[job->arg] = reduced(caps[job->arg], 0);    /* the type is looked at before the rights */
	REFUSED(SYS_ERR_WRONG_TYPE, job->row->run(caps, buffer));
	caps[job->arg] = new_object(arg->type == SYS_TYPE_NOTIFICATION ? SYS_TYPE_CNODE : SYS_TYPE_NOTIFICATION);
	REFUSED(SYS_ERR_WRONG_TYPE, job->row->run(caps, buffer));
}

static void access_denied(int index)
{
	const struct job *job = &jobs[index];
	sys_cap_t caps[ARGS];

	arguments(job->row, caps);
	caps[job->arg] = less(caps[job->arg], job->right);
	REFUSED(SYS_ERR_ACCESS_DENIED, job->row->run(caps, buffer));
	EQ(cap_info(caps[job->arg]).type, job->row->arg[job->arg].type);
}

/* The rights of the contract, and nothing else, are enough. */
static void enough(int index)
{
	const struct row *row = jobs[index].row;
	sys_cap_t caps[ARGS];

	arguments(row, caps);
	for (int i = 0; i < ARGS; i++)
		if (row->arg[i].kind != NONE && row->arg[i].type != SYS_TYPE_REPLY && row->arg[i].kind != ANY)
			caps[i] = reduced(caps[i], row->arg[i].rights);
	sys_status_t status = row->run(caps, buffer);
	if (row->later)
		STATUS(SYS_ERR_NOT_SUPPORTED, status);
	if (status == SYS_ERR_BAD_CAP && row->run != call_cnode_delete)
		STATUS(SYS_OK, status);
	CHECK(status != SYS_ERR_WRONG_TYPE && status != SYS_ERR_ACCESS_DENIED);
	for (int i = 0; i < ARGS; i++) {        /* an argument that may be left out, left out */
		if (row->arg[i].kind != MAY)
			continue;
		caps[i] = SYS_CAP_NULL;
		status = row->run(caps, buffer);
		CHECK(status != SYS_ERR_BAD_CAP && status != SYS_ERR_WRONG_TYPE && status != SYS_ERR_ACCESS_DENIED);
	}
}

static void bad_address(int index)
{
	const struct row *row = jobs[index].row;
	sys_cap_t caps[ARGS];
	void *bad[] = {NULL, (void *)8, (void *)KERNEL_HALF, (void *)(KERNEL_HALF - 8), (void *)0x7ffffffff000,
		       (void *)-8ull, NOWHERE};
	size_t n = sizeof(bad) / sizeof(bad[0]);

	arguments(row, caps);
	if (row->place == REGISTER)
		n--;    /* libsys stores these itself: memory that is missing is then the program's own fault */
	for (size_t i = 0; i < n; i++)
		REFUSED(SYS_ERR_BAD_ADDRESS, row->run(caps, bad[i]));
	if (row->place != MEMORY)
		return;
	sys_cap_t vmo = new_vmo(PAGE);
	void *read_only = map_in(SYS_CAP_VMAR, vmo, SYS_VM_PERM_READ, 0, PAGE);
	REFUSED(SYS_ERR_BAD_ADDRESS, row->run(caps, read_only));
	EQ(get(vmo, 0), 0);
	unmap(read_only, PAGE);
}

static void add(const struct row *row, int arg, sys_rights_t right, void (*run)(int), const char *error,
		const char *what)
{
	char name[96];

	if (job_count == JOBS_MAX)
		FAIL("more jobs than JOBS_MAX");
	snprintf(name, sizeof(name), "%s:%s argument %d %s", row->call, error, arg, what);
	jobs[job_count] = (struct job){row, arg, right};
	guest_add(name, run, job_count++);
}

static void add_argument(const struct row *row, int i)
{
	static const char *const right_names[] = {
		"READ", "WRITE", "EXECUTE", "MAP", "COPY", "GRANT", "INSPECT",
		"RESIZE", "SET_PROPERTY", "SEND", "RECV", "MANAGE", "BUS_MASTER", "WX",
	};
	const struct arg *arg = &row->arg[i];

	add(row, i, 0, bad_cap, "BAD_CAP", "no capability");
	if (arg->kind != ANY)
		add(row, i, 0, wrong_type, "WRONG_TYPE", "another type");
	for (unsigned bit = 0; bit < sizeof(right_names) / sizeof(right_names[0]); bit++)
		if ((arg->rights & 1u << bit) && arg->type != SYS_TYPE_REPLY && arg->type != SYS_TYPE_IRQ &&
		    arg->type != SYS_TYPE_IOPORT)       /* a reply is never copied, so it always has its rights */
			add(row, i, 1u << bit, access_denied, "ACCESS_DENIED", right_names[bit]);
}

void guest_tables(void)
{
	for (int i = 0; i < ROWS; i++) {
		for (int j = 0; j < ARGS && rows[i].arg[j].kind != NONE; j++)
			add_argument(&rows[i], j);
		add(&rows[i], 0, 0, enough, rows[i].later ? "NOT_SUPPORTED" : "rights", "these rights are enough");
		if (rows[i].place != NO_RESULT)
			add(&rows[i], 0, 0, bad_address, "BAD_ADDRESS", "no place for the result");
	}
	for (int i = 0; i < TYPED_ROWS; i++)
		add_argument(&typed_rows[i], 0);
}

/* The message of each IPC call is memory too. */
static const struct { const char *name; sys_status_t (*run)(const sys_cap_t *c, void *out); } messages[] = {
	{"ipc_send", call_ipc_send_from}, {"ipc_call", call_ipc_call_from},
	{"ipc_reply", call_ipc_reply_from}, {"ipc_reply_recv", call_ipc_reply_recv_from},
};

TEST("ipc_send:BAD_ADDRESS ipc_call:BAD_ADDRESS ipc_reply:BAD_ADDRESS ipc_reply_recv:BAD_ADDRESS no message")
{
	sys_cap_t ep[] = {new_endpoint(), SYS_CAP_NULL}, reply[] = {new_reply(), ep[0]};

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		const sys_cap_t *caps = i < 2 ? ep : reply;
		REFUSED(SYS_ERR_BAD_ADDRESS, messages[i].run(caps, NULL));
		REFUSED(SYS_ERR_BAD_ADDRESS, messages[i].run(caps, (void *)KERNEL_HALF));
	}
}

TEST("vmo_op_range:ACCESS_DENIED argument 0 READ_OR_WRITE where the operation asks for neither alone")
{
	sys_cap_t vmo = new_vmo(PAGE);
	const enum sys_vmo_op ops[] = {SYS_VMO_OP_ALWAYS_NEED, SYS_VMO_OP_DONT_NEED, SYS_VMO_OP_LOCK};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		sys_cap_t none = less(vmo, SYS_RIGHT_READ | SYS_RIGHT_WRITE);
		REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_op_range(none, ops[i], 0, PAGE, buffer, sizeof(buffer)));
		for (sys_rights_t right = SYS_RIGHT_READ; right <= SYS_RIGHT_WRITE; right <<= 1)
			CHECK(sys_vmo_op_range(less(vmo, right), ops[i], 0, PAGE, buffer, sizeof(buffer)) !=
			      SYS_ERR_ACCESS_DENIED);
	}
}

TEST("the checks go from left to right")
{
	sys_cap_t vmo = new_vmo(PAGE), out, weak = reduced(ut, SYS_RIGHT_COPY);

	REFUSED(SYS_ERR_WRONG_TYPE, sys_vmo_create_child(ut, SYS_CAP_NULL, ~0u, 1, 1, &out));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_create_child(less(vmo, SYS_RIGHT_READ), SYS_CAP_NULL, ~0u, 1, 1, &out));
	REFUSED(SYS_ERR_BAD_CAP, sys_vmo_create_child(vmo, SYS_CAP_NULL, ~0u, 1, 1, &out));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_create_child(vmo, weak, ~0u, 1, 1, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(vmo, ut, ~0u, 1, 1, &out));
}
