/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.c: the stubs that the table marks SYSCALL_HAND: several fields share a register, a message travels in
 * registers, or nothing comes back. Which field is where is said in the kernel's handlers of the same calls.
 */
#include <string.h>
#include "syscall.h"

/* type | rights << 32, badge, koid, derived: the results from the current one on. */
static inline void take_cap_info(struct call *c, sys_cap_info_t *info)
{
	uint64_t packed = call_take(c);

	info->type = (uint32_t)packed;
	info->rights = (sys_rights_t)(packed >> 32);
	info->badge = call_take(c);
	info->koid = call_take(c);
	info->derived = call_take(c) != 0;
}

sys_status_t sys_cap_info(sys_cap_t cap, sys_cap_info_t *info)
{
	struct call c = { .number = NR_cap_info };
	sys_status_t status;

	call_put(&c, cap);
	call_check_place(&c, info, sizeof *info);
	status = (sys_status_t)call_make(&c);
	if (status == SYS_OK)
		take_cap_info(&c, info);
	return status;
}

sys_status_t sys_cnode_info(sys_cap_t cnode, uint32_t slot, sys_cap_t *name, sys_cap_info_t *info)
{
	struct call c = { .number = NR_cnode_info };
	sys_status_t status;

	call_put(&c, cnode);
	call_put(&c, slot);
	call_check_place(&c, name, sizeof *name);
	call_check_place(&c, info, sizeof *info);
	status = (sys_status_t)call_make(&c);
	if (status == SYS_OK) {
		*name = call_take(&c);
		take_cap_info(&c, info);
	}
	return status;
}

sys_status_t sys_untyped_info(sys_cap_t ut, sys_untyped_info_t *info)
{
	struct call c = { .number = NR_untyped_info };
	sys_status_t status;

	call_put(&c, ut);
	call_check_place(&c, info, sizeof *info);
	status = (sys_status_t)call_make(&c);
	if (status == SYS_OK) {
		info->total = call_take(&c);
		info->used = call_take(&c);
		info->promised = call_take(&c);
		info->peak = call_take(&c);
		info->reclaimable = call_take(&c);
	}
	return status;
}

sys_status_t sys_vmar_info(sys_cap_t vmar, sys_vmar_info_t *info)
{
	struct call c = { .number = NR_vmar_info };
	sys_status_t status;

	call_put(&c, vmar);
	call_check_place(&c, info, sizeof *info);
	status = (sys_status_t)call_make(&c);
	if (status == SYS_OK) {
		info->koid = call_take(&c);
		info->base = call_take(&c);
		info->size = call_take(&c);
		info->options = (uint32_t)call_take(&c);
	}
	return status;
}

/* ---- messages ---------------------------------------------------------------------------------------------- */

enum { REGISTER_WORDS = 4 };    /* written out below, not as loops: so the compiler keeps them in registers */

static inline void put_words(struct call *c, const uint64_t *word)
{
	call_put(c, word[0]);
	call_put(c, word[1]);
	call_put(c, word[2]);
	call_put(c, word[3]);
}

static inline void take_words(const struct call *c, uint64_t *word, uint32_t count)
{
	if (count > 0)
		word[0] = c->result[3];
	if (count > 1)
		word[1] = c->result[4];
	if (count > 2)
		word[2] = c->result[5];
	if (count > 3)
		word[3] = c->result[6];
}

_Static_assert(offsetof(sys_msg_t, caps) == offsetof(sys_msg_t, words) + 4 && offsetof(sys_msg_t, accept) == offsetof(sys_msg_t, words) + 6, "header");

static inline void put_header(struct call *c, const sys_msg_t *msg)
{
	call_put(c, msg->words | (uint64_t)msg->caps << 32 | (uint64_t)msg->accept << 48);
}

/* Argument registers 4 to 9 of a call that sends; a message that cannot be memory is not looked at. */
static inline void put_message(struct call *c, const sys_msg_t *msg)
{
	static const sys_msg_t nothing;

	if (c->number & CALL_NO_PLACE)
		msg = &nothing;
	call_put(c, msg->label);
	put_header(c, msg);
	put_words(c, msg->word);
}

/* What came: badge, label, header, and as many of the first four words as there are; the kernel wrote the others. */
static inline void take_message(struct call *c, sys_msg_t *msg, uint64_t *badge)
{
	uint64_t header = c->result[2];

	if (badge)
		*badge = c->result[0];
	msg->label = c->result[1];
	memcpy((char *)msg + offsetof(sys_msg_t, words), &header, sizeof header);    /* words, caps, and accept as it was */
	take_words(c, msg->word, (uint32_t)header);
}

/* Places of a receiving call: the message, and the badge where it is wanted. */
static inline void check_places(struct call *c, const sys_msg_t *msg, const uint64_t *badge)
{
	call_check_place(c, msg, sizeof *msg);
	if (badge)
		call_check_place(c, badge, sizeof *badge);
}

sys_status_t sys_ipc_send(sys_cap_t ep, const sys_msg_t *msg, sys_time_t deadline)
{
	struct call c = { .number = NR_ipc_send };

	check_places(&c, msg, NULL);
	call_put(&c, ep);
	call_put(&c, (uintptr_t)msg);
	call_put(&c, (uint64_t)deadline);
	call_put(&c, 0);
	put_message(&c, msg);
	return (sys_status_t)call_make_message(&c);
}

