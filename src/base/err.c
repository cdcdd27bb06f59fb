/*
 * Sentences for people. They end up in replies, logs and terminals and may
 * quote what a peer or a file said, so a sentence stays on one line and whole
 * characters whatever went in.
 */
#include <base/err.h>

#include <base/utf8.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void blank_controls(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
	}
}

/* A cut must not leave half a character at the end. */
static void drop_partial_char(char *text)
{
	size_t len = strlen(text), start = len;
	uint32_t ignored;

	while (start > 0 && len - start < 3 &&
	       ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0 || (unsigned char)text[start - 1] < 0xc0)
		return;
	start--;
	if (utf8_decode(span_make(text + start, len - start), &ignored) == 0)
		text[start] = '\0';
}

/* Append to e->text; false when it was cut. */
static bool append(struct err *e, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
static bool append(struct err *e, const char *fmt, va_list args)
{
	size_t used = strlen(e->text), room = sizeof(e->text) - used;
	int len = vsnprintf(e->text + used, room, fmt, args);

	if (len < 0)
		e->text[used] = '\0';
	return len >= 0 && (size_t)len < room;
}

static bool append_text(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool append_text(struct err *e, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	bool is_whole = append(e, fmt, args);
	va_end(args);
	return is_whole;
}

static void start(struct err *e, int code)
{
	e->code = code;
	e->text[0] = '\0';
}

static void finish(struct err *e, bool is_whole)
{
	if (!is_whole)
		drop_partial_char(e->text);
	blank_controls(e->text);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	if (!e)
		return code;

	va_list args;
	va_start(args, fmt);
	start(e, code);
	bool is_whole = append(e, fmt, args);
	va_end(args);
	finish(e, is_whole);
	return code;
}

int err_errno(struct err *e, int code, const char *fmt, ...)
{
	if (!e)
		return code;

	char scratch[128];
	const char *why =
	    strerror_r(code < 0 ? -code : code, scratch, sizeof(scratch));
	va_list args;
	va_start(args, fmt);
	start(e, code);
	bool is_whole = append(e, fmt, args);
	va_end(args);
	if (is_whole)
		is_whole = append_text(e, ": %s", why);
	finish(e, is_whole);
	return code;
}
