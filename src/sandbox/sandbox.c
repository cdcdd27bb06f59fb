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
#include <base/log.h>
#include <loop/loop.h>
#include <sandbox/sandbox_internal.h>

enum {
	BODY_MAX = 64 * 1024 * 1024,
	CONNECTIONS_MAX = 1000,
	TIMEOUT_S = 120
};

const struct fake *const sandbox_fakes[SANDBOX_FAKES] = { &fake_ses,
	&fake_sendgrid, &fake_mailgun, &fake_raw };

/* An answer that waits: for its time, or for ever. Owned by its request. */
struct held {
	struct sandbox *sandbox;
	struct httpd_request *r;
	struct loop_timer timer; /* not armed: the request hangs */
	bool will_reset;
	struct fake_answer answer;
};

static void free_held(struct held *h)
{
	loop_timer_stop(h->sandbox->loop, &h->timer);
	fake_answer_finish(&h->answer);
	free(h);
}

static void on_time(struct loop_timer *t)
{
	struct held *h = container_of(t, struct held, timer);

	if (h->will_reset)
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

/* The answer of a fault with a status: its own, or the provider's. */
static void answer_fault(
    const struct fault *fault, const struct fake *fake, struct fake_answer *a)
{
	const char *name;
	json_t *value;

	fake_answer_reset(a);
	if (fault->body) {
		a->status = fault->status;
		a->content_type = fault->type;
		(void)buf_add_str(&a->body, fault->body);
	} else {
		fake->fail(a, fault->status);
	}
	json_object_foreach(fault->headers, name, value)
	    fake_answer_header(a, "%s: %s", name, json_string_value(value));
}

static void keep_letter(
    struct sandbox *s, struct sandbox_counts *c, struct fake_answer *a)
{
	struct letter *l = a->letter;

	a->letter = NULL;
	c->accepted++;
	int rc = archive_add(&s->archive, l);
	if (rc)
		log_warn("sandbox_archive_failed", LOG_NUM("code", rc));
}

/* Keep the request for later; false for memory. */
static bool hold(struct sandbox *s, struct httpd_request *r,
    const struct fault *fault, struct fake_answer *a)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return false;
	h->sandbox = s;
	h->r = r;
	h->answer = *a;
	fake_answer_init(a); /* moved */
	h->will_reset = fault->how != FAULT_ANSWER;
	loop_timer_init(&h->timer, on_time);
	httpd_set_data(r, h);
	if (fault->how != FAULT_HANG_AFTER_BODY)
		loop_timer_start(s->loop, &h->timer, fault->delay_ms);
	return true;
}

/* Let the fault have its way with r, which has been checked into a. */
static void apply_fault(struct sandbox *s, struct httpd_request *r,
    const struct fault *fault, struct fake_answer *a)
{
	bool will_wait =
	    fault->delay_ms > 0 || fault->how == FAULT_HANG_AFTER_BODY;

	if (will_wait && hold(s, r, fault, a))
		return;
	if (fault->how == FAULT_ANSWER)
		fake_answer_send(a, r);
	else
		httpd_drop(r);
}

static void serve(struct sandbox *s, size_t index, struct httpd_request *r)
{
	const struct fake *fake = sandbox_fakes[index];
	struct sandbox_counts *c = &s->counts[index];
	const struct fault *fault = NULL;
	struct fake_answer a;

	c->requests++;
	fake_answer_init(&a);
	fake->check(&s->settings, r, &a);
	if (!faults_is_empty(&s->faults))
		fault = faults_take(&s->faults, fake->name,
		    a.letter ? buf_span(&a.letter->recipients) : SPAN(""));
	c->faulted += fault != NULL;
	c->rejected += !fault && a.status >= 300;
	/* A fault that only delays leaves the answer as it is. */
	bool is_real = !fault ||
		       (fault->how == FAULT_ANSWER && fault->status == 0) ||
		       fault->is_accepting;
	if (a.letter && is_real)
		keep_letter(s, c, &a);
	if (fault && fault->status)
		answer_fault(fault, fake, &a);
	if (fault)
		apply_fault(s, r, fault, &a);
	else
		fake_answer_send(&a, r);
	fake_answer_finish(&a);
}

/* Index in sandbox_fakes, or SANDBOX_FAKES. */
static size_t find_fake(const char *path)
{
	size_t i = 0;

	while (i < SANDBOX_FAKES && !sandbox_fakes[i]->owns(path))
		i++;
	return i;
}

static bool on_head(struct httpd_request *r, void *ctx)
{
	struct sandbox *s = ctx;
	size_t i;

	if (faults_is_empty(&s->faults))
		return true;
	i = find_fake(httpd_path(r));
	if (i == SANDBOX_FAKES ||
	    !faults_take_head(&s->faults, sandbox_fakes[i]->name))
		return true;
	s->counts[i].requests++;
	s->counts[i].faulted++;
	return false;
}

static void on_request(struct httpd_request *r, void *ctx)
{
	struct sandbox *s = ctx;
	const char *path = httpd_path(r);
	size_t i = find_fake(path);

	if (i < SANDBOX_FAKES)
		serve(s, i, r);
	else if (strncmp(path, "/_sandbox/", 10) == 0)
		control_answer(s, r);
	else
		reply_error(r, 404,
		    "here are /ses, /sendgrid, /mailgun, /raw and /_sandbox");
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
	s->httpd = httpd_start(l, &http, e);
	if (!s->httpd) {
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

void sandbox_close(struct sandbox *s, void (*on_closed)(void *ctx), void *ctx)
{
	s->on_closed = on_closed;
	s->closed_ctx = ctx;
	httpd_close(s->httpd, on_httpd_closed, s);
}

int sandbox_port(const struct sandbox *s)
{
	return httpd_port(s->httpd);
}
