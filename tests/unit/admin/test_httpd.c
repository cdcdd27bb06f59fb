/* httpd over real sockets; the loop runs in a thread of its own. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <admin/httpd.h>
#include <base/list.h>
#include <support/onloop.h>
#include <support/unit.h>
#include <support/web.h>

enum {
	MAX_BODY = 1000
};

/* A server whose paths say what to do with a request. */
struct site {
	struct loop *loop;
	struct httpd *httpd;
	struct httpd_settings settings;
	struct err e;
	struct loop_timer later;
	struct httpd_request *parked;
	atomic_int parked_count, gone, requests;
	bool reply_when_gone;
};

static void reply_with(struct httpd_request *r, int status, struct span body)
{
	static const char *const headers[] = { "X-One: 1", "X-Two:2", NULL };
	const struct httpd_reply reply = {
		.status = status,
		.content_type = "text/plain",
		.headers = headers,
		.body = body,
	};

	httpd_reply(r, &reply);
}

static void on_later(struct loop_timer *t)
{
	struct site *s = container_of(t, struct site, later);

	reply_with(s->parked, 200, SPAN("late"));
	s->parked = NULL;
}

static bool count_header(const char *name, const char *value, void *ctx)
{
	int *n = ctx;

	(void)value;
	*n += strcmp(name, "X-Many") == 0;
	return true;
}

static void describe(struct httpd_request *r)
{
	const char *q = httpd_query(r, "q");
	const char *x = httpd_header(r, "x-seen");
	char text[512];
	int many = 0;

	httpd_each_header(r, count_header, &many);
	(void)snprintf(text, sizeof(text), "%s %s %s q=%s x=%s many=%d",
	    httpd_method(r), httpd_path(r), httpd_target(r), q ? q : "-",
	    x ? x : "-", many);
	reply_with(r, 200, span_of(text));
}

static void on_request(struct httpd_request *r, void *ctx)
{
	struct site *s = ctx;
	const char *path = httpd_path(r);

	s->requests++;
	ck_assert_ptr_null(httpd_data(r));
	httpd_set_data(r, s);
	if (strcmp(path, "/echo") == 0) {
		reply_with(r, 200, httpd_body(r));
	} else if (strcmp(path, "/late") == 0) {
		s->parked = r;
		loop_timer_start(s->loop, &s->later, 20);
	} else if (strcmp(path, "/park") == 0) {
		s->parked = r;
		s->parked_count++;
	} else if (strcmp(path, "/raw") == 0) {
		httpd_write_raw(
		    r, SPAN("HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok"));
		httpd_hang_up(r);
	} else if (strcmp(path, "/drop") == 0 || httpd_body(r).len == 10 ||
		   strcmp(path, "/head") == 0) {
		httpd_drop(r);
	} else {
		describe(r);
	}
}

static void on_head(struct httpd_request *r, void *ctx)
{
	(void)ctx;
	if (strcmp(httpd_path(r), "/head") == 0)
		httpd_stop_at(r, 0);
	else if (strcmp(httpd_path(r), "/half") == 0)
		httpd_stop_at(r, 10);
}

static void on_gone(struct httpd_request *r, void *ctx)
{
	struct site *s = ctx;

	ck_assert_ptr_eq(httpd_data(r), s);
	s->gone++;
	if (s->reply_when_gone)
		httpd_drop(r);
}

static void start(void *ctx)
{
	struct site *s = ctx;

	s->httpd = httpd_start(s->loop, &s->settings, &s->e);
}

static void close_site(void *ctx, void (*done)(void *), void *done_ctx)
{
	struct site *s = ctx;

	httpd_close(s->httpd, done, done_ctx);
}

static void set_up(struct site *s)
{
	memset(s, 0, sizeof(*s));
	loop_timer_init(&s->later, on_later);
	s->settings = (struct httpd_settings){
		.address = "127.0.0.1:0",
		.max_body = MAX_BODY,
		.max_connections = 16,
		.timeout_s = 5,
		.on_request = on_request,
		.on_head = on_head,
		.on_gone = on_gone,
		.ctx = s,
	};
	s->reply_when_gone = true;
	s->loop = onloop_start();
	onloop_call(s->loop, start, s);
	ck_assert_msg(s->httpd != NULL, "%s", s->e.text);
	ck_assert_int_gt(httpd_port(s->httpd), 0);
}

