/* SPDX-License-Identifier: BSD-2-Clause */
/* stdio.c: stdin, stdout and stderr on the console. Output is sent at the end of each line and when the program
 * exits. */
#include <stdio.h>
#include <stdio-bufio.h>
#include <unistd.h>

static char in_buffer[BUFSIZ], out_buffer[BUFSIZ], error_buffer[BUFSIZ];

static struct __file_bufio in_file = FDEV_SETUP_BUFIO(0, in_buffer, BUFSIZ, read, write, lseek, close, __SRD, 0);
static struct __file_bufio out_file = FDEV_SETUP_BUFIO(1, out_buffer, BUFSIZ, read, write, lseek, close, __SWR, __BLBF);
static struct __file_bufio error_file =
	FDEV_SETUP_BUFIO(2, error_buffer, BUFSIZ, read, write, lseek, close, __SWR, __BLBF);

FILE *const stdin = &in_file.xfile.cfile.file;
FILE *const stdout = &out_file.xfile.cfile.file;
FILE *const stderr = &error_file.xfile.cfile.file;

/* Priority 101: after every destructor that may still print. */
__attribute__((destructor(101))) static void flush_at_exit(void)
{
	fflush(stdout);
	fflush(stderr);
}
