/*
 * The line reader against a plain search for the line end: the same lines,
 * each within its limit, however the bytes were cut, and never more waiting
 * than that. The line end is CRLF, or LF with or without a CR for old devices.
 */
#include "fuzz.h"

#include <smtp/line.h>

#include <string.h>

enum {
	LIMIT_MAX = 64 /* short, so that lines above it are found soon */
};

/*
 * What a stranger to the reader finds next, with its end; false when there is
 * none.
 */
static bool find_line(struct span *rest, bool takes_lf, struct span *out_line)
{
	const char *mark = takes_lf ? "\n" : "\r\n";
	size_t len = strlen(mark);
	const char *end = memmem(rest->ptr, rest->len, mark, len);

	if (rest->len == 0 || !end)
		return false;
	*out_line = span_first(*rest, (size_t)(end - rest->ptr) + len);
	*rest = span_from(*rest, out_line->len);
	return true;
}

static struct span without_end(struct span line)
{
	line.len--;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* All that can be read from in; *rest is what it has to be. */
static void read_lines(
    struct smtp_line_reader *r, struct buf *in, size_t limit, struct span *rest)
{
	enum smtp_line_result result;
	struct span line, expected;

	while (
	    (result = smtp_line_next(r, in, limit, &line)) != SMTP_LINE_NONE) {
		fuzz_claim(find_line(rest, r->takes_lf, &expected));
		if (result == SMTP_LINE_OK)
			fuzz_claim(span_eq(line, without_end(expected)));
		fuzz_claim(
		    (expected.len > limit) == (result == SMTP_LINE_TOO_LONG));
	}
	fuzz_claim(buf_len(in) < limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size), line;
	size_t piece = 1 + fuzz_take(&in) % 64;
	size_t limit = 3 + fuzz_take(&in) % LIMIT_MAX;
	bool takes_lf = fuzz_take(&in) & 1;
	struct span rest = in;
	struct smtp_line_reader r;
	struct buf waiting;

	smtp_line_init(&r);
	r.takes_lf = takes_lf;
	buf_init(&waiting, size + LIMIT_MAX);
	while (in.len > 0) {
		struct span next = span_first(in, piece);

		fuzz_claim(buf_add_span(&waiting, next) == 0);
		read_lines(&r, &waiting, limit, &rest);
		in = span_from(in, next.len);
	}
	fuzz_claim(!find_line(&rest, takes_lf, &line));
	buf_finish(&waiting);
	return 0;
}
