/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.pml: messages, replies and their ends, as the kernel does them under its one lock.
 *
 * Every kernel entry runs to its end under the kernel lock, so each is one atomic step here; what interleaves is entries.
 * Mirrored, name by name: kernel/sched/thread.c (thread_block, thread_stop_waiting, thread_wake, thread_complete,
 * thread_exit, thread_suspend, thread_resume), kernel/sched/sched.c (run_timers), kernel/ipc/message.c (ipc_send, hand_over,
 * await_reply, receive_first, ipc_recv, ipc_reply, ipc_fault), kernel/syscall/ipc_calls.c (call_ipc_reply_recv,
 * call_ipc_recv_rest), kernel/ipc/endpoint.c (endpoint_reap, reply_ended, left). A system call that waits is made again from
 * its registers (rip 0: at the instruction, 1: behind it), so its capabilities are looked up again.
 *
 * Abstracted: one endpoint; equal priorities; words and registers (only who sent what, how often); messages carry one
 * capability or none; memory that is not there (no WAIT_PAGE); pagers on the endpoint; the fast path, which does in one entry what
 * ipc_send and call_ipc_reply_recv do. A deadline passes whenever it likes.
 *
 * Properties
 *   walkers   after each entry: check(), the asserts of thread_check() and endpoint_check() and more: who waits is on exactly
 *             the list that its wait says, or held by a reply object that knows it; no link leads to what is freed; never a
 *             sender and a receiver both waiting; nothing stands on what is taken apart
 *   returned  what a call's status says is what happened: a message was handed over exactly once, or not at all; a reply came
 *             to the call that it answers and to no other
 *   end       when the manager has deleted every capability, every thread gets to its end: nobody waits for ever. As an
 *             invalid end state, and (LTL all_end, weak fairness) as a cycle
 *
 * RACE_* (run.sh lists them) plants a mistake that must be found; NO_WALKERS leaves the walkers out, so that what a program
 * would notice must be what finds it. */

#ifndef THREADS
#define THREADS 3
#endif
#ifndef OPS
#define OPS 2                           /* calls of each thread */
#endif
#ifndef DISTURBANCES
#define DISTURBANCES 2                  /* kills, suspensions, deletions at any time */
#endif
#define NONE 15

/* states, waits, queues, results */
#define READY 1
#define WAITING 2
#define EXITED 3
#define WAIT_NONE 0
#define WAIT_SEND 1
#define WAIT_CALL 2
#define WAIT_FAULT 3
#define WAIT_RECV 4
#define WAIT_REPLY 5
#define SENDERS 1
#define RECEIVERS 2
#define OK 0
#define BAD_CAP 1
#define BAD_STATE 2
#define TIMED_OUT 3
#define PEER_CLOSED 4
#define CANCELED 5
#define BLOCKED 6
#define DONE 7
#define AGAIN 8
/* what a thread does */
#define SEND 1
#define GIVE 2                          /* a send with a capability in the message */
#define CALL 3
#define FAULT 4
#define RECV 5
#define REPLY 6
#define REPLY_RECV 7
#define RECV_REST 8

typedef thread {
	byte state, wait, waits_on, reply, op, rip, status;
	bool suspended, timed, freed, fault_endpoint;
	bool deadline, past, with_reply;        /* arguments of its call */
	byte delivered, came;                   /* of this call: hand-overs of its message; messages that it was given */
	bool serial;                            /* tells its calls apart */
};
thread th[THREADS];
chan senders = [THREADS] of { byte };
chan receivers = [THREADS] of { byte };

byte caller = NONE, receiver = NONE;            /* struct reply: the one reply object */
bool reply_serial;                              /* which call of the caller it holds */
bool reply_cap = true, recv_cap = true, send_cap = true, gift = true;
bool ep_dying, ep_reaped, ep_freed, reply_freed;
byte at_work = THREADS;                         /* threads that have not come to their end */

#define RUNS(t) (th[t].state == READY && !th[t].suspended)

/* ---- walkers ---------------------------------------------------------------------------------------------------------- */

