/* SPDX-License-Identifier: BSD-2-Clause */
/* elf.c: a static program from a VMO into an address space.
 *
 * What is not writable is mapped straight from the file's VMO (its pages are shared by all who run it, and arrive one
 * by one where a pager stands behind). What is writable is a snapshot of the file's pages, or a copy where the VMO
 * cannot be snapshot (a pager stands behind). What the file does not hold is zero, from a VMO of its own. The file is
 * not trusted.
 */
#include <string.h>
#include "elf.h"
#include "internal.h"

#define USER_END 0x00007ffffffff000ull
enum { COPY_BYTES = 4096 };

static uint64_t page_down(uint64_t n) { return n & ~(uint64_t)(SYS_PAGE_SIZE - 1); }
static uint64_t page_up(uint64_t n) { return page_down(n + SYS_PAGE_SIZE - 1); }

static bool header_is_ours(const struct elf_header *h)
{
	return h->magic == ELF_MAGIC && h->class == ELF_CLASS_64 && h->data == ELF_LITTLE_ENDIAN &&
		h->type == ELF_TYPE_EXEC && h->machine == ELF_MACHINE_X86_64 &&
		h->phentsize == sizeof(struct elf_program_header);
}

static bool segment_is_sound(const struct elf_program_header *ph, uint64_t file_size)
{
	const uint32_t both = ELF_WRITE | ELF_EXECUTE;

	return ph->vaddr >= SYS_PAGE_SIZE && ph->memsz < USER_END && ph->vaddr <= USER_END - ph->memsz &&
		ph->filesz <= ph->memsz && ph->filesz <= file_size && ph->offset <= file_size - ph->filesz &&
		(ph->vaddr ^ ph->offset) % SYS_PAGE_SIZE == 0 && (ph->flags & both) != both;
}

static sys_status_t read_program_header(sys_cap_t vmo, const struct elf_header *h, unsigned i,
	struct elf_program_header *ph)
{
	return sys_vmo_read(vmo, ph, h->phoff + (uint64_t)i * sizeof *ph, sizeof *ph);
}

sys_status_t elf_read(sys_cap_t vmo, struct elf_image *image)
{
	struct elf_header header;
	struct elf_program_header ph;
	uint64_t size;
	sys_status_t status = sys_vmo_get_size(vmo, &size);

	*image = (struct elf_image){ 0 };
	if (status == SYS_OK)
		status = sys_vmo_read(vmo, &header, 0, sizeof header);
	if (status == SYS_ERR_OUT_OF_RANGE || (status == SYS_OK && (!header_is_ours(&header) || header.phoff > size)))
		return SYS_ERR_INVALID_ARGS;
	for (unsigned i = 0; status == SYS_OK && i < header.phnum; i++) {
		status = read_program_header(vmo, &header, i, &ph);
		if (status != SYS_OK || ph.type == ELF_PT_DYNAMIC || ph.type == ELF_PT_INTERP)
			return status == SYS_OK || status == SYS_ERR_OUT_OF_RANGE ? SYS_ERR_INVALID_ARGS : status;
		if (ph.type != ELF_PT_LOAD || ph.memsz == 0)
			continue;
		if (image->segments == ELF_SEGMENTS_MAX || !segment_is_sound(&ph, size))
			return SYS_ERR_INVALID_ARGS;
		image->segment[image->segments++] =
			(struct elf_segment){ ph.vaddr, ph.memsz, ph.offset, ph.filesz, ph.flags };
	}
	image->entry = header.entry;
	return status != SYS_OK ? status : image->segments ? SYS_OK : SYS_ERR_INVALID_ARGS;
}

/* Maps `len` bytes of vmo at exactly vaddr (the root VMAR's base is not address 0). */
static sys_status_t map_at(sys_cap_t vmar, uint64_t base, uint32_t perms, uint64_t vaddr, sys_cap_t vmo,
	uint64_t offset, uint64_t len)
{
	sys_vaddr_t addr;

	if (vaddr < base)
		return SYS_ERR_INVALID_ARGS;
	return sys_vmar_map(vmar, perms | SYS_VM_SPECIFIC, vaddr - base, vmo, offset, len, &addr);
}

