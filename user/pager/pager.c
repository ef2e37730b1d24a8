/* SPDX-License-Identifier: BSD-2-Clause */
/* pager: serves the files of the boot archive by the protocol of <libsys/files.h>. A file is a VMO with this program
 * behind it, made when it is first opened; no page of it is there before a client touches it.
 *
 * Passed by name: `archive`, the archive's VMO; `files`, the endpoint, to receive from. Requests of clients and of
 * the kernel (a page is missing) come to that one endpoint. The server never waits for a client.
 *
 * A page that is asked for brings READ_AHEAD pages after it. Pages go from the archive to `aux`, whose frames then
 * move to the file. When the account runs short, files that nobody has open lose their VMO, the one longest unused
 * first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libsys/files.h>
#include "backing.h"

enum { READ_AHEAD = 15, AUX_PAGES = 64, SPARE_PAGES = 32, ITEMS_MAX = 8 };
#define AUX_BYTES ((uint64_t)AUX_PAGES * SYS_PAGE_SIZE)

struct file { sys_cap_t vmo; uint64_t last_use; };

static const struct backing *const backing = &archive_backing;
static const char *damage;              /* what is wrong with the archive, or NULL */
static struct file *files;
static uint64_t uses;
static sys_cap_t pager, endpoint, reply, aux;
static char *aux_bytes;

static uint64_t page_up(uint64_t n)
{
	return (n + SYS_PAGE_SIZE - 1) / SYS_PAGE_SIZE * SYS_PAGE_SIZE;
}

/* ---- memory ---- */

/* Nothing stands below our capability: no client's, and no mapping. */
static bool is_unused(const struct file *f)
{
	sys_cap_info_t info;

	return sys_cap_info(f->vmo, &info) == SYS_OK && !info.derived;
}

/* Ends the VMO of the file that was unused longest among those that no client has. False: there is none. */
static bool forget_one(void)
{
	struct file *oldest = NULL;

	for (uint64_t i = 0; i < backing->count(); i++) {
		struct file *f = &files[i];

		if (f->vmo && (!oldest || f->last_use < oldest->last_use) && is_unused(f))
			oldest = f;
	}
	if (!oldest)
		return false;
	sys_cap_delete(oldest->vmo);
	oldest->vmo = SYS_CAP_NULL;
	return true;
}

/* Sees to it that the account has `bytes` left, and something over for tree nodes and this program itself. */
static sys_status_t make_room(uint64_t bytes)
{
	uint64_t need = bytes + (uint64_t)SPARE_PAGES * SYS_PAGE_SIZE;
	sys_untyped_info_t info;

	for (;;) {
		sys_status_t status = sys_untyped_info(SYS_CAP_UNTYPED, &info);

		if (status != SYS_OK || info.total - info.used - info.promised >= need)
			return status;
		if (!forget_one())
			return SYS_ERR_NO_MEMORY;
	}
}

/* ---- requests of the kernel ---- */

/* Reads pages of a file into aux, zeros after its end. Returns how many bytes are good, in pages; status says why not
 * all. */
static uint64_t fill(uint64_t key, uint64_t offset, uint64_t len, sys_status_t *status)
{
	uint64_t size = backing->size(key);

	for (uint64_t done = 0; done < len; done += SYS_PAGE_SIZE) {
		uint64_t at = offset + done, n = at < size ? size - at : 0;

		if (n > SYS_PAGE_SIZE)
			n = SYS_PAGE_SIZE;
		*status = n ? backing->read(key, at, aux_bytes + done, n) : SYS_OK;
		if (*status != SYS_OK)
			return done;
		memset(aux_bytes + done + n, 0, SYS_PAGE_SIZE - n);
	}
	return len;
}

/* Supplies [offset, offset + len), at most AUX_BYTES. Returns how many bytes from the beginning are there now. */
static uint64_t supply(uint64_t key, uint64_t offset, uint64_t len, sys_status_t *status)
{
	uint64_t unused, good;
	sys_status_t supplied;

	*status = make_room(len);
	if (*status == SYS_OK)
		*status = sys_vmo_op_range(aux, SYS_VMO_OP_COMMIT, 0, len, NULL, 0);
	if (*status != SYS_OK)
		return 0;
	good = fill(key, offset, len, status);
	if (good == 0)
		return 0;
	supplied = sys_pager_supply_pages(pager, files[key].vmo, offset, good, aux, 0, &unused);
	if (supplied == SYS_OK)
		return good;
	*status = supplied;
	return 0;
}

/* Answers a request: what was asked for or, if that is little, some more. What cannot be had fails. */
static void serve_read(uint64_t key, uint64_t offset, uint64_t len)
{
	const uint64_t ahead = (1 + READ_AHEAD) * (uint64_t)SYS_PAGE_SIZE;
	uint64_t end = key < backing->count() ? page_up(backing->size(key)) : 0, asked_end;
	sys_status_t status = SYS_OK;

	if (key >= backing->count() || !files[key].vmo || offset >= end)
		return;
	files[key].last_use = ++uses;
	asked_end = len < end - offset ? offset + len : end;
	end = len >= ahead ? asked_end : ahead < end - offset ? offset + ahead : end;
	while (status == SYS_OK && offset < end)
		offset += supply(key, offset, end - offset < AUX_BYTES ? end - offset : AUX_BYTES, &status);
	if (status != SYS_OK && offset < asked_end)
		sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, files[key].vmo, offset, asked_end - offset,
			status == SYS_ERR_NO_MEMORY ? SYS_ERR_NO_SPACE : SYS_ERR_IO_DATA_INTEGRITY);
}

