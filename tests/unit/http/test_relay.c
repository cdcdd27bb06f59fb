/*
 * Mail to an SMTP server that does what a script says: what is sent, byte for
 * byte, and at which point of the session a fault means what.
 */
#include "rig.h"

#include <support/unit.h>

#include <unistd.h>

enum {
	HEARD_MAX = 8 * 1024 * 1024,
	LINE_MAX_ = 4096,
	LARGE = 3 * 1024 * 1024
};

/* Where a session may go wrong. */
enum stage {
	NOWHERE = 0,
	AT_CONNECT,
	AT_EHLO,
	AT_AUTH,
	AT_RSET,
	AT_MAIL,
	AT_RCPT, /* the second recipient, if there are two */
	AT_DATA,
	IN_BODY,
	AT_DOT,
	AFTER_DOT /* answered, then gone */
};

struct script {
	enum stage stage;
	unsigned nth_mail; /* the stage is reached with this one, from 0 */
	const char *reply; /* NULL: close; "" : say nothing; "reset" */
	const char *ehlo;  /* lines before the last; NULL: the usual */
	const char *rset;  /* the reply to it, where that is not OK */
	_Atomic unsigned mails, sessions;
	char heard[HEARD_MAX]; /* all but the content */
	size_t heard_len;
	char content[HEARD_MAX]; /* of DATA, with its dot */
	size_t content_len;
};

static struct rig rig;
static struct raw_server server;
static struct script script;

static struct span recipients[100];
static struct http_smtp how;
static char message[LARGE + 64];
static size_t message_len;

/* --- the server --- */

static bool read_line(int fd, char *line, size_t *out_len)
{
	size_t len = 0;

	while (len < LINE_MAX_ && read(fd, line + len, 1) == 1) {
		if (line[len++] == '\n') {
			*out_len = len;
			return true;
		}
	}
	return false;
}

static bool begins(const char *line, const char *word)
{
	return strncmp(line, word, strlen(word)) == 0;
}

/* False: it goes on as usual. */
static bool goes_wrong(enum stage at, int *fd, bool *out_ends)
{
	char c;

	*out_ends = false;
	if (at == NOWHERE || script.stage != at ||
	    script.mails < script.nth_mail)
		return false;
	*out_ends = true;
	if (!script.reply)
		return true;
	if (strcmp(script.reply, "reset") == 0) {
		raw_reset(fd);
	} else if (script.reply[0] == '\0') {
		while (read(*fd, &c, 1) == 1) {
		}
	} else {
		raw_send(*fd, script.reply);
		*out_ends = at == AFTER_DOT || at == IN_BODY;
	}
	return true;
}

/* False: the session is over. */
static bool answer(enum stage at, int *fd, const char *usual)
{
	bool ends;

	if (!goes_wrong(at, fd, &ends))
		raw_send(*fd, usual);
	return !ends;
}

static void hear(struct raw_server *s, const char *line, size_t len)
{
	pthread_mutex_lock(&s->lock);
	if (script.heard_len + len < HEARD_MAX) {
		memcpy(script.heard + script.heard_len, line, len);
		script.heard_len += len;
	}
	pthread_mutex_unlock(&s->lock);
}

/* In blocks, as it is large: up to the line with the dot. */
static bool read_content(struct raw_server *s, int *fd)
{
	char *content = malloc(HEARD_MAX);
	bool is_whole = false, ends;
	size_t len = 0;
	ssize_t n;

	while (!is_whole && len < HEARD_MAX &&
	       (n = read(*fd, content + len, HEARD_MAX - len)) > 0) {
		len += (size_t)n;
		if (goes_wrong(IN_BODY, fd, &ends))
			break;
		is_whole =
		    len >= 5 && memcmp(content + len - 5, "\r\n.\r\n", 5) == 0;
	}
	pthread_mutex_lock(&s->lock);
	memcpy(script.content, content, len);
	script.content_len = len;
	pthread_mutex_unlock(&s->lock);
	free(content);
	return is_whole;
}

