#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/clock.h>
#include <base/log.h>
#include <health/health.h>
#include <http/http.h>
#include <policy/throttle.h>
#include <postern/provider.h>

enum {
	DEADLINE_MS = 30 * 1000
};

struct rig rig;

/* --- fake providers: "fake" takes 50 recipients, "shy" refuses to build,
 * "lone" does for several --- */

struct fake_settings {
	const char *mark;
};

static const struct postern_field fake_fields[] = {
	{ .name = "mark",
	    .type = POSTERN_TYPE_STRING,
	    .offset = offsetof(struct fake_settings, mark),
	    .doc = "a, b or c" },
	{ .name = NULL },
};

static int fake_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct fake_settings *s = settings;
	char url[64];

	(void)snprintf(url, sizeof(url), "https://%s.example/", s->mark);
	int rc = host->method(r, "POST");
	if (!rc)
		rc = host->url(r, url);
	if (!rc)
		rc = host->header(r, "X-Key", mail->attempt_key);
	if (!rc && host->grant(r).ptr)
		rc = host->header(r, "X-Grant", host->grant(r).ptr);
	for (size_t i = 0; !rc && i < mail->recipient_count; i++) {
		rc = host->body(
		    r, mail->recipients[i].ptr, mail->recipients[i].len);
		if (!rc)
			rc = host->body(r, "\n", 1);
	}
	return rc;
}

/* In the pool. */
static int keyed_prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r)
{
	char *grant = host->alloc(r, 32);

	(void)settings;
	if (rig.grant_refusal) {
		p->refusal = (enum postern_class)rig.grant_refusal;
		return host->refuse(r, "the safe is shut");
	}
	if (!grant)
		return -ENOMEM;
	(void)snprintf(grant, 32, "grant-%d", rig.grants++);
	p->grant = (struct postern_secret){ grant, strlen(grant) + 1 };
	p->expires = p->now + 3600;
	return 0;
}

static int shy_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)settings;
	(void)mail;
	return host->refuse(r, "this provider is too shy");
}

/* Takes recipients one by one only. */
static int lone_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	if (mail->recipient_count > 1)
		return host->refuse_together(r, "one by one, please");
	return fake_build(settings, mail, host, r);
}

static void fake_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	(void)settings;
	switch (response->status) {
	case 200:
		out->result = POSTERN_ACCEPTED;
		(void)snprintf(out->provider_id, sizeof(out->provider_id),
		    "%.*s", (int)response->body.len, response->body.ptr);
		return;
	case 207:
		out->result = POSTERN_ACCEPTED;
		out->rejected[0] = 1u << 1;
		(void)snprintf(out->reason, sizeof(out->reason), "no such box");
		return;
	case 400:
		out->result = POSTERN_REJECTED;
		break;
	case 401:
		out->result = POSTERN_ACCOUNT;
		break;
	case 422:
		out->result = POSTERN_REJECTED;
		out->try_singly = true; /* even of one, which is rude */
		out->refusal = POSTERN_REFUSED_RECIPIENT;
		break;
	case 413:
		out->result = POSTERN_REJECTED;
		out->refusal = POSTERN_REFUSED_SIZE;
		return; /* without a word */
	case 414:
		out->result = POSTERN_REJECTED;
		for (size_t i = 0; i + 2 < sizeof(out->reason); i += 2)
			memcpy(out->reason + i, "\xc3\xbc", 2);
		return;
	case 429:
		out->result = POSTERN_THROTTLED;
		out->retry_after_ms = 600000;
		break;
	case 498:
		out->result = POSTERN_ACCOUNT;
		out->is_grant_stale = true;
		break;
	case 503:
		out->result = POSTERN_TRANSIENT;
		break;
	default:
		out->result = POSTERN_UNKNOWN;
		break;
	}
	(void)snprintf(out->reason, sizeof(out->reason), "said %d\r\nbye",
	    response->status);
}

#define FAKE(type_name, build_fn)                                              \
	{                                                                      \
		.abi = POSTERN_PROVIDER_ABI,                                   \
		.size = sizeof(struct postern_provider), .name = (type_name),  \
		.flags = POSTERN_CARRIES_REPORTS, .limits.recipients = 50,     \
		.fields = fake_fields,                                         \
		.settings_size = sizeof(struct fake_settings),                 \
		.build = (build_fn), .classify = fake_classify                 \
	}

