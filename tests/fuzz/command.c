/*
 * Command lines: cut into lines and parsed, once as a whole and once in
 * pieces. What is found must not depend on the cuts.
 */
#include "fuzz.h"

#include <smtp/command.h>
#include <smtp/line.h>

enum {
	LIMIT = 48, /* short, so that lines above it are found soon */
	EVENTS_MAX = 4096
};

/* What became of an input: a result and a length per line. */
struct story {
	size_t events[EVENTS_MAX];
	size_t count;
};

static void note(struct story *s, size_t event)
{
	if (s->count < EVENTS_MAX)
		s->events[s->count++] = event;
}

static void check_line(struct span line)
{
	struct smtp_command cmd;

	fuzz_claim(line.len + 2 <= LIMIT);
	fuzz_claim(memmem(line.ptr, line.len, "\r\n", 2) == NULL);
	if (smtp_command_parse(line, &cmd) < 0)
		return;
	(void)smtp_command_is_foreign(&cmd);
	fuzz_claim(fuzz_is_within(cmd.verb, line));
	fuzz_claim(fuzz_is_within(cmd.args, line));
	fuzz_claim(span_index(cmd.verb, ' ') < 0);
	for (size_t i = 0; i < line.len; i++)
		fuzz_claim((unsigned char)line.ptr[i] >= 0x20);
}

static void read_lines(
    struct smtp_line_reader *r, struct buf *in, struct story *out)
{
	struct span line;
	enum smtp_line_result result;

	while (
	    (result = smtp_line_next(r, in, LIMIT, &line)) != SMTP_LINE_NONE) {
		if (result == SMTP_LINE_OK)
			check_line(line);
		note(out, result == SMTP_LINE_OK ? line.len : SIZE_MAX);
	}
	fuzz_claim(buf_len(in) < LIMIT);
}

static void tell(struct span in, size_t piece, struct story *out)
{
	struct smtp_line_reader r;
	struct buf waiting;

	out->count = 0;
	smtp_line_init(&r);
	buf_init(&waiting, in.len + 1);
	while (in.len > 0) {
		struct span next = span_first(in, piece);

		if (buf_add_span(&waiting, next) < 0)
			break;
		read_lines(&r, &waiting, out);
		in = span_from(in, next.len);
	}
	buf_finish(&waiting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct story whole, pieces;
	struct span in = span_make(data, size);
	size_t piece = 1 + fuzz_take(&in) % 64;

	tell(in, in.len, &whole);
	tell(in, piece, &pieces);
	fuzz_claim(whole.count == pieces.count);
	for (size_t i = 0; i < whole.count; i++)
		fuzz_claim(whole.events[i] == pieces.events[i]);
	return 0;
}
