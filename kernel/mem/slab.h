/* SPDX-License-Identifier: BSD-2-Clause */
/* slab.h: small objects, in frames of one size class and one account. They die with their account, so frames are never shared between
 * accounts. Each cell's first byte is its type: 0 free, below 0x80 a struct object, from 0x80 on a part (a mapping, a region's range ...).
 * An emptied slab goes back at once. Sizes up to 1024 in classes; 4096: a frame of its own. Lock: the kernel lock. */
#pragma once
#include "mem/object.h"

enum slab_part { PART_MAPPING = 0x80, PART_RANGE, PART_WATCH, PART_SOURCE, PART_VIEW, PART_KEPT };

/* Zeroed memory with its first byte set to `type`; NULL: *status is NO_MEMORY or BAD_STATE. Cost O(1), and clearing. */
void *slab_alloc(struct account *a, size_t size, u8 type, sys_status_t *status);
void slab_free(void *cell, size_t size);
/* For the sweep: an object of the account that lives. Looks at one slab, another one each time; NULL: none in that one (account->objects says how many
 * there are). While the account is closed, going on finds each. */
struct object *slab_first_object(struct account *a);
/* Calls visit for each object in the account's slabs that is not dying. */
void slab_each_object(struct account *a, void (*visit)(struct object *));
void slab_check(const struct account *a);