static const struct postern_provider modules[] = {
	FAKE("fake", fake_build),
	FAKE("shy", shy_build),
	FAKE("lone", lone_build),
	{ .abi = POSTERN_PROVIDER_ABI,
	    .size = sizeof(struct postern_provider),
	    .name = "unicode",
	    .flags = POSTERN_CARRIES_UTF8 | POSTERN_CARRIES_SIGNED,
	    .fields = fake_fields,
	    .settings_size = sizeof(struct fake_settings),
	    .build = fake_build,
	    .classify = fake_classify },
	{ .abi = POSTERN_PROVIDER_ABI,
	    .size = sizeof(struct postern_provider),
	    .name = "curious",
	    .flags = POSTERN_NEEDS_CONTENT,
	    .fields = fake_fields,
	    .settings_size = sizeof(struct fake_settings),
	    .build = fake_build,
	    .classify = fake_classify },
	{ .abi = POSTERN_PROVIDER_ABI,
	    .size = sizeof(struct postern_provider),
	    .name = "keyed",
	    .fields = fake_fields,
	    .settings_size = sizeof(struct fake_settings),
	    .build = fake_build,
	    .classify = fake_classify,
	    .prepare = keyed_prepare },
	FAKE(CONFIG_WEBHOOK, fake_build),
};

static const struct postern_provider *load_module(
    const char *type, struct err *e)
{
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		if (strcmp(modules[i].name, type) == 0)
			return &modules[i];
	}
	(void)err_set(e, -ENOENT, "no such module");
	return NULL;
}

static int check_password(struct span record, struct err *e)
{
	(void)record;
	(void)e;
	return 0;
}

/* --- configuration --- */

#define HEAD                                                                   \
	"hostname: mail.example.com\n"                                         \
	"listeners:\n"                                                         \
	"  - {name: l, address: '127.0.0.1:0', tls: none, "                    \
	"allow_insecure: true}\n"                                              \
	"users:\n"                                                             \
	"  - {name: app, password_hash: x}\n"                                  \
	"providers:\n"                                                         \
	"  - {name: a, type: fake, mark: a}\n"                                 \
	"  - {name: b, type: fake, mark: b}\n"                                 \
	"  - {name: c, type: fake, mark: c, max_recipients: 3}\n"              \
	"  - {name: shy, type: shy, mark: s}\n"                                \
	"  - {name: d, type: unicode, mark: d}\n"                              \
	"  - {name: e, type: curious, mark: e}\n"                              \
	"  - {name: f, type: keyed, mark: f}\n"                                \
	"  - {name: g, type: lone, mark: g}\n"                                 \
	"routes:\n"

static struct config *load_config(const char *routes)
{
	static const struct config_helpers helpers = { load_module,
		check_password, NULL, NULL };
	struct config_report report = { .count = 0 };
	char path[] = "/tmp/postern-deliver-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dprintf(fd, "%s%s", HEAD, routes), 0);
	struct config *c = config_load(path, &helpers, &report);
	close(fd);
	(void)unlink(path);
	if (!c)
		config_report_print(&report, stderr);
	ck_assert_ptr_nonnull(c);
	config_report_finish(&report);
	c->queue.retry_base_ms = 3;
	c->queue.retry_cap_ms = 5;
	c->queue.unknown_delay_ms = 5;
	c->queue.sync_budget_ms = 20000;
	return c;
}

/* Gates stay open whatever the script says, unless the test is about them. */
static void open_gates(struct config *c)
{
	struct config_provider *providers = c->providers.items;

	for (size_t i = 0; i < c->providers.count; i++) {
		providers[i].breaker.failures = 1000000;
		providers[i].breaker.min_calls = 1000000;
		providers[i].breaker.account_retry_ms = 1;
		providers[i].concurrency = 10000;
	}
	c->queue.retry_budget = 1000000;
}

static void configure(struct config *c, const struct config *old)
{
	(rig.tune ? rig.tune : open_gates)(c);
	ck_assert_int_eq(health_configure(c, old), 0);
}

void rig_routes(const char *yaml)
{
	struct config *c = load_config(yaml);

	configure(c, rig.tune ? NULL : rig.config);
	config_unref(rig.config);
	rig.config = c;
	deliver_set_config(rig.deliver, c);
}

