/*
 * Three parts, each line of them short and without control characters: what
 * a client or a provider said comes in through add_text, which sees to that.
 * Addresses and headers in UTF-8 make it the internationalized kind, and then
 * only (RFC 6533): many programs know the old one alone.
 */
#include <mail/report.h>

#include <base/date.h>
#include <base/utf8.h>
#include <postern/provider.h>

#include <errno.h>
#include <stdio.h>

enum {
	TEXT_MAX = 700,        /* of one word or reason */
	FIELDS_MAX = 64 << 20, /* 100,000 recipients with all they have */
	NAMED_MAX = 100        /* recipients in the text for people */
};

struct kind {
	const char *name, *subject, *text, *reason;
};

static const struct kind kinds[] = {
	[REPORT_FAILED] = { "failed", "Undelivered mail",
	    "Your message could not be delivered to the recipients below. "
	    "It is not\r\ntried again.",
	    "Reason" },
	[REPORT_DELAYED] = { "delayed", "Delayed mail",
	    "Your message has not been delivered yet to the recipients "
	    "below. It is\r\nstill being tried: you need not send it again.",
	    "Latest trouble" },
	[REPORT_RELAYED] = { "relayed", "Mail handed over",
	    "Your message was handed over for the recipients below to a "
	    "service that does\r\nnot report delivery here.",
	    "Handed to" },
};

const char *report_action_name(enum report_action action)
{
	return kinds[action].name;
}

/* One report being written; the first error stays. */
struct writer {
	const struct report *r;
	struct buf out;
	bool is_global;  /* RFC 6533 */
	bool is_full;    /* the whole message comes back */
	bool takes_utf8; /* the part being written */
	int rc;
};

static void add(struct writer *w, struct span s)
{
	if (w->rc == 0)
		w->rc = buf_add_span(&w->out, s);
}

static void add_str(struct writer *w, const char *s)
{
	add(w, span_of(s));
}

/* The size of the character at the start of s if it may stand there, or 0. */
static size_t fitting(const struct writer *w, struct span s)
{
	unsigned char c = (unsigned char)s.ptr[0];
	uint32_t character;

	if (c < 0x80)
		return c >= ' ' && c < 0x7f;
	return w->takes_utf8 ? utf8_decode(s, &character) : 0;
}

/* Text from outside: bounded, no control characters, valid. */
static void add_text(struct writer *w, struct span s)
{
	s = span_first(s, TEXT_MAX);
	while (s.len > 0) {
		size_t size = fitting(w, s);

		add(w, size > 0 ? span_first(s, size) : SPAN("?"));
		s = span_from(s, size > 0 ? size : 1);
	}
}

static void add_field(struct writer *w, const char *name, struct span value)
{
	add_str(w, name);
	add_str(w, ": ");
	add_text(w, value);
	add_str(w, "\r\n");
}

static void add_date(struct writer *w, const char *name, int64_t wall_ms)
{
	char date[DATE_RFC5322_SIZE];

	if (wall_ms == 0)
		return;
	date_format_rfc5322(wall_ms, date);
	add_field(w, name, span_of(date));
}

static unsigned hex_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* RFC 3461 4: +XX stands for a character. Others are taken as they are. */
static struct span decode_xtext(struct span in, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < in.len && len < size; i++) {
		char c = in.ptr[i];

		if (c == '+' && i + 2 < in.len && is_hex(in.ptr[i + 1]) &&
		    is_hex(in.ptr[i + 2])) {
			c = (char)(hex_value(in.ptr[i + 1]) * 16 +
				   hex_value(in.ptr[i + 2]));
			i += 2;
		}
		out[len++] = c;
	}
	return span_make(out, len);
}

/* --- the header --- */

