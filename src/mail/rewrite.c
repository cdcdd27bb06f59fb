/*
 * The submission fixes of RFC 6409 section 8: one pass over the header that
 * copies, drops, replaces and counts. On the path of every message, so it
 * touches each field once and allocates nothing but the room in out.
 */
#include <mail/header.h>

#include <base/date.h>
#include <mail/datetime.h>
#include <mail/received.h>
#include <mail/trace.h>

#include <errno.h>
#include <stdio.h>

enum {
	ROOM_FOR_FIXES = 2048 /* Received, Date, Message-ID */
};

enum field_kind {
	FIELD_OTHER = 0,
	FIELD_DROPPED,
	FIELD_FROM,
	FIELD_SENDER,
	FIELD_DATE,
	FIELD_MESSAGE_ID,
	FIELD_RECEIVED
};

struct rewrite {
	const struct header_limits *limits;
	const struct header_stamp *stamp;
	struct buf *out;
	struct err *why;
	enum header_verdict verdict;
	struct span block; /* all of it */
	/* Seen so far: */
	size_t fields, hops, own_hops, from, sender, date, message_id;
	bool names_sender; /* From does */
};

static enum field_kind kind_of(struct span name)
{
	static const struct {
		const char *name;
		size_t len;
		enum field_kind kind;
	} known[] = {
		{ "Bcc", 3, FIELD_DROPPED },
		{ "Resent-Bcc", 10, FIELD_DROPPED },
		{ "Return-Path", 11, FIELD_DROPPED },
		{ "Content-Length", 14, FIELD_DROPPED },
		{ "Authentication-Results", 22, FIELD_DROPPED },
		{ "From", 4, FIELD_FROM },
		{ "Sender", 6, FIELD_SENDER },
		{ "Date", 4, FIELD_DATE },
		{ "Message-ID", 10, FIELD_MESSAGE_ID },
		{ "Received", 8, FIELD_RECEIVED },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (name.len == known[i].len &&
		    span_ieq(name, span_make(known[i].name, name.len)))
			return known[i].kind;
	}
	return FIELD_OTHER;
}

static void fail(struct rewrite *r, int code)
{
	r->verdict = HEADER_BAD;
	(void)err_errno(r->why, code, "the header could not be stored");
}

static void bad(struct rewrite *r, const char *text)
{
	r->verdict = HEADER_BAD;
	(void)err_set(r->why, -EINVAL, "%s", text);
}

static void add(struct rewrite *r, struct span s)
{
	int rc;

	if (r->verdict != HEADER_OK)
		return;
	rc = buf_add_span(r->out, s);
	if (rc < 0)
		fail(r, rc);
}

/*
 * Whether a fix must not be made because a signature may cover what it would
 * change; for the log.
 */
static bool is_kept(struct rewrite *r, const char *what)
{
	struct message_field signature;

	if (!header_find(r->block, SPAN("DKIM-Signature"), &signature))
		return false;
	(void)snprintf(r->why->text, sizeof(r->why->text),
	    "%s left as it is: the message has a DKIM signature", what);
	return true;
}

static void add_date(struct rewrite *r)
{
	char text[DATE_RFC5322_SIZE];

	date_format_rfc5322(r->stamp->now_ms, text);
	add(r, SPAN("Date: "));
	add(r, span_of(text));
	add(r, SPAN("\r\n"));
}

static void add_message_id(struct rewrite *r)
{
	add(r, SPAN("Message-ID: <"));
	add(r, span_of(r->stamp->queue_id));
	add(r, SPAN("@"));
	add(r, span_of(r->stamp->hostname));
	add(r, SPAN(">\r\n"));
}

