/*
 * What sessions do while something is nearly used up and when there is room
 * again: more than one script can show.
 */
#include "client.h"
#include "fakes.h"
#include "server.h"

#include <base/clock.h>
#include <base/log.h>
#include <policy/pressure.h>
#include <smtp/session_internal.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <support/certs.h>
#include <support/onloop.h>
#include <support/unit.h>

enum {
	MANY = 60,
	BEHIND = 64 * 1024 * 1024, /* bytes that wait for the disk: too many */
	LARGE = 20000              /* stays in memory unless that is short */
};

static struct certs certs;
static struct settings settings;
static struct server server;
static const struct script nothing;

static void set_up(void)
{
	certs_init(&certs);
	fakes_init();
	settings_apply(&settings, &nothing, TRANSPORT_PLAIN);
	settings.listener.allow_unauthenticated = true;
	settings.listener.user = "alice";
}

static void tear_down(void)
{
	server_stop(&server);
	settings_finish(&settings);
	fakes_finish();
	certs_finish(&certs);
}

/* A session with a recipient. */
static void open_transaction(struct client *c)
{
	client_open(c, server.port);
	client_say(
	    c, "EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n");
	client_expect(c, "220 ");
	while (strncmp(client_line(c), "250-", 4) == 0)
		;
	client_expect(c, "250 2.1.0");
	client_expect(c, "250 2.1.5");
}

static void be_short_of_memory(bool is_so)
{
	(void)pressure_note(server.service.pressure, PRESSURE_MEMORY_HARD,
	    is_so ? UINT64_MAX : 0);
}

/* Header and the beginning of a body, as a chunk that is not the last. */
static void send_half(struct client *c)
{
	static char text[LARGE];

	memset(text, 'x', sizeof(text));
	client_say(c, "BDAT 20018\r\nFrom: a@b.test\r\n\r\n");
	client_send(c, text, sizeof(text), sizeof(text));
	client_expect(c, "250 2.0.0 Ok: 20018 bytes");
}

struct sight {
	size_t paused;
	uint64_t bodies;
	size_t submitted;
};

static void see(void *ctx)
{
	struct sight *seen = ctx;

	*seen = (struct sight){ .bodies = fakes.bodies_made,
		.submitted = fakes.submitted };
	list_for_each_safe (pos, tmp, &server.service.paused)
		seen->paused++;
}

static struct sight look(void)
{
	struct sight seen;

	onloop_call(server.loop, see, &seen);
	return seen;
}

static void await_paused(size_t count)
{
	uint64_t deadline = clock_mono_ms() + 20000;

	while (look().paused != count)
		ck_assert_uint_lt(clock_mono_ms(), deadline);
}

/* --- memory --- */

START_TEST(hands_over_what_is_complete_when_memory_is_short_by_way_of_a_file)
{
	struct client c;

	settings.listener.mode = _i ? CONFIG_MODE_DIRECT : CONFIG_MODE_INHERIT;
	server_start(&server, &settings, &certs.tls);
	open_transaction(&c);
	send_half(&c);
	ck_assert_uint_eq(look().bodies, 0);
	be_short_of_memory(true);
	client_say(&c, "BDAT 0 LAST\r\n");
	client_expect(&c, "250 2.0.0 Ok: queued as");
	ck_assert_uint_eq(look().bodies, 1);
	client_close(&c);
}
END_TEST

START_TEST(reads_no_content_while_memory_is_short_and_keeps_none_in_it)
{
	struct client c;

	server_start(&server, &settings, &certs.tls);
	open_transaction(&c);
	send_half(&c);
	be_short_of_memory(true);
	client_say(&c, "BDAT 4 LAST\r\nhi\r\n");
	await_paused(1);
	ck_assert_uint_eq(look().bodies, 1);
	ck_assert_uint_eq(look().submitted, 0);
	be_short_of_memory(false);
	client_expect(&c, "250 2.0.0 Ok: queued as");
	client_close(&c);
}
END_TEST

/* A file that cannot be written helps nobody. */
START_TEST(keeps_in_memory_what_no_file_can_take)
{
	struct client c;

	settings.listener.mode = CONFIG_MODE_DIRECT;
	settings.free_space = _i ? 9 : 0;
	fakes.store_rc = _i ? 0 : -EIO;
	server_start(&server, &settings, &certs.tls);
	open_transaction(&c);
	send_half(&c);
	be_short_of_memory(true);
	client_say(&c, "BDAT 0 LAST\r\n");
	client_expect(&c, "250 2.0.0 Ok: queued as");
	ck_assert_uint_eq(look().bodies, 0);
	client_close(&c);
}
END_TEST

