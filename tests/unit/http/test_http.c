/* Requests, responses, connections, cancelling and closing. */
#include "rig.h"

#include <support/unit.h>

#include <errno.h>
#include <unistd.h>

#include <base/clock.h>

static struct rig rig;
static struct raw_server server;

#define OK_BODY "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"id\":\"42\"}"

static void answer_all(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	while (raw_read_request(s, *fd))
		raw_send(*fd, s->ctx ? (const char *)s->ctx : OK_BODY);
}

static void answer_once(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	if (raw_read_request(s, *fd))
		raw_send(*fd, OK_BODY);
}

static void never_answer(struct raw_server *s, int *fd, unsigned nth)
{
	char c;

	(void)nth;
	(void)raw_read_request(s, *fd);
	(void)!read(*fd, &c, 1);
}

static void start(raw_script script, const char *answer)
{
	static char text[2048];

	(void)snprintf(text, sizeof(text), "%s", answer ? answer : OK_BODY);
	raw_server_start(&server, script, text);
	rig_init(&rig);
}

static struct rig_call *add(uint64_t body_size)
{
	return rig_add(&rig, "http://127.0.0.1", server.port, body_size);
}

static void finish(void)
{
	rig_run(&rig);
	raw_server_stop(&server);
}

START_TEST(reuses_a_connection)
{
	start(answer_all, NULL);
	for (int i = 0; i < 5; i++)
		(void)add(1000);
	finish();
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(rig.calls[i].fault, HTTP_FAULT_NONE);
		ck_assert_int_eq(rig.calls[i].status, 200);
		ck_assert_str_eq(rig.calls[i].body, "{\"id\":\"42\"}");
	}
	ck_assert_uint_eq(atomic_load(&server.connections), 1);
	ck_assert_uint_eq(atomic_load(&server.requests), 5);
}
END_TEST

START_TEST(sends_every_body_byte_once)
{
	static const uint64_t sizes[] = { 0, 1, 32 * 1024, 32 * 1024 + 1,
		200000, 16 * 1024 * 1024 };

	start(answer_all, NULL);
	(void)add(sizes[_i]);
	finish();
	ck_assert_int_eq(rig.calls[0].status, 200);
	ck_assert_uint_eq(atomic_load(&server.requests), 1);
	ck_assert_uint_eq(
	    atomic_load(&server.body_sum), raw_body_sum(sizes[_i]));
}
END_TEST

