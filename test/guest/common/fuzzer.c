/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzzer.c: see fuzzer.h. What runs in the process itself (all but fuzz_make_plan) uses constants and its state only. */
#include "fuzzer.h"

#include <string.h>

#include "helper.h"

/* ---- the plan -------------------------------------------------------------------------------------------------- */

/* By name, then by type: the first that fits. NULL: any. */
static const struct { const char *name, *type; enum value value; } rules[] = {
	{"msg", NULL, VALUE_MESSAGE}, {"supply", NULL, VALUE_SUPPLY}, {"header", NULL, VALUE_HEADER},
	{"label", NULL, VALUE_LABEL}, {"rights", NULL, VALUE_RIGHTS}, {"options", NULL, VALUE_OPTIONS},
	{"entry", NULL, VALUE_ENTRY}, {"stack", NULL, VALUE_STACK}, {"slots", NULL, VALUE_SLOTS},
	{"bytes", NULL, VALUE_BYTES}, {"ns", NULL, VALUE_TIME}, {"deadline", NULL, VALUE_TIME},
	{"badge", NULL, VALUE_BADGE}, {"data", NULL, VALUE_FAULT_CODE}, {"addr", "const uint32_t *", VALUE_WORD},
	{"addr", NULL, VALUE_ADDRESS}, {"fs_base", NULL, VALUE_ADDRESS},
	{NULL, "sys_cap_t", VALUE_NAME}, {NULL, "sys_time_t", VALUE_TIME}, {NULL, "sys_vaddr_t", VALUE_ADDRESS},
	{NULL, "uint32_t", VALUE_SMALL}, {"event", NULL, VALUE_SMALL}, {"kind", NULL, VALUE_SMALL},
	{"policy", NULL, VALUE_SMALL}, {"count", NULL, VALUE_SMALL}, {"width", NULL, VALUE_SMALL},
	{"offset", NULL, VALUE_OFFSET}, {"size", NULL, VALUE_OFFSET}, {"len", NULL, VALUE_OFFSET},
	{"vmo_offset", NULL, VALUE_OFFSET}, {"src_offset", NULL, VALUE_OFFSET}, {"aux_offset", NULL, VALUE_OFFSET},
	{"vmar_offset", NULL, VALUE_OFFSET}, {"buf_size", NULL, VALUE_OFFSET}, {"threshold", NULL, VALUE_OFFSET},
};

static enum value value_of(const struct call_argument *argument)
{
	if (argument->kind == ARGUMENT_CAP)
		return argument->optional ? VALUE_CAP_OR_NONE : VALUE_CAP;
	if (argument->kind == ARGUMENT_OUT)
		return VALUE_NONE;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if ((rules[i].name == NULL || strcmp(rules[i].name, argument->name) == 0) &&
		    (rules[i].type == NULL || strcmp(rules[i].type, argument->type) == 0))
			return rules[i].value;
	return strchr(argument->type, '*') != NULL ? VALUE_POINTER : VALUE_NUMBER;
}

/* Calls that end things, one in so many of those drawn. */
static uint8_t rarity(uint64_t number)
{
	switch (number) {
	case NR_thread_exit: return 128;
	case NR_thread_kill: case NR_cap_revoke: case NR_vmar_destroy: return 12;
	case NR_cap_delete: case NR_cnode_delete: case NR_thread_suspend: case NR_cap_move: return 4;
	case NR_thread_yield: case NR_clock_get: return 8;
	}
	return 1;
}

/* Those that need many things to be right at once are tried more often. */
static unsigned share(uint64_t number)
{
	if (call_table[number].waits || strncmp(call_table[number].name, "vm", 2) == 0)
		return 3;
	return strncmp(call_table[number].name, "pager", 5) == 0 ? 3 : 1;
}

