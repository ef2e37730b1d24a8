/* SPDX-License-Identifier: BSD-2-Clause */
/* file.c: the C library's file descriptors. 0, 1 and 2 are the console; the others are files in this program's own
 * heap, which live until they are removed or the program ends (temporary files of libraries; a real file comes from a
 * server). One lock over both tables; the console is used without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "internal.h"

enum { FILES = 32, DESCRIPTORS = 32, CONSOLE_DESCRIPTORS = 3, NAME_MAX_BYTES = 256, GROW_MIN = 512 };

struct file { char *name; char *data; size_t size, room; unsigned opened; };    /* name NULL and opened 0: free */
struct descriptor { struct file *file; size_t position; int flags; };

static libsys_mutex_t table_lock;
static struct file files[FILES];
static struct descriptor descriptors[DESCRIPTORS];

static int fail(int error)
{
	errno = error;
	return -1;
}

static struct descriptor *descriptor_of(int fd)
{
	if (fd < CONSOLE_DESCRIPTORS || fd >= DESCRIPTORS || !descriptors[fd].file)
		return NULL;
	return &descriptors[fd];
}

static struct file *file_find(const char *name)
{
	for (int i = 0; i < FILES; i++)
		if (files[i].name && strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

static struct file *file_create(const char *name)
{
	for (int i = 0; i < FILES; i++) {
		if (files[i].name || files[i].opened)
			continue;
		files[i].name = strdup(name);
		return files[i].name ? &files[i] : NULL;
	}
	return NULL;
}

/* A file without name and descriptors goes. */
static void file_drop(struct file *file)
{
	if (file->name || file->opened)
		return;
	free(file->data);
	*file = (struct file){ 0 };
}

static int open_locked(const char *path, int flags)
{
	struct file *file = file_find(path);
	int fd = CONSOLE_DESCRIPTORS;

	if (file && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return fail(EEXIST);
	if (!file && !(flags & O_CREAT))
		return fail(ENOENT);
	while (fd < DESCRIPTORS && descriptors[fd].file)
		fd++;
	if (fd == DESCRIPTORS)
		return fail(EMFILE);
	if (!file)
		file = file_create(path);
	if (!file)
		return fail(ENOSPC);
	if (flags & O_TRUNC)
		file->size = 0;
	file->opened++;
	descriptors[fd] = (struct descriptor){ .file = file, .flags = flags };
	return fd;
}

int open(const char *path, int flags, ...)
{
	int fd;

	if (strlen(path) >= NAME_MAX_BYTES)
		return fail(ENAMETOOLONG);
	libsys_mutex_lock(&table_lock);
	fd = open_locked(path, flags);
	libsys_mutex_unlock(&table_lock);
	return fd;
}

int close(int fd)
{
	struct descriptor *d;

	libsys_mutex_lock(&table_lock);
	d = descriptor_of(fd);
	if (d) {
		d->file->opened--;
		file_drop(d->file);
		d->file = NULL;
	}
	libsys_mutex_unlock(&table_lock);
	return d || (fd >= 0 && fd < CONSOLE_DESCRIPTORS) ? 0 : fail(EBADF);
}

/* A terminal sends CR for the end of a line. */
static ssize_t console_read(char *buf, size_t len)
{
	size_t got = 0;

	if (len == 0)
		return 0;
	if (sys_console_read(SYS_CAP_CONSOLE, buf, len, &got, SYS_TIME_INFINITE) != SYS_OK)
		return fail(EIO);
	for (size_t i = 0; i < got; i++)
		if (buf[i] == '\r')
			buf[i] = '\n';
	return (ssize_t)got;
}

ssize_t read(int fd, void *buf, size_t len)
{
	struct descriptor *d;
	ssize_t got;

	if (fd == STDIN_FILENO)
		return console_read(buf, len);
	libsys_mutex_lock(&table_lock);
	d = descriptor_of(fd);
	if (!d || (d->flags & O_ACCMODE) == O_WRONLY) {
		got = fail(EBADF);
	} else {
		got = d->position < d->file->size ? (ssize_t)(d->file->size - d->position) : 0;
		if ((size_t)got > len)
			got = (ssize_t)len;
		memcpy(buf, d->file->data + d->position, (size_t)got);
		d->position += (size_t)got;
	}
	libsys_mutex_unlock(&table_lock);
	return got;
}

/* Makes the file at least `size` bytes long; what is new is zero. */
static int file_extend(struct file *file, size_t size)
{
	size_t room = size > 2 * file->room ? size + GROW_MIN : 2 * file->room;
	char *data;

	if (size > file->room) {
		data = realloc(file->data, room);
		if (!data)
			return fail(ENOSPC);
		file->data = data;
		file->room = room;
	}
	if (size > file->size) {
		memset(file->data + file->size, 0, size - file->size);
		file->size = size;
	}
	return 0;
}

static ssize_t write_locked(struct descriptor *d, const void *buf, size_t len)
{
	if (!d || (d->flags & O_ACCMODE) == O_RDONLY)
		return fail(EBADF);
	if (d->flags & O_APPEND)
		d->position = d->file->size;
	if (len > SIZE_MAX / 4 - d->position)
		return fail(EFBIG);
	if (len == 0)
		return 0;
	if (file_extend(d->file, d->position + len) != 0)
		return -1;
	memcpy(d->file->data + d->position, buf, len);
	d->position += len;
	return (ssize_t)len;
}

ssize_t write(int fd, const void *buf, size_t len)
{
	ssize_t done;

	if (fd == STDOUT_FILENO || fd == STDERR_FILENO)
		return sys_console_write(SYS_CAP_CONSOLE, buf, len) == SYS_OK ? (ssize_t)len : fail(EIO);
	libsys_mutex_lock(&table_lock);
	done = write_locked(descriptor_of(fd), buf, len);
	libsys_mutex_unlock(&table_lock);
	return done;
}

off_t lseek(int fd, off_t offset, int whence)
{
	struct descriptor *d;
	off_t from = 0;

	if (fd >= 0 && fd < CONSOLE_DESCRIPTORS)
		return fail(ESPIPE);
	libsys_mutex_lock(&table_lock);
	d = descriptor_of(fd);
	if (d)
		from = whence == SEEK_CUR ? (off_t)d->position : whence == SEEK_END ? (off_t)d->file->size : 0;
	if (d && from + offset >= 0)
		d->position = (size_t)(from + offset);
	libsys_mutex_unlock(&table_lock);
	return !d ? fail(EBADF) : from + offset < 0 ? fail(EINVAL) : from + offset;
}

int unlink(const char *path)
{
	struct file *file;

	libsys_mutex_lock(&table_lock);
	file = file_find(path);
	if (file) {
		free(file->name);
		file->name = NULL;
		file_drop(file);
	}
	libsys_mutex_unlock(&table_lock);
	return file ? 0 : fail(ENOENT);
}

/* The new name takes the place of a file that has it. */
static int rename_locked(const char *from, const char *to)
{
	struct file *file = file_find(from), *old = file_find(to);
	char *name = file && file != old ? strdup(to) : NULL;

	if (!file)
		return fail(ENOENT);
	if (file == old)
		return 0;
	if (!name)
		return fail(ENOSPC);
	if (old) {
		free(old->name);
		old->name = NULL;
		file_drop(old);
	}
	free(file->name);
	file->name = name;
	return 0;
}

int rename(const char *from, const char *to)
{
	int result;

	if (strlen(to) >= NAME_MAX_BYTES)
		return fail(ENAMETOOLONG);
	libsys_mutex_lock(&table_lock);
	result = rename_locked(from, to);
	libsys_mutex_unlock(&table_lock);
	return result;
}

int ftruncate(int fd, off_t size)
{
	struct descriptor *d;
	int result;

	if (size < 0)
		return fail(EINVAL);
	libsys_mutex_lock(&table_lock);
	d = descriptor_of(fd);
	if (!d || (d->flags & O_ACCMODE) == O_RDONLY) {
		result = fail(EBADF);
	} else {
		result = file_extend(d->file, (size_t)size);
		if (result == 0)
			d->file->size = (size_t)size;
	}
	libsys_mutex_unlock(&table_lock);
	return result;
}

static void stat_of(const struct file *file, struct stat *st)
{
	*st = (struct stat){ .st_mode = S_IFREG | S_IRUSR | S_IWUSR, .st_nlink = file->name != NULL };
	st->st_size = (off_t)file->size;
}

int fstat(int fd, struct stat *st)
{
	struct descriptor *d;

	if (fd >= 0 && fd < CONSOLE_DESCRIPTORS) {
		*st = (struct stat){ .st_mode = S_IFCHR | S_IRUSR | S_IWUSR, .st_nlink = 1 };
		return 0;
	}
	libsys_mutex_lock(&table_lock);
	d = descriptor_of(fd);
	if (d)
		stat_of(d->file, st);
	libsys_mutex_unlock(&table_lock);
	return d ? 0 : fail(EBADF);
}

int stat(const char *restrict path, struct stat *restrict st)
{
	struct file *file;

	libsys_mutex_lock(&table_lock);
	file = file_find(path);
	if (file)
		stat_of(file, st);
	libsys_mutex_unlock(&table_lock);
	return file ? 0 : fail(ENOENT);
}

int access(const char *path, int mode)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return -1;
	return mode & X_OK ? fail(EACCES) : 0;
}

int isatty(int fd)
{
	if (fd >= 0 && fd < CONSOLE_DESCRIPTORS)
		return 1;
	errno = descriptor_of(fd) ? ENOTTY : EBADF;
	return 0;
}
