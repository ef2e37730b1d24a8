/* SPDX-License-Identifier: BSD-2-Clause */
/* view.h: what a clone of a root sees of it (docs/architecture.md). A clone has a tree of its private pages; where that
 * holds nothing, pages below the view's limit are the root's. A view stands in the derivation list right behind the
 * capability it was made with, or behind the view of the clone that it was made from: revoking above it ends it.
 * Lock: the kernel lock.
 */
#pragma once
#include "mem/object.h"

struct vmo;
struct view {                           /* a part in the slab of the clone's account */
	u8 part;                        /* PART_VIEW */
	bool ended;                     /* revoked, or the root ended: what would fall through gives BAD_STATE */
	struct vmo *clone, *root;       /* it holds a reference to the root until it ends */
	u64 first;                      /* the root's page that is the clone's page 0 */
	u64 limit;                      /* pages of the clone that fall through: those below it. It only sinks */
	struct list link;               /* in root->views */
	struct deriv deriv;             /* DERIV_VIEW */
};
