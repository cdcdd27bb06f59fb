/*
 * Whole sessions: any bytes, to listeners of every kind, with logins, messages
 * and commands sent ahead. What is behind a session is that of the dialogs
 * (tests/dialog/fakes.c), its connection and loop are fakes of their own.
 * Replies and messages must be well formed, nothing may be left over, and how
 * the bytes were cut must not matter.
 *
 * An input: three bytes that choose, then what the client sends.
 */
#include "fake_conn.h"
#include "fake_loop.h"
#include "fuzz.h"

#include <base/counters.h>
#include <base/log.h>
#include <dialog/fakes.h>
#include <dialog/settings.h>
#include <policy/peers.h>
#include <policy/pressure.h>
#include <smtp/reply.h>
#include <smtp/session.h>

#include <stdio.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
	OUT_MAX = 256 * 1024 * 1024,
	SOON_MS = 20 * 1000, /* delays, but no timeouts of the client */
	ID_LEN = 26
};

/* What the first bytes of an input chose. */
struct choice {
	enum transport transport;
	bool is_lenient, is_picky; /* about line ends */
	bool is_open, has_login, is_small, is_left;
	unsigned verdict;
	size_t piece;
};

struct play {
	struct choice choice;
	struct settings settings;
	struct network proxies;
	struct loop *loop;
	struct smtp_service service;
	struct counters counters;
	struct conn *conn;
	bool is_over;
	struct buf out;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return 0;
}

static struct choice choose(struct span *in)
{
	unsigned a = fuzz_take(in), b = fuzz_take(in);

	return (struct choice){
		.transport = (enum transport)((a & 3) % TRANSPORTS),
		.is_lenient = a & 0x04,
		.is_picky = a & 0x08,
		.is_open = a & 0x10,
		.has_login = a & 0x20,
		.is_small = a & 0x40,
		.is_left = a & 0x80,
		.verdict = b,
		.piece = 1 + fuzz_take(in) % 100,
	};
}

/* --- what is behind it --- */

static void limit(struct config_smtp *smtp)
{
	smtp->max_message_size = 300;
	smtp->max_recipients = 2;
	smtp->max_messages_per_session = 2;
	smtp->header_bytes = 200;
	smtp->header_fields = 5;
	smtp->soft_errors = 2;
	smtp->hard_errors = 5;
	smtp->junk_commands = 3;
}

static void apply(struct play *p)
{
	static const enum deliver_verdict verdicts[] = { DELIVER_QUEUED,
		DELIVER_SENT, DELIVER_REJECTED, DELIVER_DEFERRED, DELIVER_FULL,
		DELIVER_STORE_ERROR, DELIVER_NO_ROUTE };
	static const struct script nothing = { .path = "" };
	const struct choice *c = &p->choice;

	settings_apply(&p->settings, &nothing, c->transport);
	p->settings.listener.allow_unauthenticated = c->is_open;
	p->settings.listener.user = c->is_open ? "alice" : NULL;
	p->settings.listener.lenient_syntax = c->is_lenient;
	if (c->verdict & 0x20) { /* XCLIENT, perhaps with LOGIN */
		(void)network_parse(SPAN("0.0.0.0/0"), &p->proxies);
		p->settings.listener.xclient_trusted =
		    (struct postern_list){ &p->proxies, 1 };
		p->settings.listener.xclient_login = (c->verdict & 0x10) != 0;
	}
	if (c->is_picky)
		p->settings.config.smtp.line_endings = CONFIG_LINES_REJECT;
	if (c->is_small)
		limit(&p->settings.config.smtp);
	fakes.answer = (struct deliver_answer){
		.verdict = verdicts[c->verdict % 7],
		.result = POSTERN_REJECTED,
		.provider = "ses",
		.reason = "Bad\r\n250 content",
	};
	fakes.is_deaf = (c->verdict & 0x40) != 0;
	if (c->verdict & 0x80)
		fakes.quota = QUOTA_RATE;
}

/* --- playing --- */

/* Until the session waits for its client, or for ever. */
static void settle(struct play *p)
{
	do
		fake_loop_settle(p->loop);
	while (fake_loop_skip(p->loop, SOON_MS));
}

static void feed(struct play *p, struct span in, size_t piece)
{
	while (in.len > 0 && !p->is_over) {
		size_t n = fake_conn_feed(p->conn, span_first(in, piece));

		settle(p);
		if (n == 0)
			break; /* a verdict that does not come */
		in = span_from(in, n);
	}
}

/* EHLO where the input may choose it, and a login. */
static void introduce(struct play *p)
{
	if (!p->choice.has_login)
		return;
	feed(p, SPAN("EHLO client.test\r\n"), SIZE_MAX);
	if (p->choice.transport == TRANSPORT_STARTTLS)
		feed(p, SPAN("STARTTLS\r\n"), SIZE_MAX);
	if (p->choice.transport == TRANSPORT_STARTTLS)
		feed(p, SPAN("EHLO client.test\r\n"), SIZE_MAX);
	feed(p, SPAN("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"), SIZE_MAX);
}

