/*
 * Thin help around SQLite's C interface: connections, prepared statements,
 * and its results as negative errnos. A connection belongs to one thread at a
 * time.
 */
#pragma once

#include <store/store_internal.h>

#include <sqlite3.h>

/* Open or create the database file at path. 0, or -errno with e filled. */
int sqlite_connect(
    const char *path, const char *vfs, sqlite3 **out, struct err *e);
/*
 * Whether the last connection that closes carries the log into the database
 * and removes it, as by default.
 */
void sqlite_set_tidy(sqlite3 *db, bool is_tidy);
/*
 * What failed, as an errno: -ENOSPC, -ENOMEM, -EEXIST (a constraint), -EBUSY;
 * anything else that is not success is -EIO.
 */
int sqlite_errno(sqlite3 *db, int rc);
/* Run SQL text without parameters or results. */
int sqlite_exec(sqlite3 *db, const char *sql);
/* The integer in the first column of the first row, e.g. of a pragma. */
int sqlite_exec_int(sqlite3 *db, const char *sql, int64_t *out);

/* Prepare n statements; on failure none is left and e is filled. */
int sqlite_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **out,
    size_t n, struct err *e);
void sqlite_finalize(sqlite3_stmt **q, size_t n);
/* Run to the end and reset. 0 or a negative errno. */
int sqlite_run(sqlite3_stmt *q);
/* 1: a row is there; 0: no more, reset; negative errno: reset. */
int sqlite_next(sqlite3_stmt *q);

/* Parameters count from 1. Nothing is copied: run before the memory goes. */
void sqlite_bind_int(sqlite3_stmt *q, int i, int64_t v);
void sqlite_bind_span(sqlite3_stmt *q, int i, struct span s);
void sqlite_bind_id(sqlite3_stmt *q, int i, const struct id *id);
/* Columns count from 0. The bytes last until the next step. */
struct span sqlite_column_span(sqlite3_stmt *q, int i);
/* 0 or -EIO when it is no id. */
int sqlite_column_id(sqlite3_stmt *q, int i, struct id *out);
