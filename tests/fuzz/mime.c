/*
 * A message scanned as it arrives, then taken apart: cuts do not matter, and
 * whatever GMime makes of it, spans must be text, parts must decode to as many
 * bytes as were counted, to the same ones however they are read, and little
 * memory may be held. Re-encoded, every leaf that may change means the same,
 * and has no octet any more that was to be avoided, nor a long line.
 */
#include "fuzz.h"

#include <base/hash.h>
#include <mail/header.h>
#include <mail/mime.h>
#include <mail/mime_leaves.h>
#include <mail/mime_scan.h>
#include <mail/recode.h>
#include <postern/provider.h>

static void check_text(struct span s)
{
	fuzz_claim(span_is_utf8(s));
	fuzz_claim(s.len == 0 || !memchr(s.ptr, '\0', s.len));
}

static void check_addresses(struct mime_addresses list)
{
	for (size_t i = 0; i < list.count; i++) {
		check_text(list.items[i].name);
		check_text(list.items[i].address);
	}
}

static void check_fields(const struct mime_fields *f)
{
	check_addresses(f->from);
	check_addresses(f->to);
	check_addresses(f->cc);
	check_addresses(f->reply_to);
	check_addresses(f->sender);
	check_text(f->subject);
	check_text(f->text);
	check_text(f->html);
	for (size_t i = 0; i < f->part_count; i++) {
		check_text(f->parts[i].type);
		check_text(f->parts[i].filename);
		check_text(f->parts[i].content_id);
		check_text(f->parts[i].disposition);
		check_text(f->parts[i].charset);
		check_text(f->parts[i].method);
	}
}

/* Read in steps that grow from first by one; a sum over all bytes. */
static uint32_t sum_part(struct mime_view *v, size_t i, size_t first)
{
	uint64_t size = mime_view_fields(v)->parts[i].size, at = 0;
	uint32_t sum = 0;
	char piece[700];

	for (size_t step = first; at < size; step = step % 700 + 1) {
		size_t len = size - at < step ? (size_t)(size - at) : step;
		fuzz_claim(mime_view_read(v, i, at, piece, len) == 0);
		sum = hash_crc32c(sum, piece, len);
		at += len;
	}
	return sum;
}

static void check_parts(struct mime_view *v, size_t raw_size)
{
	const struct mime_fields *f = mime_view_fields(v);
	uint64_t total = 0;

	for (size_t i = 0; i < f->part_count; i++) {
		/* Escapes shrink; nothing grows but by a few bytes. */
		fuzz_claim(f->parts[i].size <= raw_size + 64);
		total += f->parts[i].size;
		fuzz_claim(sum_part(v, i, 1) == sum_part(v, i, 611));
	}
	fuzz_claim(total <= 2 * raw_size + 64);
	fuzz_claim(mime_view_held(v) < 64 * raw_size + 64 * 1024);
}

/* What is seen while a message arrives does not depend on the cuts. */
static void check_scan(struct span raw)
{
	struct mime_scan whole = { .depth = 0 }, pieces = { .depth = 0 };
	size_t step = raw.len > 0 ? 1 + (unsigned char)raw.ptr[0] % 61 : 1;

	mime_scan_feed(&whole, raw);
	for (; raw.len > 0; raw = span_from(raw, step))
		mime_scan_feed(&pieces, span_first(raw, step));
	fuzz_claim(whole.traits == pieces.traits);
	fuzz_claim(whole.parts == pieces.parts);
	fuzz_claim(whole.deepest == pieces.deepest);
	fuzz_claim(!(whole.traits & ~(unsigned)POSTERN_CARRIES_ALL_CONTENT));
}

/* --- re-encoded --- */

enum {
	LEAVES_MAX = 256, /* that are compared */
	BOTH = OCTETS_8BIT | OCTETS_LONG_LINES
};

struct leaf_fact {
	uint64_t size;
	uint32_t sum;
	bool is_fit;
};

struct leaves {
	const struct message *message;
	struct leaf_fact facts[LEAVES_MAX];
	size_t count;
};

