/* SPDX-License-Identifier: BSD-2-Clause */
/* client.h: a pager played by the test itself, one VMO of it, and clients that need its pages: helper threads,
 * whose exit code is what they met. */
#pragma once
#include "helper.h"

enum { PAGES = 32, KEY = 900 };
/* BUFFER: the page is the buffer of a call. RANGE: the operation `op` on a range. */
enum act { READ_MAPPED, WRITE_MAPPED, VMO_READ, VMO_WRITE, COMMIT, BUFFER, RANGE };

struct client {
	enum act act;
	sys_cap_t vmo;
	volatile uint8_t *at;           /* where the VMO is mapped, for what needs that */
	uint64_t offset;
	size_t len;
	enum sys_vmo_op op;
	volatile uint64_t seen;         /* by READ_MAPPED */
};

extern sys_cap_t pager, ep, vmo;        /* the pager, its endpoint, its VMO of PAGES pages */
extern uint8_t client_bytes[PAGES * 4096];      /* what VMO_READ reads to and VMO_WRITE writes from */

void pager_begin(void);
void pager_begin_with(uint32_t options);
sys_cap_t client_start(struct client *client);                          /* returns when it waits */
sys_cap_t client_start_with(struct client *client, sys_cap_t fault_ep);
void expect(uint64_t offset, uint64_t pages, uint32_t access);          /* the next request is this (access 0: any) */
void expect_none(void);
void fail_range(uint64_t page, uint64_t pages, sys_status_t status);
/* Supplies pages whose first word is tag + page; returns the bytes that were new. */
uint64_t supply(uint64_t page, uint64_t pages, uint64_t tag);
uint64_t committed(void);