void fuzz_make_plan(struct fuzz_plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	for (unsigned n = 0; n < CALL_NUMBERS; n++) {
		const struct call_line *line = &call_table[n];

		if (line->name == NULL)
			continue;
		for (unsigned i = 0; i < share(n); i++)
			plan->number[plan->numbers++] = (uint8_t)n;
		plan->arguments[n] = (uint8_t)line->arguments;
		plan->rare[n] = line->later ? 16 : rarity(n);
		for (unsigned i = 0; i < line->arguments; i++) {
			plan->value[n][i] = (uint8_t)value_of(&line->argument[i]);
			plan->types[n][i] = line->argument[i].types;
		}
	}
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static uint64_t draw(struct fuzzer *f, uint64_t below)
{
	return (random_next(&f->random) >> 11) % below;
}

static bool chance(struct fuzzer *f, uint64_t in)
{
	return draw(f, in) == 0;
}

static uint64_t number(struct fuzzer *f)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 7, 8, 63, 64, 255, 256, 4095, 4096, 4097, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
		0x7fffffffffff, 0x7ffffffff000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffff80000000,
		KERNEL_HALF, (uint64_t)-4096, (uint64_t)-4097, (uint64_t)-64, (uint64_t)-2, (uint64_t)-1,
	};
	if (chance(f, 8))
		return random_next(&f->random) >> draw(f, 64);
	if (chance(f, 8))
		return (1ull << draw(f, 64)) - draw(f, 3);
	return values[draw(f, sizeof(values) / sizeof(values[0]))];
}

static uint64_t offset(struct fuzzer *f)
{
	switch (draw(f, 16)) {
	case 0: return number(f);
	case 1: return draw(f, 40) * PAGE + draw(f, PAGE);
	case 2: return draw(f, 600) * PAGE;
	case 3: return draw(f, 4096);
	case 4: return (1ull << (12 + draw(f, 40))) + draw(f, 3) * PAGE - PAGE;
	default: return draw(f, 18) * PAGE;
	}
}

/* What the call takes; how the words are made up is left to chance. */
static uint64_t likely_options(struct fuzzer *f)
{
	static const uint32_t child[] = {
		SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE,
		SYS_VMO_CHILD_SNAPSHOT_MODIFIED, SYS_VMO_CHILD_SLICE, SYS_VMO_CHILD_REFERENCE,
	};
	uint64_t some = draw(f, 8);

	switch (f->number) {
	case NR_vmo_create: return draw(f, 2) ? SYS_VMO_RESIZABLE : 0;
	case NR_pager_create_vmo: return draw(f, 2) ? SYS_VMO_RESIZABLE : draw(f, 2) ? SYS_VMO_TRAP_DIRTY : 0;
	case NR_vmo_create_child: return child[draw(f, 6)] | (draw(f, 3) ? 0 : SYS_VMO_CHILD_RESIZABLE);
	case NR_vmar_allocate: return some * SYS_VM_CAN_MAP_READ | (draw(f, 2) ? SYS_VM_CAN_MAP_SPECIFIC : SYS_VM_SPECIFIC);
	case NR_vmar_map:
		if (draw(f, 2))
			some |= draw(f, 3) ? SYS_VM_SPECIFIC : SYS_VM_SPECIFIC_OVERWRITE;
		return some | (draw(f, 6) ? 0 : SYS_VM_MAP_RANGE) | (draw(f, 6) ? 0 : SYS_VM_SHARED);
	case NR_vmar_protect: case NR_vmo_pin: return some;
	}
	return 0;
}

static uint64_t options(struct fuzzer *f)
{
	uint64_t bits = 0;

	if (!chance(f, 3))
		return likely_options(f);
	if (chance(f, 4))
		return number(f);
	for (uint64_t n = draw(f, 4) + 1; n > 0; n--)
		bits |= 1ull << draw(f, 17);
	return bits;
}

static uint64_t time_value(struct fuzzer *f)
{
	switch (draw(f, 10)) {
	case 0: return chance(f, 4) ? number(f) : SYS_TIME_INFINITE;
	case 1: case 2: return SYS_TIME_POLL;
	default: return (uint64_t)sys_clock_get() + draw(f, 200000);
	}
}