static void tear_down(struct site *s)
{
	onloop_await(s->loop, close_site, s);
	onloop_stop(s->loop);
}

static void wait_for(const atomic_int *value, int least)
{
	for (int i = 0; i < 10000 && atomic_load(value) < least; i++)
		(void)usleep(1000);
	ck_assert_int_ge(atomic_load(value), least);
}

START_TEST(tells_what_was_asked)
{
	struct site s;
	struct web_answer a;

	set_up(&s);
	ck_assert(web_ask(httpd_port(s.httpd), "GET", "/a%20b?q=1%2B2&z",
	    "X-Seen: yes\r\nX-Many: 1\r\nX-Many: 2\r\n", NULL, 0, &a));
	ck_assert_int_eq(a.status, 200);
	ck_assert_str_eq(
	    a.body, "GET /a b /a%20b?q=1%2B2&z q=1+2 x=yes many=2");
	ck_assert_str_eq(web_header(&a, "Content-Type"), "text/plain");
	ck_assert_str_eq(web_header(&a, "X-One"), "1");
	ck_assert_str_eq(web_header(&a, "X-Two"), "2");
	web_answer_free(&a);
	tear_down(&s);
}
END_TEST

START_TEST(an_encoded_nul_does_not_cut_the_path)
{
	struct site s;
	struct web_answer a;

	set_up(&s);
	ck_assert(web_ask(
	    httpd_port(s.httpd), "GET", "/echo%00x", NULL, NULL, 0, &a));
	ck_assert_ptr_nonnull(strstr(a.body, "GET /echo%00x "));
	web_answer_free(&a);
	tear_down(&s);
}
END_TEST

START_TEST(keeps_the_connection_alive)
{
	struct site s;
	struct web w;
	struct web_answer a;

	set_up(&s);
	web_open(&w, httpd_port(s.httpd));
	for (int i = 0; i < 100; i++) {
		web_print(&w,
		    "POST /echo HTTP/1.1\r\nHost: x\r\n"
		    "Content-Length: 5\r\n\r\n%05d",
		    i);
		ck_assert(web_receive(&w, false, &a));
		ck_assert_int_eq(a.status, 200);
		ck_assert_int_eq(atoi(a.body), i);
		web_answer_free(&a);
	}
	web_close(&w);
	tear_down(&s);
}
END_TEST

START_TEST(answers_pipelined_requests_in_order)
{
	struct site s;
	struct web w;
	struct web_answer a;

	set_up(&s);
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n"
		      "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert(web_receive(&w, false, &a));
	ck_assert_str_eq(a.body, "late");
	web_answer_free(&a);
	ck_assert(web_receive(&w, false, &a));
	ck_assert_ptr_nonnull(strstr(a.body, "GET /now"));
	web_answer_free(&a);
	web_close(&w);
	tear_down(&s);
}
END_TEST

START_TEST(answers_head_without_a_body)
{
	struct site s;
	struct web w;
	struct web_answer a;

	set_up(&s);
	web_open(&w, httpd_port(s.httpd));
	for (int i = 0; i < 2; i++) {
		web_print(&w, "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n");
		ck_assert(web_receive(&w, true, &a));
		ck_assert_int_eq(a.status, 200);
		ck_assert_int_gt(atoi(web_header(&a, "Content-Length")), 0);
		web_answer_free(&a);
	}
	web_close(&w);
	tear_down(&s);
}
END_TEST

START_TEST(takes_a_chunked_body)
{
	struct site s;
	struct web w;
	struct web_answer a;

	set_up(&s);
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "POST /echo HTTP/1.1\r\nHost: x\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n"
		      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	ck_assert(web_receive(&w, false, &a));
	ck_assert_str_eq(a.body, "abcde");
	web_answer_free(&a);
	web_close(&w);
	tear_down(&s);
}
END_TEST

