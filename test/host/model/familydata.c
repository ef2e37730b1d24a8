/* SPDX-License-Identifier: BSD-2-Clause */
/* familydata.c: operations of families.c that read and write bytes and sizes. */
#include <string.h>
#include "model/familyops.h"

#define REACH (3 * PAGE_SIZE_)

static u8 bytes[BUFFER_PAGES * PAGE_SIZE_], model_bytes[BUFFER_PAGES * PAGE_SIZE_];

/* Moves bytes between the model's content and model_bytes, as far as `length`, page by page. */
static sys_status_t move(const struct target *t, bool write, u64 offset, u64 length)
{
	for (u64 done = 0, part; done < length; done += part) {
		u64 at = offset + done, page = t->shift + (at >> PAGE_SHIFT);
		struct m_page *p;
		sys_status_t status = write ? own_to_write(t->o, page, &p) : see(t->o, page, &p);
		if (status != SYS_OK)
			return ended_with(status);
		part = MIN(length - done, PAGE_SIZE_ - (at & PAGE_MASK));
		if (write)
			memcpy(p->byte + (at & PAGE_MASK), model_bytes + done, part);
		else if (p)
			memcpy(model_bytes + done, p->byte + (at & PAGE_MASK), part);
		else
			memset(model_bytes + done, 0, part);
	}
	return SYS_OK;
}

void op_read(void)
{
	struct target t;
	u64 offset, length;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, REACH, &offset, &length);
	status = world_call(wants_of(&t, offset, length), NR_vmo_read, t.name, world_buffer(), offset, length);
	expected = judge_copy(&t, SYS_RIGHT_READ, offset, length);
	if (expected == SYS_OK) {
		u64 left = world_regs()->r10;
		must(left <= length);
		expected = move(&t, false, offset, length);
		world_take(0, bytes, length - left);
		must(memcmp(bytes, model_bytes, length - left) == 0);
	}
	must(status == expected);
}

void op_write(void)
{
	struct target t;
	u64 offset, length, left;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, REACH, &offset, &length);
	if (length <= REACH) {
		if (t.o != NONE && !room_for(t.o, 5))
			return;
		world_pattern(model_bytes, length);
		world_fill(0, model_bytes, length);
	}
	status = world_call(wants_of(&t, offset, length), NR_vmo_write, t.name, world_buffer(), offset, length);
	left = world_regs()->r10;
	expected = judge_copy(&t, SYS_RIGHT_WRITE, offset, length);
	if (expected == SYS_OK && status == SYS_ERR_NO_MEMORY) {
		u64 next = t.shift + ((offset + length - left) >> PAGE_SHIFT);
		must(left && grows(t.o, next) && may_be_short(vmo[t.o].account, most_for(5)));
		must(move(&t, true, offset, length - left) == SYS_OK);
	} else {
		if (expected == SYS_OK)
			expected = move(&t, true, offset, length);
		must(status == expected);
	}
	compare_range(&t, offset, length);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

void op_get_size(void)
{
	struct target t;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	status = world_call(NO_WANTS, NR_vmo_get_size, t.name);
	expected = allowed(&t, 0, 0);
	if (expected == SYS_OK && t.o == NONE)
		expected = SYS_ERR_BAD_STATE;
	must(status == expected);
	if (status == SYS_OK)
		must(world_regs()->rdx == t.size);
}

static sys_status_t judge_set_size(const struct target *t, u64 size)
{
	sys_status_t status = allowed(t, SYS_RIGHT_WRITE, 0);

	if (status != SYS_OK)
		return status;
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	if (t->o == NONE)
		return SYS_ERR_BAD_STATE;
	if (vmo[t->i].kind == SLICE || !(vmo[t->o].options & SYS_VMO_RESIZABLE))
		return SYS_ERR_UNAVAILABLE;
	if (!(capability[t->c].rights & SYS_RIGHT_RESIZE))
		return SYS_ERR_ACCESS_DENIED;
	if (page_up(size) >> PAGE_SHIFT > (1ull << (64 - PAGE_SHIFT)) - vmo[t->o].first)
		return SYS_ERR_INVALID_ARGS;    /* its pages, counted in the first original of all, would wrap */
	return SYS_OK;
}

/* What is seen behind the new end in its page becomes zero; of a root, if the page is there. */
static sys_status_t clear_tail(int c, u64 size)
{
	if (size >= vmo[c].size || (vmo[c].kind == ROOT && grows(c, size >> PAGE_SHIFT)))
		return SYS_OK;
	return ended_with(zero_bytes(c, &size, page_up(size)));
}

