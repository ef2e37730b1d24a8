/* SPDX-License-Identifier: BSD-2-Clause */
/* io.h: single instructions of the machine. */
#pragma once
#include "lib/types.h"

static inline void out8(u16 port, u8 value) { __asm__ volatile ("outb %0, %1" :: "a"(value), "Nd"(port)); }
static inline void out32(u16 port, u32 value) { __asm__ volatile ("outl %0, %1" :: "a"(value), "Nd"(port)); }
static inline u8 in8(u16 port)
{
	u8 value;
	__asm__ volatile ("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

#define MSR_APIC_BASE    0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC       0x800u
#define MSR_EFER         0xc0000080u
#define MSR_STAR         0xc0000081u
#define MSR_LSTAR        0xc0000082u
#define MSR_FMASK        0xc0000084u
#define MSR_FS_BASE      0xc0000100u
#define MSR_GS_BASE      0xc0000101u
#define MSR_PAT          0x277u
#define PAT_VALUE        0x0007040600070106ull         /* as after reset, but for the second: write-combining */
#define MSR_KERNEL_GS    0xc0000102u

static inline u64 read_msr(u32 msr)
{
	u32 low, high;
	__asm__ volatile ("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}
static inline void write_msr(u32 msr, u64 value)
{
	__asm__ volatile ("wrmsr" :: "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

struct cpuid { u32 a, b, c, d; };
static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;
	__asm__ volatile ("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
	return r;
}

#define READ_CR(n) ({ u64 value_; __asm__ volatile ("mov %%cr" #n ", %0" : "=r"(value_)); value_; })
#define WRITE_CR(n, value) __asm__ volatile ("mov %0, %%cr" #n :: "r"((u64)(value)) : "memory")