/* ---- requests of clients ---- */

static void answer(sys_msg_t *msg, sys_status_t status, uint64_t number, const char *text)
{
	*msg = (sys_msg_t){ .word = { (uint64_t)(int64_t)status, number } };
	files_put_text(msg, FILES_WORD_TEXT, text);
}

static void serve_status(sys_msg_t *msg)
{
	answer(msg, damage ? SYS_ERR_IO_DATA_INTEGRITY : SYS_OK, damage ? 0 : backing->count(), damage ? damage : "");
}

static void serve_list(sys_msg_t *msg)
{
	uint64_t i = msg->word[0];

	if (msg->words < 1)
		answer(msg, SYS_ERR_INVALID_ARGS, 0, "");
	else if (damage || i >= backing->count())
		answer(msg, SYS_ERR_NOT_FOUND, 0, "");
	else
		answer(msg, SYS_OK, backing->size(i), backing->name(i));
}

static uint64_t find(const char *name)
{
	uint64_t i = 0;

	while (i < backing->count() && strcmp(backing->name(i), name) != 0)
		i++;
	return i;
}

/* A capability to a file's content for a client; the VMO is made where it is not there. */
static sys_status_t open_file(uint64_t i, sys_cap_t *out)
{
	const sys_rights_t rights = SYS_RIGHTS_BASIC | SYS_RIGHT_READ | SYS_RIGHT_MAP;
	sys_status_t status = files[i].vmo ? SYS_OK : make_room(0);

	if (status == SYS_OK && !files[i].vmo)
		status = sys_pager_create_vmo(pager, SYS_CAP_UNTYPED, 0, i, backing->size(i), &files[i].vmo);
	if (status != SYS_OK)
		return status;
	files[i].last_use = ++uses;
	return sys_cap_copy(files[i].vmo, SYS_CAP_CNODE, SYS_SLOT_ANY, rights, out);
}

static void serve_open(sys_msg_t *msg)
{
	char name[FILES_NAME_MAX + 1];
	uint64_t i = files_get_text(msg, 1, name) && !damage ? find(name) : UINT64_MAX;
	sys_status_t status;
	sys_cap_t copy;

	if (damage || i >= backing->count()) {
		answer(msg, SYS_ERR_NOT_FOUND, 0, "");
		return;
	}
	status = open_file(i, &copy);
	answer(msg, status, backing->size(i), "");
	if (status == SYS_OK) {
		msg->caps = 1;
		msg->cap[0] = copy;
	}
}

/* The client may be gone, or take no capability: then it is ours to drop, and the caller is told without. */
static void send_reply(sys_msg_t *msg)
{
	sys_status_t status = sys_ipc_reply(reply, msg);

	if (status == SYS_OK || msg->caps == 0)
		return;
	sys_cap_delete(msg->cap[0]);
	answer(msg, status, 0, "");
	sys_ipc_reply(reply, msg);
}

static void serve(void)
{
	static sys_msg_t msg;

	for (;;) {
		msg.accept = 0;
		if (sys_ipc_recv(endpoint, reply, &msg, NULL, SYS_TIME_INFINITE) != SYS_OK)
			return;
		switch (msg.label) {
		case SYS_PAGER_READ: serve_read(msg.word[0], msg.word[1], msg.word[2]); continue;
		case SYS_PAGER_COMPLETE: continue;
		case FILES_STATUS: serve_status(&msg); break;
		case FILES_LIST: serve_list(&msg); break;
		case FILES_OPEN: serve_open(&msg); break;
		default: answer(&msg, SYS_ERR_NOT_SUPPORTED, 0, ""); break;
		}
		send_reply(&msg);
	}
}

/* ---- start ---- */

static void check(sys_status_t status, const char *what)
{
	if (status == SYS_OK)
		return;
	fprintf(stderr, "pager: %s: %s\n", what, sys_status_string(status));
	exit(EXIT_FAILURE);
}

static const sys_startup_item_t *item(const char *name)
{
	static sys_startup_item_t items[ITEMS_MAX];
	size_t count = sys_startup(items, ITEMS_MAX);

	for (size_t i = 0; i < count && i < ITEMS_MAX; i++)
		if (strcmp(items[i].name, name) == 0)
			return &items[i];
	check(SYS_ERR_NOT_FOUND, name);
	return NULL;
}

static void open_archive(const sys_startup_item_t *archive)
{
	sys_vaddr_t bytes = 0;

	if (archive->size > 0)
		check(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ, 0, archive->vmo, 0, archive->size, &bytes),
			"mapping the archive");
	damage = backing->open((const void *)bytes, archive->size);
	files = calloc(backing->count() + 1, sizeof *files);
	check(files ? SYS_OK : SYS_ERR_NO_MEMORY, "the table of files");
}

int main(void)
{
	sys_vaddr_t bytes;

	endpoint = item("files")->vmo;
	open_archive(item("archive"));
	check(sys_reply_create(SYS_CAP_UNTYPED, &reply), "reply");
	check(sys_pager_create(SYS_CAP_UNTYPED, endpoint, 0, &pager), "pager");
	check(sys_vmo_create(SYS_CAP_UNTYPED, AUX_BYTES, 0, &aux), "aux");
	check(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, aux, 0, AUX_BYTES, &bytes),
		"mapping aux");
	aux_bytes = (char *)bytes;
	serve();
	return EXIT_FAILURE;
}
