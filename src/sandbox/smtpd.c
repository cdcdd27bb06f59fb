/* See smtpd.h: the row of the provider, listening, sessions as a list. */
#include <sandbox/smtpd.h>

#include <errno.h>
#include <stdlib.h>

#include <net/listener.h>
#include <sandbox/smtpd_internal.h>

struct smtpd {
	struct sandbox *sandbox;
	struct listener **listeners;
	size_t listener_count;
	int port;
	struct list sessions;
	size_t session_count;
	bool is_closing;
	void (*on_closed)(void *ctx);
	void *ctx;
};

enum {
	SESSIONS_MAX = 1000
};

/* --- the provider --- */

static const char *text_of(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 421, "4.3.2 Closing, come back later" },
		{ 450, "4.2.1 Mailbox busy" },
		{ 451, "4.3.0 Error in processing" },
		{ 452, "4.3.1 Out of room" },
		{ 454, "4.7.0 Cannot check logins at the moment" },
		{ 530, "5.7.0 Log in first" },
		{ 535, "5.7.8 User name or password is wrong" },
		{ 550, "5.7.1 Refused" },
		{ 552, "5.3.4 Message is too large" },
		{ 554, "5.6.0 Message refused" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return status < 400 ? "Ok" : "Error";
}

/* 429 is one too many for its limit, in the words of HTTP. */
static void fail(struct fake_answer *a, int status)
{
	a->status = status == 429 ? 451 : status;
	(void)buf_add_str(&a->body,
	    status == 429 ? "4.7.1 Too many messages" : text_of(status));
}

const struct fake fake_smtp = {
	.name = "smtp",
	.fail = fail,
};

/* --- sessions --- */

static void free_session(struct smtpd_session *c)
{
	loop_timer_stop(c->sandbox->loop, &c->timer);
	smtpd_forget_transaction(c);
	buf_finish(&c->recipients);
	buf_finish(&c->reply);
	free(c);
}

static void finish(struct smtpd *d)
{
	void (*on_closed)(void *ctx) = d->on_closed;
	void *ctx = d->ctx;

	free(d->listeners);
	free(d);
	if (on_closed)
		on_closed(ctx);
}

void smtpd_forget(struct smtpd_session *c)
{
	struct smtpd *d = c->server;

	list_remove(&c->node);
	d->session_count--;
	free_session(c);
	if (d->is_closing && d->session_count == 0)
		finish(d);
}

static void on_accept(struct conn *conn, void *ctx)
{
	struct smtpd *d = ctx;
	struct smtpd_session *c =
	    d->session_count < SESSIONS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		conn_abort(conn, CONN_END_LOCAL);
		return;
	}
	c->server = d;
	c->sandbox = d->sandbox;
	c->conn = conn;
	buf_init(&c->recipients, (size_t)SMTPD_RECIPIENTS_MAX * SMTPD_LINE_MAX);
	buf_init(&c->text, SMTPD_SIZE_MAX);
	buf_init(&c->reply, SMTPD_SIZE_MAX);
	list_append(&d->sessions, &c->node);
	d->session_count++;
	conn_set_ops(conn, &smtpd_ops, c);
	smtpd_begin(c);
}

/* --- life --- */

static void close_listeners(struct smtpd *d)
{
	for (size_t i = 0; i < d->listener_count; i++)
		listener_close(d->listeners[i]);
	d->listener_count = 0;
}

/* Takes the sockets of set. */
static int listen_on(struct smtpd *d, struct listener_set *set)
{
	int rc = 0;

	d->listeners = calloc(set->count, sizeof(struct listener *));
	if (!d->listeners) {
		listener_set_finish(set);
		return -ENOMEM;
	}
	d->port = listener_port(set->fds[0]);
	for (size_t i = 0; i < set->count; i++) {
		struct listener *l =
		    listener_start(d->sandbox->loop, set->fds[i], on_accept, d);

		if (l)
			d->listeners[d->listener_count++] = l;
		else
			rc = -ENOMEM;
	}
	free(set->fds);
	if (rc)
		close_listeners(d);
	return rc;
}

struct smtpd *smtpd_start(struct sandbox *s, const char *address, struct err *e)
{
	struct listener_set set = { .count = 0 };
	struct smtpd *d;

	if (listener_open(address, 1, &set, e) != 0)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d) {
		listener_set_finish(&set);
		(void)err_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	d->sandbox = s;
	list_init(&d->sessions);
	if (listen_on(d, &set) != 0) {
		(void)err_set(e, -ENOMEM, "cannot listen on %s", address);
		free(d->listeners);
		free(d);
		return NULL;
	}
	return d;
}

int smtpd_port(const struct smtpd *d)
{
	return d->port;
}

void smtpd_close(struct smtpd *d, void (*on_closed)(void *ctx), void *ctx)
{
	if (!d) {
		if (on_closed)
			on_closed(ctx);
		return;
	}
	close_listeners(d);
	d->on_closed = on_closed;
	d->ctx = ctx;
	list_for_each (pos, &d->sessions) {
		struct smtpd_session *c =
		    container_of(pos, struct smtpd_session, node);

		c->mode = SMTPD_OVER;
		conn_abort(c->conn, CONN_END_LOCAL);
	}
	d->is_closing = true;
	if (d->session_count == 0)
		finish(d);
}
