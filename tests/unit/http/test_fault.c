/* How a request ended: "not sent" and "no answer" are never confused. */
#include "rig.h"

#include <support/unit.h>

#include <errno.h>
#include <unistd.h>

static struct rig rig;
static struct raw_server server;

enum {
	SMALL = 100,
	LARGE = 4 * 1024 * 1024
};

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void answer_nothing(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	(void)raw_read_request(s, *fd);
	char c;
	(void)!read(*fd, &c, 1); /* until the client gives up */
}

static void close_after_request(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	(void)raw_read_request(s, *fd);
}

static void reset_after_request(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	(void)raw_read_request(s, *fd);
	raw_reset(fd);
}

static void reset_before_body(struct raw_server *s, int *fd, unsigned nth)
{
	uint64_t size;

	(void)nth;
	(void)raw_read_head(s, *fd, &size);
	raw_reset(fd);
}

static void cut_in_head(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	(void)raw_read_request(s, *fd);
	raw_send(*fd, "HTTP/1.1 200 OK\r\nContent-Le");
}

static void cut_in_body(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	(void)raw_read_request(s, *fd);
	raw_send(*fd,
	    "HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{\"id\":\"7");
}

static void cut_in_chunks(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	(void)raw_read_request(s, *fd);
	raw_send(*fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "5\r\nhello\r\n");
}

static void stall_in_body(struct raw_server *s, int *fd, unsigned nth)
{
	cut_in_body(s, fd, nth);
	char c;
	(void)!read(*fd, &c, 1);
}

static void talk_nonsense(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	(void)s;
	raw_send(*fd, "220 mail.example.com ESMTP\r\n");
	char c[512];
	while (read(*fd, c, sizeof(c)) > 0) {
	}
}

static void send_endless_head(struct raw_server *s, int *fd, unsigned nth)
{
	char line[1024];

	(void)nth;
	(void)raw_read_request(s, *fd);
	raw_send(*fd, "HTTP/1.1 200 OK\r\n");
	memset(line, 'x', sizeof(line));
	memcpy(line, "X-Fill: ", 8);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	for (int i = 0; i < 200; i++)
		raw_send(*fd, line);
	raw_send(*fd, "\r\n");
}

static void send_endless_body(struct raw_server *s, int *fd, unsigned nth)
{
	char block[1025];

	(void)nth;
	(void)raw_read_request(s, *fd);
	raw_send(*fd, "HTTP/1.1 500 Oops\r\nContent-Length: 99999999\r\n\r\n");
	memset(block, 'y', sizeof(block) - 1);
	block[sizeof(block) - 1] = '\0';
	for (int i = 0; i < 1024; i++)
		raw_send(*fd, block);
}

static void refuse_early(struct raw_server *s, int *fd, unsigned nth)
{
	uint64_t size;

	(void)nth;
	(void)raw_read_head(s, *fd, &size);
	raw_send(*fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n"
		      "Connection: close\r\n\r\nbig!");
	/* Take what still comes, so that the answer is not reset away. */
	(void)raw_read_body(s, *fd, size);
}

