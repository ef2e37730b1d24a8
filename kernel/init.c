/* SPDX-License-Identifier: BSD-2-Clause */
/* init.c: the kernel makes one program itself: init, from the boot module of that name. See init.h; what a program finds is said in vellum/startup.h and
 * docs/abi.md. All of it stands below the capability of the root account, in init's own slot 3. Lock: the kernel lock, at boot. */
#include "init.h"

#include <vellum/startup.h>

#include "cap/slot.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"
#include "syscall/call.h"
#include "vm/cursor.h"

#define INIT_SLOTS    4096u
#define INIT_PRIORITY 128u
#define STACK_TOP     0x00007ffffff00000ull
#define INIT_STACK    (256u << 10)
#define BLOCK_AT      (STACK_TOP + PAGE_SIZE_)
#define BLOCK_SIZE    (16u << 10)

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf_segment { u32 type, flags; u64 offset, vaddr, paddr, filesz, memsz, align; };
enum { ELF_LOAD = 1, ELF_X = 1, ELF_W = 2, ELF_R = 4, ELF_EXEC = 2, ELF_X86_64 = 62 };

static struct cnode *cspace;
static struct space *space;

BOOT static void must(sys_status_t status, const char *what)
{
	if (status != SYS_OK)
		refuse("init: %s failed with status %d", what, status);
}

/* ---- capabilities ------------------------------------------------------------------------------------------------------------------------ */

BOOT static struct slot *root_slot(void) { return cnode_slot(cspace, SYS_CAP_UNTYPED); }

BOOT static struct slot *give(u32 index, struct object *o, sys_rights_t rights)
{
	struct slot *s;
	u32 generation;

	must(cnode_free_slot(cspace, slot_name(index, 0), &s, &generation), "a capability slot");
	slot_fill(s, generation, o, rights, 0, index == SYS_CAP_UNTYPED ? NULL : root_slot(), SLOT_FIRST);
	return s;
}

BOOT static void make_cspace(void)
{
	must(cnode_create(account_root(), INIT_SLOTS, &cspace), "its CSpace");
	while (!cnode_build_step(cspace))
		;
	give(SYS_CAP_UNTYPED, &account_root()->object, SYS_RIGHTS_UNTYPED);
	give(SYS_CAP_CNODE, &cspace->object, SYS_RIGHTS_CNODE);
	give(SYS_CAP_CONSOLE, console_object(), SYS_RIGHTS_CONSOLE);
	give(SYS_CAP_RESOURCE, resource_object(), SYS_RIGHTS_RESOURCE);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------------------------- */

/* The kernel's view of a byte of an anonymous VMO, for the rest of its page. */
BOOT static void *vmo_byte(struct vmo *v, u64 offset)
{
	struct cursor c;
	struct page_ref page;
	sys_status_t status;

	cursor_begin(&c, v, offset >> PAGE_SHIFT, (offset >> PAGE_SHIFT) + 1, TREE_LEVELS + 1, NULL);
	do
		status = cursor_require(&c, true, &page);
	while (status == VM_AGAIN);
	must(status, "a page of its memory");
	return (u8 *)phys_to_virt(page.frame) + (offset & PAGE_MASK);
}

BOOT static void vmo_fill(struct vmo *v, u64 offset, const void *from, u64 len)
{
	for (u64 done = 0; done < len;) {
		u64 part = MIN(len - done, PAGE_SIZE_ - ((offset + done) & PAGE_MASK));

		memcpy(vmo_byte(v, offset + done), (const u8 *)from + done, part);
		done += part;
	}
}

/* New memory of init's at an address, filled from the kernel's. */
BOOT static void place(vaddr_t at, u64 size, u32 options, u64 skip, const void *from, u64 len)
{
	struct vmo *v;
	vaddr_t address;

	must(vmo_create(account_root(), size, 0, &v), "memory");
	vmo_fill(v, skip, from, len);
	must(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options | SYS_VM_SPECIFIC, at - space->root_vmar.region.base, v,
	              SYS_RIGHTS_VMO | SYS_RIGHT_EXECUTE, 0, size, &root_slot()->open, &address), "a mapping");
}

/* ---- the program -------------------------------------------------------------------------------------------------------------------------- */

