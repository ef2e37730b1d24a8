/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: runs a model's episodes (engine.h) and says how many operations that were. A worker process does the work;
 * when it ends before its time (a difference, a panic, a sanitizer's complaint, or nothing for a minute), this one prints the
 * command that repeats the episode it was in, and exits with 1.
 *
 *     NAME [seed=N] [steps=N] [seconds=N] [walk=N]
 *
 * seed: of the first episode, each next one's is one more (default: $SEED, or 1). steps: operations in all (default:
 * one episode's). seconds: no new episode begins after so long, however many steps are left. walk: the walkers run at every
 * N-th operation (default 1). */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "model/engine.h"

#define PATIENCE 120                    /* seconds without a finished episode */

static u64 seed = 1, steps, seconds, walk = 1;
static volatile struct { u64 seed, done; u32 steps; } *progress;        /* shared with the worker */
static bool explicit_steps;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void work(void)
{
	double until = seconds ? now() + (double)seconds : 1e300;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	episode_aborts();
	while (progress->done < steps && now() < until) {
		u64 left = steps - progress->done;

		progress->steps = (u32)MIN(left, (u64)model.steps);
		episode_seeded(progress->seed, progress->steps, (unsigned)walk);
		progress->done += progress->steps;
		progress->seed++;
	}
	exit(0);
}

/* The worker's status; one that does not get on is ended. */
static int wait_for(pid_t worker)
{
	double since = now();
	u64 seen = progress->seed;
	int status;

	while (waitpid(worker, &status, WNOHANG) == 0) {
		usleep(20000);
		if (progress->seed != seen) {
			seen = progress->seed;
			since = now();
		} else if (now() - since > PATIENCE) {
			fprintf(stderr, "%s: an episode did not end in %d seconds\n", model.name, PATIENCE);
			kill(worker, SIGKILL);
			waitpid(worker, &status, 0);
			break;
		}
	}
	return status;
}

static bool option(const char *argument)
{
	static const struct { const char *name; u64 *value; } options[] = {
		{ "seed=", &seed }, { "steps=", &steps }, { "seconds=", &seconds }, { "walk=", &walk },
	};

	for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
		size_t length = strlen(options[i].name);
		char *end;

		if (strncmp(argument, options[i].name, length) != 0)
			continue;
		*options[i].value = strtoull(argument + length, &end, 0);
		return argument[length] && !*end;
	}
	return false;
}

static bool arguments(int argc, char **argv)
{
	const char *given = getenv("SEED");

	if (given)
		seed = strtoull(given, NULL, 0);
	for (int i = 1; i < argc; i++) {
		if (!option(argv[i]))
			return false;
		explicit_steps |= strncmp(argv[i], "steps=", 6) == 0;
	}
	if (!explicit_steps)
		steps = seconds ? UINT64_MAX : model.steps;
	return steps && walk;
}

int main(int argc, char **argv)
{
	if (!arguments(argc, argv)) {
		fprintf(stderr, "usage: %s [seed=N] [steps=N] [seconds=N] [walk=N]\n", argv[0]);
		return 2;
	}
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return perror("mmap"), 2;
	progress->seed = seed;
	printf("%s: seed %" PRIu64 "\n", model.name, seed);
	fflush(stdout);
	double begin = now();
	pid_t worker = fork();
	if (worker < 0)
		return perror("fork"), 2;
	if (worker == 0)
		work();
	int status = wait_for(worker);
	double took = now() - begin;
	printf("%s: %" PRIu64 " operations in %.1f s, %.0f a second\n", model.name, progress->done, took,
	       (double)progress->done / took);
	if (status == 0)
		return 0;
	printf("%s: a difference, with seed %" PRIu64 "; again: %s seed=%" PRIu64 " steps=%u walk=%" PRIu64 "\n", model.name,
	       progress->seed, argv[0], progress->seed, progress->steps, walk);
	return 1;
}
