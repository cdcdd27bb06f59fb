/*
 * Plays dialog files against real sessions over loopback: in the clear, after
 * STARTTLS and within TLS; each as one write, line by line and byte by byte.
 * The result must not depend on it. Usage: dialog FILE...
 */
#include "client.h"
#include "fakes.h"
#include "plan.h"
#include "script.h"
#include "server.h"
#include "settings.h"

#include <base/clock.h>
#include <base/log.h>
#include <net/tls.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <support/certs.h>
#include <support/unit.h>

enum {
	DEADLINE_MS = 20000,
	LOG_MAX = 16 * 1024 * 1024,
	BYTEWISE_MAX = 32 * 1024 /* longer sends go in larger pieces */
};

struct play {
	const struct script *script;
	enum way way;
	struct plan plan;
	struct settings settings;
	struct server server;
	struct client client;
	FILE *log;
	struct buf body; /* what B: lines said so far */
	bool has_left;
	bool is_failed;
};

static void failed_at(struct play *p, const struct step *at, const char *what,
    const char *expected, const char *got)
{
	p->is_failed = true;
	(void)fprintf(stdout, "%s:%u (%s, %s): %s\n  expected: %s\n  got: %s\n",
	    p->script->path, at ? at->line : 0,
	    transport_names[p->settings.transport], way_names[p->way], what,
	    expected, got ? got : "nothing");
}

/* --- expectations --- */

static bool matches(const char *pattern, const char *line)
{
	size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, line, len - 1) == 0;
	return strcmp(pattern, line) == 0;
}

/* Failures are to be quotable: "... (id)" at the end of every 4xx and 5xx. */
static bool has_reference(const char *line)
{
	size_t len = strlen(line);

	if (line[0] != '4' && line[0] != '5')
		return true;
	return len > 29 && line[len - 1] == ')' && line[len - 28] == '(' &&
	       line[len - 29] == ' ';
}

static void expect_line(struct play *p, const struct step *at)
{
	const char *line = client_line(&p->client);

	if (!line || !matches(at->data, line))
		failed_at(p, at, "reply", at->data, line);
	else if (!has_reference(line))
		failed_at(p, at, "reply without reference", at->data, line);
}

static void expect_reply(struct play *p, const struct step *at)
{
	const char *line;

	do {
		line = client_line(&p->client);
		if (!line || strncmp(line, at->data, 3) != 0) {
			failed_at(p, at, "reply", at->data, line);
			return;
		}
	} while (line[3] == '-');
}

static void expect_body(struct play *p, const struct step *at)
{
	(void)buf_add_str(&p->body, at->data);
	(void)buf_add_str(&p->body, "\r\n");
}

static void expect_envelope(struct play *p, const struct step *at)
{
	struct span got = buf_span(&fakes.envelope);

	if (!span_eq(got, span_of(at->data)))
		failed_at(
		    p, at, "envelope", at->data, got.len > 0 ? got.ptr : "");
}

/* Unfolded, as a reader of the message would do it. */
static void expect_header(struct play *p, const struct step *at)
{
	struct span message = buf_span(&fakes.message);
	char *text = calloc(1, message.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < message.len; i++) {
		char c = message.ptr[i];
		bool is_space = c == ' ' || (c >= '\t' && c <= '\r');

		if (is_space && len > 0 && text[len - 1] == ' ')
			continue;
		text[len++] = is_space ? ' ' : c;
	}
	if (!strstr(text, at->data))
		failed_at(p, at, "header", at->data, text);
	free(text);
}

/* --- steps --- */

static void expect(struct play *p, const struct step *at)
{
	switch (at->kind) {
	case STEP_EXPECT:
		expect_line(p, at);
		break;
	case STEP_EXPECT_REPLY:
		expect_reply(p, at);
		break;
	case STEP_BODY:
		expect_body(p, at);
		break;
	case STEP_SET:
	case STEP_SEND:
	case STEP_ENVELOPE:
	case STEP_HEADER:
	case STEP_LOG:
	case STEP_NOT_LOGGED:
	case STEP_TLS:
	case STEP_EOF:
	case STEP_LEAVE:
	case STEP_RESET:
	case STEP_CLOSE:
	case STEP_WAIT:
		break;
	}
}

/* The last message must not be looked at while another may come. */
static bool looks_at_message(const struct step *at)
{
	return at->kind == STEP_ENVELOPE || at->kind == STEP_HEADER;
}

static bool is_barrier(const struct step *at)
{
	return at->kind == STEP_TLS || at->kind == STEP_EOF ||
	       at->kind == STEP_LEAVE || at->kind == STEP_RESET ||
	       at->kind == STEP_CLOSE || at->kind == STEP_WAIT ||
	       looks_at_message(at);
}