inline check_thread(t)
{
	assert((th[t].state == WAITING) == (th[t].wait != WAIT_NONE));
	assert(th[t].state == WAITING || (th[t].waits_on == 0 && !th[t].timed && th[t].reply == NONE));
	assert((th[t].waits_on == SENDERS) == (senders??[eval(t)] -> true : false));
	assert((th[t].waits_on == RECEIVERS) == (receivers??[eval(t)] -> true : false));
	assert(!(th[t].wait == WAIT_SEND || th[t].wait == WAIT_CALL) || th[t].waits_on == SENDERS);
	assert(th[t].wait != WAIT_RECV || (th[t].waits_on == RECEIVERS && !th[t].suspended));
	assert(th[t].wait != WAIT_REPLY || (th[t].waits_on == 0 && caller == t));
	assert(th[t].wait != WAIT_FAULT || (th[t].waits_on == SENDERS) != (caller == t));
	assert((th[t].reply != NONE) == (caller == t || receiver == t));
	assert(!th[t].freed || th[t].state == EXITED);
	assert(th[t].rip <= 1);
}

inline check()
{
#ifndef NO_WALKERS
	byte waiting_to_send = 0, waiting_to_receive = 0, i = 0;
	do
	:: i < THREADS ->
		check_thread(i);
		waiting_to_send = waiting_to_send + (th[i].waits_on == SENDERS);
		waiting_to_receive = waiting_to_receive + (th[i].waits_on == RECEIVERS);
		i++
	:: else -> break
	od;
	assert(waiting_to_send == len(senders) && waiting_to_receive == len(receivers));
	assert(ep_dying || len(senders) == 0 || len(receivers) == 0);
	assert(!ep_reaped || (len(senders) == 0 && len(receivers) == 0));
	assert(caller == NONE || receiver == NONE);
	assert(!reply_freed || (caller == NONE && receiver == NONE));
	waiting_to_send = 0;
	waiting_to_receive = 0;
	i = 0
#else
	skip
#endif
}

/* ---- waiting (thread.c) ----------------------------------------------------------------------------------------------- */

inline queue(t, on)
{
	th[t].waits_on = on;
	if
	:: on == SENDERS -> senders!t
	:: on == RECEIVERS -> receivers!t
	:: else
	fi
}

inline unqueue(t)
{
	if
	:: th[t].waits_on == SENDERS -> senders??eval(t)
	:: th[t].waits_on == RECEIVERS -> receivers??eval(t)
	:: else
	fi;
	th[t].waits_on = 0
}

inline thread_block(t, kind, on)
{
	assert(th[t].state == READY && !th[t].freed);
	th[t].state = WAITING;
	th[t].wait = kind;
	th[t].rip--;
	queue(t, on);
	th[t].timed = th[t].deadline
}

/* endpoint.c */
inline left(t)
{
	th[t].reply = NONE;
#ifndef RACE_STALE_REPLY
	if :: caller == t -> caller = NONE :: else fi;
#endif
	if :: receiver == t -> receiver = NONE :: else fi
}

inline thread_stop_waiting(t)
{
	unqueue(t);
#ifndef RACE_TIMER_STAYS
	th[t].timed = false;
#endif
	if :: th[t].reply != NONE -> left(t) :: else fi;
	th[t].wait = WAIT_NONE
}

inline thread_wake(t)
{
	if
	:: th[t].state == WAITING -> thread_stop_waiting(t); th[t].state = READY
	:: else
	fi
}

inline thread_complete(t, why)
{
#ifndef NO_WALKERS
	assert(th[t].state == WAITING && !th[t].freed);
#endif
	thread_stop_waiting(t);
	th[t].rip++;
	th[t].status = why;
	th[t].state = READY
}

inline thread_exit(t)
{
	if
	:: th[t].state == EXITED
	:: else ->
#ifndef RACE_KILLED_STAYS
		if :: th[t].state == WAITING -> thread_stop_waiting(t) :: else fi;
#endif
		th[t].state = EXITED;
		th[t].fault_endpoint = false
	fi
}

