/*
 * Structured events: a name and typed fields, one line each on stderr, as
 * text or JSON. Any thread; never blocks: lines go through a bounded ring to
 * a writer thread and are counted when it is full. There is no way to pass a
 * struct postern_secret, and every string is escaped.
 *
 * Text: `<ts> <level> event=<event> name=value ...`, where a string that is
 * more than printable ASCII without space, `=`, `"` and `\` is quoted, with
 * `\"`, `\\`, `\n`, `\r`, `\t`, `\u0000` for other controls and `\x00` for
 * bytes that are not UTF-8. JSON: one object, `ts`, `level`, `event`, then the
 * fields in their order; what is not UTF-8 becomes U+FFFD. Times are RFC 3339
 * in UTC with milliseconds. A line over 8 KiB is cut and ends with a field
 * `cut`.
 *
 *   log_event(LOG_LEVEL_INFO, "message_accepted", LOG_STR("queue_id", id),
 *       LOG_NUM("size", size));
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_DEBUG = 0,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR
};

enum log_format {
	LOG_FORMAT_TEXT = 0,
	LOG_FORMAT_JSON
};

/* How mail addresses are shown (LOG_ADDR). */
enum log_addresses {
	LOG_ADDRESSES_FULL = 0,
	LOG_ADDRESSES_DOMAIN, /* *@example.com */
	LOG_ADDRESSES_HASH    /* the same 16 hex digits for the same address */
};

struct log_field {
	const char *name; /* NULL ends the list */
	enum {
		LOG_FIELD_STR = 0,
		LOG_FIELD_ADDRESS,
		LOG_FIELD_NONE, /* left out */
		LOG_FIELD_NUM,
		LOG_FIELD_REAL
	} type;
	struct span str;
	int64_t num;
	double real;
};

#define LOG_STR(n, s)                                                          \
	((struct log_field){                                                   \
	    .name = (n), .type = LOG_FIELD_STR, .str = span_of(s) })
#define LOG_SPAN(n, s)                                                         \
	((struct log_field){ .name = (n), .type = LOG_FIELD_STR, .str = (s) })
/* A mail address: shown as log_show_addresses says. */
#define LOG_ADDR(n, s)                                                         \
	((struct log_field){                                                   \
	    .name = (n), .type = LOG_FIELD_ADDRESS, .str = (s) })
/* Left out when s is NULL. */
#define LOG_OPTIONAL(n, s)                                                     \
	((struct log_field){ .name = (n),                                      \
	    .type = (s) ? LOG_FIELD_STR : LOG_FIELD_NONE,                      \
	    .str = span_of(s) })
#define LOG_NUM(n, v)                                                          \
	((struct log_field){                                                   \
	    .name = (n), .type = LOG_FIELD_NUM, .num = (int64_t)(v) })
#define LOG_REAL(n, v)                                                         \
	((struct log_field){                                                   \
	    .name = (n), .type = LOG_FIELD_REAL, .real = (double)(v) })

/*
 * At least one field. Fields are written in the order given; a client address
 * comes first (fail2ban filters rely on it), a user name last.
 */
#define log_event(level, event, ...)                                           \
	do {                                                                   \
		if (log_wants(level))                                          \
			log_write((level), (event),                            \
			    (const struct log_field[]){                        \
				__VA_ARGS__, { .name = NULL } });              \
	} while (0)

#define log_debug(event, ...) log_event(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...) log_event(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, event, __VA_ARGS__)

/*
 * Also while running. The default is LOG_LEVEL_INFO as text. Before log_start,
 * and in tests, lines are written straight to stderr.
 */
void log_configure(enum log_level least, enum log_format format);
/* Also while running. In full by default. */
void log_show_addresses(enum log_addresses how);
/* Start the writer thread. 0 or a negative errno. */
int log_start(void);
/*
 * Write what is queued and join the thread; gives up after 5 s on a stderr
 * that takes no more.
 */
void log_stop(void);
bool log_wants(enum log_level level);
void log_write(
    enum log_level level, const char *event, const struct log_field *fields);
/*
 * Lines lost because the ring was full or stderr failed. The log tells about
 * them with an event `log_dropped` as soon as it can.
 */
uint64_t log_dropped(void);
