/* SPDX-License-Identifier: BSD-2-Clause */
/* archive.c: files of a ZIP archive that lies in memory, read by zlib's minizip.
 *
 * The whole directory is read and checked once. The bytes of a stored file are taken from where they lie; a deflated
 * file is unpacked from its beginning up to the place wanted, and on from there next time. Sums: minizip compares a
 * deflated file's CRC when its end is read; nobody reads a stored file as a whole here, so its reader compares (the
 * shell's verify).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unzip.h>
#include <libsys/files.h>
#include "backing.h"

enum { METHOD_STORED = 0, METHOD_DEFLATED = 8, FLAG_ENCRYPTED = 1, SKIP_BYTES = 4096, REASON_BYTES = 160 };

struct entry { char *name; uint64_t size, data; bool deflated; unz64_file_pos position; };   /* data: of a stored one */

static const unsigned char *archive;
static uint64_t archive_size, archive_at;       /* archive_at: where minizip's file pointer is */
static unzFile zip;
static struct entry *entries;
static uint64_t entry_count;
static char reason[REASON_BYTES];

/* The one deflated file that is open in minizip, and how far it has been read. */
static struct entry *stream;
static uint64_t stream_at;

/* ---- minizip's view of memory as a file ---- */

static voidpf memory_open(voidpf opaque, const void *name, int mode)
{
	(void)opaque, (void)name, (void)mode;
	archive_at = 0;
	return &archive_at;
}

static uLong memory_read(voidpf opaque, voidpf file, void *buf, uLong len)
{
	uint64_t left = archive_size - archive_at;

	(void)opaque, (void)file;
	if (len > left)
		len = left;
	memcpy(buf, archive + archive_at, len);
	archive_at += len;
	return len;
}

static uLong memory_write(voidpf opaque, voidpf file, const void *buf, uLong len)
{
	(void)opaque, (void)file, (void)buf, (void)len;
	return 0;
}

static ZPOS64_T memory_tell(voidpf opaque, voidpf file)
{
	(void)opaque, (void)file;
	return archive_at;
}

static long memory_seek(voidpf opaque, voidpf file, ZPOS64_T offset, int origin)
{
	uint64_t from = origin == ZLIB_FILEFUNC_SEEK_CUR ? archive_at :
		origin == ZLIB_FILEFUNC_SEEK_END ? archive_size : 0;

	(void)opaque, (void)file;
	if (offset > archive_size - from)
		return -1;
	archive_at = from + offset;
	return 0;
}

static int memory_close(voidpf opaque, voidpf file)
{
	(void)opaque, (void)file;
	return 0;
}

static int memory_error(voidpf opaque, voidpf file)
{
	(void)opaque, (void)file;
	return 0;
}

/* ---- the directory ---- */

static const char *refuse(const char *what, const char *name)
{
	snprintf(reason, sizeof reason, name ? "%s: %.100s" : "%s", what, name);
	return reason;
}

/* Where a stored file's bytes lie: minizip compares the local header with the directory on the way. */
static const char *find_data(struct entry *e, const unz_file_info64 *info)
{
	if (unzOpenCurrentFile(zip) != UNZ_OK)
		return refuse("a file's header and the directory differ", e->name);
	e->data = unzGetCurrentFileZStreamPos64(zip);
	unzCloseCurrentFile(zip);
	if (info->compressed_size != info->uncompressed_size || e->data > archive_size ||
			e->size > archive_size - e->data)
		return refuse("a file lies beyond the end", e->name);
	return NULL;
}

static const char *check_entry(struct entry *e, const unz_file_info64 *info)
{
	if (strlen(e->name) != info->size_filename)
		return refuse("a name holds a zero byte", NULL);
	if (info->flag & FLAG_ENCRYPTED)
		return refuse("a file is encrypted", e->name);
	if (info->compression_method != METHOD_STORED && info->compression_method != METHOD_DEFLATED)
		return refuse("a file is packed in an unknown way", e->name);
	e->size = info->uncompressed_size;
	e->deflated = info->compression_method == METHOD_DEFLATED;
	if (unzGetFilePos64(zip, &e->position) != UNZ_OK)
		return refuse("the directory is broken", NULL);
	return e->deflated ? NULL : find_data(e, info);
}