inline thread_suspend(t)
{
	if
	:: th[t].state == EXITED || th[t].suspended
	:: else ->
		th[t].suspended = true;
#ifdef RACE_SUSPENDED_STAYS
		skip
#elif defined(RACE_CALL_AGAIN)
		if :: th[t].state == WAITING && th[t].wait != WAIT_FAULT -> thread_wake(t) :: else fi
#else
		if :: th[t].state == WAITING && th[t].wait != WAIT_REPLY && th[t].wait != WAIT_FAULT -> thread_wake(t) :: else fi
#endif
	fi
}

/* ---- the hand-over (message.c) ------------------------------------------------------------------------------------------ */

/* From `from`, who has `rc` and nothing moved when it fails, to `to`. The capability is looked up again. */
inline hand_over(from, to, rc)
{
	rc = OK;
	if
#ifdef RACE_NO_LOOKUP
	:: th[from].op == GIVE -> assert(gift); gift = false
#else
	:: th[from].op == GIVE && !gift -> rc = BAD_CAP
	:: th[from].op == GIVE && gift -> gift = false
#endif
	:: else
	fi;
	if
	:: rc == OK ->
		if
		:: th[to].state == WAITING -> thread_complete(to, OK)
		:: else -> th[to].status = OK
		fi;
		th[to].came++;
		assert(th[to].came == 1)
	:: else
	fi
}

inline await_reply(c, offered)
{
	if
	:: !(offered) && th[c].wait == WAIT_FAULT -> thread_exit(c)
	:: !(offered) && th[c].wait != WAIT_FAULT -> thread_complete(c, PEER_CLOSED)
	:: else ->
		unqueue(c);
		if :: th[c].wait != WAIT_FAULT -> th[c].wait = WAIT_REPLY :: else fi;
		th[c].reply = 0;
		caller = c;
		reply_serial = th[c].serial
	fi
}

inline count_delivery(t)
{
	th[t].delivered++;
	assert(th[t].delivered == 1)
}

#ifdef RACE_NO_DYING_CHECK
#define SEEN_DYING false
#else
#define SEEN_DYING ep_dying
#endif

/* rc: the status of t's call, or BLOCKED. */
inline ipc_send(t, rc)
{
	if
	:: SEEN_DYING -> rc = PEER_CLOSED
	:: !SEEN_DYING && th[t].op == CALL && th[t].past -> rc = TIMED_OUT
	:: else ->
		if
		:: th[t].op == GIVE && !gift -> rc = BAD_CAP            /* fetch: caps_check */
#ifdef RACE_LOOK_THEN_QUEUE
		:: !(th[t].op == GIVE && !gift) && looked -> looked = false; thread_block(t, (th[t].op == CALL -> WAIT_CALL : WAIT_SEND), SENDERS); rc = BLOCKED
		:: !(th[t].op == GIVE && !gift) && !looked && len(receivers) == 0 && !th[t].past -> looked = true; rc = AGAIN
		:: !(th[t].op == GIVE && !gift) && !looked && len(receivers) == 0 && th[t].past -> rc = TIMED_OUT
#else
		:: !(th[t].op == GIVE && !gift) && len(receivers) == 0 && th[t].past -> rc = TIMED_OUT
		:: !(th[t].op == GIVE && !gift) && len(receivers) == 0 && !th[t].past ->
			thread_block(t, (th[t].op == CALL -> WAIT_CALL : WAIT_SEND), SENDERS);
			rc = BLOCKED
#endif
		:: else ->
			receivers?<other>;
			offered = th[other].reply != NONE;
			hand_over(t, other, rc);
			if
			:: rc == OK -> count_delivery(t)
			:: else
			fi;
			if
			:: rc == OK && th[t].op == CALL && !offered -> rc = PEER_CLOSED
			:: rc == OK && th[t].op == CALL && offered ->
				thread_block(t, WAIT_CALL, 0);
				await_reply(t, true);
				rc = BLOCKED
			:: else
			fi
		fi
	fi
}