START_TEST(answers_100_to_a_client_that_asks_first)
{
	struct site s;
	struct web w;
	struct web_answer a;

	set_up(&s);
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "POST /echo HTTP/1.1\r\nHost: x\r\n"
		      "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	char interim[26] = "";
	ck_assert_int_eq(
	    recv(w.fd, interim, sizeof(interim) - 1, MSG_WAITALL), 25);
	ck_assert_str_eq(interim, "HTTP/1.1 100 Continue\r\n\r\n");
	web_print(&w, "abc");
	ck_assert(web_receive(&w, false, &a));
	ck_assert_str_eq(a.body, "abc");
	web_answer_free(&a);
	web_close(&w);
	tear_down(&s);
}
END_TEST

static const struct {
	const char *head;
	size_t bytes; /* sent after the head */
	int status;   /* 0: the connection ends */
} large[] = {
	/* read to the end so that the client sees the answer */
	{ "Content-Length: 1001\r\n\r\n", 1001, 413 },
	{ "Content-Length: 2000\r\n\r\n", 2000, 413 },
	/* answered at once */
	{ "Content-Length: 100000000\r\n\r\n", 0, 413 },
	/* no declared length: read and dropped up to twice the limit */
	{ "Transfer-Encoding: chunked\r\n\r\n5dc\r\n", 1500, 413 },
	{ "Transfer-Encoding: chunked\r\n\r\n7d2\r\n", 2002, 0 },
	{ "Content-Length: 1000\r\n\r\n", 1000, 200 },
};

START_TEST(refuses_a_body_that_is_too_large)
{
	struct site s;
	struct web w;
	struct web_answer a;
	char body[4096];

	set_up(&s);
	memset(body, 'x', sizeof(body));
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "POST /echo HTTP/1.1\r\nHost: x\r\n%s", large[_i].head);
	web_send(&w, body, large[_i].bytes);
	if (strstr(large[_i].head, "chunked"))
		web_print(&w, "\r\n0\r\n\r\n");
	bool is_answered = web_receive(&w, false, &a);
	ck_assert_int_eq(is_answered, large[_i].status != 0);
	if (is_answered)
		ck_assert_int_eq(a.status, large[_i].status);
	web_answer_free(&a);
	web_close(&w);
	tear_down(&s);
}
END_TEST

START_TEST(answers_later_when_the_handler_thinks)
{
	struct site s;
	struct web_answer a;

	set_up(&s);
	ck_assert(
	    web_ask(httpd_port(s.httpd), "GET", "/late", NULL, NULL, 0, &a));
	ck_assert_str_eq(a.body, "late");
	web_answer_free(&a);
	tear_down(&s);
}
END_TEST

START_TEST(serves_others_while_one_waits)
{
	struct site s;
	struct web parked;
	struct web_answer a;

	set_up(&s);
	web_open(&parked, httpd_port(s.httpd));
	web_print(&parked, "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&s.parked_count, 1);
	ck_assert(web_ask(httpd_port(s.httpd), "GET", "/x", NULL, NULL, 0, &a));
	ck_assert_int_eq(a.status, 200);
	web_answer_free(&a);
	tear_down(&s); /* with the request still parked */
	ck_assert_int_eq(s.gone, 1);
	ck_assert(web_is_ended(&parked));
	web_close(&parked);
}
END_TEST

START_TEST(notices_a_peer_that_left)
{
	struct site s;
	struct web w;

	set_up(&s);
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&s.parked_count, 1);
	web_close(&w);
	wait_for(&s.gone, 1);
	tear_down(&s);
	ck_assert_int_eq(s.gone, 1);
}
END_TEST

static void reply_parked(void *ctx)
{
	struct site *s = ctx;

	reply_with(s->parked, 200, SPAN("too late"));
}

struct closing {
	struct site *site;
	atomic_int closed;
};

static void on_site_closed(void *ctx)
{
	struct closing *c = ctx;

	c->closed++;
}

static void begin_close(void *ctx)
{
	struct closing *c = ctx;

	httpd_close(c->site->httpd, on_site_closed, c);
}

