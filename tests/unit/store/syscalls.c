/* See syscalls.h. */
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_uint count, armed_at;
static atomic_int armed_error;

void syscalls_arm(unsigned at, int error)
{
	atomic_store(&armed_error, error);
	atomic_store(&armed_at, at);
}

unsigned syscalls_count(void)
{
	return atomic_load(&count);
}

/* True when this call has its turn. */
static bool is_hit(void)
{
	unsigned n = atomic_fetch_add(&count, 1) + 1;
	return n == atomic_load(&armed_at);
}

/* Of a call that does no bytes: true with errno set when it fails. */
static bool fails(void)
{
	int error = is_hit() ? atomic_load(&armed_error) : 0;
	if (error)
		errno = error;
	return error != 0;
}

/* Of one that no signal interrupts. */
static bool fails_at_once(void)
{
	bool is_failing = fails();
	return is_failing && errno != EINTR;
}

/* Of one that does: likewise, or *len is halved. */
static bool fails_at(size_t *len)
{
	int error = 0;
	if (is_hit()) {
		error = atomic_load(&armed_error);
		if (error)
			errno = error;
		else
			*len = (*len + 1) / 2;
	}
	return error != 0;
}

/* --- below io.c: what the linker puts in the place of the system's --- */

#define WRAP(type, name, parameters)                                           \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters

WRAP(int, flock, (int fd, int what))
{
	return fails() ? -1 : __real_flock(fd, what);
}

/* This one returns its error. */
WRAP(int, posix_fallocate, (int fd, off_t from, off_t len))
{
	(void)__real_posix_fallocate;
	if (fails())
		return errno;
	/* Without claiming the space: memory file systems would clear it. */
	return ftruncate(fd, from + len) == 0 ? 0 : errno;
}

WRAP(ssize_t, pread, (int fd, void *out, size_t len, off_t at))
{
	return fails_at(&len) ? -1 : __real_pread(fd, out, len, at);
}

WRAP(ssize_t, pwritev, (int fd, const struct iovec *iov, int n, off_t at))
{
	struct iovec first = iov[0];
	size_t len = first.iov_len;
	if (fails_at(&len))
		return -1;
	if (len == first.iov_len)
		return __real_pwritev(fd, iov, n, at);
	first.iov_len = len;
	return __real_pwritev(fd, &first, 1, at);
}

WRAP(int, fdatasync, (int fd))
{
	return fails() ? -1 : __real_fdatasync(fd);
}

WRAP(int, fsync, (int fd))
{
	return fails() ? -1 : __real_fsync(fd);
}

WRAP(int, fstatat,
    (int dir, const char *restrict name, struct stat *restrict out, int flags))
{
	return fails_at_once() ? -1 : __real_fstatat(dir, name, out, flags);
}

WRAP(int, unlinkat, (int dir, const char *name, int flags))
{
	return fails_at_once() ? -1 : __real_unlinkat(dir, name, flags);
}

int __real_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list args;
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return fails() ? -1 : __real_openat(dir, name, flags, mode);
}

/* --- below SQLite --- */

static int db_open(const char *path, int flags, int mode)
{
	return fails() ? -1 : open(path, flags, (mode_t)mode);
}

static ssize_t db_pread(int fd, void *out, size_t len, off_t at)
{
	return fails_at(&len) ? -1 : __real_pread(fd, out, len, at);
}

static ssize_t db_pwrite(int fd, const void *data, size_t len, off_t at)
{
	return fails_at(&len) ? -1 : pwrite(fd, data, len, at);
}

static ssize_t db_read(int fd, void *out, size_t len)
{
	return fails_at(&len) ? -1 : read(fd, out, len);
}

static ssize_t db_write(int fd, const void *data, size_t len)
{
	return fails_at(&len) ? -1 : write(fd, data, len);
}

static int db_truncate(int fd, off_t size)
{
	return fails() ? -1 : ftruncate(fd, size);
}

static int db_fstat(int fd, struct stat *out)
{
	return fails_at_once() ? -1 : fstat(fd, out);
}

static int db_unlink(const char *path)
{
	return fails_at_once() ? -1 : unlink(path);
}

static void replace(sqlite3_vfs *vfs, const char *name, sqlite3_syscall_ptr by)
{
	if (vfs->xGetSystemCall(vfs, name) &&
	    vfs->xSetSystemCall(vfs, name, by) != SQLITE_OK)
		abort();
}

static void install(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	replace(vfs, "open", (sqlite3_syscall_ptr)db_open);
	replace(vfs, "read", (sqlite3_syscall_ptr)db_read);
	replace(vfs, "write", (sqlite3_syscall_ptr)db_write);
	replace(vfs, "pread", (sqlite3_syscall_ptr)db_pread);
	replace(vfs, "pwrite", (sqlite3_syscall_ptr)db_pwrite);
	replace(vfs, "pread64", (sqlite3_syscall_ptr)db_pread);
	replace(vfs, "pwrite64", (sqlite3_syscall_ptr)db_pwrite);
	replace(vfs, "ftruncate", (sqlite3_syscall_ptr)db_truncate);
	replace(vfs, "fstat", (sqlite3_syscall_ptr)db_fstat);
	replace(vfs, "unlink", (sqlite3_syscall_ptr)db_unlink);
}

void syscalls_reset(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, install);
	atomic_store(&armed_at, 0);
	atomic_store(&count, 0);
}
