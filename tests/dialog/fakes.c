/* See fakes.h. */
#include "fakes.h"

#include <auth/auth.h>
#include <base/list.h>
#include <loop/loop.h>
#include <store/body.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <support/unit.h>

struct fakes fakes;

void fakes_init(void)
{
	fakes = (struct fakes){ .answer = { .verdict = DELIVER_QUEUED } };
	buf_init(&fakes.message, 64 * 1024 * 1024);
	buf_init(&fakes.envelope, 1024 * 1024);
}

void fakes_finish(void)
{
	fakes.is_out_of_memory = false;
	buf_finish(&fakes.message);
	buf_finish(&fakes.envelope);
}

/* --- memory: the linker puts this before span_dup (--wrap) --- */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
char *__real_span_dup(struct span s);
char *__wrap_span_dup(struct span s);
char *__wrap_span_dup(struct span s)
{
	return fakes.is_out_of_memory ? NULL : __real_span_dup(s);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* --- config --- */

struct config *config_ref(struct config *c)
{
	fakes.config_refs++;
	return c;
}

void config_unref(struct config *c)
{
	if (c)
		fakes.config_refs--;
}

const struct config_user *config_find_user(
    const struct config *c, struct span name)
{
	for (size_t i = 0; i < c->users.count; i++) {
		const struct config_user *u =
		    CONFIG_AT(c->users, struct config_user, i);
		if (span_ieq(span_of(u->name), name))
			return u;
	}
	return NULL;
}

bool config_pattern_matches(const char *pattern, struct span address)
{
	struct span p = span_of(pattern);

	if (span_eq(p, SPAN("*")))
		return true;
	if (span_starts_with(p, SPAN("@")))
		return span_iends_with(address, p);
	return span_ieq(p, address);
}

bool config_patterns_match(
    const struct postern_list *patterns, struct span address)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (config_pattern_matches(
			CONFIG_STRING(*patterns, i), address))
			return true;
	return false;
}

/* --- store and quota --- */

int store_check(struct store *s)
{
	(void)s;
	return fakes.store_rc;
}

void store_stats(struct store *s, struct store_stats *out)
{
	(void)s;
	*out = (struct store_stats){ .messages = fakes.stored.messages,
		.bytes = fakes.stored.bytes,
		.unsynced_bytes = fakes.unsynced };
}

void store_held(struct store *s, struct span user, struct store_held *out)
{
	(void)s;
	ck_assert(user.len > 0);
	*out = fakes.held_by_user;
}

struct quota_answer quota_take(struct quota *q, const struct config_user *user)
{
	struct quota_answer answer = { .verdict = fakes.quota,
		.retry_after_ms = fakes.retry_after_ms,
		.day = 20000 };

	(void)q;
	ck_assert_ptr_nonnull(user);
	if (answer.verdict == QUOTA_OK || answer.verdict == QUOTA_HELD)
		fakes.taken++;
	return answer;
}

void quota_give_back(
    struct quota *q, const struct config_user *user, int64_t day)
{
	(void)q;
	ck_assert_ptr_nonnull(user);
	ck_assert_int_eq(day, 20000);
	fakes.given_back++;
}

void quota_owe(struct quota *q, const struct config_user *user, int64_t day)
{
	(void)q;
	ck_assert_ptr_nonnull(user);
	ck_assert_int_eq(day, 20000);
	fakes.owed++;
}

/* --- bodies: in memory here, but as slow to write as any file --- */

struct store_body {
	struct message_source source;
	struct task task;
	struct loop *loop;
	struct buf bytes, data;
	void (*on_written)(void *ctx, int rc);
	void *ctx;
	bool is_busy, is_dropped;
};

static struct store_body *body_of(struct message_source *s)
{
	return container_of(s, struct store_body, source);
}

static void body_free(struct store_body *b)
{
	fakes.bodies--;
	buf_finish(&b->bytes);
	buf_finish(&b->data);
	free(b);
}

static ssize_t body_read(
    struct message_source *s, uint64_t offset, void *out, size_t len)
{
	struct span from = buf_span(&body_of(s)->bytes);

