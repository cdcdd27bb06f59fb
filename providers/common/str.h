/*
 * Borrowed strings as the interface passes them: compared, searched and cut.
 * Shared by modules, which link nothing of the core.
 */
#pragma once

#include <postern/field.h>

#include <stdbool.h>
#include <string.h>

/* Of a string literal. */
#define STR(lit) ((struct postern_str){ "" lit, sizeof(lit) - 1 })
/* printf arguments for "%.*s". */
#define STR_FMT(s) (int)(s).len, (s).ptr

static inline struct postern_str str_of(const char *cstr)
{
	return (
	    struct postern_str){ cstr ? cstr : "", cstr ? strlen(cstr) : 0 };
}

static inline struct postern_str str_make(const char *ptr, size_t len)
{
	return (struct postern_str){ ptr, len };
}

static inline struct postern_str str_from(struct postern_str s, size_t offset)
{
	if (offset > s.len)
		offset = s.len;
	return str_make(s.ptr + offset, s.len - offset);
}

static inline char str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Without spaces and tabs at its ends. */
static inline struct postern_str str_trim(struct postern_str s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = str_from(s, 1);
	while (
	    s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Order of bytes; ASCII letters are equal in either case. */
static inline int str_icmp(struct postern_str a, struct postern_str b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++) {
		unsigned char x = (unsigned char)str_lower(a.ptr[i]);
		unsigned char y = (unsigned char)str_lower(b.ptr[i]);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

static inline bool str_ieq(struct postern_str a, struct postern_str b)
{
	return a.len == b.len && str_icmp(a, b) == 0;
}

static inline bool str_istarts(struct postern_str s, struct postern_str prefix)
{
	return s.len >= prefix.len &&
	       str_icmp(str_make(s.ptr, prefix.len), prefix) == 0;
}

/* From the first occurrence of word in any case on; empty when absent. */
static inline struct postern_str str_ifind(
    struct postern_str s, struct postern_str word)
{
	for (; s.len >= word.len && s.len > 0; s = str_from(s, 1)) {
		if (str_istarts(s, word))
			return s;
	}
	return str_make(s.ptr, 0);
}

/* Whether s holds the text in any case. */
static inline bool str_has(struct postern_str s, const char *word)
{
	return str_ifind(s, str_of(word)).len > 0;
}
