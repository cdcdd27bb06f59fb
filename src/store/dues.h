/*
 * What the requests of a batch charge to users: one row per user and day,
 * however many there are. Writer thread.
 */
#pragma once

#include <store/disk.h>

struct dues {
	struct due {
		struct span user;
		int64_t day;
		uint64_t messages;
	} all[DISK_BATCH_MAX];
	size_t count;
};

/* user is borrowed until dues_store. */
void dues_note(
    struct dues *d, struct span user, int64_t day, uint64_t messages);
/* Part of a transaction. 0 or a negative errno. */
int dues_store(struct dues *d, struct rows *rows);