/* Printable, or at least no control and no white space; has an @ inside. */
static bool is_message_id(struct span value)
{
	struct span id = span_trim(value);
	ptrdiff_t at;

	if (id.len < 5 || id.ptr[0] != '<' || id.ptr[id.len - 1] != '>')
		return false;
	id = span_first(span_from(id, 1), id.len - 2);
	for (size_t i = 0; i < id.len; i++) {
		unsigned char c = (unsigned char)id.ptr[i];
		if (c <= ' ' || c == 0x7f || c == '<' || c == '>')
			return false;
	}
	at = span_rindex(id, '@');
	return at > 0 && (size_t)at + 1 < id.len;
}

static bool is_blank(struct span line)
{
	return span_trim(line).len == 0;
}

/*
 * A value as it came and its CRLF, but without folds that hold nothing: some
 * readers take such a line for the end of the header.
 */
static void add_value(struct rewrite *r, struct span value)
{
	for (bool is_first = true; value.ptr; is_first = false) {
		struct span line = span_cut(&value, '\n');
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (!is_first && is_blank(line))
			continue;
		if (!is_first)
			add(r, SPAN("\r\n"));
		add(r, line);
	}
	add(r, SPAN("\r\n"));
}

static void add_field(struct rewrite *r, struct span name, struct span value)
{
	add(r, name);
	add(r, SPAN(":"));
	add_value(r, value);
}

static void take_from(struct rewrite *r, const struct message_field *f)
{
	if (++r->from > 1) {
		bad(r, "the message has several From fields: send one, with "
		       "all authors in it");
		return;
	}
	if (is_blank(f->value)) {
		bad(r, "the From field is empty: put the author's address "
		       "in it");
		return;
	}
	/* Roughly: a Sender field too few is no harm. */
	r->names_sender = span_ifind(f->value, r->stamp->envelope->sender) >= 0;
	add_field(r, f->name, f->value);
}

static void take_sender(struct rewrite *r, const struct message_field *f)
{
	r->sender++;
	add_field(r, f->name, f->value);
}

static void take_date(struct rewrite *r, const struct message_field *f)
{
	if (r->date++ > 0)
		return;
	if (datetime_is_valid(f->value) || is_kept(r, "broken Date"))
		add_field(r, f->name, f->value);
	else
		add_date(r);
}

static void take_message_id(struct rewrite *r, const struct message_field *f)
{
	if (r->message_id++ > 0)
		return;
	if (is_message_id(f->value) || is_kept(r, "broken Message-ID")) {
		add_field(r, f->name, f->value);
		return;
	}
	add_message_id(r);
	if (!is_blank(f->value))
		add_field(r, SPAN("X-Original-Message-ID"), f->value);
}

static bool is_stripped(const struct rewrite *r, const struct message_field *f)
{
	switch (r->stamp->strip) {
	case HEADER_STRIP_ALL:
		return true;
	case HEADER_STRIP_INTERNAL:
		return trace_is_internal(f->value);
	case HEADER_STRIP_NONE:
		break;
	}
	return false;
}

static void take_received(struct rewrite *r, const struct message_field *f)
{
	bool is_ours = trace_is_ours(f->value, r->stamp->hostname);

	r->hops++;
	r->own_hops += is_ours ? 1 : 0;
	if ((r->limits->hops > 0 && r->hops > r->limits->hops) ||
	    r->own_hops > HEADER_OWN_HOPS_MAX) {
		r->verdict = HEADER_LOOP;
		(void)err_set(r->why, -EINVAL,
		    "%zu Received fields, %zu of this server: the message "
		    "seems to go round in a loop",
		    r->hops, r->own_hops);
		return;
	}
	if (!is_stripped(r, f))
		add_field(r, f->name, f->value);
}

/* A line that is no field: the first of an mbox file is known and kept. */
static void take_stray(struct rewrite *r, const struct message_field *f)
{
	bool is_quoted = span_starts_with(f->value, SPAN(">"));
	struct span line = span_from(f->value, is_quoted ? 1 : 0);

	if (r->fields == 1 && span_starts_with(line, SPAN("From "))) {
		add(r, SPAN("X-Mailbox-Line: "));
		add_value(r, line);
		return;
	}
	r->verdict = HEADER_BAD;
	(void)err_set(r->why, -EINVAL,
	    "header field %zu has no name and colon: put an empty line "
	    "between the header and the text",
	    r->fields);
}