static bool converse(struct raw_server *s, int *fd, const char *line)
{
	bool ends;

	if (begins(line, "EHLO")) {
		raw_send(*fd, script.ehlo ? script.ehlo
					  : "250-me\r\n250-PIPELINING\r\n"
					    "250-8BITMIME\r\n250-SIZE 0\r\n");
		return answer(AT_EHLO, fd, "250 HELP\r\n");
	}
	if (begins(line, "AUTH PLAIN\r")) {
		raw_send(*fd, "334 \r\n");
		return true;
	}
	if (begins(line, "AHNob3AAczNjcmV0\r")) /* shop, s3cret */
		return answer(AT_AUTH, fd, "235 2.7.0 welcome\r\n");
	if (begins(line, "RSET"))
		return answer(AT_RSET, fd,
		    script.rset ? script.rset : "250 2.0.0 ok\r\n");
	if (begins(line, "MAIL"))
		return answer(AT_MAIL, fd, "250 2.1.0 ok\r\n");
	if (begins(line, "RCPT TO:<b"))
		return answer(AT_RCPT, fd, "250 2.1.5 ok\r\n");
	if (begins(line, "RCPT"))
		return answer(NOWHERE, fd, "250 2.1.5 ok\r\n");
	if (!begins(line, "DATA"))
		return false;
	if (goes_wrong(AT_DATA, fd, &ends))
		return !ends;
	raw_send(*fd, "354 go on\r\n");
	if (!read_content(s, fd))
		return false;
	hear(s, ".\r\n", 3);
	if (!answer(AT_DOT, fd, "250-2.0.0 thanks,\r\n250 2.0.0 got it\r\n"))
		return false;
	if (goes_wrong(AFTER_DOT, fd, &ends))
		return false;
	atomic_fetch_add(&script.mails, 1);
	return true;
}

static void serve(struct raw_server *s, int *fd, unsigned nth)
{
	char line[LINE_MAX_ + 1];
	size_t len;

	(void)nth;
	atomic_fetch_add(&script.sessions, 1);
	if (!answer(AT_CONNECT, fd, "220-hello\r\n220 there\r\n"))
		return;
	while (read_line(*fd, line, &len)) {
		hear(s, line, len);
		if (!converse(s, fd, line))
			return;
	}
}

/* --- the client --- */

static ptrdiff_t read_message(void *ctx, uint64_t offset, char *out, size_t len)
{
	size_t left = message_len - (size_t)offset;

	(void)ctx;
	/* Odd pieces, so that their ends fall everywhere. */
	if (len > 997)
		len = 997;
	if (len > left)
		len = left;
	memcpy(out, message + offset, len);
	return (ptrdiff_t)len;
}

static void set_message(const char *text)
{
	message_len = strlen(text);
	memcpy(message, text, message_len);
}

static void set_up(void)
{
	memset(&script, 0, sizeof(script));
	recipients[0] = SPAN("a@dest.example");
	recipients[1] = SPAN("b@dest.example");
	how = (struct http_smtp){ .tls = HTTP_SMTP_TLS_NONE,
		.sender = SPAN("me@shop.example"),
		.recipients = recipients,
		.recipient_count = 2 };
	set_message("Subject: x\r\n\r\nhello\r\n");
	rig_init(&rig);
	rig.settings.name = "mail.shop.example";
}

static struct rig_call *add(void)
{
	struct rig_call *c = rig_add(&rig, "smtp://127.0.0.1", server.port, 0);

	(void)snprintf(
	    c->url, sizeof(c->url), "smtp://127.0.0.1:%u", server.port);
	c->call.smtp = &how;
	c->call.body_size = message_len;
	c->call.body_read = read_message;
	c->call.timeout_ms = 5000;
	return c;
}

static void run(void)
{
	rig_run(&rig);
	raw_server_stop(&server);
}

static void expect_heard(const char *text)
{
	ck_assert_int_eq((int)strlen(text), (int)script.heard_len);
	ck_assert(memcmp(text, script.heard, script.heard_len) == 0);
}