static const struct {
	raw_script script;
	const char *scheme;
	uint64_t body_size, timeout_ms;
	enum http_fault fault;
	int status;
	size_t body_len;
} endings[] = {
	{ answer_nothing, "http", SMALL, 300, HTTP_FAULT_UNANSWERED, 0, 0 },
	{ answer_nothing, "http", 0, 300, HTTP_FAULT_UNANSWERED, 0, 0 },
	{ answer_nothing, "http", LARGE, 2000, HTTP_FAULT_UNANSWERED, 0, 0 },
	{ close_after_request, "http", SMALL, 5000, HTTP_FAULT_UNANSWERED, 0,
	    0 },
	{ close_after_request, "http", LARGE, 5000, HTTP_FAULT_UNANSWERED, 0,
	    0 },
	{ reset_after_request, "http", SMALL, 5000, HTTP_FAULT_UNANSWERED, 0,
	    0 },
	{ reset_after_request, "http", LARGE, 5000, HTTP_FAULT_UNANSWERED, 0,
	    0 },
	{ reset_before_body, "http", 4 * LARGE, 5000, HTTP_FAULT_UNSENT, 0, 0 },
	{ cut_in_head, "http", SMALL, 5000, HTTP_FAULT_UNANSWERED, 0, 0 },
	{ cut_in_body, "http", SMALL, 5000, HTTP_FAULT_CUT, 202, 8 },
	{ cut_in_chunks, "http", SMALL, 5000, HTTP_FAULT_CUT, 200, 5 },
	{ stall_in_body, "http", SMALL, 300, HTTP_FAULT_CUT, 202, 8 },
	{ talk_nonsense, "http", SMALL, 5000, HTTP_FAULT_UNANSWERED, 0, 0 },
	{ send_endless_head, "http", SMALL, 5000, HTTP_FAULT_CUT, 200, 0 },
	{ send_endless_body, "http", SMALL, 5000, HTTP_FAULT_CUT, 500,
	    HTTP_BODY_MAX },
	{ refuse_early, "http", LARGE, 5000, HTTP_FAULT_NONE, 413, 4 },
	{ talk_nonsense, "https", SMALL, 2000, HTTP_FAULT_TLS, 0, 0 },
};

START_TEST(names_how_it_ended)
{
	char host[32];

	raw_server_start(&server, endings[_i].script, NULL);
	rig_init(&rig);
	(void)snprintf(
	    host, sizeof(host), "%s://127.0.0.1", endings[_i].scheme);
	struct rig_call *c =
	    rig_add(&rig, host, server.port, endings[_i].body_size);
	c->call.timeout_ms = endings[_i].timeout_ms;
	rig_run(&rig);
	raw_server_stop(&server);
	ck_assert_msg(c->fault == endings[_i].fault, "case %d: fault %d: %s",
	    _i, (int)c->fault, c->error);
	ck_assert_int_eq(c->status, endings[_i].status);
	ck_assert_uint_eq(c->body_len, endings[_i].body_len);
	ck_assert((c->error[0] != '\0') == (c->fault != HTTP_FAULT_NONE));
}
END_TEST

START_TEST(refused_connection_is_a_connect_fault)
{
	raw_server_start(&server, answer_nothing, NULL);
	unsigned port = server.port;
	raw_server_stop(&server); /* nobody listens there now */
	rig_init(&rig);
	struct rig_call *c = rig_add(&rig, "http://127.0.0.1", port, SMALL);
	rig_run(&rig);
	ck_assert_int_eq(c->fault, HTTP_FAULT_CONNECT);
}
END_TEST

START_TEST(unknown_host_is_a_resolve_fault)
{
	rig_init(&rig);
	struct rig_call *c = rig_add(&rig, "http://nowhere.invalid", 80, SMALL);
	rig_run(&rig);
	ck_assert_int_eq(c->fault, HTTP_FAULT_RESOLVE);
}
END_TEST

START_TEST(broken_source_leaves_the_request_unsent)
{
	static const uint64_t sizes[] = { SMALL, LARGE };

	raw_server_start(&server, answer_nothing, NULL);
	rig_init(&rig);
	struct rig_call *c =
	    rig_add(&rig, "http://127.0.0.1", server.port, sizes[_i]);
	c->read_error = -EIO;
	if (sizes[_i] == LARGE) {
		rig_run(&rig);
		ck_assert_int_eq(c->fault, HTTP_FAULT_UNSENT);
	} else {
		/* Small bodies are read at once: submit itself says so. */
		rig.http = http_new(rig.loop, rig.pool, &rig.settings);
		ck_assert_int_eq(http_submit(rig.http, &c->call), -EIO);
		http_close(rig.http, rig_closed, &rig);
		loop_run(rig.loop);
		ck_assert_uint_eq(c->done, 0);
		loop_free(rig.loop);
		blocking_free(rig.pool);
	}
	raw_server_stop(&server);
}
END_TEST

