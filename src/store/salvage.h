/*
 * A new spool from what can be read of a damaged one, which is not changed: for
 * a database that SQLite will not open, a log or files that are gone. No server
 * may be using it.
 *
 * The pages of the database are read one by one (salvage_pages), so that a row
 * is found whatever became of the tree above it. What was final stays final.
 * What may have been sent since, because something newer is lost, is held. A
 * message whose envelope is incomplete is put into lost+found as text.
 */
#pragma once

#include <base/err.h>

#include <stdbool.h>
#include <stdint.h>

/* Stands for a recipient whose row is lost, so that others keep their number.
 */
#define SALVAGE_UNREADABLE "unreadable@salvage.invalid"

struct salvage_report {
	uint32_t pages, damaged_pages;
	uint32_t torn_pages; /* of which some rows can be read */
	const char *doubt;   /* why what is open may be out of date; or NULL */
	uint64_t messages;   /* with rows; of which: */
	uint64_t open;       /* somebody still has to work on */
	uint64_t bodies;     /* found whole, of messages or dead ones */
	uint64_t without_body; /* open, and held for a person */
	uint64_t held;         /* recipients, for want of certainty */
	uint64_t unreadable;   /* recipients whose rows are missing */
	uint64_t strangers;    /* messages of which only a part is known */
	uint64_t files;        /* in lost+found, besides the list */
	bool are_counts_lost;  /* quotas, and what providers were handed */
};

/*
 * to: a directory that is missing or empty. 0: it is a spool; or a negative
 * errno with e filled, and to is none.
 */
int salvage_run(const char *from, const char *to, struct salvage_report *report,
    struct err *e);
/* Nothing is missing, and nobody has to look at anything. */
bool salvage_is_complete(const struct salvage_report *r);
