/*
 * The Received field, built from clauses that are folded as they come. Every
 * word a peer chose (EHLO name, user, recipient) is reduced to what the
 * grammar allows at its place, so it can neither end the field nor a comment.
 */
#include <mail/received.h>

#include <base/date.h>

#include <stdio.h>

enum {
	FOLD_COLUMN = 78, /* RFC 5322 2.1.1 */
	TAB_COLUMNS = 8,
	TEXT_MAX = 256 /* of one word from outside */
};

struct field {
	struct buf *out;
	size_t column;
	int rc;
};

/* One clause, on a new line when it does not fit. */
static void clause(struct field *f, const char *text)
{
	struct span s = span_of(text);
	bool fits = f->column + 1 + s.len <= FOLD_COLUMN;

	if (f->rc == 0)
		f->rc = buf_add_str(f->out, fits ? " " : "\r\n\t");
	if (f->rc == 0)
		f->rc = buf_add_span(f->out, s);
	f->column = s.len + (fits ? f->column + 1 : TAB_COLUMNS);
}

/* Copy s without anything that is not visible ASCII or is in banned. */
static const char *safe(struct span s, const char *banned, char out[TEXT_MAX])
{
	size_t len = 0;

	while (len < s.len && len < TEXT_MAX - 1) {
		unsigned char c = (unsigned char)s.ptr[len];
		bool ok = c > ' ' && c < 0x7f && !strchr(banned, c);
		out[len++] = ok ? (char)c : '?';
	}
	out[len] = '\0';
	return out;
}

static void client(struct field *f, const struct header_stamp *stamp)
{
	const struct envelope *e = stamp->envelope;
	bool is_v6 = span_index(e->peer, ':') >= 0;
	char text[TEXT_MAX], line[TEXT_MAX + 64];

	(void)snprintf(line, sizeof(line), "from %s",
	    e->helo.len > 0 ? safe(e->helo, "()\\<>@,;\"", text) : "unknown");
	clause(f, line);
	(void)snprintf(line, sizeof(line), "(unknown [%s%s])",
	    is_v6 ? "IPv6:" : "", safe(e->peer, "()\\[]", text));
	clause(f, line);
	if (stamp->tls_version) {
		(void)snprintf(line, sizeof(line), "(using %s with cipher %s)",
		    stamp->tls_version,
		    stamp->tls_cipher ? stamp->tls_cipher : "unknown");
		clause(f, line);
	}
	if (e->user.len > 0) {
		(void)snprintf(line, sizeof(line), "(Authenticated sender: %s)",
		    safe(e->user, "()\\", text));
		clause(f, line);
	}
}

/* The only recipient, when it is one that needs no quoting. */
static void recipient(struct field *f, const struct envelope *e)
{
	char text[TEXT_MAX], line[TEXT_MAX + 64];

	if (e->recipient_count != 1 || e->recipients[0].address.len >= TEXT_MAX)
		return;
	safe(e->recipients[0].address, "()\\<>,;\"", text);
	if (strchr(text, '?'))
		return;
	(void)snprintf(line, sizeof(line), "for <%s>", text);
	clause(f, line);
}

/* RFC 6710 5: also where the client is hidden, it does not name it. */
static void priority(struct field *f, const struct envelope_terms *terms)
{
	char line[32];

	if (!terms->has_priority)
		return;
	(void)snprintf(line, sizeof(line), "PRIORITY %d", terms->priority);
	clause(f, line);
}

int received_add(const struct header_stamp *stamp, struct buf *out)
{
	struct field f = { .out = out, .column = strlen("Received:") };
	char line[2 * TEXT_MAX], date[DATE_RFC5322_SIZE];

	f.rc = buf_add_str(out, "Received:");
	if (!stamp->hide_client)
		client(&f, stamp);
	(void)snprintf(line, sizeof(line), "by %s (Postern)", stamp->hostname);
	clause(&f, line);
	if (!stamp->hide_client) {
		(void)snprintf(line, sizeof(line), "with %s", stamp->protocol);
		clause(&f, line);
	}
	(void)snprintf(line, sizeof(line), "id %s", stamp->queue_id);
	clause(&f, line);
	if (!stamp->hide_client)
		recipient(&f, stamp->envelope);
	priority(&f, &stamp->envelope->terms);
	if (f.rc == 0)
		f.rc = buf_add(out, ";", 1);
	f.column++;
	date_format_rfc5322(stamp->now_ms, date);
	clause(&f, date);
	return f.rc == 0 ? buf_add(out, "\r\n", 2) : f.rc;
}
