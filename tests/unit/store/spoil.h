/*
 * A store with some messages in each state, which ends in one way or another,
 * has its files damaged and becomes a new one.
 */
#pragma once

#include "fixture.h"

#include <store/salvage.h>

enum {
	SPOIL_MAX = 400,  /* messages */
	SPOIL_SIZE = 700, /* bytes of each */
	SPOIL_PAGE = 4096
};

extern struct spoil {
	struct fix f; /* its path is that of the new one after the end */
	struct salvage_report report;
	char damaged[96]; /* where the old one is then */
	/* What was told of each message. */
	struct spoil_told {
		struct id id;
		enum store_state state;
		bool is_spooled;
	} told[SPOIL_MAX];
	unsigned count;
} spoil;

/* Open, with messages. */
void spoil_fill(unsigned count);
/* With what the ledger would have. */
void spoil_set(struct id id, enum store_state state);
/* Copied as a killed process leaves it, then closed. */
void spoil_end_killed(void);
void spoil_end_closed(void);
/* The new one, opened; and away with it. */
void spoil_salvage(void);
void spoil_drop_new(void);

/* Files of the damaged one. */
void spoil_name(char out[200], const char *file);
off_t spoil_size_of(const char *file);
void spoil_overwrite(const char *file, off_t at, const void *bytes, size_t n);
/* By SQLite; is_log_kept: as if it was killed then. */
void spoil_sql(const char *text, bool is_log_kept);

/* The system cannot read the page at that offset, after so many times. */
void spoil_sector(const char *file, off_t at, unsigned good);

/* Whole directories. */
void spoil_copy(const char *from, const char *to);
void spoil_drop(const char *path);
