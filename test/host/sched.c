/* SPDX-License-Identifier: BSD-2-Clause */
/* sched.c: which thread gets which CPU (kernel/sched), with several CPUs: random operations by the thread that some CPU
 * runs, on threads anywhere. Only CPUs that were told to look again do so; then what must hold is checked against the
 * plain rule: no CPU runs (or idles with) less than what waits and may use it. */
#include "common/threads.h"
#include "sched/runqueue.h"

enum { THREADS = 14, CPUS = 4, BASE = 10, LEVELS = 5 };

static struct actor *actor[THREADS], *idler[CPUS];
static struct notification *bell;
static struct vmo *records;             /* status records of half of the threads */
static unsigned cpus;

static struct thread *thread_at(unsigned i) { return actor[i]->t; }
static u64 record_of(const struct thread *t) { return 16 * (t->object.koid % 256); }
static struct cpu *on(unsigned n)
{
	host_cpu_set(n);
	return cpu_at(n);
}

/* Each CPU has a thread of its own with the lowest priority, so that none is ever without. */
static void start(unsigned count)
{
	struct space *space;

	cpus = count;
	kernel_start(4096);
	host_cpus_set(count);
	sched_init();
	must(space_create(account_root(), false, &space) == SYS_OK);
	for (unsigned i = 0; i < THREADS; i++)
		actor[i] = actor_new(account_root(), space, NULL, (u8)(BASE + random_below(LEVELS)));
	for (unsigned n = 0; n < cpus; n++) {
		idler[n] = actor_new(account_root(), space, NULL, 0);
		must(thread_set_affinity(idler[n]->t, 1ull << n) == SYS_OK);
	}
	bell = object_new(account_root(), SYS_TYPE_NOTIFICATION);
	must(vmo_create(account_root(), PAGE_SIZE_, 0, &records) == SYS_OK);
	object_cap(&records->object);
	for (unsigned i = 0; i < THREADS; i += 2)
		must(thread_set_status_record(thread_at(i), records, record_of(thread_at(i)), NULL) == SYS_OK);
}

/* All CPUs that were told to, and they tell others, until nobody has anything to do. */
static void settle(void)
{
	for (bool again = true; again;) {
		again = false;
		for (unsigned n = 0; n < cpus; n++)
			if (on(n)->resched || !cpu_at(n)->current) {
				must(sched_next() == cpu_at(n)->current);
				again = true;
			}
	}
}

static bool ready(const struct thread *t) { return t->state == SYS_THREAD_READY && !t->suspended; }

static void check_record(const struct thread *t)
{
	sys_thread_status_t s;

	accessor_read(&t->status, 0, &s, sizeof s);
	must(s.switches == t->switches && s.sequence == 2 * (u32)t->switches);
	must(!sched_running(t) || s.cpu == t->cpu->number);
}

static void check_thread(const struct thread *t)
{
	thread_check(t);
	if (t->recorded)
		check_record(t);
	must(ready(t) == (sched_running(t) || sched_queued(t)));
	if (sched_running(t))
		must(t->affinity >> t->cpu->number & 1);
	for (unsigned n = 0; n < cpus; n++) {
		must(cpu_at(n)->current != t || t->cpu == cpu_at(n));
		if (ready(t) && !sched_running(t) && t->affinity >> n & 1)
			must(cpu_at(n)->current->priority >= t->priority);
	}
}

static void check(void)
{
	sched_check();
	vmo_check(records);
	for (unsigned i = 0; i < THREADS; i++)
		check_thread(thread_at(i));
}

/* What the thread that runs on this CPU does to t. A stop is asked for exactly where t runs on another CPU and may not go on. */
static void act(struct thread *t)
{
	struct thread *self = my_cpu->current;
	struct cpu *other = t->cpu != my_cpu->self && sched_running(t) ? t->cpu : NULL;
	u64 stops = other ? host_stops(other->number) : 0;
	bool stopped = false;

	switch (random_below(9)) {
	case 0: stopped = thread_suspend(t) == SYS_OK; break;
	case 1: thread_resume(t); break;
	case 2: thread_wake(t); break;
	case 3: thread_wake(t); break;
	case 4: thread_set_priority(t, (u8)(BASE + random_below(LEVELS))); break;
	case 5:
		must(thread_set_affinity(t, 1 + random_below(sched_cpus())) == SYS_OK);
		stopped = other && !(t->affinity >> other->number & 1);
		break;
	case 6: sched_yield(); break;
	case 7: must(thread_set_status_record(t, random_chance(50) ? records : NULL, record_of(t), NULL) == SYS_OK); break;
	default:
		if (self->priority)
			thread_block(self, WAIT_NOTIFICATION, &bell->waiters, SYS_TIME_INFINITE, true);
	}
	if (other)
		must(host_stops(other->number) == stops + stopped);
}

static void many(unsigned count)
{
	start(count);
	settle();
	check();
	for (unsigned i = 0; i < 60000; i++) {
		on((unsigned)random_below(cpus));
		act(thread_at((unsigned)random_below(THREADS)));
		settle();
		check();
	}
}

START_TEST(random_on_several)
{
	many(CPUS);
}
END_TEST

START_TEST(random_on_two)
{
	many(2);
}
END_TEST

/* A thread that is killed while it runs elsewhere is off that CPU, and its address space, when the call returns. */
START_TEST(killed_elsewhere)
{
	struct thread *t;

	start(2);
	settle();
	for (unsigned i = 0; i < THREADS; i++) {
		t = cpu_at(1)->current;
		if (!t->priority)
			break;
		on(0);
		thread_exit(t, 7);
		must(cpu_at(1)->current == NULL && t->state == SYS_THREAD_EXITED && !t->space && cpu_at(1)->resched);
		must(host_stops(1) == i + 1);
		settle();
		check();
	}
	must(host_stops(1) > 3);
}
END_TEST

/* Three equals on two CPUs: each has its share, as who has used up a slice takes in who waits elsewhere. */
START_TEST(equals_share)
{
	unsigned turns[3] = { 0 };

	start(2);
	for (unsigned i = 0; i < THREADS; i++)
		if (i < 3)
			thread_set_priority(thread_at(i), BASE);
		else
			thread_suspend(thread_at(i));
	settle();
	for (unsigned i = 0; i < 300; i++) {
		on(i % 2);
		my_cpu->current->cpu_time += QUANTUM;
		arch_timer_set(0);
		must(sched_next() == my_cpu->current);
		settle();
		for (unsigned t = 0; t < 3; t++)
			turns[t] += sched_running(thread_at(t));
	}
	for (unsigned t = 0; t < 3; t++)
		must(turns[t] > 180 && turns[t] < 220);
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("sched");

	add_test(s, random_on_several);
	add_test(s, random_on_two);
	add_test(s, killed_elsewhere);
	add_test(s, equals_share);
	return s;
}
