/* SPDX-License-Identifier: BSD-2-Clause */
/* wake.pml: several CPUs, one kernel lock: waking a thread elsewhere, halting, stopping another CPU, shootdowns.
 *
 * Mirrored, name by name: kernel/arch/x86_64/lock.c (lock_take, lock_release, enter, syscall_careful, trap_user_ipi),
 * kernel/arch/x86_64/ipi.c (ask, await, requests_answer, give_up, arch_cpu_kick, arch_cpu_stop, mmu_shootdown),
 * kernel/arch/x86_64/interrupt.c (halt, halt_unlocked), kernel/arch/x86_64/context.c (context_forget),
 * kernel/arch/x86_64/entry.S (way_out), kernel/sched/sched.c (choose, look_again, sched_enqueue, pull, push, put_current,
 * pick, stop_elsewhere, sched_go_on, sched_reconsider), kernel/sched/thread.c (thread_exit, thread_set_affinity).
 *
 * A kernel entry that holds the lock is one step, but where the holder waits for another CPU. Taking the lock, waiting for it,
 * answering requests, leaving after the lock was given back, and halting go in the steps in which other CPUs see them. Memory is
 * sequentially consistent (the flags concerned are accessed so). An interrupt is taken some time after it was sent.
 *
 * Abstracted: one address space with one page, whose translation a CPU may have remembered as soon as it has the root loaded;
 * equal priorities, no slices; a wait is that for a notification; arch_preempt_poll and arch_breathe; the timer.
 *
 * Properties
 *   context   a context in use is nobody's else, and its memory is there: after arch_cpu_stop the CPU never looks at it again
 *   page      when mmu_shootdown has returned, no CPU uses the old translation
 *   call      a call that a stop met is made again, none twice
 *   end       when nothing moves any more every CPU halts (no two wait for each other), and no thread is ready (none slept
 *             through its wake-up). With FOREVER, as a cycle: two threads that wake each other both run again and again (LTL
 *             both_run, weak fairness)
 *
 * RACE_* (run.sh lists them) plants a mistake that must be found. */

#ifndef CPUS
#define CPUS 2
#endif
#ifndef THREADS
#define THREADS 3
#endif
#ifndef OPS
#define OPS 2                           /* calls of each thread */
#endif
#ifdef STOPS_ONLY                       /* calls: kills and unmaps only, fewer states */
#define CALLS_WAIT false
#else
#define CALLS_WAIT true
#endif
#define NONE 7

#define READY 1
#define WAITING 2
#define EXITED 3
#define WAIT 1
#define SIGNAL 2
#define KILL 3
#define MOVE 4
#define UNMAP 5

typedef thread {
	byte state, cpu, calls_left, calls_made;
	byte bound;                             /* NONE, or the only CPU that it may use */
	bool queued, signalled, freed;
};
thread th[THREADS];

typedef cpu_block {
	byte current;                           /* the scheduler's */
	byte context;                           /* the machine's: whose registers it has, or saves to */
	bool resched, pending, waiting, taken, ipi;
	bool stop, flush, kick;                 /* requests */
	bool root, cr3, remembered;             /* what is noted; what is loaded; a translation of the page is in the TLB */
	bool user, halts;
#ifdef RACE_HALTING_LATE
	bool halting;
#endif
};
cpu_block on[CPUS];
byte holder;                                    /* of the kernel lock: a CPU's number + 1; 0: nobody. Any order of those who wait is tried */
bool page = true, unmapped;

#define RUNNABLE(t) (th[t].state == READY)
#define ALLOWED(t, c) (th[t].bound == NONE || th[t].bound == c)

/* ---- the machine: contexts, requests, the lock ------------------------------------------------------------------------------- */

inline use_context(c)
{
	assert(on[c].context != NONE && !th[on[c].context].freed)
}

/* The hardware may walk the tables as soon as it can. */
inline load(c, user_root)
{
	on[c].cr3 = user_root;
	on[c].remembered = user_root && page
}

inline context_forget(c)
{
	on[c].context = NONE;
	on[c].root = false;
	load(c, false)
}

