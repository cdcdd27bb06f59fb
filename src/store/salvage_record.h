/*
 * Rows on a page of a tree of SQLite, read without the tree. All tables of the
 * store but two are WITHOUT ROWID, so that rows lie on pages of "index" trees.
 */
#pragma once

#include <store/salvage_pages.h>

#include <base/span.h>

enum {
	SALVAGE_COLUMNS = 16 /* of a row; more is no row of ours */
};

struct salvage_value {
	enum salvage_type {
		SALVAGE_NULL = 0,
		SALVAGE_INT,
		SALVAGE_TEXT,
		SALVAGE_BLOB
	} type;
	int64_t number;
	struct span bytes;
};

struct salvage_record {
	uint32_t page;
	bool has_rowid; /* of one of those two tables */
	/* What its pages are, and DOUBT where this one is not quite whole. */
	enum salvage_trust trust;
	size_t count;
	struct salvage_value values[SALVAGE_COLUMNS];
};

struct salvage_reader;

/* NULL for memory. pages stay the caller's. */
struct salvage_reader *salvage_reader_new(struct salvage_pages *pages);
void salvage_reader_free(struct salvage_reader *r); /* accepts NULL */
/*
 * Each row that can be read of that page; what is in it lasts for the call. 0;
 * what each returned; -EBADMSG when some of it cannot be read; or -ENOMEM.
 */
int salvage_each_record(struct salvage_reader *r, uint32_t page,
    int (*each)(const struct salvage_record *record, void *ctx), void *ctx);
/* Pages below that one, in any tree: each is told once. 0 or what it said. */
int salvage_each_child(struct salvage_reader *r, uint32_t page,
    int (*each)(uint32_t child, void *ctx), void *ctx);
/* The first page of the tree of a table, from the list of them; or 0. */
uint32_t salvage_find_root(struct salvage_reader *r, const char *table);