static int note_leaf(void *ctx, const struct mime_leaf *leaf)
{
	struct leaves *l = ctx;
	struct mime_reader reader = { .message = l->message };
	struct leaf_fact fact = { .sum = 0 };
	char piece[500];
	uint64_t at = 0;
	int rc = mime_reader_measure(&reader, &leaf->place, &fact.size);

	/* In steps that differ from those of who encodes. */
	while (rc == 0 && at < fact.size) {
		size_t len = fact.size - at < sizeof(piece)
				 ? (size_t)(fact.size - at)
				 : sizeof(piece);
		rc = mime_reader_read(&reader, &leaf->place, at, piece, len);
		fact.sum = hash_crc32c(fact.sum, piece, len);
		at += len;
	}
	mime_reader_finish(&reader);
	fact.is_fit = octets_find(l->message, leaf->place.offset,
			  leaf->place.length, BOTH) == 0;
	if (l->count < LEAVES_MAX)
		l->facts[l->count] = fact;
	l->count++;
	return 0;
}

/* The bytes of m in steps of some size, as one sum. */
static uint32_t sum_message(const struct message *m, size_t step)
{
	uint64_t at = 0, size = message_size(m);
	uint32_t sum = 0;
	char piece[700];

	for (; at < size; at += step) {
		size_t len = size - at < step ? (size_t)(size - at) : step;
		fuzz_claim(message_read_all(m, at, piece, len) == 0);
		sum = hash_crc32c(sum, piece, len);
	}
	return sum;
}

static void check_recoded(struct message *m, struct message *other)
{
	static struct leaves before, after;
	struct message *again;

	before = (struct leaves){ .message = m };
	after = (struct leaves){ .message = other };
	fuzz_claim(sum_message(other, 7) == sum_message(other, 699));
	fuzz_claim(mime_leaves_each(m, note_leaf, &before) == 0);
	fuzz_claim(mime_leaves_each(other, note_leaf, &after) == 0);
	fuzz_claim(before.count == after.count);
	for (size_t i = 0; i < before.count && i < LEAVES_MAX; i++) {
		fuzz_claim(before.facts[i].size == after.facts[i].size);
		fuzz_claim(before.facts[i].sum == after.facts[i].sum);
	}
	/* What is left to be avoided is not for us to change. */
	fuzz_claim(recode_message(other, BOTH, &again) >= 0);
	fuzz_claim(again == other);
	message_unref(again);
}

static void check_recode(struct message *m)
{
	struct message *other;

	fuzz_claim(recode_message(m, BOTH, &other) >= 0);
	if (other != m)
		check_recoded(m, other);
	message_unref(other);
}

static struct message *make_message(struct span raw)
{
	size_t len = header_length(raw);
	struct buf header, body;
	struct message *m = NULL;

	if (len == 0)
		return NULL;
	buf_init(&header, raw.len);
	buf_init(&body, raw.len + 1);
	if (buf_add_span(&header, span_first(raw, len)) == 0 &&
	    buf_add_span(&body, span_from(raw, len)) == 0)
		m = message_new(&header, &body, 0);
	buf_finish(&header);
	buf_finish(&body);
	return m;
}

/* As what is stored: lines end in CRLF, and no CR, LF or NUL is alone. */
static bool is_clean(struct span raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.ptr[i];
		if (c == '\0' ||
		    (c == '\n' && (i == 0 || raw.ptr[i - 1] != '\r')) ||
		    (c == '\r' && (i + 1 == raw.len || raw.ptr[i + 1] != '\n')))
			return false;
	}
	return true;
}

static void check_all(struct mime_view *v, size_t raw_size)
{
	check_fields(mime_view_fields(v));
	check_parts(v, raw_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_ready;
	struct message *m;
	struct mime_view *v;
	struct err e = { .code = 0 };

	if (!is_ready)
		mime_library_init();
	is_ready = true;
	check_scan(span_make(data, size));
	m = make_message(span_make(data, size));
	v = m ? mime_view_new(m, &e) : NULL;
	if (v)
		check_all(v, size);
	mime_view_free(v);
	if (m && is_clean(span_make(data, size)))
		check_recode(m);
	message_unref(m);
	return 0;
}