	from = span_first(span_from(from, (size_t)offset), len);
	memcpy(out, from.ptr, from.len);
	return (ssize_t)from.len;
}

static void body_release(struct message_source *s)
{
	body_free(body_of(s));
}

struct store_body *store_body_new(
    struct store *s, struct loop *l, bool is_volatile)
{
	static const struct message_source_ops ops = { .read = body_read,
		.release = body_release };
	struct store_body *b = calloc(1, sizeof(*b));

	(void)s;
	fakes.bodies++;
	fakes.bodies_made++;
	fakes.bodies_volatile += is_volatile;
	b->source.ops = &ops;
	b->loop = l;
	buf_init(&b->bytes, 64 * 1024 * 1024);
	return b;
}

static void body_written(struct task *t)
{
	struct store_body *b = container_of(t, struct store_body, task);

	ck_assert_int_eq(buf_add_span(&b->bytes, buf_span(&b->data)), 0);
	b->source.size = buf_len(&b->bytes);
	buf_finish(&b->data);
	b->is_busy = false;
	if (b->is_dropped)
		body_free(b);
	else
		b->on_written(b->ctx, fakes.body_rc);
}

void store_body_write(struct store_body *b, struct buf *data,
    void (*on_written)(void *ctx, int rc), void *ctx)
{
	ck_assert(!b->is_busy);
	ck_assert_uint_gt(buf_len(data), 0);
	b->data = *data;
	buf_init(data, data->max);
	b->on_written = on_written;
	b->ctx = ctx;
	b->is_busy = true;
	b->task.run = body_written;
	if (!fakes.is_disk_stuck)
		loop_post(b->loop, &b->task);
}

struct message *store_body_message(struct store_body *b, struct buf *header)
{
	ck_assert(!b->is_busy);
	return message_new_from(header, &b->source);
}

void store_body_drop(struct store_body *b)
{
	if (b && b->is_busy && !fakes.is_disk_stuck)
		b->is_dropped = true;
	else if (b)
		body_free(b);
}

/* --- delivery --- */

struct deliver {
	struct loop *loop;
};

struct pending {
	struct task task;
	struct deliver_submission *submission; /* NULL: abandoned */
	unsigned missing;
};

struct deliver *fakes_deliver(struct loop *l)
{
	static struct deliver d;

	d.loop = l;
	return &d;
}

/* Of content that nobody carries, to the last recipient. */
static void refuse_content(struct deliver_submission *s, unsigned missing)
{
	const struct deliver_answer a = { .verdict = DELIVER_NO_CARRIER,
		.missing = missing,
		.recipient = s->envelope->recipient_count - 1 };

	s->on_answer(s, &a);
}

static void answer(struct task *t)
{
	struct pending *p = container_of(t, struct pending, task);

	if (p->submission && p->missing)
		refuse_content(p->submission, p->missing);
	else if (p->submission)
		p->submission->on_answer(p->submission, &fakes.answer);
	free(p);
}

void fakes_answer(void)
{
	struct pending *p = fakes.held;

	fakes.held = NULL;
	answer(&p->task);
}

static void note_if(bool is_so, const char *word)
{
	if (is_so)
		(void)buf_printf(&fakes.envelope, " %s", word);
}

static void note_terms(const struct envelope_terms *t)
{
	note_if(t->body == ENVELOPE_BODY_8BITMIME, "8bit");
	note_if(t->is_utf8, "utf8");
	note_if(t->ret == ENVELOPE_RET_FULL, "ret=full");
	note_if(t->ret == ENVELOPE_RET_HDRS, "ret=hdrs");
	if (t->envid.len > 0)
		(void)buf_printf(
		    &fakes.envelope, " envid=%.*s", SPAN_FMT(t->envid));
	if (t->has_priority || t->priority)
		(void)buf_printf(&fakes.envelope, " priority=%d", t->priority);
	note_if(t->release_ms > 0, "later");
}

