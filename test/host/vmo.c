/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo.c: memory objects, by calls and through mappings, against plain arrays: snapshots, sizes, commit, decommit, info,
 * the end; interrupted at every step, with failing charges. Each page has a value at its start and one at its end, so
 * that a cut in the middle of a page shows. */
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "arch/pagetable.h"
#include "common/calls.h"
#include "common/page.h"
#include "vm/source.h"
#include "vm/vmar.h"

#define FRAMES  24576u
#define VMOS    8u
#define PAGES   1100u
#define VIEW    (PAGES * PAGE_SIZE_)    /* every object has a mapping this long */

struct object_model {
	struct vmo *v;
	vaddr_t at[2];                  /* where it is mapped; 0: not */
	u64 size;
	u64 head[PAGES], tail[PAGES];
};
static struct object_model model[VMOS];
static struct account *account;
static struct space *space;
static u64 next_value, used_at_start, free_at_start;


static void reap_all(void) { while (!object_reap(NULL)) ; }
static void ignore_wake(struct page_wait *w) { (void)w; }

static void setup(void)
{
	machine_start(FRAMES);
	vmo_boot();
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	vm_hooks.wake = ignore_wake;
	must_ok(account_create(account_root(), 16384, &account));
	object_cap(&account->object);
	free_at_start = frame_count_free();
	must_ok(space_create(account, false, &space));
	object_cap((struct object *)space);
	used_at_start = account->used;
	next_value = 1;
}

/* ---- pages by call and by access ---------------------------------------------------------------- */
static u64 *word(paddr_t frame, bool tail) { return (u64 *)((u8 *)phys_to_virt(frame) + (tail ? PAGE_SIZE_ - 8 : 0)); }

static sys_status_t require(struct vmo *v, u64 page, bool write, struct page_ref *out)
{
	struct page_wait w;
	sys_status_t status;
	unsigned retries = 0;
	page_wait_init(&w);
	do
		status = page_require(v, page, write, 1, retries, &w, out);
	while (status == VM_AGAIN && ++retries < 100);
	return status;
}

/* As a program's access: by the page tables, with faults until it works. */
static sys_status_t access(vaddr_t va, bool write, u64 *value)
{
	struct page_wait w;
	sys_status_t status = SYS_OK;
	page_wait_init(&w);
	for (unsigned tries = 0; tries < 1000; tries++) {
		u64 *at = pt_reach(space->root, va, write ? PT_READ | PT_WRITE : PT_READ);
		if (at) {
			if (write)
				*at = *value;
			*value = *at;
			return SYS_OK;
		}
		status = vm_fault(space, va, write ? SYS_ACCESS_WRITE : SYS_ACCESS_READ, tries, &w);
		if (status != SYS_OK && status != VM_AGAIN)
			return status;
	}
	must(!"an access that ends");
	return status;
}

static sys_status_t put(struct object_model *m, u64 page, bool tail, u64 value)
{
	struct page_ref ref;
	sys_status_t status = require(m->v, page, true, &ref);
	if (status != SYS_OK)
		return status;
	must(ref.writable);
	*word(ref.frame, tail) = value;
	*(tail ? &m->tail[page] : &m->head[page]) = value;
	return SYS_OK;
}

static vaddr_t va_of(const struct object_model *m, unsigned which, u64 page, bool tail)
{
	return m->at[which] + page * PAGE_SIZE_ + (tail ? PAGE_SIZE_ - 8 : 0);
}

/* ---- the model ---------------------------------------------------------------------------------- */
static void map(struct object_model *m, unsigned which)
{
	u32 options = SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_ALLOW_FAULTS;
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 0, m->v, SYS_RIGHTS_VMO, 0, VIEW, NULL,
	                 &m->at[which]));
}

static void unmap(struct object_model *m, unsigned which)
{
	must_ok(vmar_unmap(&space->root_vmar, true, m->at[which], VIEW));
	m->at[which] = 0;
}

static void begin(struct object_model *m, struct vmo *v, u64 size)
{
	memset(m, 0, sizeof *m);
	m->v = v;
	m->size = page_up(size);
	object_cap(&v->object);
}

