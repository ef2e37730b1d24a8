/* SPDX-License-Identifier: BSD-2-Clause */
/* bundle OUT [NAME=]FILE...: puts boot modules into one file, for loaders that pass only one (QEMU's -initrd).
 *
 * Format, little-endian; the kernel unpacks every module that begins with the magic:
 *     char magic[16] = "VELLUM-BUNDLE-1\n"; uint32_t count; uint32_t reserved = 0;
 *     count times { char name[48]; uint64_t offset; uint64_t size; }      name ends in zeros, at most 47 characters
 * then zeros up to a page. Each module begins on a page, `offset` bytes from the start of the bundle, and is followed by
 * zeros up to the next page. NAME is FILE's last component where it is not given.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAGE = 4096, COPY_CHUNK = 1 << 16 };

struct header { char magic[16]; uint32_t count, reserved; };
struct entry { char name[48]; uint64_t offset, size; };

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bundle: %s: %s\n", what, why);
	exit(1);
}

static uint64_t page_up(uint64_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

/* Splits "NAME=FILE" or "FILE" into the entry's name and size; returns the file's path. */
static const char *entry_parse(struct entry *e, const char *arg)
{
	const char *equals = strchr(arg, '='), *path = equals ? equals + 1 : arg, *slash = strrchr(path, '/');
	const char *name = equals ? arg : slash ? slash + 1 : path;
	size_t length = equals ? (size_t)(equals - arg) : strlen(name);
	struct stat st;

	if (length == 0 || length >= sizeof e->name)
		die(arg, "a module's name has 1 to 47 characters");
	if (stat(path, &st) != 0)
		die(path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		die(path, "not a regular file");
	memcpy(e->name, name, length);
	e->size = (uint64_t)st.st_size;
	return path;
}

static void put(FILE *out, const void *data, size_t size)
{
	if (fwrite(data, 1, size, out) != size)
		die("output", strerror(errno));
}

static void put_padding(FILE *out, uint64_t written)
{
	static const char zeros[PAGE];

	put(out, zeros, page_up(written) - written);
}

static void put_file(FILE *out, const char *path, uint64_t size)
{
	static char buffer[COPY_CHUNK];
	uint64_t copied = 0;
	size_t n;
	FILE *in = fopen(path, "rb");

	if (!in)
		die(path, strerror(errno));
	while ((n = fread(buffer, 1, sizeof buffer, in)) > 0) {
		put(out, buffer, n);
		copied += n;
	}
	if (ferror(in) || copied != size)
		die(path, "changed or unreadable while it was copied");
	fclose(in);
	put_padding(out, size);
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 2 ? (uint32_t)argc - 2 : 0;
	struct header header = { "", count, 0 };
	struct entry *entry = calloc(count + 1, sizeof *entry);
	const char **path = calloc(count + 1, sizeof *path);
	uint64_t header_size = sizeof header + count * sizeof *entry, offset = page_up(header_size);
	FILE *out;

	if (argc < 2 || !entry || !path)
		die("usage", "bundle OUT [NAME=]FILE...");
	memcpy(header.magic, "VELLUM-BUNDLE-1\n", sizeof header.magic);
	for (uint32_t i = 0; i < count; i++) {
		path[i] = entry_parse(&entry[i], argv[i + 2]);
		entry[i].offset = offset;
		offset += page_up(entry[i].size);
	}
	out = fopen(argv[1], "wb");
	if (!out)
		die(argv[1], strerror(errno));
	put(out, &header, sizeof header);
	put(out, entry, count * sizeof *entry);
	put_padding(out, header_size);
	for (uint32_t i = 0; i < count; i++)
		put_file(out, path[i], entry[i].size);
	if (fclose(out) != 0)
		die(argv[1], strerror(errno));
	free(entry);
	free(path);
	return 0;
}