START_TEST(close_waits_for_the_last_reply)
{
	struct site s;
	struct web w;

	set_up(&s);
	s.reply_when_gone = false;
	struct closing c = { .site = &s };
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for(&s.parked_count, 1);
	onloop_call(s.loop, begin_close, &c);
	wait_for(&s.gone, 1);
	ck_assert_int_eq(c.closed, 0);
	onloop_call(s.loop, reply_parked, &s);
	wait_for(&c.closed, 1);
	onloop_stop(s.loop);
	web_close(&w);
}
END_TEST

START_TEST(a_drop_is_a_reset)
{
	struct site s;
	struct web w;
	struct web_answer a;

	set_up(&s);
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "GET /drop HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert(!web_receive(&w, false, &a));
	ck_assert_int_eq(w.error, ECONNRESET);
	web_close(&w);
	tear_down(&s);
}
END_TEST

START_TEST(reads_no_more_of_a_body_than_the_handler_wants)
{
	static const char *const requests[] = { "/head HTTP/1.1\r\nHost: x\r\n"
						"Content-Length: 99\r\n\r\n",
		"/half HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"
		"0123456789" };
	struct site s;
	struct web w;
	struct web_answer a;

	set_up(&s);
	for (size_t i = 0; i < 2; i++) {
		web_open(&w, httpd_port(s.httpd));
		web_print(&w, "POST %s", requests[i]);
		ck_assert(!web_receive(&w, false, &a));
		ck_assert_int_eq(w.error, ECONNRESET);
		web_close(&w);
	}
	ck_assert_int_eq(s.requests, 2);
	tear_down(&s);
}
END_TEST

START_TEST(writes_what_is_no_answer_of_its_own)
{
	struct site s;
	struct web_answer a;

	set_up(&s);
	ck_assert(
	    web_ask(httpd_port(s.httpd), "GET", "/raw", NULL, NULL, 0, &a));
	ck_assert_int_eq(a.status, 299);
	ck_assert_str_eq(a.body, "ok");
	web_answer_free(&a);
	tear_down(&s);
}
END_TEST

START_TEST(ends_a_silent_connection)
{
	struct site s;
	struct web idle, half;

	set_up(&s);
	tear_down(&s);
	s.settings.timeout_s = 1;
	s.loop = onloop_start();
	onloop_call(s.loop, start, &s);
	web_open(&idle, httpd_port(s.httpd));
	web_open(&half, httpd_port(s.httpd));
	web_print(&half, "GET /x HTT");
	ck_assert(web_is_ended(&idle));
	ck_assert(web_is_ended(&half));
	web_close(&idle);
	web_close(&half);
	tear_down(&s);
}
END_TEST

START_TEST(listens_again_after_its_limit)
{
	enum {
		PEERS = 20 /* above max_connections */
	};
	struct site s;
	struct web peers[PEERS];
	struct web_answer a;

	set_up(&s);
	for (int i = 0; i < PEERS; i++) {
		web_open(&peers[i], httpd_port(s.httpd));
		web_print(&peers[i], "GET /x HT");
	}
	for (int i = 0; i < PEERS; i++)
		web_close(&peers[i]);
	ck_assert(web_ask(httpd_port(s.httpd), "GET", "/y", "", NULL, 0, &a));
	ck_assert_int_eq(a.status, 200);
	web_answer_free(&a);
	tear_down(&s);
}
END_TEST

START_TEST(ends_a_connection_that_trickles)
{
	struct site s;
	struct web w;
	char byte;

	set_up(&s);
	tear_down(&s);
	s.settings.timeout_s = 1;
	s.loop = onloop_start();
	onloop_call(s.loop, start, &s);
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "GET /x HTTP/1.1\r\nX: ");
	/* A byte every 50 ms is progress, but the request must end. */
	int bytes = 0;
	while (recv(w.fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN &&
	       bytes < 400) {
		web_print(&w, "x");
		(void)usleep(50000);
		bytes++;
	}
	ck_assert_int_lt(bytes, 400);
	web_close(&w);
	tear_down(&s);
}
END_TEST

