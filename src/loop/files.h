/*
 * Files watched for change, whichever way they are replaced: written in
 * place, by rename, or behind a symlink that moves, as `..data` does in a
 * volume of Kubernetes. The directory of each is watched (inotify); all are
 * looked at every minute as well, as nothing tells of a symlink farther along
 * the way, or of other machines. Own thread only.
 */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

struct loop;
struct loop_files;

struct loop_file {
	const char *path;
	const struct stat *as_read; /* NULL: as it is now is as it was seen */
};

/*
 * on_change runs on the loop when a file is not the one that was seen last:
 * device, inode, times or size, with symlinks followed. A moment after the
 * event, so that one call tells of files that change together. NULL for
 * memory; where there is no inotify the minute remains.
 */
struct loop_files *loop_files_new(
    struct loop *l, void (*on_change)(void *ctx), void *ctx);
/*
 * Watch these instead of those before; what was seen of one that is watched
 * already counts on. A file may be missing. To miss nothing, call it before
 * reading them, or say with as_read what was read: a file that is another one
 * by now is a change. 0 or -ENOMEM: then as before.
 */
int loop_files_watch(
    struct loop_files *w, const struct loop_file *list, size_t count);
/* After this on_change does not run. Accepts NULL. */
void loop_files_close(struct loop_files *w);
