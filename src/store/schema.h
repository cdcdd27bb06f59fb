/* The tables, their version, and how older ones become newer ones. */
#pragma once

#include <store/sqlite.h>

enum {
	/* Pages of WAL after which it is carried into the database: 16 MB. */
	SCHEMA_CHECKPOINT_PAGES = 4096,
	/* Of recipient.pinned; is_pinned and is_single. */
	SCHEMA_PINNED = 1 << 0,
	SCHEMA_SINGLE = 1 << 1,
	/* And eight bits from here on: key_turn. */
	SCHEMA_TURN_SHIFT = 8,
	/* Of attempt.class: is_operator, no enum postern_class. */
	SCHEMA_OPERATOR = 64,
	/* Of message.flags; terms.is_utf8 and terms.has_priority. */
	SCHEMA_UTF8 = 1 << 0,
	SCHEMA_PRIORITY = 1 << 1
};

/*
 * Settings of the writing connection, then the tables: created (*out_is_new),
 * migrated, or refused with a clear sentence when a newer program made them.
 * path is for that sentence. The log is not empty afterwards, unless the disk
 * is full.
 */
int schema_prepare(
    sqlite3 *db, const char *path, bool *out_is_new, struct err *e);
/* Settings of the reading connection. */
int schema_prepare_reader(sqlite3 *db, struct err *e);