#define GREETING "EHLO mail.shop.example\r\n"
#define PARAMETERS " SIZE=21 BODY=8BITMIME"
#define ENVELOPE                                                               \
	"MAIL FROM:<me@shop.example>" PARAMETERS "\r\n"                        \
	"RCPT TO:<a@dest.example>\r\nRCPT TO:<b@dest.example>\r\n"

START_TEST(says_what_the_envelope_says)
{
	set_up();
	raw_server_start(&server, serve, NULL);
	struct rig_call *c = add();
	run();
	ck_assert_int_eq(c->fault, HTTP_FAULT_NONE);
	ck_assert_int_eq(c->status, 250);
	ck_assert_str_eq(c->command, ".");
	ck_assert_str_eq(c->body, "2.0.0 thanks,\n2.0.0 got it");
	ck_assert_uint_eq(script.content_len, message_len + 3);
	expect_heard(GREETING ENVELOPE "DATA\r\n.\r\nQUIT\r\n");
}
END_TEST

START_TEST(speaks_without_extensions_to_who_has_none)
{
	set_up();
	script.ehlo = "250-me\r\n";
	raw_server_start(&server, serve, NULL);
	how.sender = SPAN("");
	struct rig_call *c = add();
	run();
	ck_assert_int_eq(c->status, 250);
	expect_heard(GREETING "MAIL FROM:<>\r\nRCPT TO:<a@dest.example>\r\n"
			      "RCPT TO:<b@dest.example>\r\nDATA\r\n.\r\n"
			      "QUIT\r\n");
}
END_TEST

static const struct {
	const char *message, *content;
} contents[] = {
	{ "", ".\r\n" },
	{ ".\r\n", "..\r\n.\r\n" },
	{ "a\r\n.\r\n..\r\n.b\r\n\r\n.", "a\r\n..\r\n...\r\n..b\r\n\r\n..\r\n"
					 ".\r\n" },
	{ "a.\r\nb..c\r\n", "a.\r\nb..c\r\n.\r\n" },
	{ "no end of line", "no end of line\r\n.\r\n" },
	{ "caf\xc3\xa9 \xff\r\n", "caf\xc3\xa9 \xff\r\n.\r\n" },
};

START_TEST(doubles_dots_and_nothing_else)
{
	set_up();
	raw_server_start(&server, serve, NULL);
	set_message("");
	/* Something before, so that the end is known by its line. */
	(void)snprintf(
	    message, sizeof(message), "x\r\n%s", contents[_i].message);
	message_len = strlen(message);
	struct rig_call *c = add();
	run();
	ck_assert_int_eq(c->status, 250);
	ck_assert_uint_eq(script.content_len, strlen(contents[_i].content) + 3);
	ck_assert(memcmp(script.content + 3, contents[_i].content,
		      script.content_len - 3) == 0);
}
END_TEST

START_TEST(brings_a_large_message_whole)
{
	size_t dots = 0;
	bool is_same = true;

	set_up();
	for (size_t i = 0; i < LARGE; i += 4) {
		memcpy(message + i, i % 12 ? ".xy\n" : "zz\r\n", 4);
		if (i % 12)
			message[i + 2] = '\r';
		dots += i % 12 != 0;
	}
	message_len = LARGE;
	raw_server_start(&server, serve, NULL);
	struct rig_call *c = add();
	run();
	ck_assert_int_eq(c->status, 250);
	ck_assert_uint_eq(script.content_len, LARGE + dots + 3);
	/* One check: they cost more than what they look at. */
	for (size_t i = 0, k = 0; i < LARGE; i++, k++) {
		if (i % 4 == 0 && message[i] == '.')
			is_same &= script.content[k++] == '.';
		is_same &= script.content[k] == message[i];
	}
	ck_assert(is_same);
}
END_TEST