/* Near what is mapped at PLAY. */
static uint64_t address(struct fuzzer *f)
{
	uint64_t page = PLAY + draw(f, 80) * PAGE;

	switch (draw(f, 12)) {
	case 0: return number(f);
	case 1: return page + PAGE - draw(f, 9);
	case 2: return page + draw(f, PAGE);
	case 3: return PLAY + draw(f, FUZZ_PAGES) * PAGE;
	case 4: return PLAY_PAGED + draw(f, 16) * PAGE;
	case 5: return (draw(f, 1u << 20) + 1) * PAGE;
	case 6: case 7: return f->mapped[draw(f, FUZZ_MAPPED)];
	default: return page;
	}
}

static uint64_t pointer(struct fuzzer *f)
{
	if (chance(f, 4))
		return address(f);
	return PLAY + draw(f, FUZZ_PAGES) * PAGE + (chance(f, 4) ? draw(f, PAGE) : 0);
}

static sys_cap_t junk_name(struct fuzzer *f)
{
	switch (draw(f, 4)) {
	case 0: return draw(f, FUZZ_SLOTS + 8) | draw(f, 4) << 32;
	case 1: return SYS_CAP_NULL;
	case 2: return number(f);
	default: return f->known[draw(f, FUZZ_TYPES)][draw(f, FUZZ_KNOWN)] + (draw(f, 2) << 32);
	}
}

static sys_cap_t cap(struct fuzzer *f, uint32_t types)
{
	uint64_t type = draw(f, FUZZ_TYPES);

	if (chance(f, 24))
		return junk_name(f);
	if (types != UINT32_MAX && !chance(f, 24))
		type = (uint64_t)__builtin_ctz(types);
	sys_cap_t name = f->known[type][draw(f, FUZZ_KNOWN)];
	return name != SYS_CAP_NULL ? name : draw(f, FUZZ_SLOTS / 4);
}

static uint64_t header(struct fuzzer *f)
{
	if (chance(f, 16))
		return number(f);
	uint64_t words = chance(f, 8) ? draw(f, 70) : draw(f, 9), caps = chance(f, 4) ? draw(f, 6) : 0;
	return words | caps << 32 | (chance(f, 2) ? draw(f, 6) : 0) << 48;
}

static uint64_t message(struct fuzzer *f)
{
	for (unsigned i = 0; i < SYS_MSG_CAPS; i++)
		f->message.cap[i] = cap(f, UINT32_MAX);
	f->message.word[draw(f, SYS_MSG_WORDS)] = f->random;
	return chance(f, 8) ? pointer(f) : (uint64_t)&f->message;
}

static uint64_t supply(struct fuzzer *f)
{
	f->supply.pager = cap(f, 1u << SYS_TYPE_PAGER);
	f->supply.vmo = cap(f, 1u << SYS_TYPE_VMO);
	f->supply.aux = chance(f, 4) ? SYS_CAP_NULL : cap(f, 1u << SYS_TYPE_VMO);
	f->supply.offset = offset(f);
	f->supply.len = offset(f);
	f->supply.aux_offset = offset(f);
	return chance(f, 8) ? pointer(f) : (uint64_t)&f->supply;
}

static uint64_t fault_code(struct fuzzer *f)
{
	static const int64_t allowed[] = {SYS_ERR_IO, SYS_ERR_IO_DATA_INTEGRITY, SYS_ERR_BAD_STATE, SYS_ERR_NO_SPACE};

	if (chance(f, 8))
		return number(f);
	return (uint64_t)(chance(f, 2) ? allowed[draw(f, 4)] : -(int64_t)draw(f, 30));
}

static int64_t fuzz_child(void *arg);

