/* SPDX-License-Identifier: BSD-2-Clause */
/* probe.c: see probe.h. The number of a probe is in object.unused. */
#include <stdio.h>
#include <string.h>
#include "common/probe.h"
#include "lib/assert.h"
#include "mem/account.h"
#include "mem/frame.h"

static char said[8192], told[sizeof said];

const char *probe_said(void)
{
	strcpy(told, said);
	said[0] = 0;
	return told;
}

static void say(const char *what, const struct object *o)
{
	size_t n = strlen(said);
	snprintf(said + n, sizeof said - n, "%s%u ", what, (unsigned)o->unused);
}

static void probe_gone(struct object *o) { say("gone", o); }
static void probe_ended(struct object *o) { say("ended", o); }
static void probe_idle(struct object *o)
{
	say("idle", o);
	object_end(o);
}

static bool probe_reap(struct object *o)
{
	struct probe *p = container_of(o, struct probe, object);

	say("reap", o);
	if (p->holds) {
		object_unref(&p->holds->object);
		p->holds = NULL;
	}
	must(!object_reap_step(NULL));                          /* never nested */
	return o->extra-- == 0;
}

static const struct object_type probe_type = {
	.name = "probe", .size = sizeof(struct probe),
	.idle = probe_idle, .caps_gone = probe_gone, .ended = probe_ended, .reap = probe_reap,
};
const struct object_type probe_plain_type = { .name = "plain", .size = 64 };
static const struct object_type large_type = { .name = "large", .size = 4096 };

void memory_start(void)
{
	machine_start(4096);
	object_type_set(SYS_TYPE_VMO, &probe_type);
	object_type_set(SYS_TYPE_REPLY, &probe_plain_type);
	object_type_set(SYS_TYPE_THREAD, &large_type);
}

void memory_check(void)
{
	frame_check();
	account_check_all();
}

struct account *child_of(struct account *parent, u64 frames)
{
	struct account *a = NULL;
	ck_assert_int_eq(account_create(parent, frames, &a), SYS_OK);
	ck_assert_ptr_nonnull(a);
	return a;
}

struct probe *probe_new(struct account *a, u16 number, u32 steps)
{
	sys_status_t status;
	struct probe *p = object_create(a, SYS_TYPE_VMO, &status);

	ck_assert_int_eq(status, SYS_OK);
	p->object.unused = number;
	p->object.extra = steps;
	object_cap(&p->object);
	return p;
}