static void end(struct object_model *m)
{
	for (unsigned which = 0; which < 2; which++)
		if (m->at[which] && random_chance(70))
			unmap(m, which);
	bool mapped = m->at[0] || m->at[1];
	if (mapped)
		object_end(&m->v->object);      /* by force: mappings end with it */
	object_uncap(&m->v->object);
	m->v = NULL;
	if (mapped)
		reap_all();
	else
		while (random_chance(50) && object_reap_step(NULL))
			;
}

static void check_page(struct object_model *m, u64 page)
{
	struct page_ref ref;
	must(require(m->v, page, false, &ref) == SYS_OK);
	must(*word(ref.frame, false) == m->head[page]);
	must(*word(ref.frame, true) == m->tail[page]);
}

static u64 content_pages(void)
{
	u64 pages = 0;
	for (u64 f = 0; f < frame_table_len; f++)
		pages += frame_table[f].kind == FRAME_PAGE;
	return pages - 1;                       /* the zero page */
}

static void check_all(bool measure)
{
	u64 bytes = 0, fraction = 0;
	if (measure)
		reap_all();                     /* what is dying has a share, too */
	for (unsigned i = 0; i < VMOS; i++) {
		struct object_model *m = &model[i];
		sys_vmo_info_t info;
		if (!m->v)
			continue;
		vmo_check(m->v);
		for (u64 page = 0; page < m->size >> PAGE_SHIFT; page += measure ? 1 : 1 + random_below(60))
			check_page(m, page);
		if (!measure)
			continue;
		must_ok(vmo_info(m->v, &info));
		must(info.size == m->size && info.private_bytes <= info.committed
		     && info.scaled_bytes <= info.committed);
		must(info.private_bytes <= info.scaled_bytes + (info.scaled_fraction > 0));
		bytes += info.scaled_bytes + ((fraction + info.scaled_fraction) >> 63);
		fraction = (fraction + info.scaled_fraction) & INT64_MAX;
	}
	space_check(space);
	account_check_all();
	if (measure)
		must(bytes == content_pages() * PAGE_SIZE_ || (bytes + 1 == content_pages() * PAGE_SIZE_
		                                               && fraction > INT64_MAX - 100000));
}

static void check_end(void)
{
	for (unsigned i = 0; i < VMOS; i++)
		if (model[i].v)
			end(&model[i]);
	reap_all();
	ck_assert_uint_eq(account->used, used_at_start);
	ck_assert_uint_eq(content_pages(), 0);
	object_uncap((struct object *)space);
	reap_all();
	ck_assert_uint_eq(account->used, 0);
	ck_assert_uint_eq(frame_count_free(), free_at_start);
	frame_check();
}

/* ---- random operations -------------------------------------------------------------------------- */
static void make(struct object_model *m)
{
	struct object_model *src = &model[random_below(VMOS)];
	struct vmo *v;
	u64 size = random_below(3) ? random_below(PAGES * PAGE_SIZE_) : random_below(12 * PAGE_SIZE_);
	if (!src->v || random_chance(20)) {
		if (vmo_create(account, size, random_chance(80) ? SYS_VMO_RESIZABLE : 0, &v) == SYS_OK)
			begin(m, v, size);
		return;
	}
	u64 first = random_chance(50) ? 0 : random_below(src->size / PAGE_SIZE_ + 3);
	if (random_chance(40))
		size = src->size;
	if (again(vmo_create_child(src->v, account, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_RESIZABLE,
	                           first * PAGE_SIZE_, size, &v)) != SYS_OK)
		return;
	begin(m, v, size);
	for (u64 p = 0; p < m->size / PAGE_SIZE_ && first + p < src->size / PAGE_SIZE_; p++) {
		m->head[p] = src->head[first + p];
		m->tail[p] = src->tail[first + p];
	}
}

static void forget(struct object_model *m, u64 page, u64 end)
{
	for (; page < end; page++)
		m->head[page] = m->tail[page] = 0;
}

static void resize(struct object_model *m)
{
	u64 size = random_chance(40) ? random_below(12 * PAGE_SIZE_) : random_below(PAGES * PAGE_SIZE_),
	    pages = size / PAGE_SIZE_;
	sys_status_t status = again(vmo_set_size(m->v, size, true, NULL));
	if (!(m->v->options & SYS_VMO_RESIZABLE)) {
		must(status == SYS_ERR_UNAVAILABLE);
		return;
	}
	must(status == SYS_OK && m->v->stream_size == size);
	if (size & PAGE_MASK) {
		u64 cut = size & PAGE_MASK, kept = cut > PAGE_SIZE_ - 8 ? cut - (PAGE_SIZE_ - 8) : 0;
		m->tail[pages] &= (1ull << 8 * kept) - 1;
		if (cut < 8)
			m->head[pages] &= (1ull << 8 * cut) - 1;
	}
	forget(m, page_up(size) / PAGE_SIZE_, PAGES);
	m->size = page_up(size);
}

