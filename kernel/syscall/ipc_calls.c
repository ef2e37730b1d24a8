/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc_calls.c: the calls on endpoints, reply objects and notifications. See call.h for their shape. Lock: the kernel lock. */
#include "syscall/call.h"

int call_endpoint_create(struct call *c)
{
	sys_status_t status;
	struct endpoint *e = object_create(call_account(c, 0), SYS_TYPE_ENDPOINT, &status);

	if (!e)
		return status;
	endpoint_init(e);
	return call_install_first(c, &e->object, SYS_RIGHTS_ENDPOINT);
}

int call_notification_create(struct call *c)
{
	sys_status_t status;
	struct notification *n = object_create(call_account(c, 0), SYS_TYPE_NOTIFICATION, &status);

	if (!n)
		return status;
	notification_init(n);
	return call_install_first(c, &n->object, SYS_RIGHTS_NOTIFICATION);
}

int call_reply_create(struct call *c)
{
	sys_status_t status;
	struct object *o = object_create(call_account(c, 0), SYS_TYPE_REPLY, &status);

	return o ? call_install_first(c, o, SYS_RIGHTS_REPLY) : status;
}

int call_ipc_send(struct call *c)
{
	return ipc_send(c->t, call_object(c, 0), c->slot[0]->badge, c->r->rsi, (i64)c->r->rdx, false);
}

int call_ipc_call(struct call *c)
{
	return ipc_send(c->t, call_object(c, 0), c->slot[0]->badge, c->r->rsi, (i64)c->r->rdx, true);
}

int call_ipc_recv(struct call *c) { return ipc_recv(c->t, call_object(c, 0), call_object(c, 1), (i64)c->r->r10); }
int call_ipc_reply(struct call *c) { return ipc_reply(c->t, call_object(c, 0), c->r->rsi); }

/* The reply, then a receive: once the reply is out, the call becomes its own second half, and as that it waits or is made again. Capabilities
 * that went with the reply may have been those of this call: then it is made again at once, and they are looked up. */
int call_ipc_reply_recv(struct call *c)
{
	int status;

	if (header_accept(c->r->r9) > SYS_MSG_CAPS)
		return SYS_ERR_INVALID_ARGS;
	status = ipc_reply(c->t, call_object(c, 0), c->r->rsi);
	if (status != SYS_OK)
		return status;
	c->r->rax = NR_ipc_recv_rest;
	if (unlikely(header_caps(c->r->r9)))
		return VM_AGAIN;
	return call_ipc_recv_rest(c);
}

/* The calls of four words are the full ones, with a message that has no place in memory. */
int call_ipc_call4(struct call *c)
{
	call_set_four(c->r);
	c->r->rdx = (u64)SYS_TIME_INFINITE;
	return call_ipc_call(c);
}

int call_ipc_reply_recv4(struct call *c)
{
	call_set_four(c->r);
	c->r->r10 = (u64)SYS_TIME_INFINITE;
	return call_ipc_reply_recv(c);
}

int call_ipc_recv_rest(struct call *c) { return ipc_recv(c->t, call_object(c, 1), call_object(c, 0), (i64)c->r->r10); }

int call_notification_signal(struct call *c)
{
	notification_signal(call_object(c, 0), c->r->rsi);
	return SYS_OK;
}

int call_notification_wait(struct call *c) { return notification_wait(c->t, call_object(c, 0), (i64)c->r->rdx); }