static void note_recipient(const struct envelope_recipient *r)
{
	(void)buf_printf(&fakes.envelope, " <%.*s>", SPAN_FMT(r->address));
	note_if(r->notify & ENVELOPE_NOTIFY_NEVER, "never");
	note_if(r->notify & ENVELOPE_NOTIFY_SUCCESS, "success");
	note_if(r->notify & ENVELOPE_NOTIFY_FAILURE, "failure");
	note_if(r->notify & ENVELOPE_NOTIFY_DELAY, "delay");
	if (r->orcpt.len > 0)
		(void)buf_printf(
		    &fakes.envelope, " orcpt=%.*s", SPAN_FMT(r->orcpt));
}

static void note(const struct deliver_submission *s)
{
	const struct envelope *e = s->envelope;
	uint64_t size = message_size(s->message);

	fakes.submitted++;
	buf_clear(&fakes.message);
	ck_assert_int_eq(buf_reserve(&fakes.message, size), 0);
	while (buf_len(&fakes.message) < size) {
		size_t at = buf_len(&fakes.message);
		ssize_t n = message_read(
		    s->message, at, buf_tail(&fakes.message), size - at);
		ck_assert_int_gt(n, 0);
		buf_commit(&fakes.message, (size_t)n);
	}
	buf_clear(&fakes.envelope);
	(void)buf_printf(&fakes.envelope, "<%.*s>", SPAN_FMT(e->sender));
	note_terms(&e->terms);
	note_if(s->hold_reason != NULL, "held");
	note_if(s->mode == CONFIG_MODE_DIRECT, "direct");
	for (size_t i = 0; i < e->recipient_count; i++)
		note_recipient(&e->recipients[i]);
}

void deliver_submit(struct deliver *d, struct deliver_submission *s)
{
	struct pending *p = calloc(1, sizeof(*p));

	note(s);
	p->missing = message_traits(s->message) & fakes.carries_not;
	message_unref(s->message);
	p->task.run = answer;
	p->submission = s;
	s->delivery = p;
	if (fakes.is_deaf)
		fakes.held = p;
	else
		loop_post(d->loop, &p->task);
}

bool deliver_carries_utf8(const struct deliver *d, struct span user,
    struct span sender, struct span recipient)
{
	(void)d;
	(void)user;
	(void)sender;
	(void)recipient;
	return !fakes.carries_no_utf8;
}

bool deliver_abandon(struct deliver *d, struct deliver_submission *s)
{
	struct pending *p = s->delivery;
	bool goes_on = s->mode != CONFIG_MODE_DIRECT;

	(void)d;
	if (!goes_on)
		fakes.abandoned++;
	p->submission = NULL;
	if (fakes.is_deaf)
		free(p);
	return goes_on;
}

bool deliver_withdraw(struct deliver *d, struct deliver_submission *s)
{
	bool is_stored = s->mode != CONFIG_MODE_DIRECT && !fakes.is_unstored;

	(void)deliver_abandon(d, s);
	return !is_stored;
}

/* --- auth: alice with "secret" may in; down is not there --- */

struct auth_session {
	struct task task;
	struct auth_start start;
	char mechanism[32];
	struct auth_answer answer;
	char user[64]; /* LOGIN, XOAUTH2: set by the first step */
	bool is_posted, is_ended;
};

static bool is_offered(const struct auth_channel *channel)
{
	return channel->tls_bits > 0 || channel->allow_plaintext;
}

const char *auth_mechanisms(
    struct auth *a, struct config *config, const struct auth_channel *channel)
{
	(void)a;
	(void)config;
	return is_offered(channel) ? "PLAIN LOGIN" : "";
}

static void check(struct auth_session *s, struct span user, struct span pass)
{
	s->answer.detail = "no match";
	if (span_eq(user, SPAN("down")))
		s->answer.result = AUTH_UNAVAILABLE;
	else if (span_eq(user, SPAN("alice")) && span_eq(pass, SPAN("secret")))
		s->answer.result = AUTH_OK;
	else if (span_eq(user, SPAN("gone")) && span_eq(pass, SPAN("secret")))
		s->answer.result = AUTH_DISABLED;
	else if (span_eq(user, SPAN("ghost"))) /* verified, but not known */
		s->answer.result = AUTH_OK;
	else
		s->answer.result = AUTH_BAD_CREDENTIALS;
	s->answer.user = span_eq(user, SPAN("ghost")) ? "ghost" : "alice";
	if (s->answer.result != AUTH_OK)
		s->answer.user = NULL;
}

