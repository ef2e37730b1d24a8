/* SPDX-License-Identifier: BSD-2-Clause */
/* status.c: the names of status codes. */
#include <libsys/libsys.h>

const char *sys_status_string(sys_status_t status)
{
	static const char *const name[] = {
		"OK", "BAD_SYSCALL", "BAD_CAP", "WRONG_TYPE", "ACCESS_DENIED", "INVALID_ARGS", "OUT_OF_RANGE",
		"BAD_ADDRESS", "BAD_STATE", "NO_MEMORY", "NO_SLOT", "NO_RESOURCES", "NO_SPACE", "ALREADY_EXISTS",
		"NOT_FOUND", "NOT_SUPPORTED", "UNAVAILABLE", "SHOULD_WAIT", "TIMED_OUT", "CANCELED", "PEER_CLOSED",
		"BUFFER_TOO_SMALL", "INTERRUPTED", "IO", "IO_DATA_INTEGRITY", "IO_DATA_LOSS", "IO_NOT_PRESENT",
		"IO_OVERRUN", "IO_REFUSED", "IO_MISSED_DEADLINE",
	};
	_Static_assert(sizeof name / sizeof name[0] == 1 - SYS_ERR_IO_MISSED_DEADLINE, "one name per status, in order");

	return status <= SYS_OK && status >= SYS_ERR_IO_MISSED_DEADLINE ? name[-status] : "unknown status";
}