/* The first step of requests_answer(); the second clears what was asked. */
inline answer(c)
{
	d_step {
		do_stop = on[c].stop;
		do_flush = on[c].flush;
		do_kick = on[c].kick;
		if :: do_flush -> load(c, on[c].root) :: else fi;
		if
		:: do_stop && on[c].context != NONE ->
			use_context(c);
#ifdef RACE_CALL_LOST
			if :: in_call -> th[on[c].context].calls_left-- :: else fi;
#endif
			context_forget(c);
			on[c].taken = true
		:: else
		fi;
#ifndef RACE_KICK_UNNOTED
		if :: do_kick -> on[c].pending = true :: else fi;
#endif
		skip
	}
	d_step {
		on[c].stop = on[c].stop && !do_stop;
		on[c].flush = on[c].flush && !do_flush;
		on[c].kick = on[c].kick && !do_kick;
		do_stop = false;
		do_flush = false;
		do_kick = false
	}
}

#define ASKED(c) (on[c].stop || on[c].flush || on[c].kick)
#ifdef RACE_DEAF
#define HEARS false
#else
#define HEARS true
#endif

inline lock_take(c)
{
	if
	:: atomic { holder == 0 -> holder = c + 1 }
	:: else ->
		on[c].waiting = true;
		do
		:: atomic { holder == 0 -> holder = c + 1 }; break
		:: holder != 0 && HEARS && ASKED(c) -> answer(c)
		od;
#ifndef RACE_WAITING_STAYS
		on[c].waiting = false
#endif
	fi
}

inline lock_release() { holder = 0 }

inline send(far)
{
	if
	:: !on[far].waiting -> on[far].ipi = true
	:: else
	fi
}

/* ---- the scheduler: each in one step, under the lock -------------------------------------------------------------------------- */

/* The first thread that waits for CPU c, or NONE. */
inline first_of(c, out)
{
	out = 0;
	do
	:: out < THREADS && !(th[out].queued && th[out].cpu == c) -> out++
	:: out == THREADS -> out = NONE; break
	:: else -> break
	od
}

/* Nothing runs there or is about to (level() is -1). */
inline is_free(c, out)
{
	first_of(c, x);
	out = (x == NONE && (on[c].current == NONE || !RUNNABLE(on[c].current) || !ALLOWED(on[c].current, c)));
	x = 0
}

inline choose(t, out)
{
	out = th[t].cpu;
	is_free(out, free);
	if
	:: free && ALLOWED(t, out)
	:: else ->
		i = 0;
		do
		:: i < CPUS ->
			is_free(i, free);
			if :: free && ALLOWED(t, i) -> out = i; break :: else -> i++ fi
		:: else -> break
		od;
		if
		:: i == CPUS && th[t].bound != NONE -> out = th[t].bound
		:: else
		fi;
		i = 0
	fi;
	free = false
}

inline look_again(me, far)
{
	on[far].resched = true;
	if
#ifdef RACE_HALTING_LATE
	:: far != me && on[far].halting -> on[far].kick = true; send(far)
#else
	:: far != me -> on[far].kick = true; send(far)
#endif
	:: else
	fi
}

inline sched_enqueue(me, t)
{
	assert(RUNNABLE(t) && !th[t].queued && on[th[t].cpu].current != t);
	choose(t, where);
	th[t].cpu = where;
	th[t].queued = true;
	if :: on[where].current == NONE -> look_again(me, where) :: else fi;
	where = 0
}

/* sched_go_on(): unless it still has a CPU. */
inline make_ready(me, t)
{
	th[t].state = READY;
	if :: on[th[t].cpu].current != t -> sched_enqueue(me, t) :: else fi
}

/* An idle CPU takes a thread that waits for another one. */
inline pull(c)
{
	is_free(c, free);
	i = 0;
	do
	:: free && i < THREADS && th[i].queued && ALLOWED(i, c) -> th[i].cpu = c; break
	:: free && i < THREADS && !(th[i].queued && ALLOWED(i, c)) -> i++
	:: else -> break
	od;
	i = 0;
	free = false
}

inline push(c)
{
	first_of(c, t);
	if
	:: t != NONE ->
		choose(t, where);
		if
		:: where != c -> th[t].queued = false; sched_enqueue(c, t)
		:: else
		fi
	:: else
	fi;
	where = 0;
	t = 0
}

inline pick(c)
{
	on[c].resched = false;
	on[c].pending = false;
	pull(c);
	t = on[c].current;
	if
	:: t != NONE && RUNNABLE(t) && ALLOWED(t, c)
	:: else ->
		on[c].current = NONE;
		if
		:: t != NONE && RUNNABLE(t) -> sched_enqueue(c, t)
		:: else
		fi;
		first_of(c, t);
		if
		:: t != NONE -> th[t].queued = false; on[c].current = t; push(c)
		:: else
		fi
	fi;
	t = 0
}