static void barrier(struct play *p, const struct step *at)
{
	switch (at->kind) {
	case STEP_TLS:
		if (!client_start_tls(&p->client))
			failed_at(p, at, "handshake", "success", "failure");
		break;
	case STEP_EOF:
		client_eof(&p->client);
		break;
	case STEP_LEAVE:
		client_close(&p->client);
		p->has_left = true;
		break;
	case STEP_RESET:
		if (!server_awaits_submitted(&p->server, 1))
			failed_at(p, at, "delivery", "a message", NULL);
		client_reset(&p->client);
		p->has_left = true;
		break;
	case STEP_CLOSE:
		if (!client_sees_close(&p->client))
			failed_at(
			    p, at, "end", "the server closes", "it does not");
		break;
	case STEP_ENVELOPE:
		expect_envelope(p, at);
		break;
	case STEP_HEADER:
		expect_header(p, at);
		break;
	case STEP_WAIT:
	case STEP_SET:
	case STEP_SEND:
	case STEP_EXPECT:
	case STEP_EXPECT_REPLY:
	case STEP_BODY:
	case STEP_LOG:
	case STEP_NOT_LOGGED:
		break;
	}
}

/* What steps up to a barrier send, in one piece. */
static void send_all(struct play *p, const struct step *steps, size_t count)
{
	struct buf all;

	buf_init(&all, 512 * 1024 * 1024);
	for (size_t i = 0; i < count; i++)
		if (steps[i].kind == STEP_SEND)
			(void)buf_add(&all, steps[i].data, steps[i].len);
	client_send(&p->client, buf_span(&all).ptr, buf_len(&all),
	    p->client.tls ? 1 << 20 : buf_len(&all));
	buf_finish(&all);
}

static void send_one(struct play *p, const struct step *at)
{
	size_t step = at->len;

	if (p->way == WAY_BYTES)
		step = at->len < BYTEWISE_MAX ? 1 : 997;
	client_send(&p->client, at->data, at->len, step);
}

/* Steps of a group: all between two barriers. */
static void play_group(struct play *p, const struct step *steps, size_t count)
{
	if (p->way == WAY_WHOLE)
		send_all(p, steps, count);
	for (size_t i = 0; i < count && !p->is_failed; i++) {
		if (steps[i].kind != STEP_SEND)
			expect(p, &steps[i]);
		else if (p->way != WAY_WHOLE)
			send_one(p, &steps[i]);
	}
}

static void play_steps(struct play *p)
{
	const struct step *steps = p->plan.steps;
	size_t from = 0, count = p->plan.count;

	for (size_t i = 0; i < count && !p->is_failed; i++) {
		if (!is_barrier(&steps[i]))
			continue;
		play_group(p, steps + from, i - from);
		if (!p->is_failed)
			barrier(p, &steps[i]);
		from = i + 1;
	}
	if (!p->is_failed)
		play_group(p, steps + from, count - from);
}

/* --- afterwards --- */

static size_t occurrences(const char *text, const char *what)
{
	size_t count = 0;

	while ((text = strstr(text, what)) != NULL) {
		count++;
		text += strlen(what);
	}
	return count;
}

static void check_log(struct play *p)
{
	char *text = calloc(1, LOG_MAX), *from = text;

	rewind(p->log);
	size_t len = fread(text, 1, LOG_MAX - 1, p->log);
	text[len] = '\0';
	for (size_t i = 0; i < p->plan.count && !p->is_failed; i++) {
		const struct step *at = &p->plan.steps[i];

		if (at->kind == STEP_NOT_LOGGED && strstr(text, at->data))
			failed_at(p, at, "log", "without this", at->data);
		if (at->kind != STEP_LOG)
			continue;
		char *found = strstr(from, at->data);
		if (!found)
			failed_at(p, at, "log", at->data, from);
		else
			from = found + strlen(at->data);
	}
	if (occurrences(text, "event=message_accepted") !=
		counter_get(&p->server.counters.accepted) ||
	    occurrences(text, "event=message_rejected") !=
		counter_get(&p->server.counters.listeners[0].rejected))
		failed_at(p, NULL, "log", "one event per transaction", text);
	if (strstr(text, "secret"))
		failed_at(p, NULL, "log", "no password", text);
	if (p->is_failed)
		(void)fprintf(stdout, "log:\n%s", text);
	free(text);
}

