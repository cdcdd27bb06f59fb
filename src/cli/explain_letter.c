/*
 * A file as a message that a user submits: envelope from its header where
 * nobody says otherwise, then every question a session asks of it that does
 * not depend on the hour, in the same order and by the same functions.
 */
#include <cli/explain.h>

#include <base/clock.h>
#include <mail/header.h>
#include <mail/mime_scan.h>
#include <mail/traits.h>
#include <route/router.h>
#include <smtp/address.h>
#include <smtp/author.h>
#include <smtp/data.h>
#include <smtp/steer.h>
#include <smtp/user.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PIECE = 64 * 1024,
	HEADER_EXTRA = 64 * 1024 /* what the fixes may add */
};

__attribute__((format(printf, 2, 3))) static void refuse(
    struct explain_letter *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(l->refusal, sizeof(l->refusal), fmt, args);
	va_end(args);
}

static bool is_refused(const struct explain_letter *l)
{
	return l->refusal[0] != '\0';
}

/* --- content --- */

struct content {
	struct smtp_data data;
	struct mime_scan scan;
};

static void take(
    struct explain_letter *l, struct content *c, const char *piece, size_t n)
{
	size_t before = buf_len(&l->raw);

	(void)smtp_data_feed(&c->data, span_make(piece, n), &l->raw);
	mime_scan_feed(&c->scan, span_from(buf_span(&l->raw), before));
}

static int read_from(int fd, struct explain_letter *l, struct content *c)
{
	char *piece = malloc(PIECE);
	ssize_t n = 1;
	int rc = piece ? 0 : -ENOMEM;

	while (rc == 0 && n > 0) {
		n = read(fd, piece, PIECE);
		if (n > 0)
			take(l, c, piece, (size_t)n);
		else if (n < 0)
			rc = -errno;
	}
	free(piece);
	return rc;
}