/* ---- system calls ---------------------------------------------------------------------------------------------------------------- */

inline call_wait(c)
{
	t = on[c].current;
	if
	:: th[t].signalled -> th[t].signalled = false
	:: else -> th[t].state = WAITING; on[c].resched = true
	fi;
	t = 0
}

inline call_signal(c, to)
{
	if
	:: th[to].state == WAITING -> make_ready(c, to)
	:: th[to].state == READY -> th[to].signalled = true
	:: else
	fi
}

/* Does `to` run on another CPU, which then has to be stopped? */
#define ELSEWHERE(c, to) (to != on[c].current && on[th[to].cpu].current == to)

inline unqueue(to)
{
	th[to].queued = false
}

/* arch_cpu_stop() and stop_elsewhere(). */
inline sched_stop(c, to)
{
	if
	:: on[th[to].cpu].context != NONE ->
		on[th[to].cpu].stop = true;
		send(th[to].cpu);
		!on[th[to].cpu].stop            /* await */
	:: else
	fi;
	d_step {
		assert(on[th[to].cpu].context == NONE && !on[th[to].cpu].user);
		on[th[to].cpu].current = NONE;
		on[th[to].cpu].resched = true
	}
}

inline call_kill(c, to)
{
	d_step { th[to].state = EXITED; unqueue(to) };
	if :: ELSEWHERE(c, to) -> sched_stop(c, to) :: else fi;
	th[to].freed = true
}

inline call_move(c, to)
{
	d_step {
		th[to].bound = 1 - (th[to].cpu == 1);
		if
		:: th[to].queued -> th[to].queued = false; sched_enqueue(c, to)
		:: else
		fi
	}
	if
	:: ELSEWHERE(c, to) && !ALLOWED(to, th[to].cpu) ->
#ifndef RACE_MOVE_RUNNING
		sched_stop(c, to);
#else
		th[to].cpu = th[to].bound;
#endif
		d_step { sched_enqueue(c, to) }
	:: to == on[c].current -> on[c].resched = true
	:: else
	fi
}

inline call_unmap(c)
{
	page = false;
	if :: on[c].cr3 -> on[c].remembered = false :: else fi;
	other = 0;
	do
	:: other < CPUS && other != c && on[other].root -> on[other].flush = true; send(other); other++
	:: other < CPUS && !(other != c && on[other].root) -> other++
	:: else -> break
	od;
	other = 0;
	do
#ifndef RACE_FLUSH_UNAWAITED
	:: other < CPUS && !on[other].flush -> other++
#else
	:: other < CPUS -> other++
#endif
	:: other == CPUS -> break
	od;
	other = 0;
	unmapped = true
}

#define CAN(t) (to == t && on[c].current != t && th[t].state != EXITED)

inline any_other(c)
{
	select(to : 0 .. THREADS - 1);
	if
	:: to == on[c].current || th[to].freed -> to = (on[c].current + 1) % THREADS
	:: else
	fi
}

inline call(c)
{
	d_step { th[on[c].current].calls_left--; th[on[c].current].calls_made++ };
	any_other(c);
	if
	:: CALLS_WAIT -> d_step { call_wait(c) }
	:: CALLS_WAIT && !th[to].freed -> d_step { call_signal(c, to) }
	:: !th[to].freed && th[to].state != EXITED -> call_kill(c, to)
	:: CALLS_WAIT && !th[to].freed && th[to].state != EXITED && th[to].bound == NONE -> call_move(c, to)
	:: CALLS_WAIT && th[on[c].current].bound == NONE -> to = on[c].current; call_move(c, to)
	:: page -> call_unmap(c)
	:: !page && !CALLS_WAIT
	fi;
	to = 0
}

#ifdef FOREVER
/* Wakes the other and waits. */
inline call_ping_pong(c)
{
	d_step { to = 1 - on[c].current; call_signal(c, to); call_wait(c); to = 0 }
}
#endif

/* ---- CPUs ------------------------------------------------------------------------------------------------------------------------- */