BOOT static void load_segment(const u8 *file, u64 size, const struct elf_segment *s)
{
	u64 skip = s->vaddr & PAGE_MASK;
	u32 options = (s->flags & ELF_R ? SYS_VM_PERM_READ : 0) | (s->flags & ELF_W ? SYS_VM_PERM_WRITE : 0) |
	              (s->flags & ELF_X ? SYS_VM_PERM_EXECUTE : 0);

	if (s->offset > size || s->filesz > size - s->offset || s->filesz > s->memsz || s->vaddr >= STACK_TOP || s->memsz > STACK_TOP)
		refuse("init: its ELF file is damaged (a segment lies outside the file)");
	place(s->vaddr - skip, page_up(skip + s->memsz), options, skip, file + s->offset, s->filesz);
}

BOOT static u64 load(const struct boot_module *m)
{
	const u8 *file = phys_to_virt(m->base);
	const struct elf_header *h = (const void *)file;

	if (m->size < sizeof(*h) || memcmp(h->ident, "\177ELF\2\1", 6) != 0 || h->type != ELF_EXEC || h->machine != ELF_X86_64)
		refuse("init: module `init` is not a static x86-64 ELF program");
	if (h->phentsize != sizeof(struct elf_segment) || h->phoff > m->size || h->phnum > (m->size - h->phoff) / sizeof(struct elf_segment))
		refuse("init: its ELF file is damaged (program headers outside the file)");
	for (u32 i = 0; i < h->phnum; i++) {
		struct elf_segment s;

		memcpy(&s, file + h->phoff + i * sizeof(s), sizeof(s));
		if (s.type == ELF_LOAD && s.memsz)
			load_segment(file, m->size, &s);
	}
	return h->entry;
}

/* ---- the startup block -------------------------------------------------------------------------------------------------------------------- */

BOOT static u32 add_string(u8 *block, u32 *used, const char *text)
{
	u32 at = *used, len = (u32)strlen(text) + 1;

	if (len > BLOCK_SIZE - at)
		refuse("init: names of modules and command line are over %u bytes", BLOCK_SIZE);
	memcpy(block + at, text, len);
	*used += len;
	return at;
}


/* Each module is given as a capability and named in the block, but for the kernel's own and init, which runs already. */
BOOT static void write_block(u8 *block, const struct boot_info *boot, const struct boot_module *init)
{
	struct startup_block *b = (struct startup_block *)block;
	struct startup_item *item = (struct startup_item *)(b + 1);
	u32 items = boot->modules - 2, used, *argv = (u32 *)(item + items);

	used = (u32)((u8 *)(argv + 2) - block);
	items = 0;
	for (u32 i = 1; i < boot->modules; i++) {
		const struct boot_module *m = &boot->module[i];
		struct vmo *v;

		if (m == init)
			continue;
		must(vmo_create_module(account_root(), m->base, m->size, &v), "a module's VMO");
		give(SYS_CAP_FIRST_FREE + items, &v->object, SYS_RIGHTS_BASIC | SYS_RIGHT_READ | SYS_RIGHT_MAP);
		item[items] = (struct startup_item){
			.name = add_string(block, &used, m->name), .cap = SYS_CAP_FIRST_FREE + items, .size = m->size,
		};
		items++;
	}
	argv[0] = add_string(block, &used, "init");
	argv[1] = add_string(block, &used, boot->cmdline);
	*b = (struct startup_block){ STARTUP_MAGIC, used, items, 2 };
}

BOOT static void make_thread(u64 entry)
{
	struct thread *t;

	must(thread_create(account_root(), space, INIT_PRIORITY, &t), "its thread");
	cnode_set_cspace(t, cspace);
	give(SYS_CAP_THREAD, &t->object, SYS_RIGHTS_THREAD);
	give(SYS_CAP_VMAR, (struct object *)space, SYS_RIGHTS_VMAR | SYS_RIGHT_WX);
	must(thread_start(t, entry, STACK_TOP, BLOCK_AT, 0), "starting its thread");
}

BOOT void init_start(const struct boot_info *boot)
{
	static _Alignas(8) u8 block[BLOCK_SIZE];
	const struct boot_module *init = NULL;
	u64 entry;

	for (u32 i = 1; i < boot->modules; i++)
		if (strcmp(boot->module[i].name, "init") == 0)
			init = &boot->module[i];
	if (!init)
		refuse("init: the loader gave %u modules, none of them named `init`", boot->modules - 1);
	make_cspace();
	must(space_create(account_root(), true, &space), "its address space");
	entry = load(init);
	place(STACK_TOP - INIT_STACK, INIT_STACK, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, NULL, 0);
	write_block(block, boot, init);
	place(BLOCK_AT, BLOCK_SIZE, SYS_VM_PERM_READ, 0, block, ((const struct startup_block *)block)->bytes);
	make_thread(entry);
}