/* The first sender's message for t; got: it came. */
inline receive_first(t, offers, got)
{
	senders?<other>;
	if
	:: th[other].wait == WAIT_FAULT ->
		th[t].status = OK;
		th[t].came++;
		count_delivery(other);
		await_reply(other, offers);
		got = true
	:: else ->
		hand_over(other, t, sent);
		if
		:: sent == OK -> count_delivery(other)
		:: else
		fi;
		got = sent == OK;
		if
		:: sent != OK || th[other].wait == WAIT_SEND -> thread_complete(other, sent)
		:: else -> await_reply(other, offers)
		fi;
		sent = OK
	fi
}

inline ipc_recv(t, rc)
{
	if
	:: th[t].with_reply && (caller != NONE || receiver != NONE) -> rc = BAD_STATE
	:: !(th[t].with_reply && (caller != NONE || receiver != NONE)) && ep_dying -> rc = PEER_CLOSED
	:: else ->
		got = false;
		rc = OK;
		do
		:: len(senders) > 0 && !got && rc == OK ->
			receive_first(t, th[t].with_reply, got);
			if
			:: !got && poll -> rc = AGAIN
			:: else
			fi
		:: else -> break
		od;
		if
		:: got -> rc = DONE
		:: !got && rc == OK && th[t].past -> rc = TIMED_OUT
		:: !got && rc == OK && !th[t].past ->
			if :: th[t].with_reply -> receiver = t; th[t].reply = 0 :: else fi;
			thread_block(t, WAIT_RECV, RECEIVERS);
			rc = BLOCKED
		:: else
		fi;
		got = false
	fi
}

inline ipc_reply(t, rc)
{
	if
	:: caller == NONE -> rc = BAD_STATE
	:: caller != NONE && th[caller].wait == WAIT_FAULT ->
		assert(th[caller].serial == reply_serial);
		other = caller;
		thread_wake(other);
		th[other].rip = 1;                              /* the instruction goes on, mended */
		th[other].came++;
		assert(th[other].came == 1);
		rc = OK
	:: else ->
		other = caller;
		assert(!th[other].freed && th[other].serial == reply_serial);   /* it is still in the call that is answered */
		hand_over(t, other, rc)
#ifdef RACE_STALE_REPLY
		; caller = NONE
#endif
	fi
}

inline ipc_fault(t)
{
	if
	:: !th[t].fault_endpoint || ep_dying -> thread_exit(t)
	:: else ->
		th[t].state = WAITING;
		th[t].wait = WAIT_FAULT;
		queue(t, SENDERS);
		if
		:: len(receivers) > 0 ->
			receivers?<other>;
			offered = th[other].reply != NONE;
			thread_complete(other, OK);
			th[other].came++;
			count_delivery(t);
			await_reply(t, offered)
		:: else
		fi
	fi
}

/* ---- a kernel entry: what is named is looked up, then done (dispatch.c) --------------------------------------------------- */

inline call_reply_recv(t, rc)
{
	ipc_reply(t, rc);
	if
	:: rc == OK -> th[t].op = RECV_REST; ipc_recv(t, rc)
	:: else
	fi
}

inline entry(t)
{
	th[t].rip++;
	rc = OK;
	if
	:: (th[t].op == SEND || th[t].op == GIVE || th[t].op == CALL) && !send_cap -> rc = BAD_CAP
	:: (th[t].op == SEND || th[t].op == GIVE || th[t].op == CALL) && send_cap -> ipc_send(t, rc)
	:: th[t].op == FAULT -> th[t].rip--; ipc_fault(t); rc = BLOCKED
	:: th[t].op == RECV && (!recv_cap || (th[t].with_reply && !reply_cap)) -> rc = BAD_CAP
	:: th[t].op == RECV && !(!recv_cap || (th[t].with_reply && !reply_cap)) -> ipc_recv(t, rc)
	:: th[t].op == REPLY && !reply_cap -> rc = BAD_CAP
	:: th[t].op == REPLY && reply_cap -> ipc_reply(t, rc)
	:: (th[t].op == REPLY_RECV || th[t].op == RECV_REST) && !(reply_cap && recv_cap) -> rc = BAD_CAP
	:: th[t].op == REPLY_RECV && reply_cap && recv_cap -> call_reply_recv(t, rc)
	:: th[t].op == RECV_REST && reply_cap && recv_cap -> ipc_recv(t, rc)
	fi;
	if
	:: rc == BLOCKED || rc == DONE
	:: rc == AGAIN -> th[t].rip--
	:: else -> th[t].status = rc
	fi;
	check();
	rc = 0;
	other = 0;
	offered = false;
	poll = false
}