/* What must hold after every dialog. */
static void check_books(struct play *p)
{
	/* A duplicate is accepted and paid for by the first one. */
	size_t accepted =
	    fakes.answer.first ? 0 : counter_get(&p->server.counters.accepted);

	if (fakes.taken != fakes.given_back + accepted + fakes.abandoned)
		failed_at(
		    p, NULL, "quota", "charged for accepted messages", "not");
	if (fakes.owed != (p->settings.listener.mode == CONFIG_MODE_DIRECT
				  ? fakes.taken - fakes.given_back
				  : 0))
		failed_at(p, NULL, "quota",
		    "owed to the store for what is not stored", "not");
	if (fakes.bodies != 0)
		failed_at(p, NULL, "bodies left", "none", "some");
	if (fakes.bodies_made != (size_t)p->settings.bodies)
		failed_at(p, NULL, "bodies in files", "as #! bodies says",
		    "another number");
	if (fakes.bodies_volatile !=
	    (p->settings.listener.mode == CONFIG_MODE_DIRECT ? fakes.bodies_made
							     : 0))
		failed_at(p, NULL, "bodies without a name",
		    "in direct mode only", "others");
	if (fakes.config_refs != 0)
		failed_at(p, NULL, "config", "no references", "some");
	if (counter_get(&p->server.counters.listeners[0].active) != 0)
		failed_at(p, NULL, "counters", "no active session", "some");
	struct span message = buf_span(&fakes.message);
	struct span body = buf_span(&p->body);
	ptrdiff_t end = -1;
	for (size_t i = 0; i + 4 <= message.len && end < 0; i++)
		if (!memcmp(message.ptr + i, "\r\n\r\n", 4))
			end = (ptrdiff_t)i + 4;
	if (body.len > 0 &&
	    (end < 0 || !span_eq(span_from(message, (size_t)end), body)))
		failed_at(p, NULL, "body", body.ptr,
		    end < 0 ? NULL : message.ptr + end);
}

static void await_end(struct play *p)
{
	uint64_t deadline = clock_mono_ms() + DEADLINE_MS;

	while (server_sessions(&p->server) > 0)
		if (clock_mono_ms() > deadline) {
			failed_at(p, NULL, "session", "an end", "none");
			return;
		}
}

static bool play(const struct script *script, const struct config_tls *certs,
    enum transport transport, enum way way)
{
	struct play p = { .script = script, .way = way, .log = tmpfile() };
	int saved = dup(STDERR_FILENO);

	(void)dup2(fileno(p.log), STDERR_FILENO);
	buf_init(&p.body, 64 * 1024 * 1024);
	fakes_init();
	settings_apply(&p.settings, script, transport);
	plan_make(&p.plan, script, &p.settings);
	server_start(&p.server, &p.settings, certs);
	client_open(&p.client, p.server.port);
	if (transport == TRANSPORT_TLS && !client_start_tls(&p.client))
		failed_at(&p, NULL, "handshake", "success", "failure");
	if (!p.is_failed)
		play_steps(&p);
	client_close(&p.client);
	await_end(&p);
	server_stop(&p.server);
	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	check_log(&p);
	if (!p.is_failed)
		check_books(&p);
	settings_finish(&p.settings);
	fakes_finish();
	buf_finish(&p.body);
	plan_free(&p.plan);
	(void)fclose(p.log);
	return !p.is_failed;
}

static unsigned transports_of(const struct settings *t)
{
	if (t->is_cleartext)
		return 1U << TRANSPORT_STARTTLS;
	return t->only_transports ? t->only_transports : ~0U;
}

static bool play_file(const char *path, const struct config_tls *certs)
{
	struct script script;
	struct settings t;
	bool is_fine = true;

	script_read(&script, path);
	fakes_init();
	settings_apply(&t, &script, TRANSPORT_PLAIN);
	for (enum transport i = 0; i < TRANSPORTS && is_fine; i++)
		for (enum way way = 0; way < WAYS && is_fine; way++)
			if ((transports_of(&t) & (1U << i)) &&
			    (!t.only_ways || (t.only_ways & (1U << way))))
				is_fine = play(&script, certs, i, way);
	settings_finish(&t);
	fakes_finish();
	script_finish(&script);
	return is_fine;
}

#define EXPORT __attribute__((visibility("default")))

/* While a dialog runs, stderr is the log under test. */
EXPORT const char *__asan_default_options(void);
EXPORT const char *__ubsan_default_options(void);
EXPORT const char *__tsan_default_options(void);
const char *__asan_default_options(void)
{
	return "log_path=stdout";
}

const char *__ubsan_default_options(void)
{
	return "log_path=stdout:print_stacktrace=1";
}

const char *__tsan_default_options(void)
{
	return "log_path=stdout";
}

static char **files;
static struct certs certs;

static void set_up(void)
{
	certs_init(&certs);
	certs_add(&certs, "mx.test", CERTS_ECDSA);
}

static void tear_down(void)
{
	certs_finish(&certs);
}

START_TEST(holds_in_every_way)
{
	ck_assert_msg(play_file(files[_i], &certs.tls), "%s", files[_i]);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("dialog");
	TCase *tc = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	files = argv;
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, holds_in_every_way, 1, argc);
	suite_add_tcase(suite, tc);
	(void)signal(SIGPIPE, SIG_IGN);
	log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