static uint64_t value(struct fuzzer *f, enum value kind, uint32_t types)
{
	switch (kind) {
	case VALUE_CAP_OR_NONE:
		if (chance(f, 2))
			return SYS_CAP_NULL;
		/* fall through */
	case VALUE_CAP: return cap(f, types);
	case VALUE_NAME: return chance(f, 3) ? junk_name(f) : SYS_SLOT_ANY;
	case VALUE_RIGHTS: return chance(f, 8) ? random_next(&f->random) & 0x3fff : SYS_RIGHTS_SAME;
	case VALUE_BADGE: return chance(f, 3) ? number(f) : 0;
	case VALUE_SMALL: return chance(f, 12) ? number(f) : chance(f, 2) ? draw(f, 14) : draw(f, 5);
	case VALUE_OFFSET: return offset(f);
	case VALUE_OPTIONS: return options(f);
	case VALUE_TIME: return time_value(f);
	case VALUE_POINTER: return chance(f, 32) ? number(f) : pointer(f);
	case VALUE_MESSAGE: return message(f);
	case VALUE_SUPPLY: return supply(f);
	case VALUE_HEADER: return header(f);
	case VALUE_LABEL: return random_next(&f->random) >> draw(f, 16);
	case VALUE_ADDRESS: return address(f);
	case VALUE_SLOTS: return chance(f, 4) ? number(f) : 16ull << draw(f, 6);
	case VALUE_BYTES: return chance(f, 4) ? offset(f) : draw(f, 100) * PAGE;
	case VALUE_ENTRY: return chance(f, 4) ? number(f) : (uint64_t)helper_entry;
	case VALUE_STACK: return chance(f, 8) ? number(f) : PLAY + (draw(f, FUZZ_PAGES) + 1) * PAGE;
	case VALUE_FAULT_CODE: return fault_code(f);
	case VALUE_WORD: return chance(f, 8) ? pointer(f) : PLAY_READ_ONLY + draw(f, 3) * sizeof(uint32_t);
	case VALUE_NONE: return 0;
	case VALUE_NUMBER: break;
	}
	return number(f);
}

/* ---- calls ----------------------------------------------------------------------------------------------------- */

static uint64_t choose(struct fuzzer *f)
{
	const struct fuzz_plan *plan = f->plan;

	for (;;) {
		uint64_t n = plan->number[draw(f, plan->numbers)];
		if (plan->rare[n] == 1 || chance(f, plan->rare[n]))
			return n;
	}
}

/* What ends the process's own ways to go on is left alone mostly: its CNode, address space and account. */
static bool spares(struct fuzzer *f, uint64_t n)
{
	bool ends = n == NR_cap_delete || n == NR_cap_revoke || n == NR_cap_move || n == NR_vmar_destroy ||
		    n == NR_thread_kill || n == NR_cnode_delete || n == NR_thread_suspend;
	sys_cap_t what = f->argument[n == NR_cnode_delete ? 1 : 0];

	return ends && what < FUZZ_KEPT && !chance(f, 16);
}

/* A pager and another's VMO are refused at once, a message sent where nobody receives waits in vain: mostly the kept
 * ones. */
static void belong_together(struct fuzzer *f, uint64_t n)
{
	uint64_t vmo = FUZZ_PAGED_SLOT;
	bool pager = f->plan->types[n][0] == 1u << SYS_TYPE_PAGER, ipc = n >= NR_ipc_send && n <= NR_ipc_recv_rest;

	if ((!pager && !ipc) || chance(f, 3))
		return;
	for (unsigned i = 0; i < CALL_ARGS; i++)
		switch (f->plan->types[n][i]) {
		case 1u << SYS_TYPE_PAGER: f->argument[i] = FUZZ_PAGER_SLOT; break;
		case 1u << SYS_TYPE_VMO: f->argument[i] = vmo++; break;
		case 1u << SYS_TYPE_ENDPOINT: f->argument[i] = FUZZ_ENDPOINT_SLOT; break;
		case 1u << SYS_TYPE_REPLY: f->argument[i] = FUZZ_REPLY_SLOT; break;
		}
}

