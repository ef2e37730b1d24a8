/* SPDX-License-Identifier: BSD-2-Clause */
/* random.c: long random runs of small operations on a few VMOs, their snapshots and mappings, beside a model of plain
 * bytes that does the same by copying. Every read is compared with the model, all content at times, the account at the
 * end. The seed is fixed and printed; a failure names it and the step. */
#include "common/helper.h"

#include <stdio.h>
#include <string.h>

enum { OBJECTS = 6, MAX_PAGES = 24, WINDOWS = 6, STEPS = 2500, RUNS = 6, CHUNK = 6000 };

struct object { sys_cap_t vmo; bool resizable; uint64_t pages; uint8_t *model; };
struct window { volatile uint8_t *at; int object; uint64_t offset, pages; bool writable; };

static struct object objects[OBJECTS];
static struct window windows[WINDOWS];
static uint8_t models[OBJECTS][MAX_PAGES * 4096], scratch[CHUNK];
static uint64_t state, seed;
static unsigned step;

#define AGREE(COND)                                                                                              \
	do {                                                                                                     \
		if (!(COND))                                                                                     \
			FAIL("seed %lu step %u line %d: not so: %s", (unsigned long)seed, step, __LINE__, #COND); \
	} while (0)

static uint64_t below(uint64_t n)
{
	return random_next(&state) % n;
}

static void object_dies(int i)
{
	if (objects[i].vmo == SYS_CAP_NULL)
		return;
	AGREE(sys_cap_delete(objects[i].vmo) == SYS_OK);        /* what is mapped lives on, with its own content */
	objects[i].vmo = SYS_CAP_NULL;
}

static void window_dies(int i)
{
	if (windows[i].at == NULL)
		return;
	AGREE(sys_vmar_unmap(SYS_CAP_VMAR, (sys_vaddr_t)windows[i].at, windows[i].pages * PAGE) == SYS_OK);
	windows[i].at = NULL;
}

/* A new object takes the place of another, whose windows go with it: the model knows an object only by its place. */
static void make_room(int i)
{
	for (int w = 0; w < WINDOWS; w++)
		if (windows[w].at != NULL && windows[w].object == i)
			window_dies(w);
	object_dies(i);
	memset(objects[i].model, 0, MAX_PAGES * PAGE);
}

static void create(void)
{
	struct object *o = &objects[below(OBJECTS)];

	make_room((int)(o - objects));
	o->pages = 1 + below(MAX_PAGES);
	o->resizable = below(2);
	AGREE(sys_vmo_create(ut, o->pages * PAGE, o->resizable ? SYS_VMO_RESIZABLE : 0, &o->vmo) == SYS_OK);
}

static struct object *any_object(void)
{
	struct object *o = &objects[below(OBJECTS)];
	return o->vmo == SYS_CAP_NULL ? NULL : o;
}

static void snapshot(void)
{
	struct object *from = any_object(), *to = &objects[below(OBJECTS)];
	sys_cap_t child;

	if (from == NULL || from == to || from->pages == 0)
		return;
	uint64_t first = below(from->pages), pages = 1 + below(MAX_PAGES - 1);
	bool resizable = below(2);
	uint32_t options = SYS_VMO_CHILD_SNAPSHOT | (resizable ? SYS_VMO_CHILD_RESIZABLE : 0);
	make_room((int)(to - objects));
	AGREE(sys_vmo_create_child(from->vmo, ut, options, first * PAGE, pages * PAGE, &child) == SYS_OK);
	uint64_t shared = from->pages - first < pages ? from->pages - first : pages;
	memcpy(to->model, from->model + first * PAGE, shared * PAGE);
	to->vmo = child;
	to->pages = pages;
	to->resizable = resizable;
}

static void transfer(bool write)
{
	struct object *o = any_object();

	if (o == NULL || o->pages == 0)
		return;
	uint64_t offset = below(o->pages * PAGE), room = o->pages * PAGE - offset,
		 len = 1 + below(room < CHUNK ? room : CHUNK);
	if (!write) {
		AGREE(sys_vmo_read(o->vmo, scratch, offset, len) == SYS_OK);
		AGREE(memcmp(scratch, o->model + offset, len) == 0);
		return;
	}
	memset(scratch, (int)below(256), len);
	scratch[0] = (uint8_t)step;
	AGREE(sys_vmo_write(o->vmo, scratch, offset, len) == SYS_OK);
	memcpy(o->model + offset, scratch, len);
}

static void resize(void)
{
	struct object *o = any_object();

	if (o == NULL)
		return;
	uint64_t pages = below(MAX_PAGES + 1);
	AGREE(sys_vmo_set_size(o->vmo, pages * PAGE) == (o->resizable ? SYS_OK : SYS_ERR_UNAVAILABLE));
	if (!o->resizable)
		return;
	if (pages < o->pages)
		memset(o->model + pages * PAGE, 0, (o->pages - pages) * PAGE);
	o->pages = pages;
}

static void op_range(void)
{
	struct object *o = any_object();

	if (o == NULL || o->pages == 0)
		return;
	uint64_t first = below(o->pages), pages = 1 + below(o->pages - first);
	bool drop = below(2);
	AGREE(sys_vmo_op_range(o->vmo, drop ? SYS_VMO_OP_DECOMMIT : SYS_VMO_OP_COMMIT, first * PAGE, pages * PAGE, NULL,
		      0) == SYS_OK);
	if (drop)
		memset(o->model + first * PAGE, 0, pages * PAGE);
}

static void map_window(void)
{
	struct object *o = any_object();
	int w = (int)below(WINDOWS);
	sys_vaddr_t at;

	if (o == NULL)
		return;
	window_dies(w);
	uint64_t offset = below(MAX_PAGES), pages = 1 + below(MAX_PAGES - offset);
	bool writable = below(4) > 0;
	uint32_t perms = SYS_VM_PERM_READ | (writable ? SYS_VM_PERM_WRITE : 0) | (below(4) == 0 ? SYS_VM_MAP_RANGE : 0);
	AGREE(sys_vmar_map(SYS_CAP_VMAR, perms, 0, o->vmo, offset * PAGE, pages * PAGE, &at) == SYS_OK);
	windows[w] = (struct window){(volatile uint8_t *)at, (int)(o - objects), offset, pages, writable};
}

static void touch(void)
{
	struct window *w = &windows[below(WINDOWS)];

	if (w->at == NULL || objects[w->object].vmo == SYS_CAP_NULL)
		return;
	struct object *o = &objects[w->object];
	uint64_t at = below(w->pages * PAGE), offset = w->offset * PAGE + at;
	if (offset >= o->pages * PAGE)
		return;                                 /* a fault: vmo.c has those */
	AGREE(w->at[at] == o->model[offset]);
	if (w->writable && below(2)) {
		w->at[at] = (uint8_t)(step + 1);
		o->model[offset] = (uint8_t)(step + 1);
	}
}

static void protect(void)
{
	struct window *w = &windows[below(WINDOWS)];

	if (w->at == NULL || !w->writable)
		return;
	AGREE(sys_vmar_protect(SYS_CAP_VMAR, SYS_VM_PERM_READ, (sys_vaddr_t)w->at, w->pages * PAGE) == SYS_OK);
	if (below(2))
		AGREE(sys_vmar_protect(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, (sys_vaddr_t)w->at,
			      w->pages * PAGE) == SYS_OK);
	else
		w->writable = false;
}

static void compare_all(void)
{
	for (int i = 0; i < OBJECTS; i++)
		for (uint64_t at = 0; objects[i].vmo != SYS_CAP_NULL && at < objects[i].pages * PAGE; at += PAGE) {
			AGREE(sys_vmo_read(objects[i].vmo, scratch, at, PAGE) == SYS_OK);
			AGREE(memcmp(scratch, objects[i].model + at, PAGE) == 0);
		}
}

static void take_step(void)
{
	switch (below(16)) {
	case 0: create(); break;
	case 1: case 2: snapshot(); break;
	case 3: case 4: case 5: transfer(true); break;
	case 6: case 7: transfer(false); break;
	case 8: resize(); break;
	case 9: op_range(); break;
	case 10: map_window(); break;
	case 11: window_dies((int)below(WINDOWS)); break;
	case 12: protect(); break;
	default: touch(); touch(); touch(); break;
	}
}

static void run(int index)
{
	seed = 1000 + (uint64_t)index;
	state = seed;
	for (int i = 0; i < OBJECTS; i++)
		objects[i] = (struct object){.model = models[i]};
	memset(windows, 0, sizeof(windows));
	uint64_t before = used(ut);
	for (step = 0; step < STEPS; step++) {
		take_step();
		if (step % 250 == 249)
			compare_all();
	}
	for (int i = 0; i < WINDOWS; i++)
		window_dies(i);
	for (int i = 0; i < OBJECTS; i++)
		object_dies(i);
	EQ(used(ut), before);
}

void guest_tables(void)
{
	char name[64];

	for (int i = 0; i < RUNS; i++) {
		snprintf(name, sizeof(name), "VMOs, snapshots and mappings against a model, seed %d", 1000 + i);
		guest_add(name, run, i);
	}
}