/* CR and LF stand only together and at the end of a line. */
static bool has_stray_break(struct span s)
{
	while (s.len > 0) {
		const char *cr = memchr(s.ptr, '\r', s.len);
		const char *lf = memchr(s.ptr, '\n', s.len);
		if (!cr || !lf)
			return cr || lf;
		if (lf != cr + 1)
			return true;
		s = span_from(s, (size_t)(lf - s.ptr) + 1);
	}
	return false;
}

static bool is_within_limits(struct rewrite *r, const struct message_field *f)
{
	const struct header_limits *limits = r->limits;

	if (limits->fields > 0 && r->fields > limits->fields)
		bad(r, "the header has too many fields");
	else if (limits->field_bytes > 0 && f->whole.len > limits->field_bytes)
		bad(r, "a header field is too long");
	else if (has_stray_break(f->whole))
		bad(r, "a header line holds a bare CR or LF");
	return r->verdict == HEADER_OK;
}

static void take(struct rewrite *r, const struct message_field *f)
{
	r->fields++;
	if (!is_within_limits(r, f))
		return;
	if (f->name.len == 0) {
		take_stray(r, f);
		return;
	}
	switch (kind_of(f->name)) {
	case FIELD_DROPPED:
		break;
	case FIELD_FROM:
		take_from(r, f);
		break;
	case FIELD_SENDER:
		take_sender(r, f);
		break;
	case FIELD_DATE:
		take_date(r, f);
		break;
	case FIELD_MESSAGE_ID:
		take_message_id(r, f);
		break;
	case FIELD_RECEIVED:
		take_received(r, f);
		break;
	case FIELD_OTHER:
		add_field(r, f->name, f->value);
		break;
	}
}

/* What the whole block must fulfil before a field is looked at. */
static void begin(struct rewrite *r, struct span block)
{
	int rc;

	if (r->limits->bytes > 0 && block.len > r->limits->bytes) {
		bad(r, "the header is too long");
		return;
	}
	if (memchr(block.ptr, '\0', block.len)) {
		bad(r, "the header holds a NUL byte");
		return;
	}
	rc = buf_reserve(r->out, block.len + ROOM_FOR_FIXES);
	if (rc == 0)
		rc = received_add(r->stamp, r->out);
	if (rc < 0)
		fail(r, rc);
}

static void add_missing(struct rewrite *r)
{
	struct span sender = r->stamp->envelope->sender;

	if (r->stamp->add_sender && r->sender == 0 && !r->names_sender &&
	    sender.len > 0) {
		add(r, SPAN("Sender: "));
		add_value(r, sender);
	}
	if (r->date == 0 && !is_kept(r, "missing Date"))
		add_date(r);
	if (r->message_id == 0 && !is_kept(r, "missing Message-ID"))
		add_message_id(r);
	add(r, SPAN("\r\n"));
}

enum header_verdict header_rewrite(struct span block,
    const struct header_limits *limits, const struct header_stamp *stamp,
    struct buf *out, struct err *why)
{
	struct rewrite r = { .limits = limits,
		.stamp = stamp,
		.out = out,
		.why = why,
		.block = block };
	struct message_field field;

	begin(&r, block);
	while (r.verdict == HEADER_OK && header_next(&block, &field))
		take(&r, &field);
	if (r.verdict == HEADER_OK && block.len > 0 &&
	    !span_eq(block, SPAN("\r\n")))
		bad(&r, "the header ends in a bare LF");
	if (r.verdict == HEADER_OK && r.from == 0)
		bad(&r, "the message has no From field: add one with the "
			"author's address");
	if (r.verdict == HEADER_OK)
		add_missing(&r);
	return r.verdict;
}