/* Interrupts may be pending at the entry, and its deadline be past. */
inline enter(t)
{
	if :: poll = true :: poll = false fi;
	if :: th[t].deadline -> th[t].past = true :: true fi;
	d_step { entry(t) }
}

/* ---- threads --------------------------------------------------------------------------------------------------------------- */

/* What a thread may do: everything, or (ROLES) the last one serves and the others are its clients. */
#ifdef ROLES
#define OPS_OF(t, what) ((t == THREADS - 1) == (what >= RECV))
#else
#define OPS_OF(t, what) true
#endif

/* Does the status say what happened? */
inline returned(t)
{
	if
	:: (th[t].op == SEND || th[t].op == GIVE) -> assert(th[t].delivered == (th[t].status == OK) && th[t].came == 0)
	:: th[t].op == CALL ->
		assert(th[t].came == (th[t].status == OK));
		assert(th[t].status != OK || th[t].delivered == 1);
		assert(th[t].status != BAD_CAP || th[t].delivered == 0)
	:: th[t].op == FAULT -> assert(th[t].delivered == 1 && th[t].came == 1)
	:: th[t].op == RECV || th[t].op == RECV_REST -> assert(th[t].came == (th[t].status == OK))
	:: th[t].op == REPLY || th[t].op == REPLY_RECV -> assert(th[t].came == 0)
	fi
}

/* What its last call was says nothing any more: fewer states. */
inline forget(t)
{
	th[t].op = 0;
	th[t].deadline = false;
	th[t].with_reply = false;
	th[t].past = false;
	th[t].rip = 0;
	th[t].status = OK;
	th[t].delivered = 0;
	th[t].came = 0;
	poll = false
}

inline begin(t, what, deadline_too, reply_too)
{
	d_step {
		th[t].op = what;
		th[t].deadline = deadline_too;
		th[t].with_reply = reply_too;
		th[t].serial = !th[t].serial
	}
}

#define IN_CALL(t) (th[t].op != 0 && th[t].rip == 0)    /* it waits, or will make its call again */

proctype Thread(byte t)
{
	byte left_to_do = OPS;
	byte rc, other, sent;
	bool offered, got, poll, looked;

	do
	:: atomic { RUNS(t) && !IN_CALL(t) ->
		d_step { if :: th[t].op -> returned(t) :: else fi; forget(t) };
		if
		:: left_to_do == 0 -> break
		:: left_to_do > 0 && OPS_OF(t, SEND) -> begin(t, SEND, true, false)
		:: left_to_do > 0 && OPS_OF(t, GIVE) -> begin(t, GIVE, false, false)
		:: left_to_do > 0 && OPS_OF(t, CALL) -> begin(t, CALL, false, false)
		:: left_to_do > 0 && OPS_OF(t, CALL) -> begin(t, CALL, true, false)
		:: left_to_do > 0 && OPS_OF(t, FAULT) -> begin(t, FAULT, false, false)
		:: left_to_do > 0 && OPS_OF(t, RECV) -> begin(t, RECV, false, true)
		:: left_to_do > 0 && OPS_OF(t, RECV) -> begin(t, RECV, true, false)
		:: left_to_do > 0 && OPS_OF(t, REPLY) -> begin(t, REPLY, false, true)
		:: left_to_do > 0 && OPS_OF(t, REPLY_RECV) -> begin(t, REPLY_RECV, true, true)
		fi;
		left_to_do--;
		enter(t) }
	:: atomic { RUNS(t) && IN_CALL(t) -> enter(t) }
	:: th[t].state == EXITED -> break
	od;
	atomic { d_step { at_work--; thread_exit(t); forget(t); left_to_do = 0; looked = false; check() } }
}

/* ---- what happens to them ---------------------------------------------------------------------------------------------------- */

