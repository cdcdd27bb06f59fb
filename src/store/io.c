/* The system's file operations behind struct store_io. */
#include <store/store_internal.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

static int io_mkdir(const char *path)
{
	return mkdir(path, 0700) == 0 ? 0 : -errno;
}

static int io_open(int dir, const char *name, int flags)
{
	int fd;
	do
		fd = openat(dir, name, flags | O_CLOEXEC, 0600);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int io_close(int fd)
{
	/* Linux has released the descriptor even when it says EINTR. */
	return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

static int io_lock(int fd)
{
	int rc;
	do
		rc = flock(fd, LOCK_EX | LOCK_NB);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

static int io_fallocate(int fd, uint64_t size)
{
	int rc;
	do
		rc = posix_fallocate(fd, 0, (off_t)size);
	while (rc == EINTR);
	return -rc;
}

static ssize_t io_pread(int fd, void *out, size_t len, uint64_t offset)
{
	ssize_t n;
	do
		n = pread(fd, out, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t io_pwritev(
    int fd, const struct iovec *iov, int count, uint64_t offset)
{
	ssize_t n;
	do
		n = pwritev(fd, iov, count, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* A sync that was interrupted has not failed, so it may be repeated. */
static int io_fdatasync(int fd)
{
	int rc;
	do
		rc = fdatasync(fd);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

static int io_fsync(int fd)
{
	int rc;
	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

static int io_unlink(int dir, const char *name)
{
	return unlinkat(dir, name, 0) == 0 ? 0 : -errno;
}

static int io_rename(int dir, const char *from, const char *to)
{
	return renameat(dir, from, dir, to) == 0 ? 0 : -errno;
}

static int io_stat(int dir, const char *name, struct stat *out)
{
	return fstatat(dir, name, out, AT_EMPTY_PATH) == 0 ? 0 : -errno;
}

/* Some file systems make inodes as they need them, and say 0. */
static int io_space(int dir, struct store_space *out)
{
	struct statvfs v;
	if (fstatvfs(dir, &v) < 0)
		return -errno;
	*out = (struct store_space){
		.free_bytes = (uint64_t)v.f_bavail * v.f_frsize,
		.total_bytes = (uint64_t)v.f_blocks * v.f_frsize,
		.free_inodes = v.f_files ? v.f_favail : UINT64_MAX,
		.total_inodes = v.f_files ? v.f_files : UINT64_MAX,
	};
	return 0;
}

static int io_kind(int dir, uint32_t *out)
{
	struct statfs v;
	if (fstatfs(dir, &v) < 0)
		return -errno;
	*out = (uint32_t)v.f_type;
	return 0;
}

const struct store_io store_io_system = {
	.mkdir = io_mkdir,
	.open = io_open,
	.close = io_close,
	.lock = io_lock,
	.fallocate = io_fallocate,
	.pread = io_pread,
	.pwritev = io_pwritev,
	.fdatasync = io_fdatasync,
	.fsync = io_fsync,
	.unlink = io_unlink,
	.rename = io_rename,
	.stat = io_stat,
	.space = io_space,
	.kind = io_kind,
};

int store_io_errno(int rc)
{
	switch (-rc) {
	case ENOSPC:
	case EDQUOT:
		return -ENOSPC;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* Any error but that it is not there proves nothing. */
bool store_io_is_lost(const struct store_io *io, int dir, const char *name,
    const struct stat *was)
{
	struct stat st;
	int rc = io->stat(dir, name, &st);
	if (rc < 0)
		return rc == -ENOENT || rc == -ENOTDIR || rc == -ESTALE;
	return st.st_dev != was->st_dev || st.st_ino != was->st_ino;
}

/* Drop the first n bytes of the vector. */
static void skip(struct iovec **iov, int *count, size_t n)
{
	while (*count > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

int store_io_write(const struct store_io *io, int fd, struct iovec *iov,
    int count, uint64_t offset)
{
	skip(&iov, &count, 0);
	while (count > 0) {
		ssize_t n = io->pwritev(fd, iov, count, offset);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EIO;
		offset += (uint64_t)n;
		skip(&iov, &count, (size_t)n);
	}
	return 0;
}

int store_io_read(
    const struct store_io *io, int fd, void *out, size_t len, uint64_t offset)
{
	char *at = out;
	while (len > 0) {
		ssize_t n = io->pread(fd, at, len, offset);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EBADMSG;
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}
