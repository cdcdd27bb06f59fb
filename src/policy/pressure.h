/*
 * What is nearly used up, and what follows from that. Each condition is a mark
 * with two levels: it begins beyond the one and ends only at the other, so
 * that a server at the edge does not change its mind with every message.
 *
 * Readings come from who has them: once a second for all, and with each
 * message for what it changes. Any thread; what holds now is one atomic word,
 * the shares of users are under a mutex. Both turns of a mark are logged.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

struct config;
struct pressure;

enum pressure_mark {
	PRESSURE_SPACE = 0, /* free bytes of the spool's file system */
	PRESSURE_INODES,    /* and its free inodes */
	PRESSURE_QUEUE_BYTES,
	PRESSURE_QUEUE_MESSAGES,
	PRESSURE_MEMORY,      /* bytes in use */
	PRESSURE_MEMORY_HARD, /* likewise */
	PRESSURE_UNSYNCED,    /* bytes that wait to be made durable */
	PRESSURE_SYNC,        /* ms that takes */
	PRESSURE_MARKS
};

extern const char *const pressure_names[PRESSURE_MARKS];

/* What a mark asks for, as bits. */
enum pressure_effect {
	PRESSURE_NO_MAIL = 1 << 0,      /* 452 at MAIL, for what is stored */
	PRESSURE_NOT_READY = 1 << 1,    /* /readyz fails */
	PRESSURE_NO_SESSIONS = 1 << 2,  /* 421 for who connects */
	PRESSURE_PAUSE = 1 << 3,        /* no content is read */
	PRESSURE_PAUSE_STORED = 1 << 4, /* none of what will be stored */
	/* Nor is that handed over when it is complete. */
	PRESSURE_KEEP_STORED = 1 << 5,
	/* Content in memory leaves it for a file, if there is room. */
	PRESSURE_SPILL = 1 << 6,
	/* No room for a file of what is not stored, either. */
	PRESSURE_NO_FILES = 1 << 7
};

struct pressure *pressure_new(void);    /* NULL for memory */
void pressure_free(struct pressure *p); /* accepts NULL */

/* How much there is in all, for levels that are shares; UINT64_MAX: nobody
 * knows, so there is no such level. */
struct pressure_capacity {
	uint64_t space, inodes, memory;
};
/* Levels as the configuration has them. Before loops run and at any time. */
void pressure_configure(struct pressure *p, const struct config *c,
    const struct pressure_capacity *have);
/*
 * Bytes that must stay free even for mail under way: half of what must be
 * free for new mail.
 */
uint64_t pressure_floor(const struct pressure *p);

/* A reading. Returns whether the mark holds now. */
bool pressure_note(struct pressure *p, enum pressure_mark mark, uint64_t value);
bool pressure_holds(const struct pressure *p, enum pressure_mark mark);
/* Whether that value is beyond where the mark ends, so that it holds or may
 * soon. */
bool pressure_is_near(
    const struct pressure *p, enum pressure_mark mark, uint64_t value);
/* Whether any mark that holds asks for one of these effects. */
bool pressure_asks(const struct pressure *p, unsigned effects);
/* What one user's messages take; whether that is more than a user's share. */
bool pressure_note_user(
    struct pressure *p, struct span user, uint64_t messages, uint64_t bytes);