/* --- http --- */

struct open_call {
	struct http_call *call;
	struct loop_timer timer;
	int answer;
	bool is_stuck;
};

static struct open_call open_calls[RIG_CALLS_MAX];

static const char *header_of(const struct http_call *call, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; call->headers[i]; i++) {
		if (strncmp(call->headers[i], name, len) == 0)
			return call->headers[i] + len;
	}
	return "";
}

/* No request may leave for a recipient the store has not marked. */
static void check_marks(const char *recipients, const char *provider)
{
	for (size_t i = 0; i < rig.durable_count; i++) {
		char line[80];

		(void)snprintf(line, sizeof(line), "rcpt%zu@x.example\n", i);
		const char *at = strstr(recipients, line);
		if (!at || (at != recipients && at[-1] != '\n'))
			continue;
		ck_assert_int_eq(rig.durable[i].state, STORE_STARTED);
		ck_assert_str_eq(rig.durable[i].provider, provider);
	}
}

static void note_call(const struct http_call *call)
{
	struct rig_call *c = &rig.calls[rig.call_count++];
	char body[8192];
	ptrdiff_t len = call->body_read(call->ctx, 0, body, sizeof(body) - 1);

	ck_assert_int_ge(len, 0);
	body[len] = '\0';
	(void)snprintf(c->provider, sizeof(c->provider), "%c", call->url[8]);
	(void)snprintf(
	    c->key, sizeof(c->key), "%s", header_of(call, "X-Key: "));
	(void)snprintf(
	    c->grant, sizeof(c->grant), "%s", header_of(call, "X-Grant: "));
	(void)snprintf(
	    c->first, sizeof(c->first), "%.*s", (int)strcspn(body, "\n"), body);
	for (ptrdiff_t i = 0; i < len; i++)
		c->recipients += body[i] == '\n';
	check_marks(body, c->provider);
}

static void finish_call(struct loop_timer *t)
{
	struct open_call *o =
	    (struct open_call *)(void *)((char *)t -
					 offsetof(struct open_call, timer));
	struct http_response r = { .fault = HTTP_FAULT_NONE,
		.status = o->answer,
		.body = SPAN("msg-1") };
	struct http_call *call = o->call;

	if (o->answer == RIG_UNANSWERED)
		r.fault = HTTP_FAULT_UNANSWERED;
	if (o->answer == RIG_REFUSED)
		r.fault = HTTP_FAULT_CONNECT;
	if (o->answer == RIG_MIXED)
		r.status = 207;
	if (r.fault)
		r.status = 0;
	o->call = NULL;
	rig.open_calls--;
	call->on_done(call, &r);
}

static struct open_call *free_slot(void)
{
	size_t i = 0;

	while (open_calls[i].call)
		i++;
	return &open_calls[i];
}

int http_submit(struct http *h, struct http_call *call)
{
	size_t p = (size_t)(call->url[8] - 'a');
	int answer = rig.script[p] ? rig.script[p][rig.script_at[p]] : 200;

	(void)h;
	if (rig.script[p] && rig.script[p][rig.script_at[p] + 1] != 0)
		rig.script_at[p]++;
	if (answer == RIG_NO_SUBMIT)
		return -EINVAL;
	note_call(call);
	struct open_call *o = free_slot();
	*o = (struct open_call){
		.call = call, .answer = answer, .is_stuck = answer == RIG_STUCK
	};
	loop_timer_init(&o->timer, finish_call);
	if (++rig.open_calls > rig.most_open_calls)
		rig.most_open_calls = rig.open_calls;
	if (!o->is_stuck)
		loop_timer_start(rig.loop, &o->timer, 1);
	return 0;
}

void http_cancel(struct http *h, struct http_call *call)
{
	(void)h;
	(void)call;
	ck_abort_msg("nothing is called off here");
}

void rig_release(int answer)
{
	for (size_t i = 0; i < RIG_CALLS_MAX; i++) {
		struct open_call *o = &open_calls[i];

		if (!o->call || !o->is_stuck)
			continue;
		o->is_stuck = false;
		o->answer = answer;
		loop_timer_start(rig.loop, &o->timer, 1);
	}
}

