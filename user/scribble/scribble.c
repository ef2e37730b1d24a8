/* SPDX-License-Identifier: BSD-2-Clause */
/* scribble: writes over memory that it was given, for as long as it is told to (protocol.h). */
#include <stdlib.h>
#include <string.h>
#include <libsys/libsys.h>
#include "protocol.h"

enum { ITEMS_MAX = 8 };

static sys_cap_t orders, target, reply;

static void take_items(void)
{
	sys_startup_item_t item[ITEMS_MAX];
	size_t items = sys_startup(item, ITEMS_MAX);

	for (size_t i = 0; i < items && i < ITEMS_MAX; i++) {
		if (strcmp(item[i].name, "orders") == 0)
			orders = item[i].vmo;
		else if (strcmp(item[i].name, "target") == 0)
			target = item[i].vmo;
	}
}

/* Rounds over `bytes` until an order to stop comes, which is then answered. */
static void scribble(volatile uint64_t *memory, uint64_t bytes)
{
	sys_msg_t msg = { 0 };
	uint64_t rounds = 0;

	do {
		for (uint64_t i = 0; i < bytes / sizeof *memory; i++)
			memory[i] = SCRIBBLE_PATTERN ^ ~rounds;
		rounds++;
	} while (sys_ipc_recv(orders, reply, &msg, NULL, SYS_TIME_POLL) != SYS_OK || msg.label != SCRIBBLE_STOP);
	msg = (sys_msg_t){ .words = 1, .word = { rounds } };
	sys_ipc_reply(reply, &msg);
}

int main(void)
{
	const uint32_t perms = SYS_VM_PERM_READ | SYS_VM_PERM_WRITE;
	sys_msg_t msg = { 0 };
	sys_vaddr_t memory;
	uint64_t size;

	take_items();
	if (sys_reply_create(SYS_CAP_UNTYPED, &reply) != SYS_OK || sys_vmo_get_size(target, &size) != SYS_OK ||
			sys_vmar_map(SYS_CAP_VMAR, perms, 0, target, 0, size, &memory) != SYS_OK)
		return EXIT_FAILURE;
	while (sys_ipc_recv(orders, reply, &msg, NULL, SYS_TIME_INFINITE) == SYS_OK)
		if (msg.label == SCRIBBLE_GO && msg.words > 0 && msg.word[0] <= size)
			scribble((volatile uint64_t *)memory, msg.word[0]);
	return EXIT_FAILURE;
}
