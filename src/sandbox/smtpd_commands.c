/*
 * The commands, as a strict server takes them, and what becomes of a message:
 * it wants a From, CRLF as its only line end, and no byte or mailbox that was
 * not announced (BODY=8BITMIME, SMTPUTF8).
 */
#include <sandbox/smtpd_internal.h>

#include <stdio.h>

#include <mail/header.h>
#include <sandbox/api.h>

/* --- paths and parameters --- */

/* Length of "<...>" at the start; 0: there is none. A quote may hold a >. */
static size_t path_length(struct span s)
{
	bool is_quoted = false;

	for (size_t i = 1; s.len > 0 && s.ptr[0] == '<' && i < s.len; i++) {
		if (is_quoted && s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '"')
			is_quoted = !is_quoted;
		else if (s.ptr[i] == '>' && !is_quoted)
			return i + 1;
	}
	return 0;
}

/* "FROM:<...>" to the path; *args is what follows it. */
static bool cut_path(struct span *args, struct span keyword, struct span *out)
{
	struct span rest = span_from(*args, keyword.len);
	size_t len = path_length(rest);

	if (!span_istarts_with(*args, keyword) || len == 0)
		return false;
	*out = span_from(span_first(rest, len - 1), 1);
	*args = span_from(rest, len);
	return args->len == 0 || args->ptr[0] == ' ';
}

static bool has_any(struct span s, const char *bytes)
{
	for (size_t i = 0; i < s.len; i++) {
		if (strchr(bytes, s.ptr[i]))
			return true;
	}
	return false;
}

/* RFC 5321 4.1.2, near enough; a quoted local part may be anything. */
static bool is_mailbox(struct span address)
{
	ptrdiff_t at = span_rindex(address, '@');
	struct span local = span_first(address, at > 0 ? (size_t)at : 0);
	struct span domain = span_from(address, local.len + 1);
	bool is_quoted = local.len >= 2 && local.ptr[0] == '"' &&
			 local.ptr[local.len - 1] == '"';

	return local.len > 0 && local.len <= 64 && domain.len > 0 &&
	       domain.len <= 255 && span_is_utf8(address) &&
	       (is_quoted || !has_any(local, " ()<>[]:;@\\,\"")) &&
	       !has_any(domain, " ()<>;\\,\"");
}

/* One of MAIL's; the reply to it when it is wrong. */
static const char *take_parameter(struct smtpd_session *c, struct span word)
{
	struct span value = word, name = span_cut(&value, '=');
	unsigned long long size;

	if (span_ieq(name, SPAN("SIZE")) &&
	    span_parse_u64(value, SIZE_MAX, &size))
		return size > SMTPD_SIZE_MAX ? "552 5.3.4 It is too large"
					     : NULL;
	if (span_ieq(name, SPAN("BODY")) && span_ieq(value, SPAN("7BIT")))
		return NULL;
	if (span_ieq(name, SPAN("BODY")) && span_ieq(value, SPAN("8BITMIME"))) {
		c->takes_8bit = true;
		return NULL;
	}
	if (span_ieq(name, SPAN("SMTPUTF8")) && !value.ptr) {
		c->takes_utf8 = true;
		return NULL;
	}
	/* RFC 4954 5: who says so is not to be believed. */
	return span_ieq(name, SPAN("AUTH")) && value.len > 0
		   ? NULL
		   : "555 5.5.4 Parameter not known, or wrong";
}

static const char *take_parameters(struct smtpd_session *c, struct span args)
{
	struct span rest = span_from(args, 1);

	while (rest.len > 0) {
		const char *wrong = take_parameter(c, span_cut(&rest, ' '));

		if (wrong)
			return wrong;
	}
	return NULL;
}

/* --- commands --- */

static void greet(struct smtpd_session *c, struct span args, bool is_extended)
{
	if (args.len == 0) {
		smtpd_refuse(c, "501 5.5.4 Say your name");
		return;
	}
	smtpd_forget_transaction(c);
	c->is_greeted = true;
	c->is_extended = is_extended;
}

static void run_helo(struct smtpd_session *c, struct span args)
{
	greet(c, args, false);
	if (args.len > 0)
		smtpd_say(c, "250 sandbox");
}

static void run_ehlo(struct smtpd_session *c, struct span args)
{
	greet(c, args, true);
	if (args.len > 0)
		smtpd_say(c,
		    "250-sandbox\r\n250-PIPELINING\r\n250-SIZE %d\r\n"
		    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-AUTH PLAIN LOGIN\r\n"
		    "250 ENHANCEDSTATUSCODES",
		    SMTPD_SIZE_MAX);
}

/* Why MAIL is not taken now. */
static const char *check_order(const struct smtpd_session *c)
{
	if (!c->is_greeted || c->sender)
		return "503 5.5.1 MAIL comes once, after EHLO";
	if (c->sandbox->settings.smtp_user && !c->is_logged_in)
		return "530 5.7.0 Log in first";
	return NULL;
}

static const char *check_sender(const struct smtpd_session *c, struct span path)
{
	if (path.len > 0 && !is_mailbox(path))
		return "501 5.1.7 That is no mailbox";
	return c->takes_utf8 || span_is_ascii(path)
		   ? NULL
		   : "550 5.6.7 A mailbox like that takes SMTPUTF8";
}

static void run_mail(struct smtpd_session *c, struct span args)
{
	const char *wrong = check_order(c);
	struct span path = SPAN("");

	if (!wrong) {
		smtpd_forget_transaction(c);
		wrong = cut_path(&args, SPAN("FROM:"), &path)
			    ? take_parameters(c, args)
			    : "501 5.5.4 MAIL FROM:<mailbox>";
	}
	if (!wrong)
		wrong = check_sender(c, path);
	if (!wrong && !(c->sender = span_dup(path)))
		wrong = "451 4.3.0 No memory";
	if (wrong)
		smtpd_refuse(c, wrong);
	else
		smtpd_say(c, "250 2.1.0 Ok");
}

