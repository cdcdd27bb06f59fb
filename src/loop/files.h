/*
 * Files watched for change, whichever way they are replaced: written in
 * place, by rename, or behind a symlink that moves, as `..data` does in a
 * volume of Kubernetes. The directory of each is watched (inotify); all are
 * looked at every minute as well, as nothing tells of a symlink farther along
 * the way, or of other machines. Own thread only.
 */
#pragma once

#include <stddef.h>

struct loop;
struct loop_files;

/*
 * on_change runs on the loop when a file is not the one that was seen last:
 * device, inode, times or size, with symlinks followed. A moment after the
 * event, so that one call tells of files that change together. NULL for
 * memory; where there is no inotify the minute remains.
 */
struct loop_files *loop_files_new(
    struct loop *l, void (*on_change)(void *ctx), void *ctx);
/*
 * Watch these instead of those before. A file may be missing. To miss nothing,
 * call it before reading them. 0 or -ENOMEM: then as before.
 */
int loop_files_watch(
    struct loop_files *w, const char *const *paths, size_t count);
/* After this on_change does not run. Accepts NULL. */
void loop_files_close(struct loop_files *w);
