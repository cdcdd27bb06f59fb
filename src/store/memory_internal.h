/* What the files of the memory engine share. */
#pragma once

#include <store/holders.h>
#include <store/store_internal.h>

#include <base/map.h>

#include <pthread.h>

/* entry->message is held while a recipient is open. */
struct kept {
	struct list node; /* in live or history */
	struct store_entry *entry;
	struct store_attempt *attempts; /* strings in the entry's memory */
	size_t attempt_count, attempt_cap;
	int64_t finished_ms;
	uint64_t guard;  /* see struct store_guard; 0: none */
	bool is_vouched; /* who sent it again was told that it is taken */
};

/* A count for a name and a day. */
struct tally {
	struct list node;
	int64_t day;
	uint64_t count;
	struct span key; /* the day's bytes, then the name */
	char bytes[];
};

struct tallies {
	struct map *by_key; /* struct tally */
	struct list list;
	int64_t newest_day;
};

struct memory {
	struct store store;
	struct store_settings settings;
	pthread_mutex_t lock; /* guards everything below */
	struct map *by_id;    /* struct kept */
	struct map *by_guard; /* likewise: the first one with that key */
	struct list live, history;
	size_t live_count, history_count;
	uint64_t bytes, operations;
	uint64_t held;        /* of bytes, those in memory */
	struct tallies quota; /* messages of users */
	struct tallies spent; /* recipients of providers */
	struct holders *holders;
};

/* 0 or -ENOMEM. */
int tallies_init(struct tallies *t);
void tallies_finish(struct tallies *t);
/* Days before keep_days of the newest are forgotten. 0 or -ENOMEM. */
int tallies_add(struct tallies *t, struct span name, int64_t day, uint64_t n,
    int64_t keep_days);
void tallies_each(struct tallies *t, int64_t from_day,
    void (*each)(struct span name, int64_t day, uint64_t count, void *ctx),
    void *ctx);

/* What store_search promises, but for the answer; the lock is held. */
int memory_search_locked(struct memory *m, struct store_search *r);

/* Duplicates; the lock is held. 0, or -EALREADY: it is not to be stored. */
int memory_check_guard(struct memory *m, struct store_accept *r);
/* It is stored, as k, and perhaps the first one. */
void memory_note_guard(
    struct memory *m, struct kept *k, const struct store_accept *r);
void memory_forget_guard(struct memory *m, const struct kept *k);