/* The client goes, or says nothing until it is told to. */
static void leave(struct play *p)
{
	if (!p->is_over && !p->choice.is_left)
		fake_conn_eof(p->conn);
	settle(p);
	while (!p->is_over && fake_loop_skip(p->loop, UINT32_MAX))
		settle(p);
	if (!p->is_over)
		conn_abort(p->conn, CONN_END_RESET);
	settle(p);
}

static void check_message(void)
{
	struct span message = buf_span(&fakes.message);

	fuzz_claim(fuzz_is_clean(message));
	fuzz_claim(
	    fakes.submitted == 0 || span_starts_with(message, SPAN("Rec")));
}

static void check_books(struct play *p)
{
	size_t accepted = counter_get(&p->counters.accepted);

	fuzz_claim(p->is_over && p->service.session_count == 0);
	fuzz_claim(
	    fakes.taken == fakes.given_back + accepted + fakes.abandoned);
	fuzz_claim(fakes.config_refs == 0);
	fuzz_claim(counter_get(&p->counters.listeners[0].active) == 0);
	fuzz_claim(fake_loop_is_idle(p->loop));
}

static void play(struct play *p, struct span in, size_t piece)
{
	fakes_init();
	apply(p);
	buf_init(&p->out, OUT_MAX);
	p->loop = fake_loop_new();
	fuzz_claim(p->loop != NULL);
	smtp_service_init(&p->service, p->loop);
	p->service.config = &p->settings.config;
	p->service.tls = (struct tls_set *)p; /* there is one */
	p->service.deliver = fakes_deliver(p->loop);
	p->service.counters = &p->counters;
	p->service.pressure = pressure_new();
	fuzz_claim(p->service.pressure != NULL);
	p->service.peers = peers_new(10);
	fuzz_claim(p->service.peers != NULL);
	p->conn = fake_conn_new(p->loop, &p->out, &p->is_over);
	fuzz_claim(p->conn != NULL);
	smtp_session_start(&p->service, p->conn, 0);
	settle(p);
	introduce(p);
	feed(p, in, piece);
	leave(p);
	check_message();
	check_books(p);
	smtp_service_finish(&p->service);
	peers_free(p->service.peers);
	pressure_free(p->service.pressure);
	settings_finish(&p->settings);
	fake_loop_free(p->loop);
	fakes_finish();
}

/* --- what it said --- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void check_line(struct span line)
{
	fuzz_claim(line.len >= 4 && line.len + 2 <= SMTP_REPLY_MAX);
	fuzz_claim(line.ptr[0] >= '2' && line.ptr[0] <= '5');
	fuzz_claim(is_digit(line.ptr[1]) && is_digit(line.ptr[2]));
	fuzz_claim(line.ptr[3] == ' ' || line.ptr[3] == '-');
	for (size_t i = 0; i < line.len; i++)
		fuzz_claim(line.ptr[i] >= ' ' && line.ptr[i] < 0x7f);
}

static void check_lines(struct span out)
{
	while (out.len > 0) {
		const char *end = memmem(out.ptr, out.len, "\r\n", 2);

		fuzz_claim(end != NULL);
		check_line(span_first(out, (size_t)(end - out.ptr)));
		out = span_from(out, (size_t)(end - out.ptr) + 2);
	}
}

static bool is_of_id(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

/* Ids differ from play to play. */
static void mask_ids(struct buf *out)
{
	char *text = (char *)(uintptr_t)buf_span(out).ptr;
	size_t run = 0;

	for (size_t i = 0; i < buf_len(out); i++) {
		run = is_of_id(text[i]) ? run + 1 : 0;
		if (run >= ID_LEN)
			memset(text + i + 1 - run, 'x', run);
	}
}

/* Told how they differ, a finding explains itself. */
static void claim_same(const struct play *whole, const struct play *pieces)
{
	struct span a = buf_span(&whole->out), b = buf_span(&pieces->out);

	if (span_eq(a, b))
		return;
	(void)fprintf(stderr, "whole:\n%.*s\nin pieces of %zu:\n%.*s\n",
	    SPAN_FMT(a), pieces->choice.piece, SPAN_FMT(b));
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	struct choice choice = choose(&in);
	struct play whole = { .choice = choice }, pieces = { .choice = choice };

	play(&whole, in, SIZE_MAX);
	play(&pieces, in, choice.piece);
	check_lines(buf_span(&whole.out));
	check_lines(buf_span(&pieces.out));
	mask_ids(&whole.out);
	mask_ids(&pieces.out);
	/* Behind STARTTLS, what comes at once is an attack. */
	if (choice.transport != TRANSPORT_STARTTLS)
		claim_same(&whole, &pieces);
	buf_finish(&whole.out);
	buf_finish(&pieces.out);
	return 0;
}