void op_set_size(void)
{
	struct target t;
	u64 size = any_size(), page;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	if (chance(1))
		size = UINT64_MAX - choose(PAGE_SIZE_ * 70);
	page = size >> PAGE_SHIFT;
	if (t.o != NONE && !room_for(t.o, 1))
		return;
	bool falls = t.o != NONE && vmo[t.o].kind == CLONE && !page_aligned(size) && page < vmo[t.o].size >> PAGE_SHIFT;
	status = world_call(falls ? WANTS(t.o, page, page + 1) : NO_WANTS, NR_vmo_set_size, t.name, size);
	expected = judge_set_size(&t, size);
	if (expected == SYS_OK && status == SYS_ERR_NO_MEMORY) {
		must(falls && grows(t.o, page) && may_be_short(vmo[t.o].account, most_for(1)));
		return;
	}
	if (expected == SYS_OK)
		expected = clear_tail(t.o, size);
	must(status == expected);
	if (status != SYS_OK)
		return;
	shrink(t.o, size);
	vmo[t.o].size = page_up(size);
	vmo[t.o].stream = size;
	compare_page(t.o, page);
}

/* ---- stream sizes ------------------------------------------------------------------------------------------------ */

void op_get_stream(void)
{
	struct target t;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	status = world_call(NO_WANTS, NR_vmo_get_stream_size, t.name);
	expected = allowed(&t, 0, 0);
	if (expected == SYS_OK && t.o == NONE)
		expected = SYS_ERR_BAD_STATE;
	must(status == expected);
	if (status == SYS_OK)
		must(world_regs()->rdx == vmo[vmo[t.i].shape].stream);
}

/* What lies between the old and the new one becomes zero. */
void op_set_stream(void)
{
	struct target t;
	u64 size = any_size(), old, from, to;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	old = vmo[vmo[t.i].shape].stream;
	from = MIN(old, size);
	to = MAX(old, size);
	if (t.o != NONE && (!room_for(t.o, 12) || (vmo[t.o].kind != ANONYMOUS && to - from > MANY)))
		return;
	struct wants wants = wants_of(&t, from, to - from);
	wants.pieces = true;
	status = world_call(wants, NR_vmo_set_stream_size, t.name, size);
	expected = judge_range(&t, SYS_RIGHT_WRITE | SYS_RIGHT_SET_PROPERTY, size, 0);
	if (expected == SYS_OK) {
		from += t.shift << PAGE_SHIFT;
		if (status == SYS_ERR_NO_MEMORY && may_be_short(vmo[t.o].account, most_for(12)))
			expected = zero_until(&t, from, to + (t.shift << PAGE_SHIFT));
		else
			expected = ended_with(zero_bytes(t.o, &from, to + (t.shift << PAGE_SHIFT)));
	}
	must(status == expected);
	if (status == SYS_OK)
		vmo[vmo[t.i].shape].stream = size;
	compare_range(&t, MIN(old, size), to - MIN(old, size));
}

/* ---- info -------------------------------------------------------------------------------------------------------- */

#define INFO_END (offsetof(sys_vmo_info_t, rights) + sizeof(sys_rights_t))       /* padding follows */

/* What a program is told is what the kernel says when looked into (familychecks.c), and its capability's rights. */
void op_info(void)
{
	struct target t;
	sys_vmo_info_t told, is;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	memset(&is, 0xaa, sizeof is);
	world_fill(0, &is, sizeof is);
	status = world_call(NO_WANTS, NR_vmo_info, t.name, world_buffer());
	expected = allowed(&t, SYS_RIGHT_INSPECT, 0);
	if (expected == SYS_OK && t.o == NONE)
		expected = SYS_ERR_BAD_STATE;
	must(status == expected);
	if (status != SYS_OK)
		return;
	world_take(0, &told, sizeof told);
	while (vmo_info(vmo[t.i].v, &is) == VM_AGAIN)
		;
	must(told.rights == capability[t.c].rights);
	is.rights = told.rights;
	must(memcmp(&told, &is, INFO_END) == 0);
	for (u64 i = INFO_END; i < sizeof told; i++)
		must(((const u8 *)&told)[i] == 0xaa);   /* nothing of the kernel's is shown there */
}