START_TEST(request_head_holds_what_was_asked_for)
{
	start(answer_all, NULL);
	(void)add(2 * 1024 * 1024);
	finish();
	ck_assert_ptr_nonnull(strstr(server.head, "POST /send HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(
	    strstr(server.head, "\r\nContent-Length: 2097152\r\n"));
	ck_assert_ptr_nonnull(strstr(server.head, "\r\nX-Test: yes\r\n"));
	ck_assert_ptr_nonnull(strstr(server.head, "\r\nUser-Agent: postern/"));
	ck_assert_ptr_null(strcasestr(server.head, "\r\nExpect:"));
	ck_assert_ptr_null(strcasestr(server.head, "\r\nAccept-Encoding:"));
	ck_assert_ptr_null(strcasestr(server.head, "\r\nTransfer-Encoding:"));
}
END_TEST

START_TEST(other_methods_do_not_stick_to_a_handle)
{
	start(answer_all, NULL);
	add(0)->call.method = "GET";
	(void)add(10);
	finish();
	ck_assert_int_eq(rig.calls[0].status, 200);
	ck_assert_ptr_nonnull(strstr(server.head, "POST /send HTTP/1.1\r\n"));
}
END_TEST

START_TEST(get_says_nothing_about_a_body)
{
	start(answer_all, NULL);
	(void)add(10);
	struct rig_call *get = add(0);
	get->call.method = "GET";
	get->headers[0] = "Accept: text/plain";
	finish();
	ck_assert_int_eq(rig.calls[1].status, 200);
	ck_assert_ptr_nonnull(strstr(server.head, "GET /send HTTP/1.1\r\n"));
	ck_assert_ptr_null(strcasestr(server.head, "\r\nContent-"));
}
END_TEST

START_TEST(gives_status_and_header_fields)
{
	start(answer_all, "HTTP/1.1 429 Slow Down\r\nRetry-After:  17 \r\n"
			  "X-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n");
	(void)add(10);
	finish();
	ck_assert_int_eq(rig.calls[0].fault, HTTP_FAULT_NONE);
	ck_assert_int_eq(rig.calls[0].status, 429);
	ck_assert_str_eq(rig.calls[0].retry_after, "17");
	ck_assert_uint_eq(rig.calls[0].header_count, 3);
}
END_TEST

START_TEST(reads_chunked_bodies)
{
	start(answer_all,
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n6\r\n world\r\n0\r\nTrailer-Field: x\r\n\r\n");
	(void)add(10);
	finish();
	ck_assert_str_eq(rig.calls[0].body, "hello world");
	ck_assert_uint_eq(rig.calls[0].header_count, 1);
}
END_TEST

START_TEST(skips_interim_responses)
{
	start(answer_all, "HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\n"
			  "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
	(void)add(10);
	finish();
	ck_assert_int_eq(rig.calls[0].status, 202);
	ck_assert_str_eq(rig.calls[0].retry_after, "");
	ck_assert_uint_eq(rig.calls[0].header_count, 1);
}
END_TEST

START_TEST(does_not_follow_redirects)
{
	start(answer_all, "HTTP/1.1 307 Elsewhere\r\nLocation: /other\r\n"
			  "Content-Length: 0\r\n\r\n");
	(void)add(10);
	finish();
	ck_assert_int_eq(rig.calls[0].status, 307);
	ck_assert_uint_eq(atomic_load(&server.requests), 1);
}
END_TEST

START_TEST(looks_names_up)
{
	start(answer_all, NULL);
	for (int i = 0; i < 3; i++)
		(void)rig_add(&rig, "http://localhost", server.port, 10);
	finish();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rig.calls[i].status, 200);
}
END_TEST

START_TEST(environment_names_no_proxy)
{
	ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	ck_assert_int_eq(setenv("all_proxy", "http://127.0.0.1:1", 1), 0);
	start(answer_all, NULL);
	(void)add(10);
	finish();
	ck_assert_int_eq(unsetenv("http_proxy"), 0);
	ck_assert_int_eq(unsetenv("all_proxy"), 0);
	ck_assert_int_eq(rig.calls[0].status, 200);
}
END_TEST

START_TEST(goes_through_the_proxy_set)
{
	char proxy[64];

	start(answer_all, NULL);
	(void)snprintf(
	    proxy, sizeof(proxy), "http://127.0.0.1:%u", server.port);
	rig.settings.proxy = proxy;
	(void)rig_add(&rig, "http://mail.invalid", 80, 10);
	finish();
	ck_assert_int_eq(rig.calls[0].status, 200);
	ck_assert_ptr_nonnull(
	    strstr(server.head, "POST http://mail.invalid/send HTTP/1.1"));
}
END_TEST

START_TEST(direct_calls_pass_by_the_proxy)
{
	start(answer_all, NULL);
	rig.settings.proxy = "http://127.0.0.1:1";
	for (int i = 0; i < 3; i++)
		add(10)->call.is_direct = i != 1;
	finish();
	ck_assert_int_eq(rig.calls[0].status, 200);
	ck_assert_int_eq(rig.calls[1].fault, HTTP_FAULT_CONNECT);
	ck_assert_int_eq(rig.calls[2].status, 200);
}
END_TEST

START_TEST(secret_answers_are_whole)
{
	start(answer_all, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	for (int i = 0; i < 3; i++)
		add(10)->call.is_secret = i != 1;
	finish();
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(rig.calls[i].body, "hello");
}
END_TEST

START_TEST(keeps_the_limit_of_connections)
{
	start(answer_all, NULL);
	rig.is_parallel = true;
	for (int i = 0; i < 300; i++)
		(void)add(500);
	finish();
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(rig.calls[i].status, 200);
	ck_assert_uint_eq(atomic_load(&server.requests), 300);
	ck_assert_uint_le(atomic_load(&server.connections), 4);
}
END_TEST

static unsigned first_done;

static void note_first(struct rig *r, struct rig_call *c)
{
	if (r->done == 1)
		first_done = (unsigned)(c - r->calls);
}

START_TEST(waiting_for_a_connection_has_a_limit)
{
	start(never_answer, NULL);
	rig.settings.max_connections_per_host = 1;
	rig.is_parallel = true;
	rig.after = note_first;
	add(10)->call.timeout_ms = 3000;
	add(10)->call.timeout_ms = 200;
	finish();
	/* The second one had no connection, and did not wait for the first. */
	ck_assert_uint_eq(first_done, 1);
	ck_assert_int_eq(rig.calls[0].fault, HTTP_FAULT_UNANSWERED);
	ck_assert_int_eq(rig.calls[1].fault, HTTP_FAULT_CONNECT);
	ck_assert_uint_eq(atomic_load(&server.requests), 1);
}
END_TEST

static void answer_all_but_the_first(
    struct raw_server *s, int *fd, unsigned nth)
{
	if (nth == 0)
		never_answer(s, fd, nth);
	else
		answer_all(s, fd, nth);
}

START_TEST(nobody_waits_for_the_answer_to_another)
{
	start(answer_all_but_the_first, NULL);
	rig.is_parallel = true;
	rig.after = note_first;
	add(10)->call.timeout_ms = 1000;
	add(10)->call.timeout_ms = 20000;
	finish();
	ck_assert_uint_eq(first_done, 1);
	ck_assert_int_eq(rig.calls[0].fault, HTTP_FAULT_UNANSWERED);
	ck_assert_int_eq(rig.calls[1].status, 200);
}
END_TEST

START_TEST(many_large_uploads_share_the_loop)
{
	start(answer_all, NULL);
	rig.is_parallel = true;
	for (int i = 0; i < 12; i++)
		(void)add(1024 * 1024);
	finish();
	for (int i = 0; i < 12; i++)
		ck_assert_int_eq(rig.calls[i].status, 200);
	ck_assert_uint_eq(
	    atomic_load(&server.body_sum), 12 * raw_body_sum(1024 * 1024));
}
END_TEST

/* --- a connection the server closed while it was idle --- */

static struct loop_timer poll_timer;

static void on_poll(struct loop_timer *t)
{
	/* The script returns after the server's end is shut down. */
	if (atomic_load(&server.ended) == 0)
		loop_timer_start(rig.loop, t, 1);
	else
		rig_submit_next(&rig);
}

static void submit_when_closed(struct rig *r, struct rig_call *c)
{
	(void)c;
	if (r->submitted == r->count)
		return;
	loop_timer_init(&poll_timer, on_poll);
	loop_timer_start(r->loop, &poll_timer, 1);
}

START_TEST(connection_closed_while_idle_is_not_used)
{
	start(answer_once, NULL);
	(void)add(10);
	(void)add(10);
	rig.after = submit_when_closed;
	finish();
	ck_assert_int_eq(rig.calls[1].fault, HTTP_FAULT_NONE);
	ck_assert_int_eq(rig.calls[1].status, 200);
	ck_assert_uint_eq(atomic_load(&server.connections), 2);
	ck_assert_uint_eq(atomic_load(&server.requests), 2);
}
END_TEST

/* --- cancel and close --- */

static struct task cancel_task;

static void cancel_first(struct task *t)
{
	(void)t;
	http_cancel(rig.http, &rig.calls[0].call);
	ck_assert_uint_eq(rig.calls[0].done, 0);
}

START_TEST(cancelled_before_it_ran)
{
	static const char *const hosts[] = { "http://127.0.0.1",
		"http://localhost" };

	start(answer_all, NULL);
	(void)rig_add(&rig, hosts[_i], server.port, 10);
	(void)add(10);
	rig.is_parallel = true;
	cancel_task.run = cancel_first;
	rig.http = NULL;
	loop_post(rig.loop, &cancel_task); /* before the first submit: noop */
	rig.start.run = rig_start;
	struct task again = { .run = cancel_first };
	rig.http = http_new(rig.loop, rig.pool, &rig.settings);
	loop_post(rig.loop, &rig.start);
	loop_post(rig.loop, &again);
	loop_run(rig.loop);
	loop_free(rig.loop);
	blocking_free(rig.pool);
	raw_server_stop(&server);
	ck_assert_uint_eq(rig.calls[0].done, 1);
	ck_assert_int_eq(rig.calls[0].fault, HTTP_FAULT_CANCELLED);
	ck_assert_int_eq(rig.calls[1].status, 200);
	ck_assert_uint_eq(atomic_load(&server.requests), 1);
}
END_TEST

static void on_poll_cancel(struct loop_timer *t)
{
	if (atomic_load(&server.requests) == 0)
		loop_timer_start(rig.loop, t, 1);
	else if (rig.submitted == 1)
		cancel_first(NULL);
	else
		http_close(rig.http, rig_closed, &rig);
}

static void start_and_poll(struct task *t)
{
	rig_start(t);
	loop_timer_init(&poll_timer, on_poll_cancel);
	loop_timer_start(rig.loop, &poll_timer, 1);
}

static void run_polling(void)
{
	rig.http = http_new(rig.loop, rig.pool, &rig.settings);
	rig.start.run = start_and_poll;
	loop_post(rig.loop, &rig.start);
	loop_run(rig.loop);
	loop_free(rig.loop);
	blocking_free(rig.pool);
	raw_server_stop(&server);
}

START_TEST(cancelled_in_flight)
{
	start(never_answer, NULL);
	(void)add(10);
	run_polling();
	ck_assert_uint_eq(rig.calls[0].done, 1);
	/* The server has it, so that "cancelled" would be a lie. */
	ck_assert_int_eq(rig.calls[0].fault, HTTP_FAULT_UNANSWERED);
	ck_assert_str_eq(rig.calls[0].error, "Cancelled");
	ck_assert(rig.is_closed);
}
END_TEST

static void note_only(struct rig *r, struct rig_call *c)
{
	(void)c;
	ck_assert(!r->is_closed);
	r->count++; /* never equal to done: the test closes, not rig_done */
}

START_TEST(close_cancels_what_runs)
{
	start(never_answer, NULL);
	rig.is_parallel = true;
	for (int i = 0; i < 6; i++)
		(void)add(i % 2 ? 10 : 1024 * 1024);
	(void)rig_add(&rig, "http://localhost", server.port, 10);
	rig.after = note_only;
	run_polling();
	ck_assert(rig.is_closed);
	for (int i = 0; i < 7; i++) {
		ck_assert_uint_eq(rig.calls[i].done, 1);
		ck_assert(rig.calls[i].fault == HTTP_FAULT_CANCELLED ||
			  rig.calls[i].fault == HTTP_FAULT_UNANSWERED);
	}
}
END_TEST

START_TEST(closes_when_nothing_ever_ran)
{
	rig_init(&rig);
	rig.http = http_new(rig.loop, rig.pool, &rig.settings);
	ck_assert_uint_eq(http_inflight(rig.http), 0);
	http_close(rig.http, rig_closed, &rig);
	ck_assert(!rig.is_closed);
	loop_run(rig.loop);
	ck_assert(rig.is_closed);
	loop_free(rig.loop);
	blocking_free(rig.pool);
}
END_TEST

START_TEST(refuses_urls_it_cannot_use)
{
	struct http_call call = { .method = "POST", .url = "ftp://x/" };

	rig_init(&rig);
	rig.http = http_new(rig.loop, rig.pool, &rig.settings);
	ck_assert_int_eq(http_submit(rig.http, &call), -EINVAL);
	http_close(rig.http, rig_closed, &rig);
	call.url = "http://127.0.0.1/";
	ck_assert_int_eq(http_submit(rig.http, &call), -ECANCELED);
	loop_run(rig.loop);
	loop_free(rig.loop);
	blocking_free(rig.pool);
}
END_TEST

static void setup(void)
{
	ck_assert_int_eq(http_library_init(), 0);
}

static Suite *make_suite(void)
{
	Suite *s = suite_create("http/http");
	TCase *t = tcase_create("http");

	tcase_set_timeout(t, 60);
	tcase_add_unchecked_fixture(t, setup, http_library_done);
	tcase_add_test(t, reuses_a_connection);
	tcase_add_loop_test(t, sends_every_body_byte_once, 0, 6);
	tcase_add_test(t, request_head_holds_what_was_asked_for);
	tcase_add_test(t, other_methods_do_not_stick_to_a_handle);
	tcase_add_test(t, get_says_nothing_about_a_body);
	tcase_add_test(t, gives_status_and_header_fields);
	tcase_add_test(t, reads_chunked_bodies);
	tcase_add_test(t, skips_interim_responses);
	tcase_add_test(t, does_not_follow_redirects);
	tcase_add_test(t, looks_names_up);
	tcase_add_test(t, environment_names_no_proxy);
	tcase_add_test(t, goes_through_the_proxy_set);
	tcase_add_test(t, direct_calls_pass_by_the_proxy);
	tcase_add_test(t, secret_answers_are_whole);
	tcase_add_test(t, keeps_the_limit_of_connections);
	tcase_add_test(t, waiting_for_a_connection_has_a_limit);
	tcase_add_test(t, nobody_waits_for_the_answer_to_another);
	tcase_add_test(t, many_large_uploads_share_the_loop);
	tcase_add_test(t, connection_closed_while_idle_is_not_used);
	tcase_add_loop_test(t, cancelled_before_it_ran, 0, 2);
	tcase_add_test(t, cancelled_in_flight);
	tcase_add_test(t, close_cancels_what_runs);
	tcase_add_test(t, closes_when_nothing_ever_ran);
	tcase_add_test(t, refuses_urls_it_cannot_use);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