static const char *check_recipient(
    const struct smtpd_session *c, struct span path)
{
	if (!is_mailbox(path))
		return "501 5.1.3 That is no mailbox";
	if (!c->takes_utf8 && !span_is_ascii(path))
		return "550 5.6.7 A mailbox like that takes SMTPUTF8";
	if (api_is_inactive(path))
		return "550 5.1.1 Nobody has that mailbox any more";
	if (c->recipient_count == SMTPD_RECIPIENTS_MAX)
		return "452 4.5.3 Too many recipients";
	return NULL;
}

static void run_rcpt(struct smtpd_session *c, struct span args)
{
	const char *wrong = c->sender ? NULL : "503 5.5.1 MAIL comes first";
	struct span path = SPAN("");

	if (!wrong && !cut_path(&args, SPAN("TO:"), &path))
		wrong = "501 5.5.4 RCPT TO:<mailbox>";
	if (!wrong && args.len > 0)
		wrong = "555 5.5.4 Parameter not known";
	if (!wrong)
		wrong = check_recipient(c, path);
	if (!wrong && buf_printf(&c->recipients, "%.*s\n", SPAN_FMT(path)) != 0)
		wrong = "451 4.3.0 No memory";
	if (wrong) {
		smtpd_refuse(c, wrong);
		return;
	}
	c->recipient_count++;
	smtpd_say(c, "250 2.1.5 Ok");
}

static void run_data(struct smtpd_session *c, struct span args)
{
	if (args.len > 0 || c->recipient_count == 0) {
		smtpd_refuse(c, "503 5.5.1 DATA comes after RCPT, alone");
		return;
	}
	if (smtpd_meets_early_fault(c))
		return;
	c->mode = SMTPD_BODY;
	smtpd_say(c, "354 End with CRLF.CRLF");
}

static void run_rset(struct smtpd_session *c, struct span args)
{
	(void)args;
	smtpd_forget_transaction(c);
	smtpd_say(c, "250 2.0.0 Ok");
}

static void run_noop(struct smtpd_session *c, struct span args)
{
	(void)args;
	smtpd_say(c, "250 2.0.0 Ok");
}

static void run_vrfy(struct smtpd_session *c, struct span args)
{
	(void)args;
	smtpd_say(c, "252 2.5.0 Send it and see");
}

static void run_quit(struct smtpd_session *c, struct span args)
{
	(void)args;
	smtpd_leave(c, "221 2.0.0 Goodbye");
}

void smtpd_command(struct smtpd_session *c, struct span line)
{
	static const struct {
		const char *verb;
		void (*run)(struct smtpd_session *c, struct span args);
	} commands[] = { { "EHLO", run_ehlo }, { "HELO", run_helo },
		{ "AUTH", smtpd_auth }, { "MAIL", run_mail },
		{ "RCPT", run_rcpt }, { "DATA", run_data },
		{ "RSET", run_rset }, { "NOOP", run_noop },
		{ "VRFY", run_vrfy }, { "QUIT", run_quit } };
	struct span args = line, verb = span_cut(&args, ' ');

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!span_ieq(verb, span_of(commands[i].verb)))
			continue;
		if (!smtpd_meets_fault(c, commands[i].verb, args))
			commands[i].run(c, args);
		return;
	}
	smtpd_refuse(c, "500 5.5.1 There is no such command here");
}

/* --- the message --- */

static bool has_from(struct span message)
{
	size_t len = header_length(message);
	struct message_field field;

	return header_find(
	    len > 0 ? span_first(message, len) : message, SPAN("From"), &field);
}

static void answer(struct fake_answer *a, int status, const char *text)
{
	a->status = status;
	(void)buf_add_str(&a->body, text);
}

static bool keep(struct smtpd_session *c, struct fake_answer *a)
{
	struct span rest = buf_span(&c->recipients);

	if (!fake_take(a, &fake_smtp, LETTER_MIME, buf_span(&c->text)))
		return false;
	(void)letter_set_sender(a->letter, span_of(c->sender));
	while (rest.len > 0)
		(void)letter_add_recipient(a->letter, span_cut(&rest, '\n'));
	(void)snprintf(a->letter->provider_id, sizeof(a->letter->provider_id),
	    "%s", a->letter->id);
	return true;
}

static void judge(struct smtpd_session *c, struct fake_answer *a)
{
	struct span text = buf_span(&c->text);

	if (c->body.is_too_large)
		answer(a, 552, "5.3.4 The message is too large");
	else if (smtpd_body_has_bare_ends(text))
		answer(a, 554,
		    "5.6.0 A line ends with CRLF, and CR and LF are "
		    "nowhere else");
	else if (!c->takes_8bit && !span_is_ascii(text))
		answer(a, 554, "5.6.3 BODY=8BITMIME was not announced");
	else if (!has_from(text))
		answer(a, 554, "5.6.0 The message has no From");
	else if (keep(c, a)) {
		answer(a, 250, "2.0.0 Ok: queued as ");
		(void)buf_add_str(&a->body, a->letter->id);
	}
}

void smtpd_take_message(struct smtpd_session *c)
{
	struct fake_answer a;
	const struct fault *fault;

	fake_answer_init(&a);
	judge(c, &a);
	fault = settle(c->sandbox, FAKE_smtp, &a);
	smtpd_forget_transaction(c);
	smtpd_answer(c, fault, &a);
	fake_answer_finish(&a);
}
