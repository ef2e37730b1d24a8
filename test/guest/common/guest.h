/* SPDX-License-Identifier: BSD-2-Clause */
/* guest.h: what every guest test stands on. One file NAME.c in test/guest/ is one program and one process; it holds
 * tests, the common part holds main(). A test reads
 *
 *     TEST("vmo_read:OUT_OF_RANGE past the end")
 *     {
 *             sys_cap_t vmo = new_vmo(SYS_PAGE_SIZE);
 *             REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(vmo, buf, SYS_PAGE_SIZE, 1));
 *     }
 *
 * and its name begins with the pairs call:ERROR (call:OK for a success) that it shows, so that a script can list what
 * is shown. Tests stand for themselves: they register through a linker section and run in the order of their lines.
 *
 * Rules. Everything that a test makes comes from the account `ut`, which is empty when the test begins. After the test
 * the account is revoked: nothing may be left of it, and the program's own account must be as it was, to the frame.
 * Helper threads (helper.h) and processes (process.h) have no TLS: their functions use system calls, memory and nothing
 * else of the library, and no CHECK. A test that fails leaves by longjmp; what it made dies with its account.
 */
#pragma once
#include <check.h>
#include <libsys/libsys.h>
#include <stdbool.h>
#include <stdint.h>

#define PAGE ((uint64_t)SYS_PAGE_SIZE)
#define NOWHERE ((void *)0x7f0000000000)        /* user addresses that nothing is ever mapped at in these tests */
#define KERNEL_HALF 0xffff800000000000ull
#define SECOND 1000000000ll
#define MILLISECOND 1000000ll
#define LIMIT (5 * SECOND)      /* longer than anything takes, on a busy machine too: only a hang meets it */
#define ACCOUNT_BYTES (16ull << 20)

/* ---- registration ---- */

struct guest_test {
	const char *name;
	void (*run)(int index);
	const char *file;
	int line, index;
};

#define TEST(NAME) TEST_AT(NAME, __LINE__)
#define TEST_AT(NAME, LINE) TEST_NAMED(NAME, LINE)
#define TEST_NAMED(NAME, LINE)                                                                                   \
	static void test_##LINE(int index);                                                                      \
	static const struct guest_test test_record_##LINE = {NAME, test_##LINE, __FILE__, LINE, 0};              \
	static const struct guest_test *const test_entry_##LINE                                                  \
		__attribute__((section("guest_tests"), used)) = &test_record_##LINE;                             \
	static void test_##LINE(int index __attribute__((unused)))

/* Adds one test from a table: `run` gets `index`. For use in guest_tables(), which a program may define. `name` is
 * copied. */
void guest_add(const char *name, void (*run)(int), int index);
void guest_tables(void);
/* What a program does that is started with arguments, instead of its tests: its exit status. GUEST_RUN_TESTS: run the
 * tests (which the arguments may have told something). */
int guest_part(int argc, char **argv);
enum { GUEST_RUN_TESTS = -1 };

/* To the end of the test this thread and those that it makes have one CPU, however many there are: for tests of the order in which threads run. */
void one_cpu(void);

/* ---- checks (main thread only) ---- */

#define FAIL(...)                                                                                                \
	do {                                                                                                     \
		guest_fails(__VA_ARGS__);                                                                        \
		ck_abort_msg("%s", guest_failure);                                                               \
	} while (0)
#define CHECK(COND)                                                                                              \
	do {                                                                                                     \
		if (!(COND))                                                                                     \
			FAIL("line %d: not so: %s", __LINE__, #COND);                                            \
	} while (0)
#define EQ(A, B) check_equal((uint64_t)(A), (uint64_t)(B), #A, #B, __LINE__)
#define OKAY(CALL) check_status((CALL), SYS_OK, #CALL, __LINE__)
#define STATUS(WANT, CALL) check_status((CALL), (WANT), #CALL, __LINE__)
/* The call is refused with this error and the test's account is what it was. */
#define REFUSED(WANT, CALL)                                                                                      \
	do {                                                                                                     \
		sys_untyped_info_t refused_before = account(ut);                                                 \
		check_status((CALL), (WANT), #CALL, __LINE__);                                                   \
		check_account(&refused_before, ut, __LINE__);                                                    \
	} while (0)

extern char guest_failure[];
/* Notes why, and ends all that the test made: nothing of it runs on when the stack that it uses is left. */
void guest_fails(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_equal(uint64_t a, uint64_t b, const char *a_text, const char *b_text, int line);
void check_status(sys_status_t got, sys_status_t want, const char *call, int line);
void check_account(const sys_untyped_info_t *before, sys_cap_t account_cap, int line);

/* ---- things to test with; each checks that it succeeded ---- */

extern sys_cap_t ut;                    /* this test's account */
extern const char *guest_path;          /* argv[0]: the boot module that holds this program */

sys_untyped_info_t account(sys_cap_t account_cap);
uint64_t used(sys_cap_t account_cap);
sys_cap_t new_untyped(uint64_t bytes);
sys_cap_t new_cnode(uint32_t slots);
sys_cap_t new_endpoint(void);
sys_cap_t new_notification(void);
sys_cap_t new_reply(void);
sys_cap_t new_vspace(void);
sys_cap_t new_thread(void);             /* in this program, never started */
sys_cap_t new_vmo(uint64_t size);
sys_cap_t new_resizable(uint64_t size);
sys_cap_t new_vmo_in(sys_cap_t account_cap, uint64_t size);
sys_cap_t new_snapshot(sys_cap_t vmo, uint64_t offset, uint64_t size);
sys_cap_t new_pager(sys_cap_t *ep);        /* on an endpoint of its own (ep may be NULL), with badge 0 */
sys_cap_t new_object(enum sys_type type);       /* any object of this type: a test's type that can be had */
sys_cap_t new_region(sys_cap_t vmar, uint64_t size, sys_vaddr_t *base);  /* may map anything, anywhere in it */
sys_cap_t reduced(sys_cap_t cap, sys_rights_t rights); /* a copy with these rights; gone when the test ends */
sys_cap_t less(sys_cap_t cap, sys_rights_t rights);                     /* a copy without these rights */
sys_cap_t stale_cap(void);                                              /* the name of a capability that was deleted */
void *map_in(sys_cap_t vmar, sys_cap_t vmo, uint32_t options, uint64_t offset, uint64_t size);
void *map(sys_cap_t vmo, uint64_t size);                                /* readable and writable, in this program */
void unmap(void *at, uint64_t size);
sys_cap_info_t cap_info(sys_cap_t cap);
sys_vmo_info_t vmo_info(sys_cap_t vmo);
bool cap_is_gone(sys_cap_t cap);
void fill_slots(void);                  /* no free slot is left in this program's CSpace until the test ends */
sys_cap_t full_account(void);           /* a small account in which no frame is free */

/* Content, through the calls. */
void put(sys_cap_t vmo, uint64_t offset, uint64_t value);
uint64_t get(sys_cap_t vmo, uint64_t offset);

/* Time. */
sys_time_t after(sys_time_t ns);        /* a deadline so far from now */
void sleep_for(sys_time_t ns);
uint64_t random_next(uint64_t *state);  /* a small generator with a state of its own */