/* --- the store, watched --- */

int __real_store_accept(struct store *s, struct store_accept *r);
int __real_store_update(struct store *s, struct store_update *r);
int __real_store_load(struct store *s, struct store_load *r);
int __wrap_store_accept(struct store *s, struct store_accept *r);
int __wrap_store_update(struct store *s, struct store_update *r);
int __wrap_store_load(struct store *s, struct store_load *r);

/* One request on its way through: whose done to call. */
struct passage {
	struct store_request *request;
	void (*done)(struct store_request *r);
	int rc;
	struct task task;
};

static struct passage passages[RIG_CALLS_MAX];

static struct passage *passage_of(const struct store_request *r)
{
	for (size_t i = 0; i < RIG_CALLS_MAX; i++) {
		if (passages[i].request == r)
			return &passages[i];
	}
	ck_abort_msg("no such request");
	return NULL;
}

static struct passage *pass(
    struct store_request *r, int rc, void (*watch)(struct store_request *r))
{
	struct passage *p = passage_of(NULL);

	*p = (struct passage){ .request = r, .done = r->done, .rc = rc };
	r->done = watch;
	return p;
}

static void go_on(struct passage *p)
{
	struct store_request *r = p->request;

	p->request = NULL;
	r->done = p->done;
	r->done(r);
}

static void on_fault(struct task *t)
{
	struct passage *p =
	    (struct passage *)(void *)((char *)t -
				       offsetof(struct passage, task));

	p->request->result = p->rc;
	rig.faults++;
	go_on(p);
}

/* Answer with p->rc without asking the store. */
static int answer_fault(struct passage *p)
{
	p->task.run = on_fault;
	loop_post(rig.loop, &p->task);
	return 0;
}

static void note_report(const struct store_entry *e)
{
	ssize_t len =
	    message_read(e->message, 0, rig.report, sizeof(rig.report) - 1);

	ck_assert_int_ge(len, 0);
	rig.report[len] = '\0';
	ck_assert_uint_eq(e->sender.len, 0);
	ck_assert_uint_eq(e->recipient_count, 1);
	(void)snprintf(rig.report_to, sizeof(rig.report_to), "%.*s",
	    SPAN_FMT(e->recipients[0].address));
	rig.report_count++;
}

static void note_event(const struct store_entry *e)
{
	size_t i = rig.event_count++;
	struct span json = message_body(e->message);

	ck_assert_uint_eq(e->recipient_count, 1);
	ck_assert_int_eq(e->terms.priority, STORE_EVENT_PRIORITY);
	if (i >= sizeof(rig.events) / sizeof(rig.events[0]))
		return;
	(void)snprintf(
	    rig.events[i], sizeof(rig.events[i]), "%.*s", SPAN_FMT(json));
	rig.event_ids[i] = e->id;
}

static void on_accept(struct store_request *r)
{
	const struct store_accept *a = (const struct store_accept *)(void *)r;
	const struct store_entry *e = a->entry;

	if (r->result == 0 && id_eq(e->id, rig.id)) {
		rig.durable_count = e->recipient_count;
		for (size_t i = 0; i < e->recipient_count; i++)
			rig.durable[i] = e->recipients[i];
	}
	if (r->result == 0 && e->is_report)
		note_report(e);
	if (r->result == 0 && e->is_event)
		note_event(e);
	go_on(passage_of(r));
}

static void on_update(struct store_request *r)
{
	const struct store_update *u = (const struct store_update *)(void *)r;

	if (r->result == 0 && id_eq(u->id, rig.id)) {
		for (size_t i = 0; i < u->recipient_count; i++)
			rig.durable[u->indices[i]] = u->recipients[i];
		for (size_t i = 0; i < u->attempt_count; i++) {
			const struct store_attempt *a = &u->attempts[i];

			rig.rows++;
			rig.last_row = a->result;
			(void)snprintf(rig.last_row_id, 64, "%.*s",
			    SPAN_FMT(a->provider_id));
			(void)snprintf(rig.last_row_reason, 256, "%.*s",
			    SPAN_FMT(a->reason));
		}
	}
	go_on(passage_of(r));
}

static void on_load(struct store_request *r)
{
	go_on(passage_of(r));
}

static int take_fault(int *rc)
{
	int fault = *rc;

	*rc = 0;
	return fault;
}

