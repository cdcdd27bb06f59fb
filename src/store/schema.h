/* The tables, their version, and how older ones become newer ones. */
#pragma once

#include <store/sqlite.h>

enum {
	/* Pages of WAL after which it is carried into the database: 16 MB. */
	SCHEMA_CHECKPOINT_PAGES = 4096
};

/*
 * Settings of the writing connection, then the tables: created, migrated, or
 * refused with a clear sentence when a newer program made them. path is for
 * that sentence.
 */
int schema_prepare(sqlite3 *db, const char *path, struct err *e);
/* Settings of the reading connection. */
int schema_prepare_reader(sqlite3 *db, struct err *e);
