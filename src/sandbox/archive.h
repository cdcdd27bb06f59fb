/*
 * What the sandbox accepted: the newest messages in memory, within bounds,
 * and each as a file when a directory was given. The loop's thread.
 */
#pragma once

#include <base/err.h>
#include <base/list.h>
#include <base/span.h>
#include <sandbox/letter.h>

#include <stddef.h>
#include <stdint.h>

struct archive {
	struct list letters; /* oldest first */
	struct map *by_id;
	size_t count, max_count;
	uint64_t bytes, max_bytes;
	int dir; /* -1: none */
};

/* dir may be NULL; it is created when missing. 0 or a negative errno. */
int archive_open(struct archive *a, const char *dir, size_t max_count,
    uint64_t max_bytes, struct err *e);
void archive_close(struct archive *a);
/*
 * Takes ownership; the oldest give way. 0 or a negative errno: the letter is
 * gone then (no memory), or was kept but not written to its file.
 */
int archive_add(struct archive *a, struct letter *l);
struct letter *archive_find(const struct archive *a, struct span id);
void archive_clear(struct archive *a); /* files stay */
