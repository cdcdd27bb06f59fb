/*
 * The rows, read: a connection of its own, so that a look at the store never
 * waits for the writer. One thread at a time.
 */
#pragma once

#include <store/place.h>
#include <store/sqlite.h>

struct reads;

/* Takes db over on success. */
int reads_open(sqlite3 *db, struct reads **out, struct err *e);
void reads_close(struct reads *r); /* accepts NULL */
/* To look at what its last error was. */
sqlite3 *reads_database(struct reads *r);

/*
 * Everything between begin and end sees one state of the store, that of the
 * first look. end never fails: nothing was written.
 */
int reads_begin(struct reads *r);
/* After begin: take that look now. */
int reads_fix(struct reads *r);
void reads_end(struct reads *r);

/* A message's rows, without its body. -ENOENT when unknown. */
int reads_entry(struct reads *r, const struct id *id, struct store_entry **out);
/* The same with at most max of its recipients. */
int reads_entry_part(
    struct reads *r, const struct id *id, size_t max, struct store_entry **out);
/* Where its body lies; -ENOENT when released. */
int reads_place(struct reads *r, const struct id *id, struct place *out);
/* Its ledger, oldest first, in memory of e. */
int reads_attempts(struct reads *r, struct store_entry *e,
    struct store_attempt **out, size_t *out_count);

/*
 * As of the moment of reads_begin; ends early when each returns an error. A row
 * whose id is damaged is passed over.
 */
int reads_each_pending(struct reads *r, int64_t now_ms,
    int (*each)(const struct store_pending *p, void *ctx), void *ctx);
int reads_each_quota(struct reads *r,
    void (*each)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx);
/* Each message that somebody still has to work on: whose, and how large. */
int reads_each_held(struct reads *r,
    void (*each)(struct span user, uint64_t bytes, void *ctx), void *ctx);
int reads_each_spent(struct reads *r, int64_t from_day,
    void (*each)(
	struct span provider, int64_t day, uint64_t recipients, void *ctx),
    void *ctx);

/* Of a segment bodies of messages in the queue, or of dead ones. */
struct reads_segment {
	uint32_t number;
	uint64_t count, bytes;
	uint64_t nameless; /* whose id is damaged: passed over elsewhere */
	uint64_t end;      /* of the last one */
	bool is_dead;
};

/* Of segments with bodies, more than once each: parts to be added up. */
int reads_each_segment(struct reads *r,
    int (*each)(const struct reads_segment *s, void *ctx), void *ctx);
