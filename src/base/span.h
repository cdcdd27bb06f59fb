/*
 * Borrowed bytes: a pointer and a length, owned by somebody else.
 * A span never enters a struct that outlives what it points into.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *ptr;
	size_t len;
};

/* The bytes of a string literal, without its NUL. */
#define SPAN(lit) ((struct span){ "" lit, sizeof(lit) - 1 })
/* printf arguments for "%.*s". */
#define SPAN_FMT(s) span_fmt_len(s), span_fmt_ptr(s)

static inline int span_fmt_len(struct span s)
{
	return s.len < INT_MAX ? (int)s.len : INT_MAX;
}

static inline const char *span_fmt_ptr(struct span s)
{
	return s.ptr ? s.ptr : "";
}

static inline struct span span_make(const void *ptr, size_t len)
{
	return (struct span){ ptr, len };
}

static inline struct span span_of(const char *cstr)
{
	return (struct span){ cstr, cstr ? strlen(cstr) : 0 };
}

/* Everything from offset on; empty when offset is past the end. */
static inline struct span span_from(struct span s, size_t offset)
{
	if (offset > s.len)
		offset = s.len;
	/* Adding even zero to a null pointer is undefined. */
	return (struct span){ offset ? s.ptr + offset : s.ptr, s.len - offset };
}

static inline struct span span_first(struct span s, size_t len)
{
	return (struct span){ s.ptr, len < s.len ? len : s.len };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

/* ASCII letters compare equal in either case; other bytes exactly. */
bool span_ieq(struct span a, struct span b);
bool span_starts_with(struct span s, struct span prefix);
bool span_istarts_with(struct span s, struct span prefix);
bool span_iends_with(struct span s, struct span suffix);
/* Without leading and trailing space, tab, CR and LF. */
struct span span_trim(struct span s);
/* Index of the first c, or -1. */
ptrdiff_t span_index(struct span s, char c);
/* Index of the last c, or -1. */
ptrdiff_t span_rindex(struct span s, char c);
/* Index of the first word, ASCII letters in either case, or -1. */
ptrdiff_t span_ifind(struct span s, struct span word);
/*
 * Cut the part before the first sep off *rest and return it; *rest becomes
 * what follows. Without a sep the whole of *rest is returned and *rest is
 * left with a NULL ptr, which is how a loop ends.
 */
struct span span_cut(struct span *rest, char sep);
/*
 * Decimal digits only, at least one, no sign. Returns false on anything else
 * or when the value exceeds max; *out is set only on success.
 */
bool span_parse_u64(
    struct span s, unsigned long long max, unsigned long long *out);
/* A NUL-terminated copy to be freed by the caller, or NULL for memory. */
char *span_dup(struct span s);
/* Well-formed UTF-8 without overlong forms and surrogates (RFC 3629). */
bool span_is_utf8(struct span s);
bool span_is_ascii(struct span s);
