/* SPDX-License-Identifier: BSD-2-Clause */
/* files.h: the protocol of a file server, and a client's side of it. A server's endpoint is passed by name
 * (sys_startup).
 *
 * A request is a call. Its label says which:      its words:
 *     FILES_STATUS   is the server in order?        none
 *     FILES_LIST     a file by its number           the number
 *     FILES_OPEN     a file by its name             length of the name, then the name
 * Every reply has label 0 and the words: status (sys_status_t), a number, length of a text, then the text.
 *     FILES_STATUS   number of files; with IO_DATA_INTEGRITY: why
 *     FILES_LIST     size of the file, its name; NOT_FOUND past the last
 *     FILES_OPEN     size of the file; and one capability: its content, to read and map only
 * Texts are bytes, packed into words, at most FILES_NAME_MAX. A VMO's size is in pages; the file's size is in the
 * reply.
 */
#pragma once
#include <libsys/libsys.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FILES_STATUS = 1, FILES_LIST = 2, FILES_OPEN = 3 };
enum { FILES_WORD_STATUS, FILES_WORD_NUMBER, FILES_WORD_LENGTH, FILES_WORD_TEXT, FILES_NAME_MAX = 480 };

/* The functions below return the server's status or sys_ipc_call's (PEER_CLOSED: there is no server any more). A text
 * is NUL-terminated and needs room for FILES_NAME_MAX + 1 bytes. Waits for the server until the deadline. */
sys_status_t files_status(sys_cap_t server, uint64_t *count, char *why, sys_time_t deadline);
sys_status_t files_list(sys_cap_t server, uint64_t index, char *name, uint64_t *size);
/* The caller owns *vmo. */
sys_status_t files_open(sys_cap_t server, const char *name, sys_cap_t *vmo, uint64_t *size);

/* Puts a text into a message behind word `at` - 1, its length there; sets msg->words. Cut to FILES_NAME_MAX bytes. */
void files_put_text(sys_msg_t *msg, unsigned at, const char *text);
/* The other way round. False, and an empty text: the message does not hold what it says. */
bool files_get_text(const sys_msg_t *msg, unsigned at, char *text);

#ifdef __cplusplus
}
#endif
