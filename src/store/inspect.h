/*
 * What a start does not take for granted: that the last process closed the
 * store, that SQLite's log is there and whole, that the database is sound,
 * and that bodies belong to a database. SQLite by itself takes what it finds
 * and says nothing of what is missing.
 */
#pragma once

#include <store/sqlite.h>

struct disk;

struct inspect {
	bool was_killed;   /* the last process did not close the store */
	bool was_failed;   /* it closed it after an error */
	bool is_log_torn;  /* it has frames that SQLite does not take */
	bool is_new;       /* store.db had no tables */
	bool is_in_use;    /* the lock file says so, of us */
	uint64_t nameless; /* rows of bodies whose ids are damaged */
};

/*
 * Where the directory lies: in memory is refused, unless the settings say that
 * it may be lost; warns of what is no local disk. 0, or a negative errno with e
 * filled.
 */
int inspect_place(struct disk *d, struct err *e);
/* With the lock held: take in what its file says of the last process. */
void inspect_lock(struct disk *d);
/* Say there that the store is in use; and, if that was said, how it ended. */
void inspect_begin(struct disk *d);
void inspect_end(struct disk *d);
/* What its files say that the time was once, for base/jumps. */
void inspect_clock(struct disk *d);
/* Before SQLite opens it: warn when its log is gone or damaged. */
void inspect_log(struct disk *d);
/*
 * After an unclean end, before SQLite opens it: what the log reads as is on
 * the disk, so that what is appended to it can be found. 0, or a negative errno
 * with e filled.
 */
int inspect_settle_log(struct disk *d, struct err *e);
/*
 * When all is open: where SQLite would go on in the middle of a log, it begins
 * anew, so that what is behind is never taken for newer. 0, or a negative errno
 * with e filled.
 */
int inspect_renew_log(struct disk *d, struct err *e);
/*
 * After an unclean end, check a database that is not too large for that. 0,
 * or a negative errno with e filled.
 */
int inspect_database(struct disk *d, sqlite3 *db, struct err *e);
/*
 * db failed with rc, e is filled: when damage is the reason, say in e what
 * to do about it. Returns rc.
 */
int inspect_failure(struct disk *d, sqlite3 *db, int rc, struct err *e);
/* Once the rows were seen: warn of those that nobody can work on. */
void inspect_rows(struct disk *d);
/*
 * Bodies without a database: put aside and warn, so that they are found and
 * not overwritten. 1: that was done, the directory is gone; 0: nothing to do;
 * or a negative errno with e filled.
 */
int inspect_bodies(struct disk *d, struct err *e);
/*
 * Rows and bodies of a batch reach the disk in any order: forget messages of
 * the last one whose bodies are not there, of which nobody was told. Before
 * anything is known of segments. 0, or a negative errno with e filled.
 */
int inspect_unsure(struct disk *d, struct err *e);