static void touch(struct object_model *m, u64 page)
{
	bool tail = random_chance(50), write = random_chance(60);
	unsigned which = random_chance(50);
	u64 value = next_value++, *at = tail ? &m->tail[page] : &m->head[page];
	if (!m->at[which]) {
		if (write)
			put(m, page, tail, value);
		else if (page < m->size / PAGE_SIZE_)
			check_page(m, page);
		return;
	}
	sys_status_t status = access(va_of(m, which, page, tail), write, &value);
	if (page >= m->size / PAGE_SIZE_) {
		must(status == SYS_ERR_OUT_OF_RANGE);
	} else if (status == SYS_OK) {
		must(write || value == *at);
		*at = value;
	} else {
		must(status == SYS_ERR_NO_MEMORY && write);
	}
}

static void range(struct object_model *m)
{
	u64 pages = m->size / PAGE_SIZE_, page = random_below(pages + 1), done = 0;
	u64 count = random_below(MIN(pages - page, 40) + 1);
	struct page_wait w;
	page_wait_init(&w);
	if (random_chance(50)) {
		if (again(vmo_op_range(m->v, SYS_VMO_OP_COMMIT, page * PAGE_SIZE_, count * PAGE_SIZE_, &done,
		                       &w)) != SYS_OK)
			return;
		must(done == count * PAGE_SIZE_);
	} else {
		count = random_chance(30) ? pages - page : count;
		must_ok(vmo_op_range(m->v, SYS_VMO_OP_DECOMMIT, page * PAGE_SIZE_, count * PAGE_SIZE_, &done, &w));
		forget(m, page, page + count);
	}
}

static void random_step(void)
{
	struct object_model *m = &model[random_below(VMOS)];
	if (!m->v)
		return make(m);
	u64 page = random_chance(50) ? random_below(12) : random_below(MIN(PAGES, m->size / PAGE_SIZE_ + 2));
	unsigned which = random_chance(50);
	switch (random_below(20)) {
	case 0: resize(m); break;
	case 1: range(m); break;
	case 2:
		host_fail_charge_at = 0;
		if (!m->at[which])
			map(m, which);
		else if (random_chance(30))
			unmap(m, which);
		break;
	case 3:
		if (random_chance(25))
			end(m);
		break;
	default: touch(m, page);
	}
}

START_TEST(random_operations)
{
	setup();
	for (unsigned step = 0; step < 12000; step++) {
		host_preempt_every((unsigned)random_below(4));
		host_fail_charge_at = random_chance(10) ? 1 + random_below(3) : 0;
		random_step();
		host_fail_charge_at = 0;
		if (step % 32 == 0)
			check_all(step % 1024 == 0);
	}
	check_all(true);
	check_end();
}
END_TEST