static const struct {
	enum stage stage;
	const char *reply;
	bool is_large;
	enum http_fault fault;
	int status;
	const char *command, *body;
} endings[] = {
	{ AT_CONNECT, "421 4.3.2 busy\r\n", false, HTTP_FAULT_NONE, 421,
	    "connect", "4.3.2 busy" },
	{ AT_CONNECT, "554 go away\r\n", false, HTTP_FAULT_NONE, 554, "connect",
	    "go away" },
	{ AT_CONNECT, NULL, false, HTTP_FAULT_CONNECT, 0, "", "" },
	{ AT_CONNECT, "reset", false, HTTP_FAULT_CONNECT, 0, "", "" },
	{ AT_CONNECT, "", false, HTTP_FAULT_CONNECT, 0, "", "" },
	{ AT_EHLO, NULL, false, HTTP_FAULT_CONNECT, 0, "", "" },
	{ AT_MAIL, "550 5.7.1 not\r\n", false, HTTP_FAULT_NONE, 550, "MAIL",
	    "5.7.1 not" },
	{ AT_MAIL, "550-5.7.1 not\r\n550 5.7.1 you\r\n", false, HTTP_FAULT_NONE,
	    550, "MAIL", "5.7.1 not\n5.7.1 you" },
	{ AT_MAIL, "421 4.4.2 bye\r\n", false, HTTP_FAULT_NONE, 421, "MAIL",
	    "4.4.2 bye" },
	{ AT_MAIL, NULL, false, HTTP_FAULT_UNSENT, 0, "", "" },
	{ AT_MAIL, "", false, HTTP_FAULT_UNSENT, 0, "", "" },
	{ AT_MAIL, "what?\r\n", false, HTTP_FAULT_UNSENT, 0, "", "" },
	{ AT_MAIL, "2\r\n", false, HTTP_FAULT_UNSENT, 0, "", "" },
	{ AT_RCPT, "550 5.1.1 nobody\r\n", false, HTTP_FAULT_NONE, 550, "RCPT",
	    "5.1.1 nobody" },
	{ AT_RCPT, "450 4.2.1 later\r\n", false, HTTP_FAULT_NONE, 450, "RCPT",
	    "4.2.1 later" },
	{ AT_RCPT, NULL, false, HTTP_FAULT_UNSENT, 0, "", "" },
	{ AT_RCPT, "reset", false, HTTP_FAULT_UNSENT, 0, "", "" },
	{ AT_DATA, "451 4.3.0 no\r\n", false, HTTP_FAULT_NONE, 451, "DATA",
	    "4.3.0 no" },
	/* A success here is none: nothing was sent. */
	{ AT_DATA, "250 2.0.0 taken\r\n", false, HTTP_FAULT_UNSENT, 0, "", "" },
	{ AT_DATA, NULL, false, HTTP_FAULT_UNSENT, 0, "", "" },
	{ IN_BODY, NULL, true, HTTP_FAULT_UNSENT, 0, "", "" },
	{ IN_BODY, "reset", true, HTTP_FAULT_UNSENT, 0, "", "" },
	{ AT_DOT, NULL, false, HTTP_FAULT_UNANSWERED, 0, "", "" },
	{ AT_DOT, "reset", false, HTTP_FAULT_UNANSWERED, 0, "", "" },
	{ AT_DOT, "", false, HTTP_FAULT_UNANSWERED, 0, "", "" },
	{ AT_DOT, "nonsense\r\n", false, HTTP_FAULT_UNANSWERED, 0, "", "" },
	{ AT_DOT, NULL, true, HTTP_FAULT_UNANSWERED, 0, "", "" },
	{ AT_DOT, "554 5.6.0 spam\r\n", false, HTTP_FAULT_NONE, 554, ".",
	    "5.6.0 spam" },
	{ AT_DOT, "451 4.3.0 later\r\n", true, HTTP_FAULT_NONE, 451, ".",
	    "4.3.0 later" },
	{ AT_DOT, "354 what\r\n", false, HTTP_FAULT_NONE, 354, ".", "what" },
	{ AFTER_DOT, NULL, false, HTTP_FAULT_NONE, 250, ".",
	    "2.0.0 thanks,\n2.0.0 got it" },
};