int __wrap_store_accept(struct store *s, struct store_accept *r)
{
	rig.is_volatile = s == rig.volatile_store;
	if (rig.accept_rc)
		return take_fault(&rig.accept_rc);
	int rc = take_fault(&rig.accept_done_rc);
	struct passage *p = pass(&r->request, rc, on_accept);
	return rc ? answer_fault(p) : __real_store_accept(s, r);
}

int __wrap_store_update(struct store *s, struct store_update *r)
{
	bool is_good = rig.update_skip > 0 ||
		       (rig.is_update_of_watched && !id_eq(r->id, rig.id));

	if (rig.update_skip > 0)
		rig.update_skip--;
	int rc = 0;
	if (!is_good)
		rc = rig.update_lasts ? rig.update_done_rc
				      : take_fault(&rig.update_done_rc);
	struct passage *p = pass(&r->request, rc, on_update);
	return rc ? answer_fault(p) : __real_store_update(s, r);
}

int __wrap_store_load(struct store *s, struct store_load *r)
{
	int rc = take_fault(&rig.load_done_rc);
	struct passage *p = pass(&r->request, rc, on_load);

	rig.loads++;
	return rc ? answer_fault(p) : __real_store_load(s, r);
}

/* --- messages --- */

struct message *rig_message(size_t body_size)
{
	struct buf header, body;
	char line[1000];

	buf_init(&header, 1024);
	buf_init(&body, body_size + sizeof(line));
	ck_assert_int_eq(buf_add_str(&header, "From: a@b.example\r\n"), 0);
	if (rig.message_id)
		ck_assert_int_eq(
		    buf_printf(&header, "Message-ID: %s\r\n", rig.message_id),
		    0);
	if (rig.content_type)
		ck_assert_int_eq(buf_printf(&header, "Content-Type: %s\r\n",
				     rig.content_type),
		    0);
	ck_assert_int_eq(buf_add_str(&header, "\r\n"), 0);
	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	do
		ck_assert_int_eq(buf_add(&body, line, sizeof(line)), 0);
	while (buf_len(&body) < body_size);
	struct message *m = message_new(&header, &body, 0);
	ck_assert_ptr_nonnull(m);
	message_set_traits(m, rig.traits);
	return m;
}

static void on_answer(
    struct deliver_submission *s, const struct deliver_answer *a)
{
	ck_assert_ptr_eq(s, &rig.submission);
	ck_assert(!rig.is_answered);
	rig.is_answered = true;
	rig.verdict = a->verdict;
	rig.refusal = a->refusal;
	rig.result = a->result;
	rig.missing = a->missing;
	rig.lacking = a->recipient;
	rig.calls_at_answer = rig.call_count;
	(void)snprintf(rig.provider, sizeof(rig.provider), "%s", a->provider);
	(void)snprintf(rig.reason, sizeof(rig.reason), "%s", a->reason);
	/* The session's memory goes now. */
	envelope_finish(&rig.envelope);
	memset(&rig.submission, 0xee, sizeof(rig.submission));
}

void rig_submit(enum config_mode mode, size_t recipients, size_t body_size)
{
	struct deliver_submission *s = &rig.submission;

	envelope_init(&rig.envelope);
	rig.envelope.sender = span_of(rig.sender ? rig.sender : "a@b.example");
	rig.envelope.user = SPAN("app");
	rig.envelope.terms = rig.terms;
	for (size_t i = 0; i < recipients; i++) {
		char address[64];

		(void)snprintf(
		    address, sizeof(address), "rcpt%zu@x.example", i);
		ck_assert_int_eq(envelope_add_recipient(&rig.envelope,
				     &(struct envelope_recipient){
					 .address = span_of(address),
					 .notify = rig.notify }),
		    0);
	}
	rig.id = id_make();
	*s = (struct deliver_submission){ .id = rig.id,
		.envelope = &rig.envelope,
		.message = rig_message(body_size),
		.mode = mode,
		.has_message_id = rig.message_id != NULL,
		.hold_reason = rig.hold_reason,
		.quota_day = 20000,
		.on_answer = on_answer };
	deliver_submit(rig.deliver, s);
	ck_assert(!rig.is_answered);
}

