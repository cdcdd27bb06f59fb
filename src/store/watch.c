/* See watch.h. */
#include <store/disk.h>

#include <base/clock.h>
#include <base/log.h>

#include <errno.h>
#include <fcntl.h>

enum {
	LOOK_MS = 5000,
	ROOM = 1024 * 1024 /* for a message, and for its rows */
};

/* All but the first in the directory of the store, which is the first. */
static const char *const names[WATCH_FILES] = { "", "store.db", "store.db-wal",
	"lock", "bodies" };

static int dir_of(const struct disk *d, int i)
{
	return i == 0 ? AT_FDCWD : d->dir;
}

static const char *name_of(const struct disk *d, int i)
{
	return i == 0 ? d->path : names[i];
}

int watch_start(struct disk *d, struct err *e)
{
	for (int i = 0; i < WATCH_FILES; i++) {
		int rc = d->io->stat(
		    dir_of(d, i), name_of(d, i), &d->watch.files[i]);
		if (rc < 0)
			return err_errno(e, rc, "store: cannot look at %s/%s",
			    d->path, names[i]);
	}
	d->watch.next_ms = clock_mono_ms() + LOOK_MS;
	return 0;
}

/* The name of one that is gone or was replaced, or NULL. */
static const char *find_lost(const struct disk *d)
{
	for (int i = 0; i < WATCH_FILES; i++)
		if (store_io_is_lost(
			d->io, dir_of(d, i), name_of(d, i), &d->watch.files[i]))
			return i == 0 ? "." : names[i];
	return segments_is_lost(d->segments) ? "bodies/*.seg" : NULL;
}

/*
 * The system goes on to write to a file without a name, and syncs it, but
 * after a crash nobody finds it: a promise that cannot be kept.
 */
static void look_for_files(struct disk *d)
{
	const char *lost = find_lost(d);
	if (!lost)
		return;
	log_error("store_lost", LOG_STR("path", d->path), LOG_STR("file", lost),
	    LOG_STR("msg", "removed or replaced while in use: mail answered "
			   "since then may be lost"));
	disk_note_error(d, "watch", -EIO);
}

/* All that one more accept takes: what a start would find. */
static void look_for_room(struct disk *d)
{
	uint64_t need = atomic_load(&d->store.min_free_bytes) + ROOM;
	if (!segments_has_room(d->segments, ROOM))
		need += SEGMENT_SIZE;
	disk_refresh_free(d);
	/* Without trying: that would take the last from everybody else. */
	if (atomic_load(&d->free_bytes) < need)
		return;
	int rc = d->has_reserve ? 0 : disk_make_reserve(d);
	if (rc == 0)
		rc = segments_make_room(d->segments, ROOM);
	if (rc < 0)
		disk_note_error(d, "make room", rc);
	else
		atomic_store(&d->is_full, false);
}

void watch_look(struct disk *d)
{
	uint64_t now = clock_mono_ms();
	if (now < d->watch.next_ms)
		return;
	d->watch.next_ms = now + LOOK_MS;
	look_for_files(d);
	bool is_full = atomic_load(&d->is_full);
	if (is_full && d->watch.was_full && !disk_is_failed(d))
		look_for_room(d);
	d->watch.was_full = is_full;
}
