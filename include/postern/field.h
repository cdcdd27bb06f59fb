/*
 * One row of a settings table: a key, its type, where it goes and what it
 * means. The same rows decode, check and hint. Used by the configuration and
 * by every provider module for its own keys.
 */
#ifndef POSTERN_FIELD_H
#define POSTERN_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of bytes; not NUL-terminated unless said so. */
struct postern_str {
	const char *ptr;
	size_t len;
};

/* A value never to be logged; NUL-terminated, ptr NULL when not set. */
struct postern_secret {
	const char *ptr;
	size_t len;
};

enum postern_type {
	POSTERN_TYPE_STRING = 1, /* const char *, NULL when not set */
	POSTERN_TYPE_SECRET,   /* struct postern_secret; has a _file sibling */
	POSTERN_TYPE_BOOL,     /* bool: true, false */
	POSTERN_TYPE_INT,      /* int64_t within min..max */
	POSTERN_TYPE_DURATION, /* uint64_t milliseconds: 500ms 30s 5m 2h 7d */
	POSTERN_TYPE_SIZE,     /* uint64_t bytes: 64KiB 10MiB 25MB */
	POSTERN_TYPE_RATE,     /* struct postern_rate: 100/min */
	POSTERN_TYPE_ENUM,     /* int: index into names */
	POSTERN_TYPE_URL,      /* const char *: https, or http to loopback */
	POSTERN_TYPE_STRINGS,  /* struct postern_list of const char * */
	POSTERN_TYPE_NETWORKS, /* struct postern_list; the core's own keys only
				*/
	POSTERN_TYPE_MAP,      /* a struct described by fields */
	POSTERN_TYPE_LIST,     /* struct postern_list of such structs */
	POSTERN_TYPE_PERCENT,  /* int64_t 0..100: 50% */
	POSTERN_TYPE_SHARE,    /* struct postern_share: 10% or 100MiB */
	/* const char *: smtp://host[:port] or smtps://host[:port] */
	POSTERN_TYPE_SMTP_URL
};

/* Of something whose size is known later; at most one of them is not 0. */
struct postern_share {
	uint64_t percent, bytes;
};

struct postern_rate {
	uint64_t count; /* 0 = no limit */
	uint64_t per_ms;
};

struct postern_list {
	void *items; /* array; element type as the row says */
	size_t count;
};

enum {
	POSTERN_FIELD_REQUIRED = 1 << 0,
	POSTERN_FIELD_RELOAD = 1 << 1, /* takes effect without a restart */
	POSTERN_FIELD_LINES = 1 << 2   /* SECRET: it may be several lines */
};

struct postern_field {
	const char *name;
	enum postern_type type;
	size_t offset;      /* of the member in the settings struct */
	const char *preset; /* default in configuration syntax, or NULL */
	int64_t min, max;   /* INT, DURATION (ms), SIZE (bytes); 0, 0 = any */
	const char *const *names;           /* ENUM: NULL-terminated */
	const struct postern_field *fields; /* MAP, LIST: ends with name NULL */
	size_t size;                        /* LIST: of one element */
	unsigned flags;                     /* POSTERN_FIELD_* */
	const char *doc; /* one sentence, for the manual and the hints */
};

#endif