START_TEST(names_how_it_ended)
{
	set_up();
	script.stage = endings[_i].stage;
	script.reply = endings[_i].reply;
	if (endings[_i].is_large) {
		memset(message, 'x', LARGE);
		message_len = LARGE;
	}
	raw_server_start(&server, serve, NULL);
	struct rig_call *c = add();
	if (endings[_i].reply && endings[_i].reply[0] == '\0')
		c->call.timeout_ms = 500;
	run();
	ck_assert_msg(c->fault == endings[_i].fault, "case %d: fault %d: %s",
	    _i, (int)c->fault, c->error);
	ck_assert_int_eq(c->status, endings[_i].status);
	ck_assert_str_eq(c->command, endings[_i].command);
	ck_assert_str_eq(c->body, endings[_i].body);
	ck_assert((c->error[0] != '\0') == (c->fault != HTTP_FAULT_NONE));
	ck_assert_uint_le(script.mails, 1);
}
END_TEST

START_TEST(an_early_refusal_of_the_message_is_heard)
{
	set_up();
	script.stage = IN_BODY;
	script.reply = "552 5.3.4 too much\r\n";
	memset(message, 'x', LARGE);
	message_len = LARGE;
	raw_server_start(&server, serve, NULL);
	struct rig_call *c = add();
	run();
	/* Its words, or the reset that came with them. */
	if (c->fault == HTTP_FAULT_NONE) {
		ck_assert_int_eq(c->status, 552);
		ck_assert_str_eq(c->command, "DATA");
	} else {
		ck_assert_int_eq(c->fault, HTTP_FAULT_UNSENT);
	}
}
END_TEST

/* --- several messages --- */

START_TEST(one_connection_carries_several_messages)
{
	set_up();
	raw_server_start(&server, serve, NULL);
	for (int i = 0; i < 5; i++)
		(void)add();
	run();
	ck_assert_uint_eq(script.mails, 5);
	ck_assert_uint_eq(script.sessions, 1);
}
END_TEST

START_TEST(after_a_refusal_the_connection_goes_on)
{
	set_up();
	script.stage = AT_RCPT;
	script.reply = "550 5.1.1 nobody\r\n";
	raw_server_start(&server, serve, NULL);
	(void)add();
	struct rig_call *second = add();
	run();
	ck_assert_int_eq(second->status, 550);
	ck_assert_uint_eq(script.sessions, 1);
	expect_heard(GREETING ENVELOPE "RSET\r\n" ENVELOPE "QUIT\r\n");
}
END_TEST

START_TEST(a_refused_rset_is_none_of_the_next_message)
{
	set_up();
	script.stage = AT_RCPT;
	script.reply = "550 5.1.1 nobody\r\n";
	script.rset = "500 5.5.2 what?\r\n";
	raw_server_start(&server, serve, NULL);
	(void)add();
	struct rig_call *second = add();
	run();
	ck_assert_int_eq(second->status, 550);
	ck_assert_str_eq(second->command, "RCPT");
	ck_assert_uint_eq(script.sessions, 2);
}
END_TEST

/* Gone while nobody used it, or just when the next message begins. */
static const struct {
	enum stage stage;
	const char *reply;
} partings[] = {
	{ AFTER_DOT, NULL },
	{ AFTER_DOT, "421 4.4.2 idle for too long\r\n" },
	{ AT_MAIL, NULL },
	{ AT_MAIL, "421 4.4.2 enough\r\n" },
	{ AT_RCPT, NULL },
};

START_TEST(a_connection_that_has_gone_is_made_anew)
{
	bool is_begun = partings[_i].stage == AT_RCPT;

	set_up();
	script.stage = partings[_i].stage;
	script.reply = partings[_i].reply;
	script.nth_mail = script.stage == AFTER_DOT ? 0 : 1;
	raw_server_start(&server, serve, NULL);
	struct rig_call *first = add(), *second = add();
	run();
	ck_assert_int_eq(first->status, 250);
	/* On the new one it happens again, which is the end of it. */
	if (script.stage == AFTER_DOT)
		ck_assert_int_eq(second->status, 250);
	else if (partings[_i].reply)
		ck_assert_int_eq(second->status, 421);
	else
		ck_assert_int_eq(second->fault, HTTP_FAULT_UNSENT);
	ck_assert_uint_eq(script.sessions, is_begun ? 1 : 2);
}
END_TEST

