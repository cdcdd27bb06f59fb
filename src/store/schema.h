/* The tables, their version, and how older ones become newer ones. */
#pragma once

#include <store/sqlite.h>

enum {
	/* Pages of WAL after which it is carried into the database: 16 MB. */
	SCHEMA_CHECKPOINT_PAGES = 4096,
	/* Of recipient.pinned; is_pinned, is_single, is_told, owes_event. */
	SCHEMA_PINNED = 1 << 0,
	SCHEMA_SINGLE = 1 << 1,
	SCHEMA_TOLD = 1 << 2,
	SCHEMA_OWES_EVENT = 1 << 3,
	SCHEMA_DEFERRED = 1 << 4, /* was_deferred */
	/* And sixteen bits from here on: key_turn. */
	SCHEMA_TURN_SHIFT = 8,
	/* Of attempt.class: is_operator, no enum postern_class. */
	SCHEMA_OPERATOR = 64,
	/* Of message.flags; terms.is_utf8, terms.has_priority, is_report;
	 * who sent it again was told that it is taken; is_event. */
	SCHEMA_UTF8 = 1 << 0,
	SCHEMA_PRIORITY = 1 << 1,
	SCHEMA_REPORT = 1 << 2,
	SCHEMA_VOUCHED = 1 << 3,
	SCHEMA_EVENT = 1 << 4,
	/* And sixteen bits from here on: traits. */
	SCHEMA_TRAITS_SHIFT = 8,
	SCHEMA_TRAITS_MASK = 0xffff
};

/* Whose message it is, in the eyes of holders.h; 16 is SCHEMA_EVENT, here and
 * in rows.c. */
#define SCHEMA_HOLDER "iif(message.flags & 16, '', message.user)"
#define SCHEMA_SELECT_HOLDER                                                   \
	"SELECT " SCHEMA_HOLDER " FROM message WHERE id = ?1"

/* What is damaged in a row that SQLite can read: nobody can name it. */
#define SCHEMA_IS_ID(column)                                                   \
	"(typeof(" column ") = 'blob' AND length(" column ") = 16)"

/* store_recipient_is_final of recipient, not: 8 is SCHEMA_OWES_EVENT. A list
 * for IN would be built as a tree, each time. */
#define SCHEMA_IS_OPEN                                                         \
	"(state <> 2 AND state <> 3 AND state <> 5 AND state <> 6"             \
	" OR pinned & 8)"

/*
 * Settings of the writing connection, then the tables: created (*out_is_new),
 * migrated, or refused with a clear sentence when a newer program made them.
 * path is for that sentence. The log is not empty afterwards, unless the disk
 * is full.
 */
int schema_prepare(
    sqlite3 *db, const char *path, bool *out_is_new, struct err *e);
/* A row of it is written, and says what it said. 0 or a negative errno. */
int schema_mark(sqlite3 *db);
enum schema_format {
	SCHEMA_FOREIGN = 0, /* not ours, or damaged */
	SCHEMA_KNOWN,       /* ours, of a format that is known here, or new */
	SCHEMA_NEWER
};

/* By what the first page of a database says. */
enum schema_format schema_format(uint32_t application_id, uint32_t version);
/* What providers were handed is counted from this format on. */
enum {
	SCHEMA_WITH_SPENT = 9
};
/* Settings of the reading connection. */
int schema_prepare_reader(sqlite3 *db, struct err *e);