/* Its lines may end in LF, as those of files do: so a client would send it. */
static int read_content(struct explain_letter *l, struct content *c,
    const char *path, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_errno(e, -errno, "%s", path);
	smtp_data_init(&c->data, SMTP_DATA_CHUNKS);
	rc = read_from(fd, l, c);
	if (!is_stdin)
		(void)close(fd);
	if (rc < 0)
		return err_errno(e, rc, "%s", path);
	smtp_data_end(&c->data, &l->raw);
	if (c->data.is_out_of_memory)
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static void judge_content(
    struct explain_letter *l, const struct config *c, const struct content *it)
{
	const char *parts = smtp_user_parts(c, &it->scan);

	if (it->data.has_nul)
		refuse(l, "it holds a NUL character (554 5.6.0)");
	else if (it->data.is_too_large)
		refuse(l, "it is larger than %llu bytes (552)",
		    (unsigned long long)smtp_user_size(c, l->user));
	else if (parts)
		refuse(l, "%s (554 5.6.0)", parts);
}

/* --- envelope --- */

struct collector {
	struct explain_letter *l;
	bool is_sender;
	int rc;
};

/* Called for each address of a field; sees to it that all are. */
static bool collect(struct span address, void *ctx)
{
	struct collector *c = ctx;
	struct envelope *e = &c->l->envelope;
	struct envelope_recipient r = { .address = address, .orcpt = SPAN("") };

	if (!c->is_sender)
		c->rc = envelope_add_recipient(e, &r);
	else if (!e->sender.ptr)
		e->sender = arena_span(&e->arena, address);
	return c->rc == 0;
}

static int collect_from(struct collector *c, struct span name)
{
	struct span block = c->l->before;
	struct message_field field;
	struct buf value;

	buf_init(&value, block.len);
	while (c->rc == 0 && header_next(&block, &field)) {
		if (!span_ieq(field.name, name))
			continue;
		buf_clear(&value);
		c->rc = header_unfold(field.value, &value);
		/* What is no address names nobody. */
		if (c->rc == 0)
			(void)smtp_author_check(buf_span(&value), collect, c);
	}
	buf_finish(&value);
	return c->rc;
}

static int find_sender(
    struct explain_letter *l, const struct explain_options *o, struct err *e)
{
	struct collector c = { .l = l, .is_sender = true };

	if (o->sender)
		l->envelope.sender =
		    arena_span(&l->envelope.arena, span_of(o->sender));
	else if (collect_from(&c, SPAN("Sender")) == 0 &&
		 !l->envelope.sender.ptr)
		(void)collect_from(&c, SPAN("From"));
	if (c.rc < 0)
		return err_errno(e, c.rc, "the header cannot be read");
	if (!l->envelope.sender.ptr)
		return err_set(
		    e, -EINVAL, "it has no From: say with --from who sends it");
	return 0;
}

static int find_recipients(
    struct explain_letter *l, const struct explain_options *o, struct err *e)
{
	struct collector c = { .l = l };

	for (size_t i = 0; c.rc == 0 && i < o->to_count; i++)
		(void)collect(span_of(o->to[i]), &c);
	if (o->to_count == 0 && collect_from(&c, SPAN("To")) == 0 &&
	    collect_from(&c, SPAN("Cc")) == 0)
		(void)collect_from(&c, SPAN("Bcc"));
	if (c.rc < 0)
		return err_errno(e, c.rc, "the recipients cannot be read");
	if (l->envelope.recipient_count == 0)
		return err_set(e, -EINVAL,
		    "it names no recipients: say with --to who gets it");
	return 0;
}

/* A client would have to say SMTPUTF8 of such a one. */
static void find_terms(struct explain_letter *l)
{
	struct envelope *e = &l->envelope;
	bool is_ascii = span_is_ascii(e->sender) && span_is_ascii(l->before);

	for (size_t i = 0; i < e->recipient_count; i++)
		is_ascii = is_ascii && span_is_ascii(e->recipients[i].address);
	e->terms.is_utf8 = !is_ascii;
}

static void judge_sender(struct explain_letter *l, const struct config *c)
{
	const struct envelope *e = &l->envelope;
	struct router_ask ask = { .user = e->user, .sender = e->sender };
	struct smtp_address a;

	if (l->user->disabled)
		refuse(
		    l, "user %s is disabled (users[].disabled)", l->user->name);
	else if (e->sender.len == 0 && !smtp_user_null_sender(c, l->user))
		refuse(l, "the null sender is not allowed (null_sender)");
	if (is_refused(l) || e->sender.len == 0)
		return;
	if (smtp_address_parse(e->sender, &a) != SMTP_ADDRESS_OK)
		refuse(l, "the sender is no address (501 5.1.7)");
	else if (a.is_utf8 && !router_may_carry(c, &ask, POSTERN_CARRIES_UTF8))
		refuse(l, "no provider carries a sender that is not ASCII "
			  "(550 5.6.7)");
	else if (!smtp_address_is_qualified(&a))
		refuse(l, "the sender's domain has no dot (554 5.1.8)");
	else if (!smtp_user_sender(l->user, e->sender))
		refuse(l,
		    "user %s may not send as %.*s (550 5.7.1, "
		    "users[].senders)",
		    l->user->name, SPAN_FMT(e->sender));
}

/* NULL: it is taken. */
static const char *why_not(
    const struct explain_letter *l, const struct config *c, struct span to)
{
	const struct envelope *e = &l->envelope;
	const struct router_ask ask = {
		.user = e->user, .sender = e->sender, .recipient = to
	};
	struct smtp_address a;

	if (smtp_address_parse(to, &a) != SMTP_ADDRESS_OK)
		return "is no address (501 5.1.3)";
	if ((a.is_utf8 || !span_is_ascii(e->sender)) &&
	    !router_may_carry(c, &ask, POSTERN_CARRIES_UTF8))
		return "no provider carries addresses that are not ASCII to "
		       "it (553 5.6.7)";
	if (!smtp_address_is_qualified(&a))
		return "its domain has no dot (554 5.1.2)";
	switch (smtp_user_rcpt(c, l->user, to)) {
	case SMTP_USER_RCPT_FOREIGN:
		return "not allowed for the user (550 5.7.1, "
		       "users[].recipients)";
	case SMTP_USER_RCPT_SUPPRESSED:
		return "suppressed (550 5.1.1, suppress)";
	case SMTP_USER_RCPT_OK:
		break;
	}
	return NULL;
}

/* Who is left is the envelope, as in a session. */
static int judge_recipients(struct explain_letter *l, const struct config *c)
{
	struct envelope *e = &l->envelope;
	int64_t limit = smtp_user_recipients(c, l->user);
	size_t kept = 0;

	l->shut = arena_alloc(&e->arena, e->recipient_count * sizeof(*l->shut));
	if (!l->shut)
		return -ENOMEM;
	for (size_t i = 0; i < e->recipient_count; i++) {
		struct envelope_recipient r = e->recipients[i];
		const char *why = why_not(l, c, r.address);

		if (!why && limit > 0 && kept >= (uint64_t)limit)
			why = "too many recipients (452 4.5.3)";
		if (why)
			l->shut[l->shut_count++] =
			    (struct explain_shut){ r.address, why };
		else
			e->recipients[kept++] = r;
	}
	e->recipient_count = kept;
	if (kept == 0 && !is_refused(l))
		refuse(l, "none of its recipients is taken");
	return 0;
}

/* --- header --- */

static int make_message(struct explain_letter *l, const struct config *c,
    unsigned traits, struct err *e)
{
	const struct header_stamp who = { .queue_id = l->id_text,
		.now_ms = clock_wall_ms(),
		.protocol =
		    l->envelope.terms.is_utf8 ? "UTF8SMTPSA" : "ESMTPSA",
		.tls_version = "TLSv1.3",
		.tls_cipher = "TLS_AES_256_GCM_SHA384",
		.envelope = &l->envelope };
	const struct smtp_param_rules rules = {
		.is_stored =
		    smtp_user_mode(c, NULL, l->user) != CONFIG_MODE_DIRECT,
		.max_hold_ms = c->smtp.future_release_ms,
		.now_ms = who.now_ms
	};
	struct smtp_steer_refusal refusal;
	size_t len = l->before.len;
	struct err why = { .code = 0 };
	struct buf header;

	buf_init(&header, 2 * len + HEADER_EXTRA);
	if (smtp_user_header(c, l->before, &who, &header, &why) != HEADER_OK) {
		refuse(l, "%s (554 5.6.0)",
		    *why.text ? why.text : "it has come this way before");
	} else if (!smtp_user_may_write(l->user, l->before)) {
		refuse(l,
		    "From or Sender of the header is not one of the user's "
		    "(550 5.7.1, users[].senders)");
	} else if (!smtp_steer(l->user, l->before, &rules, &l->envelope.terms,
		       &refusal)) {
		refuse(l, "%s (%u %s)", refusal.text, refusal.code,
		    refusal.enhanced);
	} else {
		if (*why.text)
			l->kept =
			    arena_str(&l->envelope.arena, span_of(why.text));
		l->before = arena_span(&l->envelope.arena, l->before);
		l->message = message_new(&header, &l->raw, len);
		if (!l->message || !l->before.ptr)
			(void)err_set(e, -ENOMEM, "out of memory");
	}
	buf_finish(&header);
	if (l->message && l->before.ptr) {
		message_set_traits(l->message,
		    traits | traits_of_header(message_header(l->message)));
		l->needs = traits_needed(
		    &l->envelope.terms, l->envelope.sender, l->message);
	}
	return e->code;
}

/* --- the whole --- */

static int find_user(struct explain_letter *l, const struct config *c,
    const struct explain_options *o, struct err *e)
{
	if (o->user)
		l->user = config_find_user(c, span_of(o->user));
	else if (c->users.count == 1)
		l->user = CONFIG_AT(c->users, struct config_user, 0);
	if (l->user)
		return 0;
	if (o->user)
		return err_set(e, -EINVAL, "there is no user %s", o->user);
	return err_set(
	    e, -EINVAL, "say with --user which of the users sends it");
}

static int open_envelope(struct explain_letter *l, struct err *e)
{
	struct envelope *v = &l->envelope;

	v->user = arena_span(&v->arena, span_of(l->user->name));
	v->helo = SPAN("client.example");
	v->peer = SPAN("192.0.2.1");
	return v->user.ptr ? 0 : err_set(e, -ENOMEM, "out of memory");
}

int explain_letter_make(struct explain_letter *l, const struct config *c,
    const struct explain_options *o, struct err *e)
{
	struct content content = { .scan = { .depth = 0 } };
	int rc = find_user(l, c, o, e);

	envelope_init(&l->envelope);
	l->id = id_make();
	id_format(l->id, l->id_text);
	buf_init(&l->raw, smtp_user_size(c, l->user));
	if (rc == 0)
		rc = open_envelope(l, e);
	if (rc == 0)
		rc = read_content(l, &content, o->file, e);
	if (rc < 0)
		return rc;
	judge_content(l, c, &content);
	size_t len = header_length(buf_span(&l->raw));
	l->before =
	    span_first(buf_span(&l->raw), len > 0 ? len : buf_len(&l->raw));
	/* Of what is too large nothing is kept that could be looked at. */
	if (is_refused(l))
		return 0;
	rc = find_sender(l, o, e);
	if (rc == 0)
		rc = find_recipients(l, o, e);
	if (rc < 0)
		return rc;
	find_terms(l);
	judge_sender(l, c);
	rc = judge_recipients(l, c);
	if (rc == 0 && !is_refused(l))
		rc = make_message(l, c, content.scan.traits, e);
	return rc;
}

void explain_letter_finish(struct explain_letter *l)
{
	message_unref(l->message);
	buf_finish(&l->raw);
	envelope_finish(&l->envelope);
}