START_TEST(a_message_that_may_have_been_taken_is_not_sent_again)
{
	set_up();
	script.stage = AT_DOT;
	script.nth_mail = 1;
	raw_server_start(&server, serve, NULL);
	(void)add();
	struct rig_call *second = add();
	run();
	ck_assert_int_eq(second->fault, HTTP_FAULT_UNANSWERED);
	ck_assert_uint_eq(script.sessions, 1);
}
END_TEST

START_TEST(connections_are_limited_and_waited_for)
{
	set_up();
	rig.is_parallel = true;
	rig.settings.max_connections_per_host = 3;
	raw_server_start(&server, serve, NULL);
	for (int i = 0; i < 30; i++)
		(void)add();
	run();
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(rig.calls[i].status, 250);
	ck_assert_uint_le(script.sessions, 3);
}
END_TEST

START_TEST(waiting_for_a_connection_has_an_end)
{
	set_up();
	rig.is_parallel = true;
	rig.settings.max_connections_per_host = 1;
	script.stage = AT_MAIL;
	script.reply = "";
	raw_server_start(&server, serve, NULL);
	struct rig_call *hangs = add(), *waits = add();
	hangs->call.timeout_ms = 1000;
	waits->call.timeout_ms = 300;
	run();
	ck_assert_int_eq(hangs->fault, HTTP_FAULT_UNSENT);
	ck_assert_int_eq(waits->fault, HTTP_FAULT_CONNECT);
}
END_TEST

/* --- login, TLS, UTF-8 --- */

START_TEST(logs_in_once_for_a_connection)
{
	set_up();
	script.ehlo = "250-me\r\n250-AUTH CRAM-MD5 PLAIN\r\n";
	how.user = "shop";
	how.password = "s3cret";
	script.stage = AT_AUTH;
	script.nth_mail = 99;
	raw_server_start(&server, serve, NULL);
	(void)add();
	struct rig_call *c = add();
	run();
	ck_assert_int_eq(c->status, 250);
	ck_assert_uint_eq(script.sessions, 1);
	script.heard[script.heard_len] = '\0';
	ck_assert_ptr_nonnull(strstr(script.heard, "AUTH PLAIN"));
}
END_TEST

static const struct {
	const char *ehlo, *reply;
	int status;
} logins[] = {
	{ "250-me\r\n250-AUTH PLAIN\r\n", "535 5.7.8 wrong\r\n", 535 },
	{ "250-me\r\n250-AUTH PLAIN\r\n", "454 4.7.0 later\r\n", 454 },
	{ "250-me\r\n250-AUTH CRAM-MD5 NTLM\r\n", NULL, 504 },
	{ "250-me\r\n", NULL, 504 },
};

START_TEST(without_a_login_nothing_is_said)
{
	set_up();
	script.ehlo = logins[_i].ehlo;
	script.stage = AT_AUTH;
	script.reply = logins[_i].reply;
	how.user = "shop";
	how.password = "s3cret";
	raw_server_start(&server, serve, NULL);
	struct rig_call *c = add();
	run();
	ck_assert_int_eq(c->fault, HTTP_FAULT_NONE);
	ck_assert_int_eq(c->status, logins[_i].status);
	ck_assert_str_eq(c->command, "AUTH");
	script.heard[script.heard_len] = '\0';
	ck_assert_ptr_null(strstr(script.heard, "MAIL"));
}
END_TEST

START_TEST(without_the_tls_it_needs_nothing_is_said)
{
	set_up();
	how.tls = HTTP_SMTP_TLS_REQUIRED;
	raw_server_start(&server, serve, NULL);
	struct rig_call *c = add();
	run();
	ck_assert_int_eq(c->fault, HTTP_FAULT_TLS);
	script.heard[script.heard_len] = '\0';
	ck_assert_ptr_null(strstr(script.heard, "MAIL"));
}
END_TEST