static void step_plain(struct auth_session *s, struct span response)
{
	if (response.len == 0) {
		s->answer.result = AUTH_BAD_CREDENTIALS;
		return;
	}
	(void)span_cut(&response, '\0');
	struct span user = span_cut(&response, '\0');
	if (response.ptr)
		check(s, user, response);
	else
		s->answer.result = AUTH_MALFORMED;
}

/* Is never good: says so, and then lets the client speak once more. */
static void step_token(struct auth_session *s)
{
	s->answer = (struct auth_answer){ .result = AUTH_BAD_CREDENTIALS,
		.detail = "bad token" };
	if (s->user[0])
		return;
	s->user[0] = '?';
	s->answer.result = AUTH_CONTINUE;
	s->answer.challenge = SPAN("{}");
	s->answer.is_refused = true;
}

static void step_login(struct auth_session *s, struct span response)
{
	if (s->user[0]) {
		check(s, span_of(s->user), response);
		return;
	}
	/* Cut, a long name is still nobody's. */
	response = span_first(response, sizeof(s->user) - 1);
	memcpy(s->user, response.ptr, response.len);
	s->answer.result = AUTH_CONTINUE;
	s->answer.challenge = SPAN("Password:");
}

static void on_task(struct task *t)
{
	struct auth_session *s = container_of(t, struct auth_session, task);

	s->is_posted = false;
	if (s->is_ended)
		free(s);
	else
		s->start.on_answer(s->start.ctx, &s->answer);
}

static void post(struct auth_session *s)
{
	s->is_posted = true;
	loop_post(s->start.loop, &s->task);
}

static void step(struct auth_session *s, struct span response)
{
	if (!strcmp(s->mechanism, "PLAIN"))
		step_plain(s, response);
	else if (!strcmp(s->mechanism, "XOAUTH2"))
		step_token(s);
	else
		step_login(s, response);
	post(s);
}

static void first(struct auth_session *s)
{
	bool is_login = !strcmp(s->mechanism, "LOGIN");

	if (!strcmp(s->mechanism, "SLOW"))
		return; /* no answer, ever */
	if (!is_login && strcmp(s->mechanism, "PLAIN") != 0 &&
	    strcmp(s->mechanism, "XOAUTH2") != 0) {
		s->answer.result = AUTH_NO_MECHANISM;
	} else if (!is_offered(&s->start.channel)) {
		s->answer.result = AUTH_NEEDS_TLS;
	} else if (s->start.has_initial &&
		   (!is_login || s->start.initial.len > 0)) {
		step(s, s->start.initial);
		return;
	} else {
		s->answer.result = AUTH_CONTINUE;
		s->answer.challenge = is_login ? SPAN("Username:") : SPAN("");
	}
	post(s);
}

struct auth_session *auth_begin(struct auth *a, const struct auth_start *start)
{
	struct auth_session *s = calloc(1, sizeof(*s));
	size_t len = start->mechanism.len;

	(void)a;
	s->start = *start;
	s->task.run = on_task;
	if (len >= sizeof(s->mechanism))
		len = sizeof(s->mechanism) - 1;
	for (size_t i = 0; i < len; i++) {
		char c = start->mechanism.ptr[i];
		s->mechanism[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
	}
	first(s);
	return s;
}

void auth_step(struct auth_session *s, struct span response)
{
	step(s, response);
}

void auth_end(struct auth_session *s)
{
	if (!s)
		return;
	s->is_ended = true;
	if (!s->is_posted)
		free(s);
}

const char *auth_session_mechanism(const struct auth_session *s)
{
	return s->mechanism;
}
