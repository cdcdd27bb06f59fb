/*
 * Finds the message that a client sends again because our answer did not
 * reach it. What the same mail has in common is a key of 64 bits, kept in the
 * message's row; here is a table in memory from the key to the first message
 * that has it, read from the rows when the first accept with a key comes. It
 * is a hint only: what the rows say of that message, in the transaction of the
 * accept, decides. Writer thread.
 */
#pragma once

#include <store/store_internal.h>

enum {
	/* Keys in each of two generations; the older one goes when the younger
	 * one is full, or as old as the window. At most 25 MB together. */
	GUARD_KEYS = 256 * 1024
};

struct guard;
struct rows;

/* What became of the recipients of a message. */
struct guard_tally {
	size_t count;
	size_t sent;
	size_t open; /* may still be sent */
	size_t dropped;
	char provider[STORE_NAME_SIZE]; /* of one of them */
};

/* Whether it is what its client would not have to send again. */
bool guard_counts(const struct guard_tally *t, const struct store_guard *g);

struct guard *guard_new(void);    /* NULL for memory */
void guard_free(struct guard *g); /* accepts NULL */
/*
 * Before the rows of a are written: is_duplicate and first of a are filled.
 * 0: go on; -EALREADY: it is not to be stored, and the first one is marked so
 * that it stays; other errors spoil the transaction.
 */
int guard_check(
    struct guard *g, struct rows *rows, struct store_accept *a, int64_t now_ms);