/* ---- single rules ------------------------------------------------------------------------------- */
START_TEST(create_arguments)
{
	struct vmo *v;
	setup();
	ck_assert_int_eq(vmo_create(account, 1, 1u << 4, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_create(account, 1, SYS_VMO_TRAP_DIRTY, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_create(account, 1, SYS_VMO_UNBOUNDED | SYS_VMO_RESIZABLE, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_create(account, VMO_MAX_SIZE + 1, 0, &v), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(vmo_create(account, UINT64_MAX, 0, &v), SYS_ERR_OUT_OF_RANGE);
	for (u64 size = 0; size <= 4 * PAGE_SIZE_; size += 511) {
		ck_assert_int_eq(vmo_create(account, size, 0, &v), SYS_OK);
		begin(&model[0], v, size);
		ck_assert_uint_eq(v->size, page_up(size));
		ck_assert_uint_eq(v->stream_size, size);
		vmo_check(v);
		end(&model[0]);
	}
	ck_assert_int_eq(vmo_create(account, VMO_MAX_SIZE, SYS_VMO_RESIZABLE, &v), SYS_OK);
	begin(&model[0], v, VMO_MAX_SIZE);
	struct page_ref ref;
	ck_assert_int_eq(require(v, (VMO_MAX_SIZE >> PAGE_SHIFT) - 1, true, &ref), SYS_OK);
	ck_assert_int_eq(require(v, VMO_MAX_SIZE >> PAGE_SHIFT, true, &ref), SYS_ERR_OUT_OF_RANGE);
	must_ok(vmo_set_size(v, 0, true, NULL));
	ck_assert_uint_eq(v->tree.charged, 0);
	each_failure(n) {
		struct vmo *other;
		u64 used = account->used;
		sys_status_t status = vmo_create(account, 100, 0, &other);
		if (allocation_failed())
			ck_assert(status == SYS_ERR_NO_MEMORY && account->used == used);
		else
			begin(&model[1], other, 100);
	}
	failure_disarm();
	check_end();
}
END_TEST

static sys_status_t child_of(struct vmo *v, u32 options, u64 offset, u64 size)
{
	struct vmo *child;
	sys_status_t status = again(vmo_create_child(v, account, options, offset, size, &child));
	if (status == SYS_OK)
		object_end(&child->object);
	return status;
}

START_TEST(child_arguments)
{
	struct vmo *v;
	const u32 snapshot = SYS_VMO_CHILD_SNAPSHOT;
	setup();
	must_ok(vmo_create(account, 4 * PAGE_SIZE_, 0, &v));
	begin(&model[0], v, 4 * PAGE_SIZE_);
	ck_assert_int_eq(child_of(v, 0, 0, 1), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(child_of(v, snapshot | SYS_VMO_CHILD_SLICE, 0, 1), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(child_of(v, snapshot | 1u << 20, 0, 1), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(child_of(v, snapshot | SYS_VMO_CHILD_NO_WRITE | SYS_VMO_CHILD_RESIZABLE, 0, 1),
	                 SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(child_of(v, snapshot, 100, 1), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(child_of(v, snapshot, 0, UINT64_MAX), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(child_of(v, snapshot, PAGE_SIZE_, VMO_MAX_SIZE), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(child_of(v, snapshot, UINT64_MAX - PAGE_MASK, PAGE_SIZE_), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(child_of(v, snapshot | SYS_VMO_CHILD_NO_WRITE, 100 * PAGE_SIZE_, 1), SYS_OK);
	ck_assert_uint_eq(v->child_count, 0);
	object_end(&v->object);
	ck_assert_int_eq(child_of(v, snapshot, 0, 1), SYS_ERR_BAD_STATE);
	check_end();
}
END_TEST

/* A snapshot that cannot be paid for changes nothing; one that is made is paid for whole, and a write to it never
 * fails. */
START_TEST(snapshot_is_paid_for)
{
	struct vmo *v, *child;
	setup();
	must_ok(vmo_create(account, 600 * PAGE_SIZE_, 0, &v));
	begin(&model[0], v, 600 * PAGE_SIZE_);
	for (u64 p = 0; p < 600; p += 7)
		ck_assert_int_eq(put(&model[0], p, false, p + 1), SYS_OK);
	u64 used = account->used;
	each_failure(n) {
		sys_status_t status = again(vmo_create_child(v, account, SYS_VMO_CHILD_SNAPSHOT, 0, v->size, &child));
		if (allocation_failed()) {
			reap_all();
			ck_assert(status == SYS_ERR_NO_MEMORY && account->used == used && v->child_count == 0);
			check_all(false);
		} else {
			ck_assert_int_eq(status, SYS_OK);
		}
	}
	failure_disarm();
	begin(&model[1], child, v->size);
	memcpy(model[1].head, model[0].head, sizeof model[0].head);
	ck_assert_uint_eq(child->tree.charged, v->tree.charged);
	ck_assert_uint_eq(v->child_count, 1);
	for (u64 p = 0; p < 600; p += 7) {
		host_fail_charge_at = 1;
		ck_assert_int_eq(put(&model[p % 2], p, true, p + 1), SYS_OK);
	}
	host_fail_charge_at = 0;
	check_all(true);
	sys_vmo_info_t info;
	must_ok(vmo_info(child, &info));
	ck_assert_uint_eq(info.parent_koid, v->object.koid);
	ck_assert_uint_eq(info.flags, SYS_VMO_INFO_COW_CLONE);
	end(&model[0]);
	reap_all();
	must_ok(vmo_info(child, &info));
	ck_assert_uint_eq(info.private_bytes, info.committed);
	ck_assert_ptr_null(child->parent);
	check_all(true);
	check_end();
}
END_TEST

START_TEST(info_of_an_empty_one)
{
	struct vmo *v;
	sys_vmo_info_t info;
	setup();
	must_ok(vmo_create(account, 100, SYS_VMO_RESIZABLE, &v));
	begin(&model[0], v, 100);
	must_ok(vmo_info(v, &info));
	ck_assert_uint_eq(info.size, PAGE_SIZE_);
	ck_assert_uint_eq(info.stream_size, 100);
	ck_assert_uint_eq(info.committed | info.metadata_bytes | info.children | info.mappings | info.private_bytes, 0);
	ck_assert_uint_eq(info.flags, SYS_VMO_INFO_RESIZABLE);
	put(&model[0], 0, false, 1);
	must_ok(vmo_info(v, &info));
	ck_assert_uint_eq(info.committed, PAGE_SIZE_);
	ck_assert_uint_eq(info.scaled_bytes, PAGE_SIZE_);
	ck_assert_uint_gt(info.metadata_bytes, 0);
	check_end();
}
END_TEST

START_TEST(ranges)
{
	struct vmo *v;
	struct page_wait w;
	u64 done = 0;
	setup();
	page_wait_init(&w);
	must_ok(vmo_create(account, 4 * PAGE_SIZE_, 0, &v));
	begin(&model[0], v, 4 * PAGE_SIZE_);
	ck_assert_int_eq(vmo_op_range(v, 0, 0, 0, &done, &w), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_op_range(v, 99, 0, 0, &done, &w), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_op_range(v, SYS_VMO_OP_LOCK, 0, 0, &done, &w), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 1, PAGE_SIZE_, &done, &w), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 0, 5 * PAGE_SIZE_, &done, &w), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(vmo_op_range(v, SYS_VMO_OP_COMMIT, PAGE_SIZE_, UINT64_MAX, &done, &w), SYS_ERR_OUT_OF_RANGE);
	/* touches pages 1 and 2 */
	must_ok(vmo_op_range(v, SYS_VMO_OP_COMMIT, PAGE_SIZE_ + 5, PAGE_SIZE_, &done, &w));
	ck_assert_uint_eq(done, PAGE_SIZE_);
	ck_assert_uint_eq(v->tree.charged, 2);
	done = 0;
	must_ok(vmo_op_range(v, SYS_VMO_OP_COMMIT, 0, 0, &done, &w));
	ck_assert_uint_eq(v->tree.charged, 2);
	check_end();
}
END_TEST

/* A boot module's frames become an object's pages; what the loader left behind its last byte is cleared; it is content
 * like any other. */
static void start_with_module(struct boot_info *boot, u64 size)
{
	host_machine_init(FRAMES);
	host_boot_info(boot);
	boot->module[0] = (struct boot_module){ .base = HOST_RAM_BASE + 64 * PAGE_SIZE_, .size = size };
	boot->modules = 1;
	frame_init(boot);
	account_init();
	vmo_boot();
	memset(phys_to_virt(boot->module[0].base), 0x5a, page_up(size));
}

static void use_module(u64 pages)
{
	struct boot_info boot;
	struct vmo *v, *child;
	struct page_ref ref;
	const u64 size = pages * PAGE_SIZE_ + 100;
	start_with_module(&boot, size);
	u64 used = account_root()->used;
	must_ok(vmo_create_module(account_root(), boot.module[0].base, size, &v));
	object_cap(&v->object);
	vmo_check(v);
	account_check_all();
	ck_assert_uint_eq(frame_count_modules(), 0);
	ck_assert(v->stream_size == size && !v->info_flags && !v->options);
	for (u64 page = 0; page <= pages; page++) {
		ck_assert_int_eq(require(v, page, false, &ref), SYS_OK);
		ck_assert_uint_eq(ref.frame, boot.module[0].base + page * PAGE_SIZE_);
	}
	for (unsigned i = 0; i < PAGE_SIZE_; i++)
		must(((u8 *)phys_to_virt(ref.frame))[i] == (i < 100 ? 0x5a : 0));
	must_ok(vmo_create_child(v, account_root(), SYS_VMO_CHILD_SNAPSHOT, PAGE_SIZE_, PAGE_SIZE_, &child));
	object_cap(&child->object);
	ck_assert_int_eq(require(child, 0, true, &ref), SYS_OK);
	ck_assert_uint_eq(*word(ref.frame, false), 0x5a5a5a5a5a5a5a5a);
	object_uncap(&v->object);
	object_uncap(&child->object);
	reap_all();
	ck_assert_uint_eq(account_root()->used, used);
	account_check_all();
	frame_check();
}

/* One in the header, one in a node, one that just fills it, one in several. */
START_TEST(boot_module)
{
	use_module(3);
	use_module(20);
	use_module(511);
	use_module(1300);
}
END_TEST

/* Whichever charge is refused, nothing stays charged. */
START_TEST(boot_module_without_memory)
{
	struct boot_info boot;
	struct vmo *v;
	sys_status_t status = SYS_ERR_NO_MEMORY;
	unsigned refused = 0;
	for (; status != SYS_OK; refused++) {
		start_with_module(&boot, 1300 * PAGE_SIZE_);
		u64 used = account_root()->used;
		host_fail_charge_at = refused + 1;
		status = vmo_create_module(account_root(), boot.module[0].base, 1300 * PAGE_SIZE_, &v);
		host_fail_charge_at = 0;
		if (status == SYS_OK)
			break;
		ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
		reap_all();
		ck_assert_uint_eq(account_root()->used, used);
		account_check_all();
		frame_check();
	}
	ck_assert_uint_gt(refused, 3);
}
END_TEST

/* A dying object is unusable while capabilities still name it. */
START_TEST(dying)
{
	struct vmo *v;
	struct page_ref ref;
	struct page_wait w;
	sys_vmo_info_t info;
	u64 size, done = 0;
	setup();
	page_wait_init(&w);
	must_ok(vmo_create(account, 10 * PAGE_SIZE_, SYS_VMO_RESIZABLE, &v));
	begin(&model[0], v, 10 * PAGE_SIZE_);
	put(&model[0], 3, false, 1);
	map(&model[0], 0);
	u64 value = 9;
	ck_assert_int_eq(access(va_of(&model[0], 0, 3, false), true, &value), SYS_OK);
	ck_assert_int_eq(vmo_get_size(v, false, &size), SYS_OK);
	ck_assert_uint_eq(size, 10 * PAGE_SIZE_);
	struct vmo *empty;
	must_ok(vmo_create(account, 0, 0, &empty));
	object_cap(&empty->object);
	ck_assert(vmo_get_size(empty, false, &size) == SYS_OK && size == 0);
	object_uncap(&empty->object);
	object_end(&v->object);
	ck_assert_int_eq(vmo_get_size(v, false, &size), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(vmo_set_size(v, 1, true, NULL), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(vmo_info(v, &info), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(vmo_op_range(v, SYS_VMO_OP_COMMIT, 0, 1, &done, &w), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(require(v, 3, false, &ref), SYS_ERR_BAD_STATE);
	ck_assert(!cursor_peek(v, 3, &ref));
	reap_all();
	ck_assert_int_eq(access(va_of(&model[0], 0, 3, false), false, &value), SYS_ERR_NOT_FOUND);
	ck_assert_int_eq(vmo_get_size(v, false, &size), SYS_ERR_BAD_STATE);
	object_uncap(&v->object);
	model[0].v = NULL;
	check_end();
}
END_TEST

/* Shrinking is interrupted after every step; what others do between is right at any time. */
START_TEST(interrupted_shrink)
{
	struct vmo *v;
	struct page_ref ref;
	setup();
	must_ok(vmo_create(account, 1000 * PAGE_SIZE_, SYS_VMO_RESIZABLE, &v));
	begin(&model[0], v, 1000 * PAGE_SIZE_);
	for (u64 p = 0; p < 1000; p++)
		ck_assert_int_eq(put(&model[0], p, true, p + 1), SYS_OK);
	host_preempt_every(1);
	ck_assert_int_eq(vmo_set_size(v, 10 * PAGE_SIZE_ - 1, true, NULL), VM_AGAIN);
	ck_assert_uint_eq(v->size, 10 * PAGE_SIZE_);
	ck_assert_int_eq(require(v, 10, false, &ref), SYS_ERR_OUT_OF_RANGE);
	vmo_check(v);
	host_preempt_every(0);
	sys_vmo_info_t info;
	ck_assert_int_eq(vmo_info(v, &info), SYS_OK);
	ck_assert_uint_eq(info.committed, 10 * PAGE_SIZE_);     /* whoever looks finishes it */
	put(&model[0], 9, true, 10);
	host_preempt_every(1);
	must_ok(vmo_set_size(v, 1, true, NULL));
	host_preempt_every(0);
	ck_assert_int_eq(vmo_set_size(v, 10 * PAGE_SIZE_, true, NULL), SYS_OK);
	forget(&model[0], 0, 1000);
	ck_assert_int_eq(vmo_set_size(v, 1000 * PAGE_SIZE_, true, NULL), SYS_OK);     /* another one grows it: zeros */
	check_all(true);
	ck_assert_int_eq(vmo_set_size(v, UINT64_MAX, true, NULL), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(vmo_set_size(v, 1, false, NULL), SYS_ERR_ACCESS_DENIED);
	check_end();
}
END_TEST

/* A write that must first take a shared page out of many mappings is given up in the middle, where its own mapping was
 * left out; another one sees the end of it. Nobody shows the old page then. */
START_TEST(abandoned_write)
{
	enum { SHOWN = 20 };
	vaddr_t at[SHOWN];
	struct vmo *v, *snapshot;
	struct page_wait w;
	u64 old = 1, new = 2, value;

	setup();
	must_ok(vmo_create(account, PAGE_SIZE_, 0, &v));
	object_cap(&v->object);
	for (unsigned i = 0; i < SHOWN; i++)
		must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, v, SYS_RIGHTS_VMO,
		                 0, PAGE_SIZE_, NULL, &at[i]));
	for (unsigned given_up = 0; given_up < SHOWN; given_up++) {
		must_ok(access(at[0], true, &old));
		must_ok(vmo_create_child(v, account, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE_SIZE_, &snapshot));
		object_cap(&snapshot->object);
		for (unsigned i = 0; i < SHOWN; i++)
			must_ok(access(at[i], false, &value));
		page_wait_init(&w);
		ck_assert_int_eq(vm_fault(space, at[given_up], SYS_ACCESS_WRITE, 0, &w), VM_AGAIN);
		must_ok(access(at[(given_up + SHOWN / 2) % SHOWN], true, &new));
		for (unsigned i = 0; i < SHOWN; i++) {
			must_ok(access(at[i], false, &value));
			ck_assert_uint_eq(value, new);
		}
		vmo_check(v);
		object_uncap(&snapshot->object);
		reap_all();
	}
}
END_TEST

/* Of a shared path an access copies one node in each entry; one that was made again more often than a tree is high copies all of it. */
START_TEST(whole_path_at_last)
{
	static const u64 page[] = { 3, 600 };           /* a page; a hole */
	setup();
	struct vmo *v, *copy;
	struct page_wait w;
	struct page_ref ref;
	struct cursor c;
	page_wait_init(&w);
	must_ok(vmo_create(account, PAGES * PAGE_SIZE_, 0, &v));
	object_cap(&v->object);
	must_ok(require(v, 3, true, &ref));
	must_ok(require(v, 601, true, &ref));
	for (unsigned i = 0; i < ARRAY_LEN(page); i++)
		for (unsigned retries = 0; retries <= TREE_LEVELS + 1; retries++) {
			must_ok(again(vmo_create_child(v, account, SYS_VMO_CHILD_SNAPSHOT, 0, PAGES * PAGE_SIZE_, &copy)));
			object_cap(&copy->object);
			memset(&c, retries > TREE_LEVELS ? 0 : 0xff, sizeof c);
			cursor_begin(&c, copy, page[i], page[i] + 1, retries, &w);
			ck_assert_int_eq(cursor_require(&c, true, &ref), retries > TREE_LEVELS ? SYS_OK : VM_AGAIN);
			object_uncap(&copy->object);
			reap_all();
		}
	object_uncap(&v->object);
	check_end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("vmo");
	add_test(s, create_arguments);
	add_test(s, child_arguments);
	add_test(s, snapshot_is_paid_for);
	add_test(s, info_of_an_empty_one);
	add_test(s, ranges);
	add_test(s, whole_path_at_last);
	add_test(s, boot_module);
	add_test(s, boot_module_without_memory);
	add_test(s, dying);
	add_test(s, interrupted_shrink);
	add_test(s, abandoned_write);
	add_test(s, random_operations);
	return s;
}
