/* SPDX-License-Identifier: BSD-2-Clause */
/* acpi.h: which CPUs the firmware's tables name. */
#pragma once
#include "lib/types.h"

/* The firmware's memory; NULL: none is there, or it is out of reach. */
typedef const void *acpi_memory(paddr_t at, u64 size);

#define ACPI_CPUS_MAX 256u
struct acpi_cpus { u32 count, apic_id[ACPI_CPUS_MAX]; };        /* in the tables' order, each once */

/* The enabled CPUs of the MADT. `rsdp`: what the loader said, 0: it is looked for where BIOS firmware puts it. `x2apic`: ids of more than eight bits can be
 * used. Tables are input: what does not fit is left out, with a line on the console, and the rest is used. count 0: nothing usable was found. */
void acpi_find_cpus(paddr_t rsdp, bool x2apic, acpi_memory *memory, struct acpi_cpus *out);