/* Takes the directory's current entry, unless it is a folder. */
static const char *add_entry(void)
{
	char name[FILES_NAME_MAX + 1] = "";
	unz_file_info64 info;
	struct entry *more;

	if (unzGetCurrentFileInfo64(zip, &info, name, sizeof name - 1, NULL, 0, NULL, 0) != UNZ_OK)
		return refuse("the directory is broken", NULL);
	if (info.size_filename > FILES_NAME_MAX)
		return refuse("a name is too long", name);
	if (info.size_filename == 0 || name[info.size_filename - 1] == '/')
		return NULL;
	more = realloc(entries, (entry_count + 1) * sizeof *entries);
	if (!more)
		return refuse("no memory for the directory", NULL);
	entries = more;
	entries[entry_count] = (struct entry){ .name = strdup(name) };
	if (!entries[entry_count].name)
		return refuse("no memory for the directory", NULL);
	return check_entry(&entries[entry_count++], &info);
}

static const char *archive_open(const void *data, uint64_t size)
{
	zlib_filefunc64_def memory = {
		memory_open, memory_read, memory_write, memory_tell, memory_seek, memory_close, memory_error, NULL,
	};
	unz_global_info64 all;
	const char *why = NULL;
	uint64_t seen = 0;
	int result;

	archive = data;
	archive_size = size;
	zip = unzOpen2_64("", &memory);
	if (!zip || unzGetGlobalInfo64(zip, &all) != UNZ_OK)
		return refuse("it has no directory at its end", NULL);
	result = all.number_entry ? unzGoToFirstFile(zip) : UNZ_END_OF_LIST_OF_FILE;
	for (; result == UNZ_OK && !why; result = unzGoToNextFile(zip), seen++)
		why = add_entry();
	if (!why && (result != UNZ_END_OF_LIST_OF_FILE || seen != all.number_entry))
		why = refuse("the directory is broken", NULL);
	return why;
}

static uint64_t archive_count(void) { return entry_count; }
static const char *archive_name(uint64_t file) { return entries[file].name; }
static uint64_t archive_file_size(uint64_t file) { return entries[file].size; }

/* ---- content ---- */

static bool stream_open(struct entry *e)
{
	if (stream)
		unzCloseCurrentFile(zip);
	stream = NULL;
	stream_at = 0;
	if (unzGoToFilePos64(zip, &e->position) != UNZ_OK || unzOpenCurrentFile(zip) != UNZ_OK)
		return false;
	stream = e;
	return true;
}

/* The next `len` bytes of the open stream. A wrong sum at the end of the file spoils its last bytes. */
static bool stream_read(void *buf, size_t len)
{
	size_t got = 0;
	int n;

	for (; got < len; got += (size_t)n) {
		n = unzReadCurrentFile(zip, (char *)buf + got, (unsigned)(len - got));
		if (n <= 0)
			return false;
	}
	stream_at += len;
	if (stream_at < stream->size)
		return true;
	stream = NULL;
	return unzCloseCurrentFile(zip) == UNZ_OK;
}

static bool stream_skip(uint64_t len)
{
	char unwanted[SKIP_BYTES];
	bool good = true;

	for (; good && len > 0; len -= len < SKIP_BYTES ? len : SKIP_BYTES)
		good = stream_read(unwanted, len < SKIP_BYTES ? len : SKIP_BYTES);
	return good;
}

static bool read_deflated(struct entry *e, uint64_t offset, void *buf, size_t len)
{
	if ((stream != e || offset < stream_at) && !stream_open(e))
		return false;
	return stream_skip(offset - stream_at) && stream_read(buf, len);
}

static sys_status_t archive_read(uint64_t file, uint64_t offset, void *buf, size_t len)
{
	struct entry *e = &entries[file];

	if (e->deflated)
		return read_deflated(e, offset, buf, len) ? SYS_OK : SYS_ERR_IO_DATA_INTEGRITY;
	memcpy(buf, archive + e->data + offset, len);
	return SYS_OK;
}

const struct backing archive_backing = { archive_open, archive_count, archive_name, archive_file_size, archive_read };