static sys_status_t copy_pages(sys_cap_t from, uint64_t offset, sys_cap_t to, uint64_t len, uint64_t file_left)
{
	char buffer[COPY_BYTES];
	sys_status_t status = SYS_OK;

	if (len > file_left)
		len = file_left;
	for (uint64_t done = 0; status == SYS_OK && done < len; done += COPY_BYTES) {
		size_t n = len - done < COPY_BYTES ? len - done : COPY_BYTES;

		status = sys_vmo_read(from, buffer, offset + done, n);
		if (status == SYS_OK)
			status = sys_vmo_write(to, buffer, done, n);
	}
	return status;
}

/* A private, writable VMO of the file's pages [offset, offset + len). */
static sys_status_t private_pages(sys_cap_t vmo, sys_cap_t ut, uint64_t offset, uint64_t len, sys_cap_t *out)
{
	sys_status_t status = sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, offset, len, out);
	uint64_t size;

	if (status != SYS_ERR_NOT_SUPPORTED)
		return status;
	status = sys_vmo_get_size(vmo, &size);
	if (status == SYS_OK)
		status = sys_vmo_create(ut, len, 0, out);
	if (status != SYS_OK)
		return status;
	status = copy_pages(vmo, offset, *out, len, size - offset);
	if (status != SYS_OK)
		sys_cap_delete(*out);
	return status;
}

/* The part of a writable segment that the file holds; the rest of its last page becomes zero. */
static sys_status_t map_private(sys_cap_t vmo, const struct elf_segment *s, sys_cap_t ut, sys_cap_t vmar, uint64_t base)
{
	static const char zeros[SYS_PAGE_SIZE];
	uint64_t start = page_down(s->vaddr), head = s->vaddr - start, len = page_up(head + s->file);
	sys_cap_t pages;
	sys_status_t status = private_pages(vmo, ut, s->offset - head, len, &pages);

	if (status != SYS_OK)
		return status;
	status = sys_vmo_write(pages, zeros, head + s->file, len - head - s->file);
	if (status == SYS_OK)
		status = map_at(vmar, base, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, start, pages, 0, len);
	sys_cap_delete(pages);
	return status;
}

static sys_status_t map_zeros(uint64_t start, uint64_t len, uint32_t perms, sys_cap_t ut, sys_cap_t vmar, uint64_t base)
{
	sys_cap_t pages;
	sys_status_t status = sys_vmo_create(ut, len, 0, &pages);

	if (status != SYS_OK)
		return status;
	status = map_at(vmar, base, perms, start, pages, 0, len);
	sys_cap_delete(pages);
	return status;
}

static sys_status_t map_segment(sys_cap_t vmo, const struct elf_segment *s, sys_cap_t ut, sys_cap_t vmar, uint64_t base)
{
	uint64_t start = page_down(s->vaddr), head = s->vaddr - start;
	uint64_t file_end = s->file ? page_up(s->vaddr + s->file) : start, end = page_up(s->vaddr + s->memory);
	uint32_t perms = SYS_VM_PERM_READ | (s->flags & ELF_WRITE ? SYS_VM_PERM_WRITE : 0) |
		(s->flags & ELF_EXECUTE ? SYS_VM_PERM_EXECUTE : 0);
	sys_status_t status = SYS_OK;

	if (s->file && s->flags & ELF_WRITE)
		status = map_private(vmo, s, ut, vmar, base);
	else if (s->file)
		status = map_at(vmar, base, perms, start, vmo, s->offset - head, file_end - start);
	if (status == SYS_OK && end > file_end)
		status = map_zeros(file_end, end - file_end, perms & ~SYS_VM_PERM_EXECUTE, ut, vmar, base);
	return status;
}

sys_status_t elf_map(sys_cap_t vmo, const struct elf_image *image, sys_cap_t ut, sys_cap_t vmar)
{
	sys_vmar_info_t root;
	sys_status_t status = sys_vmar_info(vmar, &root);

	for (unsigned i = 0; status == SYS_OK && i < image->segments; i++)
		status = map_segment(vmo, &image->segment[i], ut, vmar, root.base);
	return status;
}
