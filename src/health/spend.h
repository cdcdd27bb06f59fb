/*
 * How many recipients a provider is handed per UTC day and month: what it
 * bills. A call takes them before it is made and gives back what did not
 * become mail, so that no number of workers gets above a limit. Counts belong
 * to a provider's name for as long as the process runs, whatever its key and
 * whether or not it is configured; across restarts the store has them. Time is
 * an argument, the wall clock's. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spend_window {
	SPEND_DAY = 0,
	SPEND_MONTH,
	SPEND_WINDOWS
};

struct spend; /* of one provider */
struct spend_book;

/* NULL for memory; one reference. */
struct spend_book *spend_book_new(void);
struct spend_book *spend_book_ref(struct spend_book *b);
void spend_book_unref(struct spend_book *b); /* accepts NULL */
/*
 * The provider of that name, for as long as the book; made when it is new, or
 * NULL for memory.
 */
struct spend *spend_find(struct spend_book *b, const char *name);

/* Limits from now on; 0 = none. */
void spend_set(struct spend *s, const uint64_t limits[SPEND_WINDOWS]);
/* So many more on that day, as the store remembers it. */
void spend_add(struct spend *s, int64_t day, uint64_t recipients);

/* What a call may use. */
struct spend_share {
	int64_t day; /* it counts for */
	uint64_t count;
	/* Less than was wanted: why, and when there is more (wall clock). */
	bool is_short;
	bool is_soon; /* calls under way may yet give some back */
	bool is_news; /* nobody heard so before in this day or month */
	enum spend_window window;
	uint64_t limit;
	int64_t again_ms;
};

/* Take up to `wanted`, then spend_end. False, and no end: nothing is left. */
bool spend_take(
    struct spend *s, uint64_t wanted, int64_t wall_ms, struct spend_share *out);
/* The call is over, or was none: so many of its share were not used. */
void spend_end(
    struct spend *s, const struct spend_share *share, uint64_t unused);

struct spend_view {
	uint64_t used[SPEND_WINDOWS], limits[SPEND_WINDOWS];
	bool is_out; /* nothing is left, and nothing may come back: */
	enum spend_window window;
	int64_t again_ms; /* until then */
};
void spend_look(struct spend *s, int64_t wall_ms, struct spend_view *out);
const char *spend_window_name(enum spend_window window); /* "day" */