/* First request is answered, so that the connection is reused; then: */
static void read_second_and_close(struct raw_server *s, int *fd, unsigned nth)
{
	(void)nth;
	if (!raw_read_request(s, *fd))
		return;
	raw_send(*fd, OK_EMPTY);
	(void)raw_read_request(s, *fd);
}

static void read_second_and_reset(struct raw_server *s, int *fd, unsigned nth)
{
	read_second_and_close(s, fd, nth);
	raw_reset(fd);
}

static const struct {
	raw_script script;
	uint64_t body_size;
} races[] = {
	{ read_second_and_close, 0 },
	{ read_second_and_close, SMALL },
	{ read_second_and_close, 40 * 1024 },
	{ read_second_and_close, LARGE },
	{ read_second_and_reset, SMALL },
	{ read_second_and_reset, LARGE },
};

START_TEST(never_repeats_what_may_have_arrived)
{
	raw_server_start(&server, races[_i].script, NULL);
	rig_init(&rig);
	(void)rig_add(&rig, "http://127.0.0.1", server.port, SMALL);
	struct rig_call *c =
	    rig_add(&rig, "http://127.0.0.1", server.port, races[_i].body_size);
	rig_run(&rig);
	raw_server_stop(&server);
	ck_assert_int_eq(rig.calls[0].status, 200);
	ck_assert_msg(c->fault == HTTP_FAULT_UNANSWERED, "fault %d: %s",
	    (int)c->fault, c->error);
	ck_assert_uint_eq(atomic_load(&server.requests), 2);
	ck_assert_uint_eq(atomic_load(&server.body_sum),
	    raw_body_sum(SMALL) + raw_body_sum(races[_i].body_size));
}
END_TEST

static void lose_second_halfway(struct raw_server *s, int *fd, unsigned nth)
{
	uint64_t size;

	if (nth > 0) {
		if (raw_read_request(s, *fd))
			raw_send(*fd, OK_EMPTY);
		return;
	}
	(void)raw_read_request(s, *fd);
	raw_send(*fd, OK_EMPTY);
	(void)raw_read_head(s, *fd, &size);
	raw_reset(fd);
}

START_TEST(repeats_only_what_cannot_have_arrived)
{
	raw_server_start(&server, lose_second_halfway, NULL);
	rig_init(&rig);
	(void)rig_add(&rig, "http://127.0.0.1", server.port, SMALL);
	struct rig_call *c =
	    rig_add(&rig, "http://127.0.0.1", server.port, 4 * LARGE);
	rig_run(&rig);
	raw_server_stop(&server);
	/* Curl repeats after a failed read, not after a failed write. */
	if (c->fault == HTTP_FAULT_NONE) {
		ck_assert_uint_eq(atomic_load(&server.requests), 2);
		ck_assert_uint_eq(atomic_load(&server.body_sum),
		    raw_body_sum(SMALL) + raw_body_sum(4 * LARGE));
	} else {
		ck_assert_int_eq(c->fault, HTTP_FAULT_UNSENT);
		ck_assert_uint_eq(atomic_load(&server.requests), 1);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("http/fault");
	TCase *t = tcase_create("fault");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(
	    t, names_how_it_ended, 0, sizeof(endings) / sizeof(endings[0]));
	tcase_add_test(t, refused_connection_is_a_connect_fault);
	tcase_add_test(t, unknown_host_is_a_resolve_fault);
	tcase_add_loop_test(t, broken_source_leaves_the_request_unsent, 0, 2);
	tcase_add_loop_test(t, never_repeats_what_may_have_arrived, 0,
	    sizeof(races) / sizeof(races[0]));
	tcase_add_test(t, repeats_only_what_cannot_have_arrived);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
