/* SPDX-License-Identifier: BSD-2-Clause */
/* fpu.c: floating point and vector registers: they survive switches, and can be read and written. */
#include "common/helper.h"

#include <string.h>

enum {
	MXCSR = 24, ST0 = 32, XMM = 160, HEADER = 512, YMM = 576,      /* offsets in the XSAVE area */
	LEGACY = 512, AREA = 4096,
};

struct cpuid { uint32_t a, b, c, d; };

static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;
	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
	return r;
}

static bool has_xsave(void)
{
	return cpuid(1, 0).c >> 27 & 1;
}

static uint64_t xcr0(void)
{
	uint32_t low, high;
	if (!has_xsave())
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static bool has_avx(void)
{
	return xcr0() >> 2 & 1;
}

static size_t state_size(void)
{
	return has_xsave() ? cpuid(0xd, 0).b : LEGACY;
}

/* ---- registers that stay ---- */

struct lanes { uint64_t value[16][4]; };

static void fill(struct lanes *lanes, uint64_t seed)
{
	for (size_t i = 0; i < 16; i++)
		for (size_t j = 0; j < 4; j++)
			lanes->value[i][j] = random_next(&seed);
}

#define EACH_XMM(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define LOAD_X(N) "movdqu " #N "*32(%0), %%xmm" #N "\n"
#define KEEP_X(N) "movdqu %%xmm" #N ", " #N "*32(%1)\n"
#define LOAD_Y(N) "vmovdqu " #N "*32(%0), %%ymm" #N "\n"
#define KEEP_Y(N) "vmovdqu %%ymm" #N ", " #N "*32(%1)\n"
#define SPIN "1: testl %2, (%3)\n jz 1b\n"

/* Loads all registers, spins until *go, stores them. The x87 stack too: one value. */
struct holder { struct lanes in, out; volatile uint32_t go, loaded; double x87; };

#define HOLD(LOAD, KEEP)                                                                                         \
	__asm__ volatile(LOAD "movl $1, 4(%3)\n" SPIN KEEP                                                       \
			 :                                                                                       \
			 : "r"(&holder->in), "r"(&holder->out), "r"(1), "r"(&holder->go)                         \
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",      \
			   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

static int64_t holds_xmm(void *arg)
{
	struct holder *holder = arg;
	HOLD("fninit\n fldpi\n" EACH_XMM(LOAD_X), EACH_XMM(KEEP_X));
	__asm__ volatile("fstpl %0" : "=m"(holder->x87));
	return 0;
}

static int64_t holds_ymm(void *arg)
{
	struct holder *holder = arg;
	HOLD("fninit\n fldpi\n" EACH_XMM(LOAD_Y), EACH_XMM(KEEP_Y) "vzeroupper\n");
	__asm__ volatile("fstpl %0" : "=m"(holder->x87));
	return 0;
}

static const double pi = 3.14159265358979323846;

static void check_lanes(const struct lanes *got, const struct lanes *want, size_t words)
{
	for (size_t i = 0; i < 16; i++)
		for (size_t j = 0; j < words; j++)
			EQ(got->value[i][j], want->value[i][j]);
}

static bool is_loaded(void *arg)
{
	return ((struct holder *)arg)->loaded != 0;
}

static void several(helper_fn fn, size_t words)
{
	enum { THREADS = 4 };
	static struct holder holder[THREADS];
	sys_cap_t thread[THREADS];

	memset(holder, 0, sizeof(holder));
	for (size_t i = 0; i < THREADS; i++) {
		fill(&holder[i].in, 100 + i);
		thread[i] = helper_start(fn, &holder[i]);
	}
	for (size_t i = 0; i < THREADS; i++)
		CHECK(until(is_loaded, &holder[i], LIMIT));
	for (int i = 0; i < 5; i++)
		sys_thread_yield();
	for (size_t i = 0; i < THREADS; i++)
		holder[i].go = 1;
	for (size_t i = 0; i < THREADS; i++) {
		EQ(until_exited(thread[i]), 0);
		check_lanes(&holder[i].out, &holder[i].in, words);
		CHECK(holder[i].x87 == pi);
	}
}

TEST("thread_yield:OK x87 and SSE registers of four threads survive switches between them")
{
	several(holds_xmm, 2);
}

TEST("thread_yield:OK AVX registers of four threads survive switches between them")
{
	several(has_avx() ? holds_ymm : holds_xmm, has_avx() ? 4 : 2);
}

/* ---- read and written ---- */

static uint8_t area[AREA] __attribute__((aligned(64)));

static void read_area(sys_cap_t thread)
{
	memset(area, 0xa5, sizeof(area));
	OKAY(sys_thread_read_state(thread, SYS_STATE_FPU, area, sizeof(area)));
	for (size_t i = state_size(); i < sizeof(area); i++)
		EQ(area[i], 0xa5);
}

static struct holder held;

/* A thread that spins with known values, suspended. */
static sys_cap_t suspended_holder(uint64_t seed)
{
	memset(&held, 0, sizeof(held));
	fill(&held.in, seed);
	sys_cap_t thread = helper_start(has_avx() ? holds_ymm : holds_xmm, &held);
	CHECK(until(is_loaded, &held, LIMIT));
	OKAY(sys_thread_suspend(thread));
	return thread;
}

static void check_area(const struct lanes *want)
{
	for (size_t i = 0; i < 16; i++) {
		EQ(memcmp(area + XMM + 16 * i, want->value[i], 16), 0);
		if (has_avx())
			EQ(memcmp(area + YMM + 16 * i, want->value[i] + 2, 16), 0);
	}
}

static void put_lanes(const struct lanes *lanes)
{
	for (size_t i = 0; i < 16; i++) {
		memcpy(area + XMM + 16 * i, lanes->value[i], 16);
		if (has_avx())
			memcpy(area + YMM + 16 * i, lanes->value[i] + 2, 16);
	}
}

TEST("thread_read_state:OK the FPU's area is as the CPU writes it, as long as CPUID says")
{
	sys_cap_t thread = suspended_holder(5);
	uint64_t bits = 0;

	read_area(thread);
	check_area(&held.in);
	EQ(*(uint32_t *)(void *)(area + MXCSR), 0x1f80);
	EQ(*(uint64_t *)(void *)(area + ST0), 0xc90fdaa22168c235);      /* pi */
	if (has_xsave()) {
		memcpy(&bits, area + HEADER, sizeof(bits));
		EQ(bits & ~xcr0(), 0);
		EQ(bits & 3, 3);
		EQ(bits >> 2 & 1, has_avx());
	}
	REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_thread_read_state(thread, SYS_STATE_FPU, area, state_size() - 1));
	OKAY(sys_thread_read_state(thread, SYS_STATE_FPU, area, state_size()));
	held.go = 1;
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), 0);
	check_lanes(&held.out, &held.in, has_avx() ? 4 : 2);
}

