/* See fault.h. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_uint count, armed_at;
static atomic_int armed_kind;
static atomic_bool is_lasting_fault, are_syncs_failing, are_reads_failing,
    are_body_syncs_failing;
static atomic_bool is_next_write_failing, are_opens_failing;
static _Atomic uint64_t free_space = UINT64_MAX;
static const struct fault_listener *listener;
static pthread_mutex_t listen_lock = PTHREAD_MUTEX_INITIALIZER;

void fault_reset(void)
{
	fault_arm(0, FAULT_NONE, false);
	atomic_store(&are_syncs_failing, false);
	atomic_store(&are_reads_failing, false);
	atomic_store(&are_body_syncs_failing, false);
	atomic_store(&is_next_write_failing, false);
	atomic_store(&are_opens_failing, false);
	fault_set_free(UINT64_MAX);
	atomic_store(&count, 0);
}

void fault_arm(unsigned at, enum fault_kind kind, bool is_lasting)
{
	atomic_store(&armed_at, at);
	atomic_store(&armed_kind, (int)kind);
	atomic_store(&is_lasting_fault, is_lasting);
}

void fault_fail_syncs(void)
{
	atomic_store(&are_syncs_failing, true);
}

void fault_fail_body_syncs(void)
{
	atomic_store(&are_body_syncs_failing, true);
}

void fault_fail_reads(void)
{
	atomic_store(&are_reads_failing, true);
}

void fault_fail_next_write(void)
{
	atomic_store(&is_next_write_failing, true);
}

void fault_fail_opens(void)
{
	atomic_store(&are_opens_failing, true);
}

void fault_set_free(uint64_t bytes)
{
	atomic_store(&free_space, bytes);
}

unsigned fault_count(void)
{
	return atomic_load(&count);
}

void fault_listen(const struct fault_listener *l)
{
	(void)pthread_mutex_lock(&listen_lock);
	listener = l;
	(void)pthread_mutex_unlock(&listen_lock);
}

/* What the next operation has to suffer. */
static enum fault_kind next_fault(void)
{
	unsigned n = atomic_fetch_add(&count, 1) + 1;
	unsigned at = atomic_load(&armed_at);
	if (at && (n == at || (n > at && atomic_load(&is_lasting_fault))))
		return (enum fault_kind)atomic_load(&armed_kind);
	return FAULT_NONE;
}

/* 0 or a negative errno; a short count is nothing to most operations. */
static int next_errno(void)
{
	switch (next_fault()) {
	case FAULT_EIO:
		return -EIO;
	case FAULT_ENOSPC:
		return -ENOSPC;
	case FAULT_NONE:
	case FAULT_SHORT:
		break;
	}
	return 0;
}

static int next_sync(void)
{
	int rc = next_errno();
	return rc == 0 && atomic_load(&are_syncs_failing) ? -EIO : rc;
}

static void path_of(int fd, char out[PATH_MAX])
{
	char link[64];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
}

static void tell_write(
    const char *path, uint64_t offset, const void *data, size_t len)
{
	(void)pthread_mutex_lock(&listen_lock);
	if (listener)
		listener->on_write(path, offset, data, len);
	(void)pthread_mutex_unlock(&listen_lock);
}

static void tell_size(const char *path, uint64_t size, bool is_growth)
{
	(void)pthread_mutex_lock(&listen_lock);
	if (listener)
		listener->on_size(path, size, is_growth);
	(void)pthread_mutex_unlock(&listen_lock);
}

static void tell_sync(const char *path)
{
	(void)pthread_mutex_lock(&listen_lock);
	if (listener)
		listener->on_sync(path);
	(void)pthread_mutex_unlock(&listen_lock);
}

static void tell_failed_sync(const char *path)
{
	(void)pthread_mutex_lock(&listen_lock);
	if (listener && listener->on_failed_sync)
		listener->on_failed_sync(path);
	(void)pthread_mutex_unlock(&listen_lock);
}

static void tell_unlink(const char *path)
{
	(void)pthread_mutex_lock(&listen_lock);
	if (listener)
		listener->on_unlink(path);
	(void)pthread_mutex_unlock(&listen_lock);
}

