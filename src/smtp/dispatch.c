/*
 * The verb table: what each command may need before its handler runs. The
 * rows are sorted by name.
 */
#include <smtp/session_internal.h>

#include <net/conn.h>

#include <stdlib.h>

enum {
	VERB_TLS = 1 << 0,     /* not before STARTTLS where TLS is a must */
	VERB_AUTH = 1 << 1,    /* not before a login where one is a must */
	VERB_NO_ARGS = 1 << 2, /* nothing may follow */
	VERB_JUNK = 1 << 3,    /* too many of them count as errors */
	VERB_LAST = 1 << 4,    /* of a pipelined group (RFC 2920 3.1) */
	VERB_ESMTP = 1 << 5    /* not after HELO */
};

enum {
	ANY = 0,
	START = 1 << SMTP_ST_START,
	READY = 1 << SMTP_ST_READY,
	IN_MAIL = 1 << SMTP_ST_MAIL | 1 << SMTP_ST_RCPT
};

struct verb {
	const char *name;
	smtp_handler *run;
	unsigned states; /* allowed ones; ANY */
	unsigned flags;
};

static const struct verb verbs[] = {
	{ "ATRN", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
	{ "AUTH", smtp_cmd_auth, READY, VERB_ESMTP | VERB_TLS | VERB_LAST },
	{ "BDAT", smtp_cmd_bdat, ANY, 0 },
	{ "DATA", smtp_cmd_data, IN_MAIL,
	    VERB_TLS | VERB_AUTH | VERB_NO_ARGS | VERB_LAST },
	{ "EHLO", smtp_cmd_ehlo, ANY, VERB_JUNK | VERB_LAST },
	{ "ETRN", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
	{ "EXPN", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
	{ "HELO", smtp_cmd_helo, ANY, VERB_JUNK | VERB_LAST },
	{ "HELP", smtp_cmd_help, ANY, VERB_TLS | VERB_AUTH | VERB_JUNK },
	{ "MAIL", smtp_cmd_mail, READY, VERB_TLS | VERB_AUTH },
	{ "NOOP", smtp_cmd_noop, ANY, VERB_JUNK },
	{ "QUIT", smtp_cmd_quit, ANY, VERB_NO_ARGS },
	{ "RCPT", smtp_cmd_rcpt, IN_MAIL, VERB_TLS | VERB_AUTH },
	{ "RSET", smtp_cmd_rset, ANY, VERB_NO_ARGS | VERB_JUNK },
	{ "SAML", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
	{ "SEND", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
	{ "SOML", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
	{ "STARTTLS", smtp_cmd_starttls, START | READY, VERB_NO_ARGS },
	{ "TURN", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
	{ "VERB", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
	{ "VRFY", smtp_cmd_vrfy, ANY, VERB_TLS | VERB_AUTH | VERB_JUNK },
	{ "XCLIENT", smtp_cmd_xclient, ANY, 0 },
	{ "XDEBUG", smtp_cmd_unimplemented, ANY, VERB_TLS | VERB_AUTH },
};

static int compare(const void *key, const void *row)
{
	const struct span *name = key;
	const char *other = ((const struct verb *)row)->name;

	for (size_t i = 0; i < name->len; i++) {
		int c = (unsigned char)name->ptr[i];

		if (c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		if (c != other[i])
			return c - other[i]; /* also at the end of other */
	}
	return other[name->len] ? -1 : 0;
}

static const struct verb *find_verb(struct span name)
{
	/* A NUL, which ends the names here, is no part of a command. */
	return bsearch(&name, verbs, sizeof(verbs) / sizeof(verbs[0]),
	    sizeof(verbs[0]), compare);
}

/* Too long for a command other than AUTH, whose responses may be large. */
static bool is_too_long(const struct verb *v, struct span line)
{
	return line.len + 2 > SMTP_LINE_MAX && (!v || v->run != smtp_cmd_auth);
}

/* Old devices log in after HELO, where nothing was offered. */
static bool is_esmtp(const struct smtp_session *s)
{
	return s->is_esmtp || s->listener->lenient_syntax;
}

/* What stands against running a command: replied to, and true. */
static bool is_refused(struct smtp_session *s, const struct verb *v,
    const struct smtp_command *cmd)
{
	if ((v->flags & VERB_TLS) && smtp_session_needs_tls(s))
		smtp_session_reply(
		    s, 530, "5.7.0", "Must issue a STARTTLS command first");
	else if ((v->flags & VERB_AUTH) && smtp_session_needs_auth(s))
		smtp_session_reply(s, 530, "5.7.0", "Authentication required");
	else if ((v->states != ANY && !(v->states & 1u << s->state)) ||
		 ((v->flags & VERB_ESMTP) && !is_esmtp(s)))
		smtp_session_reply(s, 503, "5.5.1", "Bad sequence of commands");
	else if ((v->flags & VERB_NO_ARGS) && cmd->args.len > 0)
		smtp_session_reply(
		    s, 501, "5.5.4", "Syntax error in parameters");
	else
		return false;
	return true;
}

/* To be greeted, first and after STARTTLS, is what everyone must do. */
static void charge_junk(struct smtp_session *s)
{
	int64_t limit = smtp_abuse_junk_commands(s);

	if (s->state == SMTP_ST_START &&
	    (s->verb == COUNTER_VERB_EHLO || s->verb == COUNTER_VERB_HELO))
		return;
	if (s->tx || limit <= 0 || ++s->junk <= (uint64_t)limit)
		return;
	s->errors++;
	s->is_error = true;
}

/* Replies to EHLO and HELO have no enhanced code (RFC 2034 4). */
static bool is_hello(struct span line)
{
	struct span verb = span_cut(&line, ' ');

	return span_ieq(verb, SPAN("EHLO")) || span_ieq(verb, SPAN("HELO"));
}

enum smtp_next smtp_dispatch(struct smtp_session *s, struct span line)
{
	struct smtp_command cmd;
	const struct verb *v;
	bool is_first = !s->has_spoken;

	s->has_spoken = true;
	s->verb = COUNTER_VERB_OTHER;
	counter_add(&s->service->counters->commands, 1);
	if (smtp_command_parse(line, &cmd) < 0) {
		smtp_session_violation(s, SMTP_INVALID_CHARACTER);
		smtp_session_reply(s, 501, is_hello(line) ? NULL : "5.5.2",
		    "Invalid character in command");
		return SMTP_NEXT;
	}
	if (is_first && smtp_command_is_foreign(&cmd))
		return smtp_session_foreign(s);
	v = find_verb(cmd.verb);
	if (is_too_long(v, line)) {
		smtp_session_reply(s, 500, "5.5.2", "Line too long");
		return SMTP_NEXT;
	}
	if (!v) {
		smtp_session_reply(s, 500, "5.5.1", "Command not recognized");
		return SMTP_NEXT;
	}
	s->verb = counter_label_find(
	    counter_verb_names, COUNTER_VERBS, v->name, COUNTER_VERB_OTHER);
	if ((v->flags & VERB_LAST) && buf_len(conn_in(s->conn)) > 0)
		smtp_session_violation(s, SMTP_PIPELINING);
	if (v->flags & VERB_JUNK)
		charge_junk(s);
	if (v->flags & VERB_TLS) /* these do something */
		smtp_session_count(s);
	if (is_refused(s, v, &cmd)) {
		if (v->run == smtp_cmd_auth)
			smtp_auth_wipe(s);
		return SMTP_NEXT;
	}
	return v->run(s, &cmd);
}