TEST("thread_write_state:OK the thread has the FPU's values that were written")
{
	struct lanes other;
	sys_cap_t thread = suspended_holder(6);

	read_area(thread);
	fill(&other, 1234);
	put_lanes(&other);
	memcpy(area + ST0, "\0\0\0\0\0\0\0\x80\xff\x3f", 10);           /* 1.0 */
	OKAY(sys_thread_write_state(thread, SYS_STATE_FPU, area, state_size()));
	sys_thread_yield();
	read_area(thread);
	check_area(&other);
	held.go = 1;
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), 0);
	check_lanes(&held.out, &other, has_avx() ? 4 : 2);
	CHECK(held.x87 == 1.0);
}

static int64_t shows_mxcsr(void *arg)
{
	uint32_t mxcsr;
	(void)arg;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return mxcsr;
}

TEST("thread_write_state:OK a new thread's FPU state, and MXCSR")
{
	sys_cap_t thread = helper_prepare(shows_mxcsr, NULL, SYS_CAP_NULL, own_priority());
	uint32_t mxcsr = 0x7f80;                        /* rounds towards zero */

	read_area(thread);
	EQ(*(uint32_t *)(void *)(area + MXCSR), 0x1f80);
	memcpy(area + MXCSR, &mxcsr, sizeof(mxcsr));
	OKAY(sys_thread_write_state(thread, SYS_STATE_FPU, area, state_size()));
	helper_go(thread);
	EQ(until_exited(thread), 0x7f80);
}

/* Writes the area with one byte turned into `value`. */
static void bad_byte(sys_cap_t thread, size_t at, uint8_t value)
{
	uint8_t was = area[at];

	area[at] = value;
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_write_state(thread, SYS_STATE_FPU, area, state_size()));
	area[at] = was;
}

TEST("thread_write_state:INVALID_ARGS FPU state that the CPU would not load, and nothing has changed")
{
	sys_cap_t thread = suspended_holder(7);

	read_area(thread);
	bad_byte(thread, MXCSR + 2, 1);                 /* reserved bits of MXCSR */
	bad_byte(thread, MXCSR + 3, 0x80);
	if (has_xsave()) {
		bad_byte(thread, HEADER + 7, 0x80);     /* a part that there is not */
		bad_byte(thread, HEADER, (uint8_t)(xcr0() + 1));
		for (size_t i = HEADER + 8; i < HEADER + 64; i++)
			bad_byte(thread, i, 1);         /* the compact form; what is reserved */
		bad_byte(thread, HEADER + 15, 0x80);
	}
	read_area(thread);
	check_area(&held.in);
	held.go = 1;
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), 0);
	check_lanes(&held.out, &held.in, has_avx() ? 4 : 2);
}

TEST("thread_write_state:OK whatever stands in the rest of the area harms nobody")
{
	uint64_t seed = 99;
	size_t header = has_xsave() ? HEADER : LEGACY;

	for (int i = 0; i < 50; i++) {
		sys_cap_t thread = suspended_holder(8);
		for (size_t j = 0; j < state_size(); j++)
			area[j] = (uint8_t)random_next(&seed);
		memset(area + MXCSR, 0, 4);
		area[MXCSR + 1] = 0x1f;
		if (has_xsave()) {
			memset(area + header, 0, 64);
			area[HEADER] = (uint8_t)(random_next(&seed) & xcr0());
		}
		OKAY(sys_thread_write_state(thread, SYS_STATE_FPU, area, state_size()));
		held.go = 1;
		OKAY(sys_thread_resume(thread));
		int64_t code = until_exited(thread);    /* a pending x87 exception may end it */
		CHECK(code == 0 || code == INT64_MIN + 16);
		OKAY(sys_cap_delete(thread));
		helper_drop(1);
	}
}