sys_status_t sys_ipc_call(sys_cap_t ep, sys_msg_t *msg, sys_time_t deadline)
{
	struct call c = { .number = NR_ipc_call };
	sys_status_t status;

	check_places(&c, msg, NULL);
	call_put(&c, ep);
	call_put(&c, (uintptr_t)msg);
	call_put(&c, (uint64_t)deadline);
	call_put(&c, 0);
	put_message(&c, msg);
	status = (sys_status_t)call_make_message(&c);
	if (status == SYS_OK)
		take_message(&c, msg, NULL);
	return status;
}

sys_status_t sys_ipc_recv(sys_cap_t ep, sys_cap_t reply, sys_msg_t *msg, uint64_t *badge, sys_time_t deadline)
{
	struct call c = { .number = NR_ipc_recv };
	sys_status_t status;

	check_places(&c, msg, badge);
	call_put(&c, ep);
	call_put(&c, (uintptr_t)msg);
	call_put(&c, reply);
	call_put(&c, (uint64_t)deadline);
	call_put(&c, 0);
	call_put(&c, c.number & CALL_NO_PLACE ? 0 : (uint64_t)msg->accept << 48);
	status = (sys_status_t)call_make_receive(&c);
	if (status == SYS_OK)
		take_message(&c, msg, badge);
	return status;
}

sys_status_t sys_ipc_reply(sys_cap_t reply, const sys_msg_t *msg)
{
	struct call c = { .number = NR_ipc_reply };

	check_places(&c, msg, NULL);
	call_put(&c, reply);
	call_put(&c, (uintptr_t)msg);
	call_put(&c, 0);
	call_put(&c, 0);
	put_message(&c, msg);
	return (sys_status_t)call_make_message(&c);
}

sys_status_t sys_ipc_reply_recv(sys_cap_t reply, sys_msg_t *msg, sys_cap_t ep, uint64_t *badge, sys_time_t deadline)
{
	struct call c = { .number = NR_ipc_reply_recv };
	sys_status_t status;

	check_places(&c, msg, badge);
	call_put(&c, reply);
	call_put(&c, (uintptr_t)msg);
	call_put(&c, ep);
	call_put(&c, (uint64_t)deadline);
	put_message(&c, msg);
	status = (sys_status_t)call_make_message(&c);
	if (status == SYS_OK)
		take_message(&c, msg, badge);
	return status;
}

/* The forms of exactly four words: header 4 both ways, no memory. */
static inline void put_four(struct call *c, const uint64_t *label, const uint64_t *word)
{
	static const uint64_t nothing[REGISTER_WORDS];

	call_put(c, c->number & CALL_NO_PLACE ? 0 : *label);
	call_put(c, REGISTER_WORDS);
	put_words(c, c->number & CALL_NO_PLACE ? nothing : word);
}

static inline void take_four(struct call *c, uint64_t *label, uint64_t *word)
{
	*label = c->result[1];
	take_words(c, word, REGISTER_WORDS);
}

sys_status_t sys_ipc_call4(sys_cap_t ep, uint64_t *label, uint64_t word[4])
{
	struct call c = { .number = NR_ipc_call4 };
	sys_status_t status;

	call_check_place(&c, label, sizeof *label);
	call_check_place(&c, word, REGISTER_WORDS * sizeof *word);
	call_put(&c, ep);
	call_put(&c, 0);
	call_put(&c, 0);
	call_put(&c, 0);
	put_four(&c, label, word);
	status = (sys_status_t)call_make_message(&c);
	if (status == SYS_OK)
		take_four(&c, label, word);
	return status;
}

sys_status_t sys_ipc_reply_recv4(sys_cap_t reply, uint64_t *label, uint64_t word[4], sys_cap_t ep, uint64_t *badge)
{
	struct call c = { .number = NR_ipc_reply_recv4 };
	sys_status_t status;

	call_check_place(&c, label, sizeof *label);
	call_check_place(&c, word, REGISTER_WORDS * sizeof *word);
	if (badge)
		call_check_place(&c, badge, sizeof *badge);
	call_put(&c, reply);
	call_put(&c, 0);
	call_put(&c, ep);
	call_put(&c, 0);
	put_four(&c, label, word);
	status = (sys_status_t)call_make_message(&c);
	if (status == SYS_OK) {
		take_four(&c, label, word);
		if (badge)
			*badge = c.result[0];
	}
	return status;
}

/* ---- threads, time, the end -------------------------------------------------------------------------------- */

SYS_NORETURN void sys_thread_exit(int64_t code)
{
	struct call c = { .number = NR_thread_exit };

	call_put(&c, (uint64_t)code);
	call_make(&c);
	__builtin_trap();
}

void sys_thread_yield(void)
{
	struct call c = { .number = NR_thread_yield };

	call_make(&c);
}

sys_time_t sys_clock_get(void)
{
	struct call c = { .number = NR_clock_get };

	return call_make(&c);
}

SYS_NORETURN void sys_system_shutdown(sys_cap_t resource, uint32_t code)
{
	struct call c = { .number = NR_system_shutdown };

	call_put(&c, resource);
	call_put(&c, code);
	call_make(&c);
	/* Refused: the caller has no such authority, and this function must not return. */
	sys_thread_exit(SYS_ERR_ACCESS_DENIED);
}
