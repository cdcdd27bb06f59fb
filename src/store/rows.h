/*
 * The rows, written: one connection, one transaction at a time, the writer
 * thread's. -EEXIST, -ENOENT, -EALREADY and -EINVAL concern one request and
 * leave the transaction as it was; any other error ends it (rows_rollback).
 */
#pragma once

#include <store/guard.h>
#include <store/place.h>
#include <store/sqlite.h>

struct rows;

/* Takes db over on success; schema_prepare was run on it. */
int rows_open(sqlite3 *db, struct rows **out, struct err *e);
/* The store is in use: from now on the close ends the log. */
void rows_started(struct rows *r);
void rows_close(struct rows *r); /* accepts NULL */

int rows_begin(struct rows *r);
/* -EIO leaves it open whether the transaction is on disk. */
int rows_commit(struct rows *r);
void rows_rollback(struct rows *r);

/*
 * place is NULL where the message is stored as history at once; guard as in
 * struct store_guard.
 */
int rows_accept(struct rows *r, const struct store_entry *e,
    const struct place *place, uint64_t guard);
/* A message of the same user and Message-ID as e: what is its id's? 1 and
 * *out filled; 0 when there is none. */
int rows_first(struct rows *r, const struct id *id, const struct store_entry *e,
    struct guard_tally *out);
/* Somebody was told that it is taken. */
int rows_vouch(struct rows *r, const struct id *id);
/*
 * Of the last max messages made after from_ms those that have a guard and did
 * not come to nothing, oldest first.
 */
int rows_each_guard(struct rows *r, int64_t from_ms, int max,
    void (*each)(uint64_t guard, const struct id *id, void *ctx), void *ctx);
/* What an update did to the message's body. */
enum rows_change {
	ROWS_NOTHING = 0,
	ROWS_RELEASED, /* nobody needs it any more */
	ROWS_DIED,     /* it is kept for a while */
	ROWS_REVIVED   /* it was kept, and is needed again */
};

struct rows_effect {
	enum rows_change change;
	struct place place; /* of it, but for NOTHING */
};

/*
 * now_ms becomes the time recipients became final. may_keep: bodies of what
 * failed are kept.
 */
int rows_update(struct rows *r, const struct store_update *u, int64_t now_ms,
    bool may_keep, struct rows_effect *out);
/* Whose body the last update released or let die, until the next one. */
struct span rows_updated_user(const struct rows *r);
/* Whose message it is, likewise; empty when that cannot be read. */
struct span rows_find_user(struct rows *r, const struct id *id);
int rows_charge(struct rows *r, struct span user, int64_t day, uint64_t n);
int rows_spend(struct rows *r, struct span provider, int64_t day, uint64_t n);

/*
 * These messages, and no others, are of a batch whose bodies are not known to
 * be durable: part of the transaction that accepts them.
 */
int rows_set_unsure(struct rows *r, const struct id *ids, size_t count);
/* Up to max of them: their number or a negative errno. */
int rows_unsure(struct rows *r, struct id *out, size_t max);
/* Where its body is. -ENOENT: it has none. */
int rows_place(struct rows *r, const struct id *id, struct place *out);
/* As if it had never been accepted; but what was charged stays. */
int rows_drop(struct rows *r, const struct id *id);

/*
 * The dead, oldest first: up to max of them, into arrays. Returns their number
 * or a negative errno.
 */
int rows_dead(struct rows *r, struct id *ids, struct place *places,
    int64_t *died_ms, int max);
/* Its body is not kept any more. */
int rows_bury(struct rows *r, const struct id *id);

/* The body was copied to `to` (segment and offset). */
int rows_move(struct rows *r, const struct id *id, const struct place *to);
/*
 * Up to max bodies, of the dead too, with ids after *after, into ids and
 * places; *after becomes the last. Returns their number or a negative errno.
 */
int rows_bodies(struct rows *r, struct id *after, struct id *ids,
    struct place *places, int max);
/*
 * Forget up to max finished messages with ids after *after which were final
 * before cutoff_ms. Returns how many were looked at, or a negative errno.
 */
int rows_purge(struct rows *r, struct id *after, int64_t cutoff_ms, int max);
int rows_purge_quota(struct rows *r, int64_t before_day);
int rows_purge_spent(struct rows *r, int64_t before_day);

/* Pages in the write-ahead log since the last rows_checkpoint began it. */
int rows_wal_pages(const struct rows *r);
/* Carry the log into the database, as far as readers permit. */
int rows_checkpoint(struct rows *r);
/*
 * All of it, and begin the log anew, with salts of its own. Nobody reads. 0 or
 * a negative errno.
 */
int rows_renew_log(struct rows *r);
