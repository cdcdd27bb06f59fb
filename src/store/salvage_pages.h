/*
 * The pages of a database that SQLite may not be able to open: of store.db as
 * the log has them, each by its number, and what is known of each. Nothing is
 * written there.
 *
 * A page is what it seems only when the log has nothing newer that cannot be
 * read, and when the list of free pages says that it is in use: what lies in
 * the others may have been true once.
 */
#pragma once

#include <store/schema.h>

enum {
	SALVAGE_PAGE_MAX = 65536
};

enum salvage_trust {
	SALVAGE_LOST = 0, /* cannot be read */
	SALVAGE_FREE,     /* not in use */
	SALVAGE_DOUBT,    /* may be out of date */
	SALVAGE_SURE
};

struct salvage_pages;

/*
 * dir: of the store; both stay the caller's. was_killed: the log must be there.
 * 0 also where there is no store.db; or a negative errno with e filled.
 */
int salvage_pages_open(const struct store_io *io, int dir, bool was_killed,
    struct salvage_pages **out, struct err *e);
void salvage_pages_close(struct salvage_pages *p); /* accepts NULL */

/* Pages are 1 to count; bytes of each, and those that rows may take. */
uint32_t salvage_pages_count(const struct salvage_pages *p);
size_t salvage_pages_usable(const struct salvage_pages *p);
enum salvage_trust salvage_pages_trust(
    const struct salvage_pages *p, uint32_t number);
/* SALVAGE_PAGE_MAX bytes of room. 0 or a negative errno. */
int salvage_pages_read(
    struct salvage_pages *p, uint32_t number, unsigned char *out);
/* It is what it seems: part of a tree, or of a row. */
void salvage_pages_set_seen(struct salvage_pages *p, uint32_t number);
/* How many are neither that nor free. */
uint32_t salvage_pages_unseen(const struct salvage_pages *p);
/* What the first page says of the tables; SCHEMA_FOREIGN: it is damaged. */
enum schema_format salvage_pages_format(
    const struct salvage_pages *p, uint32_t *version);
/* Why pages are in doubt; NULL: they are not. */
const char *salvage_pages_doubt(const struct salvage_pages *p);