static void add_header(struct writer *w)
{
	const struct report *r = w->r;
	char text[TEXT_MAX];

	add_str(w, "From: Mail Delivery System <");
	add_str(w, r->from);
	add_str(w, ">\r\nTo: <");
	add_text(w, r->to);
	(void)snprintf(text, sizeof(text),
	    ">\r\nSubject: %s (%s)\r\nMessage-ID: <%s@%s>\r\n",
	    kinds[r->action].subject, r->subject_id, r->id, r->hostname);
	add_str(w, text);
	add_date(w, "Date", r->now_ms);
	/* RFC 3834: nobody's vacation program answers it. */
	(void)snprintf(text, sizeof(text),
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; "
	    "report-type=%sdelivery-status;\r\n\tboundary=\"%s\"\r\n\r\n",
	    w->is_global ? "global-" : "", r->id);
	add_str(w, text);
}

static void begin_part(struct writer *w, const char *type, bool is_8bit)
{
	w->takes_utf8 = is_8bit;
	add_str(w, "\r\n--");
	add_str(w, w->r->id);
	add_str(w, "\r\nContent-Type: ");
	add_str(w, type);
	add_str(w, "\r\nContent-Transfer-Encoding: ");
	add_str(w, is_8bit ? "8bit\r\n\r\n" : "7bit\r\n\r\n");
}

/* --- for people --- */

static void name_recipient(struct writer *w, const struct report_recipient *to)
{
	const struct kind *kind = &kinds[w->r->action];
	bool is_relayed = w->r->action == REPORT_RELAYED;
	struct span why = is_relayed ? to->provider : to->reason;

	add_str(w, "  <");
	add_text(w, to->address);
	add_str(w, ">\r\n");
	if (why.len > 0) {
		add_str(w, "    ");
		add_field(w, kind->reason, why);
	}
}

static void add_words(struct writer *w)
{
	const struct report *r = w->r;
	char line[128];

	begin_part(w, "text/plain; charset=utf-8", true);
	add_str(w, "This is the mail server ");
	add_str(w, r->hostname);
	add_str(w, ".\r\n\r\n");
	add_str(w, kinds[r->action].text);
	add_str(w, "\r\n\r\n");
	for (size_t i = 0; i < r->recipient_count && i < NAMED_MAX; i++)
		name_recipient(w, &r->recipients[i]);
	if (r->recipient_count > NAMED_MAX) {
		(void)snprintf(line, sizeof(line),
		    "  and %zu more, named in the next part.\r\n",
		    r->recipient_count - NAMED_MAX);
		add_str(w, line);
	}
	if (r->action == REPORT_DELAYED) {
		add_str(w, "\r\n");
		add_date(w, "It is given up at", r->until_ms);
	}
	add_str(w, "\r\nWho runs this server can find it under the id ");
	add_str(w, r->subject_id);
	add_str(w, ".\r\n");
}

/* --- for programs: RFC 3464 2.2 and 2.3 --- */

static void add_original_recipient(struct writer *w, struct span orcpt)
{
	char text[TEXT_MAX];
	struct span address = orcpt;
	struct span type = span_cut(&address, ';');

	if (!address.ptr)
		return;
	add_str(w, "Original-Recipient: ");
	add_text(w, type);
	add_str(w, ";");
	add_text(w, decode_xtext(address, text, sizeof(text)));
	add_str(w, "\r\n");
}

static void add_diagnostic(struct writer *w, const struct report_recipient *to)
{
	char status[32];

	if (to->provider.len > 0 && to->http_status > 0) {
		add_str(w, "Remote-MTA: x-provider; ");
		add_text(w, to->provider);
		add_str(w, "\r\n");
	}
	if (to->reason.len == 0 || w->r->action == REPORT_RELAYED)
		return;
	/* Our own type: it was no SMTP server that spoke. */
	(void)snprintf(status, sizeof(status), "%d ", to->http_status);
	add_str(w, to->http_status > 0 ? "Diagnostic-Code: x-http; "
				       : "Diagnostic-Code: x-postern; ");
	add_str(w, to->http_status > 0 ? status : "");
	add_text(w, to->reason);
	add_str(w, "\r\n");
}

static void add_recipient(struct writer *w, const struct report_recipient *to)
{
	bool is_utf8 = !span_is_ascii(to->address);

	add_str(w, "\r\n");
	add_original_recipient(w, to->orcpt);
	add_str(w,
	    is_utf8 ? "Final-Recipient: utf-8; " : "Final-Recipient: rfc822; ");
	add_text(w, to->address);
	add_str(w, "\r\n");
	add_field(w, "Action", span_of(kinds[w->r->action].name));
	add_field(w, "Status", span_of(to->status));
	add_diagnostic(w, to);
	add_date(w, "Last-Attempt-Date", to->last_attempt_ms);
	if (w->r->action == REPORT_DELAYED)
		add_date(w, "Will-Retry-Until", w->r->until_ms);
}