static struct store_accept crash_accept;
static struct store_entry crash_entry;

static void on_crash_stored(struct store_request *r)
{
	ck_assert_int_eq(r->result, 0);
	message_unref(crash_entry.message);
	deliver_schedule(rig.deliver, crash_entry.id, 0, 0);
}

void rig_store(
    const struct store_recipient *recipients, size_t count, int64_t created_ms)
{
	static struct store_recipient copies[RIG_RECIPIENTS_MAX];

	memcpy(copies, recipients, count * sizeof(*copies));
	rig.id = id_make();
	crash_entry = (struct store_entry){ .id = rig.id,
		.created_ms = created_ms ? created_ms : clock_wall_ms(),
		.user = SPAN("app"),
		.sender = SPAN("a@b.example"),
		.terms = rig.terms,
		.traits = rig.traits,
		.recipients = copies,
		.recipient_count = count,
		.message = rig_message(10) };
	crash_accept = (struct store_accept){ .entry = &crash_entry };
	crash_accept.request.loop = rig.loop;
	crash_accept.request.done = on_crash_stored;
	ck_assert_int_eq(store_accept(rig.store, &crash_accept), 0);
}

/* --- running --- */

static const rig_step *next_step;
static struct loop_timer tick;
static uint64_t deadline;

static void on_idle(void *ctx)
{
	(void)ctx;
	rig.is_idle = true;
	loop_stop(rig.loop);
}

static void on_tick(struct loop_timer *t)
{
	ck_assert_msg(clock_mono_ms() < deadline, "a step never came true");
	while (*next_step && (*next_step)())
		next_step++;
	if (*next_step)
		loop_timer_start(rig.loop, t, 1);
	else
		deliver_drain(rig.deliver, on_idle, NULL);
}

void rig_run(const rig_step *steps)
{
	next_step = steps;
	deadline = clock_mono_ms() + DEADLINE_MS;
	loop_timer_init(&tick, on_tick);
	loop_timer_start(rig.loop, &tick, 1);
	loop_run(rig.loop);
	ck_assert(rig.is_idle);
	ck_assert_uint_eq(deliver_inflight(rig.deliver), 0);
}

bool rig_answered(void)
{
	return rig.is_answered;
}

bool rig_is_waiting(void)
{
	return deliver_inflight(rig.deliver) == 0;
}

bool rig_is_quiet(void)
{
	return rig_is_waiting() && counter_get(&rig.counters.scheduled) == 0;
}

uint64_t rig_failovers(size_t from, size_t to)
{
	return counter_get(&rig.counters.failovers[from][to]);
}

void rig_assert_calls(const char *providers)
{
	char seen[RIG_CALLS_MAX + 1] = "";

	for (size_t i = 0; i < rig.call_count; i++)
		seen[i] = rig.calls[i].provider[0];
	seen[rig.call_count] = '\0';
	ck_assert_str_eq(seen, providers);
}

size_t rig_count_state(enum store_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < rig.durable_count; i++)
		n += rig.durable[i].state == state;
	return n;
}

void rig_setup(void)
{
	struct store_settings settings = { .engine = STORE_MEMORY,
		.history_ms = 3600 * 1000 };
	struct err e;

	memset(&rig, 0, sizeof(rig));
	memset(open_calls, 0, sizeof(open_calls));
	memset(passages, 0, sizeof(passages));
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	rig.loop = loop_new(0);
	rig.pool = blocking_new(1, 2);
	rig.store = store_open(&settings, &e);
	rig.volatile_store = store_open(&settings, &e);
	rig.config = load_config("  - {name: all, providers: [a, b]}\n");
	configure(rig.config, NULL);
	rig.reports = throttle_new();
	struct deliver_services services = { .loop = rig.loop,
		.reports = rig.reports,
		.store = rig.store,
		.volatile_store = rig.volatile_store,
		.pool = rig.pool,
		.counters = &rig.counters };
	rig.deliver = deliver_new(&services, rig.config);
	ck_assert_ptr_nonnull(rig.deliver);
}

void rig_teardown(void)
{
	deliver_free(rig.deliver);
	store_close(rig.store);
	store_close(rig.volatile_store);
	blocking_free(rig.pool);
	throttle_free(rig.reports);
	loop_free(rig.loop);
	config_unref(rig.config);
}
