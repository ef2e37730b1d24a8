/* SPDX-License-Identifier: BSD-2-Clause */
/* client.c: see client.h. */
#include "client.h"

sys_cap_t pager, ep, vmo;
uint8_t client_bytes[PAGES * 4096];

void pager_begin_with(uint32_t options)
{
	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, ut, options, KEY, PAGES * PAGE, &vmo));
}

void pager_begin(void)
{
	pager_begin_with(0);
}

static int64_t client_run(void *arg)
{
	struct client *client = arg;
	int64_t status = SYS_OK;

	switch (client->act) {
	case READ_MAPPED:
		client->seen = *(volatile uint64_t *)(client->at + client->offset);
		break;
	case WRITE_MAPPED:
		*(volatile uint64_t *)(client->at + client->offset) = 55;
		break;
	case VMO_READ:
		status = sys_vmo_read(client->vmo, client_bytes, client->offset, client->len);
		break;
	case VMO_WRITE:
		status = sys_vmo_write(client->vmo, client_bytes, client->offset, client->len);
		break;
	case COMMIT:
		status = sys_vmo_op_range(client->vmo, SYS_VMO_OP_COMMIT, client->offset, client->len, NULL, 0);
		break;
	case RANGE:
		status = sys_vmo_op_range(client->vmo, client->op, client->offset, client->len, NULL, 0);
		break;
	case BUFFER:
		status = sys_vmo_write(client->vmo, (void *)(uintptr_t)(client->at + client->offset), 0, client->len);
		break;
	}
	return status;
}

sys_cap_t client_start_with(struct client *client, sys_cap_t fault_ep)
{
	sys_cap_t thread = helper_start_with(client_run, client, fault_ep);
	until_waiting(thread);
	return thread;
}

sys_cap_t client_start(struct client *client)
{
	return client_start_with(client, SYS_CAP_NULL);
}

void expect(uint64_t offset, uint64_t pages, uint32_t access)
{
	sys_pager_request_t request = {.type = 77};
	size_t actual = 0;

	OKAY(sys_pager_recv(pager, &request, 1, &actual, after(LIMIT)));
	EQ(actual, 1);
	EQ(request.type, 0);
	EQ(request.key, KEY);
	EQ(request.offset, offset);
	EQ(request.length, pages * PAGE);
	if (access != 0)
		EQ(request.access, access);
}

void expect_none(void)
{
	sys_pager_request_t request;
	size_t actual = 55;

	STATUS(SYS_ERR_TIMED_OUT, sys_pager_recv(pager, &request, 1, &actual, SYS_TIME_POLL));
	EQ(actual, 55);
}

void fail_range(uint64_t page, uint64_t pages, sys_status_t status)
{
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, page * PAGE, pages * PAGE, status));
}

uint64_t supply(uint64_t page, uint64_t pages, uint64_t tag)
{
	sys_cap_t aux = new_vmo(pages * PAGE);
	uint64_t fresh = 99;

	for (uint64_t i = 0; i < pages; i++)
		put(aux, i * PAGE, tag + page + i);
	OKAY(sys_pager_supply_pages(pager, vmo, page * PAGE, pages * PAGE, aux, 0, &fresh));
	OKAY(sys_cap_delete(aux));
	return fresh;
}

uint64_t committed(void)
{
	return vmo_info(vmo).committed;
}