/* A mapping that fits, so that there are some. */
static void map_plainly(struct fuzzer *f)
{
	f->argument[0] = chance(f, 2) ? SYS_CAP_VMAR : f->argument[0];
	f->argument[1] = SYS_VM_PERM_READ | (chance(f, 4) ? 0 : SYS_VM_PERM_WRITE);
	f->argument[2] = 0;
	f->argument[4] = draw(f, 4) * PAGE;
	f->argument[5] = (draw(f, 4) + 1) * PAGE;
}

static void draw_call(struct fuzzer *f)
{
	uint64_t n = choose(f);

	f->number = n;
	for (unsigned i = 0; i < CALL_ARGS; i++)
		f->argument[i] = i < f->plan->arguments[n] ? value(f, f->plan->value[n][i], f->plan->types[n][i]) : 0;
	if (n == NR_thread_start) {
		f->argument[3] = (uint64_t)fuzz_child;
		f->argument[4] = f->random;
	}
	belong_together(f, n);
	if (n == NR_vmar_map && chance(f, 2))
		map_plainly(f);
	if (chance(f, 64))
		f->number = chance(f, 2) ? number(f) : n | 1ull << CALL_NO_PLACE_BIT;
}

/* Notes what stands in a slot of the own CSpace. */
static void look_at(struct fuzzer *f, uint32_t slot)
{
	sys_cap_info_t info;
	sys_cap_t name;

	if (sys_cnode_info(SYS_CAP_CNODE, slot, &name, &info) == SYS_OK && info.type < FUZZ_TYPES)
		f->known[info.type][draw(f, FUZZ_KNOWN)] = name;
}

/* In one that was just filled, or any. */
static void look_around(struct fuzzer *f)
{
	look_at(f, f->fresh != 0 ? (uint32_t)f->fresh : (uint32_t)draw(f, chance(f, 2) ? 64 : FUZZ_SLOTS));
	f->fresh = 0;
}

/* Touches what it mapped: a fault, and maybe the thread's last. */
static void touch(struct fuzzer *f)
{
	volatile uint64_t *at = (volatile uint64_t *)(f->mapped[draw(f, FUZZ_MAPPED)] + draw(f, 4) * PAGE);

	if (draw(f, 2))
		*at = f->random;
	else
		(void)*at;
}

static void one_call(struct fuzzer *f)
{
	uint64_t rdx, n;

	draw_call(f);
	n = f->number;
	if (spares(f, n))
		return;
	int64_t status = call_raw(n, f->argument, &rdx);
	f->calls++;
	if (n < CALL_NUMBERS)
		f->tried[n]++;
	if (n == NR_clock_get)
		return;
	if (status > SYS_OK || status < SYS_ERR_IO_MISSED_DEADLINE) {
		f->bad_number = n;
		f->bad_status = (uint64_t)status;
	}
	if (status == SYS_OK && n < CALL_NUMBERS) {
		f->worked[n]++;
		f->fresh = rdx;
		if (n == NR_vmar_map)
			f->mapped[draw(f, FUZZ_MAPPED)] = rdx;
	}
}

int64_t fuzz_run(void *fuzzer)
{
	struct fuzzer *f = fuzzer;

	for (uint32_t slot = 1; slot < FUZZ_SLOTS / 4; slot++)
		look_at(f, slot);
	while (f->limit == 0 || f->calls < f->limit) {
		look_around(f);
		one_call(f);
		if (chance(f, 100))
			touch(f);
	}
	return 0;
}

/* A thread that a fuzzer started: a few calls on a state on its own stack, in memory that others play with. */
static int64_t fuzz_child(void *arg)
{
	struct fuzzer f;

	memset(&f, 0, sizeof(f));
	f.plan = (const struct fuzz_plan *)FUZZ_STATES;
	f.random = (uint64_t)arg;
	f.limit = 40;
	return fuzz_run(&f);
}
