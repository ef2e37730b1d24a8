/* SPDX-License-Identifier: BSD-2-Clause */
/* visible.c: see visible.h. Objects are told in the order of their koids. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/visible.h"
#include "syscall/check.h"
#include "vm/cursor.h"

#define OBJECTS 4096u

static struct object *all[OBJECTS];
static u32 objects;
static struct visible *out;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	out->length += (u32)vsnprintf(out->text + out->length, sizeof out->text - out->length, format, args);
	va_end(args);
	must(out->length < sizeof out->text);
}

static void collect(struct object *o)
{
	must(objects < OBJECTS);
	all[objects++] = o;
}

static int by_koid(const void *a, const void *b)
{
	u64 x = (*(struct object *const *)a)->koid, y = (*(struct object *const *)b)->koid;

	return x < y ? -1 : x > y;
}

static void say_account(const struct account *a)
{
	say(" total %" PRIu64 " used %" PRIu64 " promised %" PRIu64 " objects %" PRIu64 "%s", a->total, a->used, a->promised,
	    a->objects, a->closed ? " closed" : "");
}

static void say_slots(const struct cnode *c)
{
	say(" slots %u of %u", c->built, c->slots);
	for (u32 i = 0; i < c->built; i++) {
		const struct slot *s = cnode_slot(c, i);

		if (s->object)
			say("\n  %u.%u: koid %" PRIu64 " rights %x badge %" PRIx64 "%s%s", i, s->generation, s->object->koid,
			    s->rights, slot_badge(s), s->flags & SLOT_REVOKING ? " revoking" : "", slot_derived(s) ? " derived" : "");
		else if (s->generation || s->flags)
			say("\n  %u.%u%s", i, s->generation, s->flags & SLOT_RETIRED ? " retired" : "");
	}
}

/* A sum over a page's bytes, in order. */
static u64 sum_of(paddr_t frame)
{
	const u64 *word = phys_to_virt(frame);
	u64 sum = 0;

	for (unsigned i = 0; i < PAGE_SIZE_ / sizeof(u64); i++)
		sum = (sum ^ word[i]) * 0x100000001b3ull;
	return sum;
}

static void say_vmo(struct vmo *v)
{
	struct tree_counts counts;
	struct page_ref page;

	tree_count(&v->tree, 0, v->size >> PAGE_SHIFT, &counts);
	say(" size %" PRIu64 " stream %" PRIu64 " pages %" PRIu64 " nodes %" PRIu64 " private %" PRIu64 " children %" PRIu64
	    " mappings %" PRIu64, v->size, v->stream_size, counts.pages, counts.nodes, counts.private_pages, v->child_count,
	    v->mapping_count);
	for (u64 i = 0; i < v->size >> PAGE_SHIFT; i++)
		if (cursor_peek(v, i, &page) && page.frame != zero_page)
			say("\n  page %" PRIu64 " %" PRIx64, i, sum_of(page.frame));
}

static void say_region(struct vmar *r)
{
	vaddr_t at = r->region.base;
	u32 depth = 0;
	sys_maps_t m;

	say(" base %" PRIx64 " size %" PRIx64 "%s", r->region.base, r->region.size, r->destroyed ? " destroyed" : "");
	if (r->depth)
		return;
	while (vmar_maps_next(r, &at, &depth, &m))
		say("\n  %u depth %u options %x base %" PRIx64 " size %" PRIx64 " vmo %" PRIu64 " offset %" PRIx64, m.kind,
		    m.depth, m.options, m.base, m.size, m.vmo_koid, m.vmo_offset);
}

static void say_thread(const struct thread *t)
{
	say(" state %u wait %u%s priority %u code %" PRId64 " fault endpoint %d", t->state, t->wait,
	    t->suspended ? " suspended" : "", t->priority, t->exit_code, t->fault_endpoint != NULL);
}

static void say_object(struct object *o)
{
	say("%" PRIu64 ": type %u flags %u caps %u refs %u extra %u", o->koid, o->type, o->flags, o->caps, o->refs, o->extra);
	switch (o->type) {
	case SYS_TYPE_UNTYPED:      say_account((struct account *)o); break;
	case SYS_TYPE_CNODE:        say_slots((struct cnode *)o); break;
	case SYS_TYPE_VMO:          say_vmo((struct vmo *)o); break;
	case SYS_TYPE_VMAR:         say_region((struct vmar *)o); break;
	case SYS_TYPE_THREAD:       say_thread((struct thread *)o); break;
	case SYS_TYPE_NOTIFICATION: say(" bits %" PRIx64, ((struct notification *)o)->bits); break;
	}
	say("\n");
}

void visible_note(struct visible *v)
{
	out = v;
	v->length = 0;
	check_all();
	say("root");
	say_account(account_root());
	say("\n");
	objects = 0;
	account_each_object(collect);
	qsort(all, objects, sizeof all[0], by_koid);
	for (u32 i = 0; i < objects; i++)
		say_object(all[i]);
}

void visible_compare(const struct visible *before, const struct visible *after, const char *what)
{
	u32 same = 0;

	while (before->text[same] && before->text[same] == after->text[same])
		same++;
	if (before->text[same] == after->text[same])
		return;
	while (same && before->text[same - 1] != '\n')
		same--;
	ck_abort_msg("%s changed: %.*s\nto: %.*s", what, (int)strcspn(before->text + same, "\n"), before->text + same,
	             (int)strcspn(after->text + same, "\n"), after->text + same);
}