static int f_mkdir(const char *path)
{
	int rc = next_errno();
	return rc < 0 ? rc : store_io_system.mkdir(path);
}

static int f_open(int dir, const char *name, int flags)
{
	int rc = next_errno();
	if (rc == 0 && atomic_load(&are_opens_failing))
		rc = -EMFILE;
	return rc < 0 ? rc : store_io_system.open(dir, name, flags);
}

/* Closes in any case, as Linux does. */
static int f_close(int fd)
{
	int rc = next_errno();
	int closed = store_io_system.close(fd);
	return rc < 0 ? rc : closed;
}

static int f_lock(int fd)
{
	int rc = next_errno();
	return rc < 0 ? rc : store_io_system.lock(fd);
}

static int f_fallocate(int fd, uint64_t size)
{
	char path[PATH_MAX];
	int rc = next_errno();
	if (rc == 0 && size > atomic_load(&free_space))
		rc = -ENOSPC;
	if (rc < 0)
		return rc;
	path_of(fd, path);
	tell_size(path, size, true);
	/* Without claiming the space: memory file systems would clear it. */
	return ftruncate(fd, (off_t)size) == 0 ? 0 : -errno;
}

static ssize_t f_pread(int fd, void *out, size_t len, uint64_t offset)
{
	enum fault_kind kind = next_fault();
	if (kind == FAULT_EIO || kind == FAULT_ENOSPC ||
	    atomic_load(&are_reads_failing))
		return -EIO;
	if (kind == FAULT_SHORT)
		len = (len + 1) / 2;
	return store_io_system.pread(fd, out, len, offset);
}

static ssize_t f_pwritev(
    int fd, const struct iovec *iov, int n, uint64_t offset)
{
	enum fault_kind kind = next_fault();
	struct iovec half = iov[0];
	char path[PATH_MAX];
	if (atomic_exchange(&is_next_write_failing, false))
		return -ENOSPC;
	if (kind == FAULT_EIO || kind == FAULT_ENOSPC)
		return kind == FAULT_EIO ? -EIO : -ENOSPC;
	if (kind == FAULT_SHORT) {
		half.iov_len = (half.iov_len + 1) / 2;
		iov = &half;
		n = 1;
	}
	path_of(fd, path);
	uint64_t at = offset;
	for (int i = 0; i < n; i++) {
		tell_write(path, at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return store_io_system.pwritev(fd, iov, n, offset);
}

static int f_fdatasync(int fd)
{
	char path[PATH_MAX];
	int rc = next_sync();
	if (rc == 0 && atomic_load(&are_body_syncs_failing))
		rc = -EIO;
	path_of(fd, path);
	if (rc < 0) {
		tell_failed_sync(path);
		return rc;
	}
	tell_sync(path);
	return store_io_system.fdatasync(fd);
}

static int f_fsync(int fd)
{
	char path[PATH_MAX];
	int rc = next_sync();
	if (rc < 0)
		return rc;
	path_of(fd, path);
	tell_sync(path);
	return store_io_system.fsync(fd);
}

static int f_unlink(int dir, const char *name)
{
	char path[PATH_MAX];
	int rc = next_errno();
	if (rc < 0)
		return rc;
	path_of(dir, path);
	size_t len = strlen(path);
	(void)snprintf(path + len, sizeof(path) - len, "/%s", name);
	tell_unlink(path);
	return store_io_system.unlink(dir, name);
}

static int f_rename(int dir, const char *from, const char *to)
{
	int rc = next_errno();
	return rc < 0 ? rc : store_io_system.rename(dir, from, to);
}

static int f_stat(int dir, const char *name, struct stat *out)
{
	int rc = next_errno();
	return rc < 0 ? rc : store_io_system.stat(dir, name, out);
}

static int f_space(int dir, struct store_space *out)
{
	int rc = next_errno();
	if (rc < 0)
		return rc;
	rc = store_io_system.space(dir, out);
	if (rc == 0 && atomic_load(&free_space) != UINT64_MAX)
		out->free_bytes = atomic_load(&free_space);
	return rc;
}

static int f_kind(int dir, uint32_t *out)
{
	int rc = next_errno();
	return rc < 0 ? rc : store_io_system.kind(dir, out);
}

/* SQLite's side. The real file follows the shell in the same memory. */
struct vfs_file {
	sqlite3_file base;
	const char *path; /* SQLite's, lives as long as the file */
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct vfs_file *)(void *)file)->real;
}

