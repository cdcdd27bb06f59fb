/*
 * See sandbox.h. A request is checked by the fake whose path it has; a fault
 * may then replace, delay or break off the answer. Most answers are given at
 * once; those that wait are struct held. The loop's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <admin/httpd.h>
#include <admin/reply.h>
#include <loop/loop.h>
#include <sandbox/sandbox_internal.h>
#include <sandbox/smtpd.h>

enum {
	BODY_MAX = 64 * 1024 * 1024,
	CONNECTIONS_MAX = 1000,
	TIMEOUT_S = 120,
	TEXT_MAX = 17 * 1024 * 1024
};

/* An answer that waits: for its time, or for ever. Owned by its request. */
struct held {
	struct sandbox *sandbox;
	struct httpd_request *r;
	struct loop_timer timer; /* not armed: the request hangs */
	enum fault_break how;
	uint64_t byte_ms;
	struct fake_answer answer;
	struct buf text; /* of it, when it is sent past the library */
};

static void free_held(struct held *h)
{
	loop_timer_stop(h->sandbox->loop, &h->timer);
	fake_answer_finish(&h->answer);
	buf_finish(&h->text);
	free(h);
}

/* The next byte, or without pauses all that is to be sent. */
static void write_text(struct held *h)
{
	struct span piece = buf_span(&h->text);

	if (h->byte_ms > 0)
		piece = span_first(piece, 1);
	httpd_write_raw(h->r, piece);
	buf_consume(&h->text, piece.len);
	if (buf_len(&h->text) > 0) {
		loop_timer_start(h->sandbox->loop, &h->timer, h->byte_ms);
		return;
	}
	httpd_hang_up(h->r);
	free_held(h);
}

static void on_time(struct loop_timer *t)
{
	struct held *h = container_of(t, struct held, timer);

	if (buf_len(&h->text) > 0) {
		write_text(h);
		return;
	}
	if (h->how != FAULT_ANSWER)
		httpd_drop(h->r);
	else
		fake_answer_send(&h->answer, h->r);
	free_held(h);
}

/* Nobody waits any more: the request goes without an answer. */
static void on_gone(struct httpd_request *r, void *ctx)
{
	struct held *h = httpd_data(r);

	(void)ctx;
	free_held(h);
	httpd_drop(r);
}

/* Keep r for what is to happen to it; NULL for memory. */
static struct held *held_new(
    struct sandbox *s, struct httpd_request *r, enum fault_break how)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->sandbox = s;
	h->r = r;
	h->how = how;
	fake_answer_init(&h->answer);
	buf_init(&h->text, TEXT_MAX);
	loop_timer_init(&h->timer, on_time);
	httpd_set_data(r, h);
	return h;
}

/* Of an answer that comes to half, or slowly: its bytes. */
static void make_text(struct held *h)
{
	size_t head, whole;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	if (fake_answer_text(&h->answer, &text, &head) == 0) {
		whole = buf_len(&text);
		if (h->how == FAULT_CUT_ANSWER)
			whole = head + (whole - head) / 2;
		(void)buf_add_span(
		    &h->text, span_first(buf_span(&text), whole));
	}
	buf_finish(&text);
}

static bool is_for_ever(enum fault_break how)
{
	return how == FAULT_HANG_BEFORE_BODY || how == FAULT_HANG_AFTER_BODY;
}

static bool will_wait(const struct fault *fault)
{
	return fault->delay_ms > 0 || fault->byte_ms > 0 ||
	       is_for_ever(fault->how) || fault->how == FAULT_CUT_ANSWER;
}

/* Let the fault have its way with r, which has been checked into a. */
static void apply_fault(struct sandbox *s, struct httpd_request *r,
    const struct fault *fault, struct fake_answer *a)
{
	struct held *h = will_wait(fault) ? held_new(s, r, fault->how) : NULL;

	if (!h) {
		if (fault->how == FAULT_ANSWER)
			fake_answer_send(a, r);
		else
			httpd_drop(r);
		return;
	}
	h->byte_ms = fault->byte_ms;
	h->answer = *a;
	fake_answer_init(a); /* moved */
	if (fault->byte_ms > 0 || fault->how == FAULT_CUT_ANSWER)
		make_text(h);
	if (!is_for_ever(fault->how))
		loop_timer_start(s->loop, &h->timer, fault->delay_ms);
}

static bool is_question(const struct fake *fake, struct httpd_request *r)
{
	return fake_is_account(fake, r) ||
	       (fake->is_question && fake->is_question(r));
}

static void serve(struct sandbox *s, size_t index, struct httpd_request *r)
{
	const struct fake *fake = fakes[index];
	const struct fault *fault;
	struct fake_answer a;

	fake_answer_init(&a);
	fake->check(fake, &s->settings, r, &a);
	if (is_question(fake, r)) {
		fake_answer_send(&a, r);
		fake_answer_finish(&a);
		return;
	}
	fault = settle(s, index, &a);
	if (fault)
		apply_fault(s, r, fault, &a);
	else
		fake_answer_send(&a, r);
	fake_answer_finish(&a);
}

