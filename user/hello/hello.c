/* SPDX-License-Identifier: BSD-2-Clause */
/* hello: prints its arguments and what it was given. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <libsys/libsys.h>

enum { ITEMS_MAX = 16 };

int main(int argc, char **argv)
{
	sys_startup_item_t item[ITEMS_MAX];
	size_t items = sys_startup(item, ITEMS_MAX);
	sys_untyped_info_t account;

	printf("hello from %s", argc > 0 ? argv[0] : "a program without a name");
	for (int i = 1; i < argc; i++)
		printf(" [%s]", argv[i]);
	printf("\n");
	for (size_t i = 0; i < items && i < ITEMS_MAX; i++)
		printf("  given: %s, %" PRIu64 " bytes\n", item[i].name, item[i].size);
	if (sys_untyped_info(SYS_CAP_UNTYPED, &account) != SYS_OK)
		return EXIT_FAILURE;
	printf("  account: %" PRIu64 " of %" PRIu64 " KiB used\n", account.used / 1024, account.total / 1024);
	return EXIT_SUCCESS;
}