static const char *vfs_path(sqlite3_file *file)
{
	return ((struct vfs_file *)(void *)file)->path;
}

static int v_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int v_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), out, n, at);
}

static int v_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	int rc = next_errno();
	if (rc == 0 && atomic_load(&free_space) == 0)
		rc = -ENOSPC;
	if (rc < 0)
		return rc == -ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	if (vfs_path(f))
		tell_write(vfs_path(f), (uint64_t)at, data, (size_t)n);
	return real_of(f)->pMethods->xWrite(real_of(f), data, n, at);
}

static int v_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	if (next_errno() < 0)
		return SQLITE_IOERR_TRUNCATE;
	if (vfs_path(f))
		tell_size(vfs_path(f), (uint64_t)size, false);
	return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int v_sync(sqlite3_file *f, int flags)
{
	if (next_sync() < 0) {
		if (vfs_path(f))
			tell_failed_sync(vfs_path(f));
		return SQLITE_IOERR_FSYNC;
	}
	if (vfs_path(f))
		tell_sync(vfs_path(f));
	return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int v_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), out);
}

static int v_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int v_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int v_check(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int v_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int v_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int v_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int v_shm_map(
    sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(
	    real_of(f), page, size, extend, out);
}

static int v_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void v_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int v_shm_unmap(sqlite3_file *f, int is_delete)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), is_delete);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = v_close,
	.xRead = v_read,
	.xWrite = v_write,
	.xTruncate = v_truncate,
	.xSync = v_sync,
	.xFileSize = v_size,
	.xLock = v_lock,
	.xUnlock = v_unlock,
	.xCheckReservedLock = v_check,
	.xFileControl = v_control,
	.xSectorSize = v_sector,
	.xDeviceCharacteristics = v_traits,
	.xShmMap = v_shm_map,
	.xShmLock = v_shm_lock,
	.xShmBarrier = v_shm_barrier,
	.xShmUnmap = v_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
    int flags, int *out_flags)
{
	(void)vfs;
	struct vfs_file *f = (struct vfs_file *)(void *)file;
	f->base.pMethods = NULL;
	if (next_errno() < 0)
		return SQLITE_CANTOPEN;
	f->path = name;
	f->real = (sqlite3_file *)(void *)(f + 1);
	int rc = real_vfs->xOpen(real_vfs, name, f->real, flags, out_flags);
	if (f->real->pMethods)
		f->base.pMethods = &methods;
	return rc;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	(void)vfs;
	if (next_errno() < 0)
		return SQLITE_IOERR_DELETE;
	tell_unlink(name);
	return real_vfs->xDelete(real_vfs, name, sync_dir);
}

static sqlite3_vfs shim_vfs;

static void register_vfs(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	shim_vfs = *real_vfs;
	shim_vfs.zName = "fault";
	shim_vfs.pNext = NULL;
	shim_vfs.szOsFile = (int)sizeof(struct vfs_file) + real_vfs->szOsFile;
	shim_vfs.xOpen = v_open;
	shim_vfs.xDelete = v_delete;
	if (sqlite3_vfs_register(&shim_vfs, 0) != SQLITE_OK)
		abort();
}

const struct store_io *fault_io(void)
{
	static const struct store_io io = {
		.mkdir = f_mkdir,
		.open = f_open,
		.close = f_close,
		.lock = f_lock,
		.fallocate = f_fallocate,
		.pread = f_pread,
		.pwritev = f_pwritev,
		.fdatasync = f_fdatasync,
		.fsync = f_fsync,
		.unlink = f_unlink,
		.rename = f_rename,
		.stat = f_stat,
		.space = f_space,
		.kind = f_kind,
		.vfs = "fault",
	};
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, register_vfs);
	return &io;
}
