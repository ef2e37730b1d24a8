/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: runs the program's suite; TAP on standard output, exit status 1 if a test failed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "arch/arch.h"
#include "common/harness.h"

int main(void)
{
	const char *given = getenv("SEED");
	u64 seed = given ? strtoull(given, NULL, 0) : (u64)time(NULL);

	printf("# seed %" PRIu64 "\n", seed);
	fflush(stdout);
	host_random_seed(seed);
	SRunner *runner = srunner_create(test_suite());
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
