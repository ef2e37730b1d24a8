/* SPDX-License-Identifier: BSD-2-Clause */
/* backing.h: where files' bytes come from. One table of operations per kind of backing, one file each. */
#pragma once
#include <libsys/libsys.h>

struct backing {
	/* Looks at all of it. NULL: in order; else what is wrong with it, as a text that stays valid. */
	const char *(*open)(const void *data, uint64_t size);
	uint64_t (*count)(void);
	/* A file's name (at most FILES_NAME_MAX bytes) and size, by its number below count(). */
	const char *(*name)(uint64_t file);
	uint64_t (*size)(uint64_t file);
	/* Bytes [offset, offset + len) of a file, all below its size. IO_DATA_INTEGRITY: they cannot be had. */
	sys_status_t (*read)(uint64_t file, uint64_t offset, void *buf, size_t len);
};

extern const struct backing archive_backing;    /* a ZIP file in memory */