/* run_timers: the deadline of any wait may pass. */
proctype Clock()
{
	byte t;

	do
	:: atomic {
		if
		:: th[0].timed -> t = 0
#if THREADS > 1
		:: th[1].timed -> t = 1
#endif
#if THREADS > 2
		:: th[2].timed -> t = 2
#endif
		:: at_work == 0 -> break
		fi;
		d_step { th[t].past = true; th[t].timed = false; thread_complete(t, TIMED_OUT); check(); t = 0 } }
	od
}

inline drop_sender(t)
{
	if
	:: th[t].wait == WAIT_FAULT -> thread_exit(t)
	:: else -> thread_complete(t, PEER_CLOSED)
	fi
}

inline endpoint_reap()
{
	if
	:: len(senders) > 0 -> senders?<other>; drop_sender(other)
#ifndef RACE_RECEIVERS_FORGOTTEN
	:: len(senders) == 0 && len(receivers) > 0 -> receivers?<other>; thread_complete(other, PEER_CLOSED)
#endif
	:: else -> ep_reaped = true
	fi;
	check();
	other = 0
}

inline reply_ended()
{
	if :: receiver != NONE -> th[receiver].reply = NONE :: else fi;
	receiver = NONE;
	if
	:: caller == NONE
#ifndef RACE_DROPPED_REPLY
	:: caller != NONE && th[caller].wait == WAIT_FAULT -> other = caller; thread_exit(other)
	:: caller != NONE && th[caller].wait != WAIT_FAULT -> other = caller; thread_complete(other, PEER_CLOSED)
#else
	:: else -> caller = NONE
#endif
	fi;
	reply_freed = true;
	check();
	other = 0
}

inline delete_reply() { reply_cap = false; reply_ended() }
inline delete_recv() { recv_cap = false; ep_dying = true; check() }

inline disturb(t)
{
	select(t : 0 .. THREADS - 1);
	if
	:: d_step { thread_suspend(t); check(); t = 0 }
	:: d_step { thread_exit(t); check(); t = 0 }
	:: d_step { thread_exit(t); th[t].freed = true; check(); t = 0 }        /* its last capability goes, and its memory */
	:: t == 0 && reply_cap -> d_step { delete_reply() }
	:: t == 0 && recv_cap -> d_step { delete_recv() }
	:: t == 0 -> send_cap = false
	:: t == 0 -> gift = false
	fi
}

/* Nobody does anything of his own accord any more. */
#if THREADS > 2
#define QUIET (!RUNS(0) && !RUNS(1) && !RUNS(2))
#define ANY_SUSPENDED (th[0].suspended || th[1].suspended || th[2].suspended)
#else
#define QUIET (!RUNS(0) && !RUNS(1))
#define ANY_SUSPENDED (th[0].suspended || th[1].suspended)
#endif

inline resume_all()
{
	th[0].suspended = false;
	th[1].suspended = false;
#if THREADS > 2
	th[2].suspended = false;
#endif
	check()
}

/* Does so many things to them at any time; when they have come to a stop, deletes every capability that is left, in any order. What has
 * ended is taken apart meanwhile, one step at a time. */
proctype Manager()
{
	byte other, t, left_to_do = DISTURBANCES;

	do
	:: atomic { left_to_do > 0 -> left_to_do--; disturb(t) }
	:: atomic { ANY_SUSPENDED -> d_step { resume_all() } }
	:: atomic { ep_dying && !ep_reaped -> d_step { endpoint_reap() } }
	:: atomic { QUIET && reply_cap -> d_step { left_to_do = 0; delete_reply() } }
	:: atomic { QUIET && recv_cap -> d_step { left_to_do = 0; delete_recv() } }
	:: atomic { at_work == 0 || (QUIET && !reply_cap && ep_reaped && !ANY_SUSPENDED) ->
		d_step { ep_freed = true; send_cap = false; gift = false; check() }; break }
	od
}

init
{
	byte i;

	atomic {
		do
		:: i < THREADS ->
			th[i].state = READY;
			th[i].reply = NONE;
			th[i].fault_endpoint = true;
			run Thread(i);
			i++
		:: else -> break
		od;
		i = 0;
		run Clock();
		run Manager()
	}
}

ltl all_end { <> (at_work == 0) }
