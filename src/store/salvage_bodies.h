/*
 * Bodies of a damaged spool: those whose rows and bytes are there are copied to
 * the same place in the new one; where the envelope is incomplete the text goes
 * to lost+found, for a person.
 */
#pragma once

#include <store/salvage.h>
#include <store/sqlite.h>

struct salvage_place {
	const struct store_io *io;
	sqlite3 *db;  /* the new one, after salvage_rows_settle */
	int from, to; /* directories of both spools */
	const char *to_path;
};

/* 0, or a negative errno with e filled. */
int salvage_bodies(const struct salvage_place *p, struct salvage_report *report,
    struct err *e);
