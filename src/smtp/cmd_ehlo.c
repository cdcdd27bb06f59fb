/* EHLO and HELO (RFC 5321 4.1.1.1). Replies carry no enhanced code. */
#include <smtp/session_internal.h>

#include <base/clock.h>
#include <base/date.h>
#include <net/conn.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	NAME_MAX_LEN = 255,
	LIMIT_MAX = 999999, /* RFC 9422: six digits */
	LINE_MAX_LEN = 512,
	OFFER_MAX = 4096
};

static enum smtp_next no_memory(struct smtp_session *s)
{
	smtp_session_reply(s, 421, "4.3.0", "Temporary system problem");
	return smtp_session_close(s, "memory");
}

/*
 * The name is what the client says; nobody checks it (RFC 5321 4.1.4). False
 * when it was refused; *out_next then is what follows.
 */
static bool take_name(struct smtp_session *s, const struct smtp_command *cmd,
    const char *verb, enum smtp_next *out_next)
{
	char *name;

	*out_next = SMTP_NEXT;
	if (cmd->args.len == 0 || cmd->args.len > NAME_MAX_LEN) {
		smtp_session_reply(s, 501, NULL, "Syntax: %s hostname", verb);
		return false;
	}
	name = span_dup(cmd->args);
	if (!name) {
		*out_next = no_memory(s);
		return false;
	}
	smtp_tx_drop(s, "reset by the client");
	free(s->helo);
	s->helo = name;
	smtp_session_set_state(s, SMTP_ST_READY);
	return true;
}

/* Lines of the offer; the last one is marked when it is known. */
struct offer {
	struct buf text;
	size_t last; /* where the last line starts */
	int rc;
};

static void add(struct offer *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct offer *o, const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	o->last = buf_len(&o->text);
	if (o->rc == 0)
		o->rc = buf_printf(&o->text, "250-%s\r\n", line);
}

/* RFC 9422; a limit of none cannot be said. */
static void add_limits(struct offer *o, const struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;
	int64_t recipients = smtp_rights_recipients(s);
	char rcpt[32] = "", mail[32] = "";

	if (recipients > 0 && recipients <= LIMIT_MAX)
		(void)snprintf(
		    rcpt, sizeof(rcpt), " RCPTMAX=%" PRId64, recipients);
	if (limits->max_messages_per_session > 0 &&
	    limits->max_messages_per_session <= LIMIT_MAX)
		(void)snprintf(mail, sizeof(mail), " MAILMAX=%" PRId64,
		    limits->max_messages_per_session);
	if (*rcpt || *mail)
		add(o, "LIMITS%s%s", rcpt, mail);
}

/* RFC 4865 4: the longest wait in seconds, and when it would be over. */
static void add_release(struct offer *o, uint64_t max_ms)
{
	char until[DATE_RFC3339_SIZE];

	date_format_rfc3339_s(clock_wall_ms() + (int64_t)max_ms, until);
	add(o, "FUTURERELEASE %" PRIu64 " %s", max_ms / 1000, until);
}

/* In the order of their table (README). */
static void add_offers(struct offer *o, struct smtp_session *s)
{
	const struct config_smtp *limits = &s->config->smtp;
	const char *mechanisms = smtp_session_mechanisms(s);
	unsigned extensions = smtp_session_extensions(s);

	add(o, "%s", s->config->hostname);
	add(o, "PIPELINING");
	add(o, "8BITMIME");
	add(o, "ENHANCEDSTATUSCODES");
	if (extensions & SMTP_EXT_UTF8)
		add(o, "SMTPUTF8");
	add(o, "SIZE %" PRIu64, smtp_rights_size(s));
	if (extensions & SMTP_EXT_DSN)
		add(o, "DSN");
	if (limits->chunking)
		add(o, "CHUNKING");
	if (smtp_session_offers_tls(s))
		add(o, "STARTTLS");
	if (*mechanisms)
		add(o, "AUTH %s", mechanisms);
	add_limits(o, s);
	if (smtp_session_offers_release(s))
		add_release(o, limits->future_release_ms);
	if (extensions & SMTP_EXT_PRIORITY)
		add(o, "MT-PRIORITY");
	if (s->may_xclient)
		add(o, "XCLIENT NAME ADDR PORT PROTO HELO%s DESTADDR DESTPORT",
		    s->listener->xclient_login ? " LOGIN" : "");
}

enum smtp_next smtp_cmd_ehlo(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	struct offer o = { .rc = 0 };
	enum smtp_next next;

	if (!take_name(s, cmd, "EHLO", &next))
		return next;
	s->is_esmtp = true;
	buf_init(&o.text, OFFER_MAX);
	add_offers(&o, s);
	if (o.rc == 0) {
		o.text.data[o.last + 3] = ' ';
		conn_write(s->conn, o.text.data, buf_len(&o.text));
		smtp_tally_reply(s, 250, NULL);
	} else {
		next = no_memory(s);
	}
	buf_finish(&o.text);
	return next;
}

enum smtp_next smtp_cmd_helo(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	enum smtp_next next;

	if (!take_name(s, cmd, "HELO", &next))
		return next;
	s->is_esmtp = false;
	smtp_session_reply(s, 250, NULL, "%s", s->config->hostname);
	return SMTP_NEXT;
}