static void add_fields(struct writer *w)
{
	const struct report *r = w->r;
	char text[TEXT_MAX];

	begin_part(w,
	    w->is_global ? "message/global-delivery-status"
			 : "message/delivery-status",
	    w->is_global);
	add_str(w, "Reporting-MTA: dns; ");
	add_str(w, r->hostname);
	add_str(w, "\r\n");
	if (r->terms->envid.len > 0)
		add_field(w, "Original-Envelope-Id",
		    decode_xtext(r->terms->envid, text, sizeof(text)));
	add_date(w, "Arrival-Date", r->arrival_ms);
	for (size_t i = 0; i < r->recipient_count; i++)
		add_recipient(w, &r->recipients[i]);
}

/* --- what came --- */

static void add_body(struct writer *w)
{
	const struct message *m = w->r->original;
	uint64_t at = message_header(m).len;
	ssize_t got = 1;

	while (w->rc == 0 && got > 0) {
		char piece[4096];

		got = message_read(m, at, piece, sizeof(piece));
		if (got > 0)
			add(w, span_make(piece, (size_t)got));
		at += got > 0 ? (uint64_t)got : 0;
	}
	if (got < 0 && w->rc == 0)
		w->rc = (int)got;
}

static void add_original(struct writer *w)
{
	struct span header = message_header(w->r->original);

	if (w->is_full) {
		begin_part(w,
		    w->is_global ? "message/global" : "message/rfc822", true);
		add(w, header);
		add_body(w);
		return;
	}
	begin_part(w,
	    w->is_global ? "message/global-headers" : "text/rfc822-headers",
	    true);
	/* Without its empty line. */
	add(w, span_first(header, header.len - 2));
}

/*
 * Where SMTPUTF8 was asked for and used. A header with 8-bit characters that
 * did not ask is some old program's, in no known charset.
 */
static bool needs_utf8(const struct report *r)
{
	if (!r->terms->is_utf8)
		return false;
	if (!span_is_ascii(r->to) ||
	    !span_is_ascii(message_header(r->original)))
		return true;
	for (size_t i = 0; i < r->recipient_count; i++) {
		if (!span_is_ascii(r->recipients[i].address))
			return true;
	}
	return false;
}

/* RFC 3461 6.2: the sender's wish counts for failures. */
static bool wants_full(const struct report *r)
{
	enum envelope_ret ret = r->terms->ret;

	return r->action == REPORT_FAILED && ret != ENVELOPE_RET_HDRS &&
	       message_size(r->original) <= REPORT_FULL_MAX;
}

/* The header and the rest apart, as message_new takes them. */
static int make_message(
    struct writer *w, size_t header_size, struct message **out)
{
	struct buf header;
	int rc;

	buf_init(&header, header_size);
	rc = buf_add(&header, buf_span(&w->out).ptr, header_size);
	if (rc == 0) {
		*out = message_new(&header, &w->out, header_size);
		rc = *out ? 0 : -ENOMEM;
	}
	if (rc == 0)
		message_set_traits(*out, POSTERN_CARRIES_REPORTS);
	buf_finish(&header);
	return rc;
}

int report_compose(const struct report *r, struct message **out)
{
	struct writer w = {
		.r = r, .is_global = needs_utf8(r), .is_full = wants_full(r)
	};

	w.takes_utf8 = w.is_global;
	buf_init(&w.out, FIELDS_MAX);
	add_header(&w);
	size_t header_size = buf_len(&w.out);
	add_words(&w);
	add_fields(&w);
	add_original(&w);
	add_str(&w, "\r\n--");
	add_str(&w, r->id);
	add_str(&w, "--\r\n");
	if (w.rc == 0)
		w.rc = make_message(&w, header_size, out);
	buf_finish(&w.out);
	return w.rc;
}
