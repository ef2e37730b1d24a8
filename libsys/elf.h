/* SPDX-License-Identifier: BSD-2-Clause */
/* elf.h: the parts of the ELF-64 format that loading a static program needs. */
#pragma once
#include <stdint.h>

enum { ELF_MAGIC = 0x464c457f, ELF_CLASS_64 = 2, ELF_LITTLE_ENDIAN = 1, ELF_TYPE_EXEC = 2, ELF_MACHINE_X86_64 = 62 };
enum { ELF_PT_LOAD = 1, ELF_PT_DYNAMIC = 2, ELF_PT_INTERP = 3, ELF_PT_TLS = 7 };

struct elf_header {
	uint32_t magic;
	uint8_t class, data, version, abi, padding[8];
	uint16_t type, machine;
	uint32_t version2;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "fixed by the format");

struct elf_program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_program_header) == 56, "fixed by the format");
