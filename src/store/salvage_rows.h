/*
 * Rows that were found go into the tables of a new database, which put them in
 * order: each once, and of two the one that can be relied on, or the one that
 * lets nothing be sent twice. Where bodies lie is kept apart until they were
 * looked at (table place).
 */
#pragma once

#include <store/salvage.h>
#include <store/salvage_record.h>
#include <store/sqlite.h>

struct salvage_rows;

/* Which pages belong to the two tables whose rows look the same. */
enum salvage_owner {
	SALVAGE_OTHER = 0,
	SALVAGE_QUOTA,
	SALVAGE_SPENT
};

/* db: prepared, and stays the caller's. */
int salvage_rows_open(sqlite3 *db, struct salvage_rows **out, struct err *e);
void salvage_rows_close(struct salvage_rows *s); /* accepts NULL */
/*
 * 0; -EBADMSG when it is no row of ours; or an error of the database. Those
 * that are SALVAGE_SURE come before the others.
 */
int salvage_rows_take(struct salvage_rows *s, const struct salvage_record *r,
    enum salvage_owner owner);
/*
 * When all were taken: recipients that may have been sent since are held, those
 * that are missing have a row that says so. 0 or a negative errno.
 */
int salvage_rows_settle(
    struct salvage_rows *s, int64_t now_ms, struct salvage_report *report);
/* When the bodies are there: what belongs to no message goes. */
int salvage_rows_finish(struct salvage_rows *s, struct salvage_report *report);
