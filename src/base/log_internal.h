/* Between log.c, which moves lines, and log_line.c, which writes them. */
#pragma once

#include <base/log.h>

#include <stddef.h>
#include <stdint.h>

enum {
	LOG_LINE_MAX = 8192 /* with the newline; longer lines are cut */
};

struct log_style {
	enum log_format format;
	enum log_addresses addresses;
};

struct log_line {
	char data[LOG_LINE_MAX];
	size_t len;
	bool is_cut;
};

/*
 * Build a whole line. A line too long loses the end of one string and all
 * fields after it, says so with a field `cut`, and stays well-formed.
 */
void log_line_build(struct log_line *l, struct log_style style, int64_t wall_ms,
    enum log_level level, const char *event, const struct log_field *fields);