/*
 * A piece that goes to the disk just then must not let the next one in. The
 * disk of the fakes takes a turn of the loop for each.
 */
START_TEST(reads_no_large_content_either)
{
	static char text[256 * 1024];
	struct client c;

	server_start(&server, &settings, &certs.tls);
	open_transaction(&c);
	client_say(&c, "BDAT 300018\r\nFrom: a@b.test\r\n\r\n");
	memset(text, 'x', sizeof(text));
	client_send(&c, text, sizeof(text), sizeof(text));
	while (look().bodies == 0)
		;
	be_short_of_memory(true);
	client_send(&c, text, 300000 - sizeof(text), sizeof(text));
	await_paused(1);
	be_short_of_memory(false);
	client_expect(&c, "250 2.0.0 Ok: 300018 bytes");
	client_close(&c);
}
END_TEST

/* --- many at once --- */

/* Runs once a turn. */
struct watcher {
	struct task task;
	size_t before, most;
	bool is_over;
};

static void watch(struct task *t)
{
	struct watcher *w = container_of(t, struct watcher, task);
	size_t now = fakes.submitted;

	if (now - w->before > w->most)
		w->most = now - w->before;
	w->before = now;
	if (!w->is_over)
		loop_post(server.loop, t);
}

static void let_go(void *ctx)
{
	struct watcher *w = ctx;

	fakes.unsynced = 0;
	watch(&w->task);
}

static void end_watch(void *ctx)
{
	((struct watcher *)ctx)->is_over = true;
}

START_TEST(goes_on_with_a_few_in_a_turn)
{
	static struct client c[MANY];
	static struct watcher watcher = { .task.run = watch };

	fakes.unsynced = BEHIND;
	server_start(&server, &settings, &certs.tls);
	for (size_t i = 0; i < MANY; i++) {
		open_transaction(&c[i]);
		client_say(&c[i], "DATA\r\n");
		client_expect(&c[i], "354");
		client_say(&c[i], "From: a@b.test\r\n\r\nhi\r\n.\r\n");
	}
	await_paused(MANY);
	onloop_call(server.loop, let_go, &watcher);
	for (size_t i = 0; i < MANY; i++)
		client_expect(&c[i], "250 2.0.0 Ok: queued as");
	onloop_call(server.loop, end_watch, &watcher);
	ck_assert_uint_eq(look().submitted, MANY);
	/* Two slices of 16, should one be seen late. */
	ck_assert_uint_le(watcher.most, 32);
	for (size_t i = 0; i < MANY; i++)
		client_close(&c[i]);
}
END_TEST

/* The disk's pace is nobody's business who stores nothing. */
START_TEST(lets_direct_mode_pass_those_who_wait_for_the_disk)
{
	struct client stored, direct;

	fakes.unsynced = BEHIND;
	server_start(&server, &settings, &certs.tls);
	open_transaction(&stored);
	client_say(&stored, "DATA\r\n");
	client_expect(&stored, "354");
	await_paused(1);
	settings.user.mode = CONFIG_MODE_DIRECT;
	open_transaction(&direct);
	client_say(&direct, "DATA\r\n");
	client_expect(&direct, "354");
	client_say(&direct, "From: a@b.test\r\n\r\nhi\r\n.\r\n");
	client_expect(&direct, "250 2.0.0 Ok: queued as");
	ck_assert_uint_eq(look().paused, 1);
	client_close(&direct);
	client_close(&stored);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("room");
	TCase *tc = tcase_create("sessions");

	(void)signal(SIGPIPE, SIG_IGN);
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc,
	    hands_over_what_is_complete_when_memory_is_short_by_way_of_a_file,
	    0, 2);
	tcase_add_test(
	    tc, reads_no_content_while_memory_is_short_and_keeps_none_in_it);
	tcase_add_loop_test(tc, keeps_in_memory_what_no_file_can_take, 0, 2);
	tcase_add_test(tc, reads_no_large_content_either);
	tcase_add_test(tc, goes_on_with_a_few_in_a_turn);
	tcase_add_test(tc, lets_direct_mode_pass_those_who_wait_for_the_disk);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
