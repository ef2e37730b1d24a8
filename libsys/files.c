/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c: a client's side of the file protocol, and the texts in its messages. Neither side trusts the other's
 * lengths. */
#include <string.h>
#include <libsys/files.h>

_Static_assert(FILES_WORD_TEXT * 8 + FILES_NAME_MAX <= SYS_MSG_WORDS * 8, "a text fits a message");

void files_put_text(sys_msg_t *msg, unsigned at, const char *text)
{
	size_t length = strnlen(text, FILES_NAME_MAX);

	msg->word[at - 1] = length;
	msg->words = at + (uint32_t)((length + 7) / 8);
	if (length % 8)
		msg->word[msg->words - 1] = 0;
	memcpy(&msg->word[at], text, length);
}

bool files_get_text(const sys_msg_t *msg, unsigned at, char *text)
{
	uint64_t length = msg->words >= at && msg->words <= SYS_MSG_WORDS ? msg->word[at - 1] : UINT64_MAX;

	text[0] = '\0';
	if (length > FILES_NAME_MAX || length > (msg->words - at) * 8ull)
		return false;
	memcpy(text, &msg->word[at], length);
	text[length] = '\0';
	return strlen(text) == length;
}

/* Makes the call; `text` may be NULL (not wanted). On an error no capability stays. */
static sys_status_t call(sys_cap_t server, sys_msg_t *msg, uint64_t *number, char *text, sys_time_t deadline)
{
	char unwanted[FILES_NAME_MAX + 1];
	sys_status_t status = sys_ipc_call(server, msg, deadline);

	if (status != SYS_OK)
		return status;
	if (msg->words < FILES_WORD_TEXT || !files_get_text(msg, FILES_WORD_TEXT, text ? text : unwanted))
		status = SYS_ERR_IO_DATA_INTEGRITY;
	else
		status = (sys_status_t)msg->word[FILES_WORD_STATUS];
	if (status != SYS_OK && msg->caps > 0)
		sys_cap_delete(msg->cap[0]);
	*number = msg->word[FILES_WORD_NUMBER];
	return status;
}

sys_status_t files_status(sys_cap_t server, uint64_t *count, char *why, sys_time_t deadline)
{
	sys_msg_t msg = { .label = FILES_STATUS };

	return call(server, &msg, count, why, deadline);
}

sys_status_t files_list(sys_cap_t server, uint64_t index, char *name, uint64_t *size)
{
	sys_msg_t msg = { .label = FILES_LIST, .words = 1, .word = { index } };

	return call(server, &msg, size, name, SYS_TIME_INFINITE);
}

sys_status_t files_open(sys_cap_t server, const char *name, sys_cap_t *vmo, uint64_t *size)
{
	sys_msg_t msg = { .label = FILES_OPEN, .accept = 1 };
	sys_status_t status;

	if (strlen(name) > FILES_NAME_MAX)
		return SYS_ERR_NOT_FOUND;
	files_put_text(&msg, 1, name);
	status = call(server, &msg, size, NULL, SYS_TIME_INFINITE);
	if (status == SYS_OK && msg.caps != 1)
		return SYS_ERR_IO_DATA_INTEGRITY;
	if (status == SYS_OK)
		*vmo = msg.cap[0];
	return status;
}
