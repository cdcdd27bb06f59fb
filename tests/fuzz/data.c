/*
 * Content after DATA: its end must be where a search for CRLF.CRLF finds it,
 * what is stored must be clean, and neither may depend on the cuts.
 */
#include "fuzz.h"

#include <smtp/data.h>

/* Bytes up to and with the end, found in another way; all when none is. */
static size_t end_of(struct span in)
{
	const char *at;

	if (span_starts_with(in, SPAN(".\r\n")))
		return 3;
	at = memmem(in.ptr, in.len, "\r\n.\r\n", 5);
	return at ? (size_t)(at - in.ptr) + 5 : in.len;
}

static size_t feed(
    struct span in, size_t piece, struct smtp_data *d, struct buf *out)
{
	size_t used = 0;

	smtp_data_init(d, SMTP_DATA_STRICT);
	while (used < in.len && d->state != SMTP_DATA_DONE) {
		struct span next = span_first(span_from(in, used), piece);
		size_t n = smtp_data_feed(d, next, out);

		fuzz_claim(n == next.len || d->state == SMTP_DATA_DONE);
		used += n;
	}
	return used;
}

static bool is_same(const struct smtp_data *a, const struct smtp_data *b)
{
	/* The others stop being looked for once something rules it out. */
	return a->state == b->state && a->has_bare_lf == b->has_bare_lf &&
	       smtp_data_is_good(a) == smtp_data_is_good(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	size_t piece = 1 + fuzz_take(&in) % 32;
	size_t max = fuzz_take(&in) % 2 ? 64 : 4 * size + 16;
	struct smtp_data whole, pieces;
	struct buf one, other;

	buf_init(&one, max);
	buf_init(&other, max);
	fuzz_claim(feed(in, in.len, &whole, &one) == end_of(in));
	fuzz_claim(feed(in, piece, &pieces, &other) == end_of(in));
	fuzz_claim(is_same(&whole, &pieces));
	fuzz_claim(span_eq(buf_span(&one), buf_span(&other)));
	fuzz_claim(buf_len(&one) == 0 || smtp_data_is_good(&whole));
	fuzz_claim(
	    whole.state != SMTP_DATA_DONE || fuzz_is_clean(buf_span(&one)));
	buf_finish(&one);
	buf_finish(&other);
	return 0;
}