proctype Cpu(byte c)
{
	byte t, x, i, to, where, other;
	bool free, in_call, do_stop, do_flush, do_kick;

	lock_take(c);
way_out:                                /* the lock is held; sched_next() */
	atomic {
		d_step { pick(c) };
		if
		:: on[c].current == NONE -> goto idle
		:: else
		fi
	};
	d_step {
		assert(RUNNABLE(on[c].current) && th[on[c].current].cpu == c);
		i = 0;
		do
		:: i < CPUS -> assert(i == c || on[i].context != on[c].current); i++
		:: else -> break
		od;
		i = 0;
		on[c].context = on[c].current;
		if
		:: !on[c].root ->
#ifndef RACE_ROOT_LATE
			on[c].root = true;
#endif
			load(c, true)
		:: else
		fi;
		on[c].resched = false
	}
	lock_release();
#ifdef RACE_ROOT_LATE
	on[c].root = true;
#endif
	d_step { use_context(c); on[c].user = true }            /* the registers are loaded */
user:
	do
#ifndef FOREVER
	:: d_step { !on[c].ipi -> assert(!(unmapped && on[c].remembered) && !th[on[c].context].freed) }       /* uses the page */
#endif
	:: atomic { on[c].ipi -> d_step { use_context(c); on[c].ipi = false; on[c].user = false }; goto ipi }
	:: atomic { true -> d_step { use_context(c); on[c].user = false; in_call = true }; goto syscall }
	od;

ipi:                                    /* trap_user_ipi */
	if
	:: ASKED(c) -> answer(c)
	:: else
	fi;
	if
	:: !on[c].taken && !on[c].pending -> d_step { use_context(c); on[c].user = true }; goto user
	:: else
	fi;
	lock_take(c);
	goto entered;

syscall:                                /* syscall_careful */
	lock_take(c);
entered:
	if
#ifndef RACE_NOT_TAKEN
	:: atomic { on[c].taken -> on[c].taken = false; in_call = false }
#else
	:: atomic { on[c].taken && !in_call -> on[c].taken = false }
#endif
	:: else ->
		use_context(c);
		if
		:: !in_call
#ifdef FOREVER
		:: in_call -> call_ping_pong(c)
#else
		:: in_call && th[on[c].current].calls_left > 0 -> call(c)
		:: in_call && th[on[c].current].calls_left == 0 ->
			assert(th[on[c].current].calls_made == OPS);
			th[on[c].current].state = EXITED
#endif
		fi;
		in_call = false
	fi;
	goto way_out;

idle:                                   /* arch_idle(): halt_unlocked() */
	atomic { d_step { context_forget(c); lock_release() } };
#ifdef RACE_HALTING_LATE
	on[c].halting = true;
#endif
	do
	:: on[c].pending -> break
#ifdef RACE_CHECK_THEN_HALT
	:: !on[c].pending ->                    /* interrupts are on */
		do
		:: on[c].ipi -> on[c].ipi = false; answer(c)
		:: break
		od;
		on[c].halts = true;
end_hlt:	atomic { on[c].ipi -> on[c].ipi = false; on[c].halts = false };
		answer(c)
#else
	:: atomic { !on[c].pending -> on[c].halts = true };
end_hlt:	atomic { on[c].ipi -> on[c].ipi = false; on[c].halts = false };
		answer(c)
#endif
	od;
#ifdef RACE_HALTING_LATE
	on[c].halting = false;
#endif
	lock_take(c);
	goto way_out
}

/* Nothing moves any more. */
proctype Watch()
{
	byte i;

	timeout;
	d_step {
		do
		:: i < CPUS -> assert(on[i].halts); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < THREADS -> assert(th[i].state != READY); i++
		:: else -> break
		od
	}
end:
	false
}

init
{
	byte i;

	atomic {
		do
		:: i < THREADS ->
			th[i].state = READY;
			th[i].queued = true;
			th[i].cpu = i % CPUS;
#ifdef FOREVER
			th[i].bound = i % CPUS;         /* else an idle CPU would take what another sleeps through */
#else
			th[i].bound = NONE;
#endif
			th[i].calls_left = OPS;
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < CPUS -> on[i].current = NONE; on[i].context = NONE; run Cpu(i); i++
		:: else -> break
		od;
		i = 0;
#ifndef FOREVER
		run Watch()
#endif
	}
}

#ifdef FOREVER
#define runs0 (on[0].user && on[0].context == 0 || on[1].user && on[1].context == 0)
#define runs1 (on[0].user && on[0].context == 1 || on[1].user && on[1].context == 1)
ltl both_run { []<> runs0 && []<> runs1 }
#endif
