/* One GET on a thread of its own. */
#include "raw_server.h"

#include <http/fetch.h>

#include <support/unit.h>

#include <errno.h>
#include <stdio.h>

enum {
	BODY_MAX = 100
};

static struct raw_server server;
static struct buf body;
static struct err e;

static void answer(struct raw_server *s, int *fd, unsigned nth)
{
	uint64_t size;

	(void)nth;
	if (raw_read_head(s, *fd, &size))
		raw_send(*fd, s->ctx);
}

static int fetch(const char *text)
{
	static char copy[1000];
	const struct http_settings settings = { .connect_timeout_ms = 5000 };
	char url[100];
	int rc;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	raw_server_start(&server, answer, copy);
	(void)snprintf(
	    url, sizeof(url), "http://127.0.0.1:%u/keys", server.port);
	rc = http_fetch(url, &settings, &body, &e);
	raw_server_stop(&server);
	return rc;
}

static void setup(void)
{
	ck_assert_int_eq(http_library_init(), 0);
	buf_init(&body, BODY_MAX);
	e = (struct err){ .code = 0 };
}

static void teardown(void)
{
	buf_finish(&body);
	http_library_done();
}

START_TEST(gets_what_is_there)
{
	ck_assert_int_eq(
	    fetch("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 0);
	ck_assert(span_eq(buf_span(&body), SPAN("hello")));
	ck_assert_ptr_nonnull(strstr(server.head, "GET /keys HTTP/1.1"));
	ck_assert_ptr_nonnull(strstr(server.head, "User-Agent: postern/"));
}
END_TEST

static const struct {
	const char *answer, *says;
} failures[] = {
	{ "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", "status 404" },
	{ "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:9/\r\n"
	  "Content-Length: 0\r\n\r\n",
	    "status 302" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"
	  "0123456789012345678901234567890123456789012345678901234567890123"
	  "4567890123456789012345678901234567890",
	    "too large" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "remaining" },
	{ "", "Empty reply" },
};

START_TEST(says_why_not)
{
	ck_assert_int_lt(fetch(failures[_i].answer), 0);
	ck_assert_msg(strstr(e.text, failures[_i].says) != NULL, "%s", e.text);
}
END_TEST

START_TEST(speaks_http_only)
{
	const struct http_settings settings = { .connect_timeout_ms = 5000 };

	ck_assert_int_lt(
	    http_fetch("file:///etc/passwd", &settings, &body, &e), 0);
	ck_assert_uint_eq(buf_len(&body), 0);
	ck_assert_str_ne(e.text, "");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("http/fetch");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, gets_what_is_there);
	tcase_add_loop_test(
	    t, says_why_not, 0, sizeof(failures) / sizeof(failures[0]));
	tcase_add_test(t, speaks_http_only);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
