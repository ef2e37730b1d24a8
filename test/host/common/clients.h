/* SPDX-License-Identifier: BSD-2-Clause */
/* clients.h: a pager and its clients, for the tests of page requests (source.c, requests.c). Clients are records that
 * want a run of pages, one after the other; the pager is the test. It remembers what it was asked for and has not
 * answered, so at any time: whoever waits, waits for a page that is in the pager's queue or that the pager knows of. */
#pragma once
#include "arch/arch.h"
#include "common/calls.h"
#include "vm/source.h"
#include "vm/vmar.h"

#define PAGES   700u
#define THREADS 24u
#define AUX     40u

struct client { struct page_wait wait; u64 page, end; bool active; unsigned wakes; sys_status_t status; };
extern struct client client[THREADS];
extern struct account *account, *other;         /* the root's; the pager's and aux's */
extern struct pager *pager;
extern struct vmo *root, *aux;
extern bool known[PAGES];               /* the pager was asked for it and has not answered */
extern u64 value[PAGES];                /* what it supplied; 0: zero, or nothing yet */
extern bool present[PAGES];
extern u64 asked_twice, readies;


/* A fresh machine with a root of so many pages. */
void setup(u64 pages, u32 options);
/* Everything ends; nothing is left. */
void check_end(void);
void reap_all(void);
/* Runs a client until it waits, is done, or fails. */
sys_status_t run(struct client *c);
sys_status_t start(unsigned i, u64 page, u64 end);
/* The pager takes a request. */
bool receive(u64 *page, u64 *count);
void fill_aux(u64 page, u64 v);
/* Supplies pages whose values stand in aux; checks what is new, and that aux is empty there afterwards. */
sys_status_t supply(u64 page, u64 count, u64 from);
sys_status_t fail_range(u64 page, u64 count, i64 code);
/* The walkers, and that nobody waits in vain. */
void check(void);