START_TEST(survives_garbage)
{
	static const char *const garbage[] = {
		"\r\n\r\n\r\n",
		"GET\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n",
		"EHLO me\r\nMAIL FROM:<a@b>\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999"
		"9999999999\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\n"
		"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
	};
	struct site s;
	struct web w;
	struct web_answer a;
	char long_line[70000];

	set_up(&s);
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		web_open(&w, httpd_port(s.httpd));
		web_print(&w, "%s", garbage[i]);
		(void)shutdown(w.fd, SHUT_WR);
		ck_assert(web_is_ended(&w));
		web_close(&w);
	}
	memset(long_line, 'a', sizeof(long_line));
	web_open(&w, httpd_port(s.httpd));
	web_print(&w, "GET /");
	web_send(&w, long_line, sizeof(long_line));
	web_print(&w, " HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert(web_is_ended(&w));
	web_close(&w);
	ck_assert(web_ask(httpd_port(s.httpd), "GET", "/x", NULL, NULL, 0, &a));
	ck_assert_int_eq(a.status, 200);
	web_answer_free(&a);
	tear_down(&s);
}
END_TEST

START_TEST(says_why_it_cannot_listen)
{
	static const struct {
		const char *address, *says;
	} cases[] = {
		{ "127.0.0.1", "not an address with a port" },
		{ "127.0.0.1:99999", "not an address with a port" },
		{ "::1:80", "not an address with a port" },
		{ "example.org:80", "example.org:80" },
		{ "192.0.2.1:8025", "cannot listen on 192.0.2.1:8025" },
	};
	struct site s;

	set_up(&s);
	tear_down(&s);
	s.loop = onloop_start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s.settings.address = cases[i].address;
		onloop_call(s.loop, start, &s);
		ck_assert_ptr_null(s.httpd);
		ck_assert_msg(
		    strstr(s.e.text, cases[i].says) != NULL, "%s", s.e.text);
	}
	onloop_stop(s.loop);
}
END_TEST

START_TEST(a_taken_port_is_an_error)
{
	struct site s, second;
	char address[32];

	set_up(&s);
	second = (struct site){ .loop = s.loop, .settings = s.settings };
	(void)snprintf(
	    address, sizeof(address), "localhost:%d", httpd_port(s.httpd));
	second.settings.address = address;
	onloop_call(s.loop, start, &second);
	ck_assert_ptr_null(second.httpd);
	ck_assert_ptr_nonnull(strstr(second.e.text, "cannot listen"));
	tear_down(&s);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("admin/httpd");
	TCase *t = tcase_create("httpd");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, tells_what_was_asked);
	tcase_add_test(t, an_encoded_nul_does_not_cut_the_path);
	tcase_add_test(t, keeps_the_connection_alive);
	tcase_add_test(t, answers_pipelined_requests_in_order);
	tcase_add_test(t, answers_head_without_a_body);
	tcase_add_test(t, takes_a_chunked_body);
	tcase_add_test(t, answers_100_to_a_client_that_asks_first);
	tcase_add_loop_test(t, refuses_a_body_that_is_too_large, 0,
	    sizeof(large) / sizeof(large[0]));
	tcase_add_test(t, answers_later_when_the_handler_thinks);
	tcase_add_test(t, serves_others_while_one_waits);
	tcase_add_test(t, notices_a_peer_that_left);
	tcase_add_test(t, close_waits_for_the_last_reply);
	tcase_add_test(t, a_drop_is_a_reset);
	tcase_add_test(t, reads_no_more_of_a_body_than_the_handler_wants);
	tcase_add_test(t, writes_what_is_no_answer_of_its_own);
	tcase_add_test(t, ends_a_silent_connection);
	tcase_add_test(t, listens_again_after_its_limit);
	tcase_add_test(t, ends_a_connection_that_trickles);
	tcase_add_test(t, survives_garbage);
	tcase_add_test(t, says_why_it_cannot_listen);
	tcase_add_test(t, a_taken_port_is_an_error);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