START_TEST(says_smtputf8_only_where_it_is_offered)
{
	set_up();
	script.ehlo = _i ? "250-me\r\n250-SMTPUTF8\r\n" : NULL;
	how.needs_utf8 = true;
	recipients[0] = SPAN("pel\xc3\xa9@dest.example");
	raw_server_start(&server, serve, NULL);
	struct rig_call *c = add();
	run();
	script.heard[script.heard_len] = '\0';
	ck_assert_int_eq(c->status, _i ? 250 : 555);
	ck_assert((strstr(script.heard, " SMTPUTF8\r\n") != NULL) == (_i == 1));
}
END_TEST

/* --- called off --- */

static void cancel_first(struct rig *r, struct rig_call *c)
{
	if (c != &r->calls[0])
		http_cancel(r->http, &r->calls[0].call);
}

static const struct {
	enum stage stage;
	enum http_fault fault;
} cancels[] = {
	{ AT_CONNECT, HTTP_FAULT_CANCELLED },
	{ AT_MAIL, HTTP_FAULT_CANCELLED },
	{ AT_DOT, HTTP_FAULT_UNANSWERED },
};

START_TEST(can_be_called_off)
{
	set_up();
	rig.is_parallel = true;
	rig.after = cancel_first;
	script.stage = cancels[_i].stage;
	script.reply = "";
	raw_server_start(&server, serve, NULL);
	struct rig_call *hangs = add(), *other = add();
	other->call.timeout_ms = 500;
	run();
	ck_assert_int_eq(hangs->fault, cancels[_i].fault);
}
END_TEST

START_TEST(what_cannot_be_said_is_not_begun)
{
	set_up();
	raw_server_start(&server, serve, NULL);
	recipients[1] = SPAN("b@dest.example>\r\nRCPT TO:<c@dest.example");
	struct rig_call *c = add();
	rig.http = http_new(rig.loop, rig.pool, &rig.settings);
	ck_assert_int_lt(http_submit(rig.http, &c->call), 0);
	http_close(rig.http, rig_closed, &rig);
	loop_run(rig.loop);
	loop_free(rig.loop);
	blocking_free(rig.pool);
	raw_server_stop(&server);
	ck_assert_uint_eq(script.sessions, 0);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static Suite *make_suite(void)
{
	Suite *s = suite_create("http/relay");
	TCase *t = tcase_create("relay");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, says_what_the_envelope_says);
	tcase_add_test(t, speaks_without_extensions_to_who_has_none);
	tcase_add_loop_test(
	    t, doubles_dots_and_nothing_else, 0, COUNT(contents));
	tcase_add_test(t, brings_a_large_message_whole);
	tcase_add_loop_test(t, names_how_it_ended, 0, COUNT(endings));
	tcase_add_test(t, an_early_refusal_of_the_message_is_heard);
	tcase_add_test(t, one_connection_carries_several_messages);
	tcase_add_test(t, after_a_refusal_the_connection_goes_on);
	tcase_add_test(t, a_refused_rset_is_none_of_the_next_message);
	tcase_add_loop_test(
	    t, a_connection_that_has_gone_is_made_anew, 0, COUNT(partings));
	tcase_add_test(t, a_message_that_may_have_been_taken_is_not_sent_again);
	tcase_add_test(t, connections_are_limited_and_waited_for);
	tcase_add_test(t, waiting_for_a_connection_has_an_end);
	tcase_add_test(t, logs_in_once_for_a_connection);
	tcase_add_loop_test(
	    t, without_a_login_nothing_is_said, 0, COUNT(logins));
	tcase_add_test(t, without_the_tls_it_needs_nothing_is_said);
	tcase_add_loop_test(t, says_smtputf8_only_where_it_is_offered, 0, 2);
	tcase_add_loop_test(t, can_be_called_off, 0, COUNT(cancels));
	tcase_add_test(t, what_cannot_be_said_is_not_begun);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