/* Up to its end a request that is broken off early has one of these. */
static enum fault_break early[] = { [FAULT_RESET_BEFORE_BODY] =
					FAULT_RESET_BEFORE_BODY,
	[FAULT_RESET_MID_BODY] = FAULT_RESET_MID_BODY,
	[FAULT_HANG_BEFORE_BODY] = FAULT_HANG_BEFORE_BODY };

static void on_head(struct httpd_request *r, void *ctx)
{
	struct sandbox *s = ctx;
	const struct fault *fault = NULL;
	size_t i;

	if (faults_is_empty(&s->faults))
		return;
	i = fake_of_path(httpd_path(r));
	if (i < FAKES_ALL && !is_question(fakes[i], r))
		fault = settle_head(s, i);
	if (!fault)
		return;
	httpd_set_data(r, &early[fault->how]);
	httpd_stop_at(r, fault->how == FAULT_RESET_MID_BODY ? 1 : 0);
}

static void end_early(
    struct sandbox *s, struct httpd_request *r, enum fault_break how)
{
	httpd_set_data(r, NULL);
	if (!is_for_ever(how) || !held_new(s, r, how))
		httpd_drop(r);
}

static void on_request(struct httpd_request *r, void *ctx)
{
	struct sandbox *s = ctx;
	const char *path = httpd_path(r);
	size_t i = fake_of_path(path);
	const enum fault_break *how = httpd_data(r);

	if (how)
		end_early(s, r, *how);
	else if (i < FAKES_ALL)
		serve(s, i, r);
	else if (strcmp(path, "/") == 0 || strncmp(path, "/_sandbox/", 10) == 0)
		control_answer(s, r);
	else
		reply_error(r, 404,
		    "the first word of a path is that of a provider, or "
		    "_sandbox");
}

static void set_defaults(struct sandbox_settings *s)
{
	if (!s->address)
		s->address = SANDBOX_ADDRESS;
	if (!s->ses_key_id)
		s->ses_key_id = SANDBOX_SES_KEY_ID;
	if (!s->ses_secret)
		s->ses_secret = SANDBOX_SES_SECRET;
	if (!s->max_messages)
		s->max_messages = SANDBOX_MAX_MESSAGES;
	if (!s->max_bytes)
		s->max_bytes = SANDBOX_MAX_BYTES;
}

/* 0, or a negative errno and none runs. */
static int start_servers(
    struct sandbox *s, const struct httpd_settings *http, struct err *e)
{
	if (s->settings.smtp_address) {
		s->smtpd = smtpd_start(s, s->settings.smtp_address, e);
		if (!s->smtpd)
			return -EIO;
	}
	s->httpd = httpd_start(s->loop, http, e);
	if (!s->httpd)
		smtpd_close(s->smtpd, NULL, NULL);
	return s->httpd ? 0 : -EIO;
}

struct sandbox *sandbox_start(
    struct loop *l, const struct sandbox_settings *settings, struct err *e)
{
	struct sandbox *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)err_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	s->loop = l;
	s->settings = *settings;
	set_defaults(&s->settings);
	s->settings.ses_keyring = &s->ses_keyring;
	s->settings.ses_account = &s->ses_account;
	faults_init(&s->faults);
	const struct httpd_settings http = {
		.address = s->settings.address,
		.max_body = BODY_MAX,
		.max_connections = CONNECTIONS_MAX,
		.timeout_s = TIMEOUT_S,
		.on_request = on_request,
		.on_head = on_head,
		.on_gone = on_gone,
		.ctx = s,
	};
	if (archive_open(&s->archive, s->settings.archive,
		s->settings.max_messages, s->settings.max_bytes, e) != 0) {
		free(s);
		return NULL;
	}
	if (start_servers(s, &http, e) != 0) {
		archive_close(&s->archive);
		free(s);
		return NULL;
	}
	return s;
}

static void on_httpd_closed(void *ctx)
{
	struct sandbox *s = ctx;
	void (*on_closed)(void *) = s->on_closed;
	void *closed_ctx = s->closed_ctx;

	faults_clear(&s->faults);
	archive_close(&s->archive);
	free(s);
	if (on_closed)
		on_closed(closed_ctx);
}

static void on_smtpd_closed(void *ctx)
{
	struct sandbox *s = ctx;

	httpd_close(s->httpd, on_httpd_closed, s);
}

void sandbox_close(struct sandbox *s, void (*on_closed)(void *ctx), void *ctx)
{
	s->on_closed = on_closed;
	s->closed_ctx = ctx;
	smtpd_close(s->smtpd, on_smtpd_closed, s);
}

int sandbox_port(const struct sandbox *s)
{
	return httpd_port(s->httpd);
}

int sandbox_smtp_port(const struct sandbox *s)
{
	return s->smtpd ? smtpd_port(s->smtpd) : 0;
}

const char *sandbox_provider(size_t i)
{
	/* The last has no paths. */
	return i < FAKE_smtp ? fakes[i]->name : NULL;
}
