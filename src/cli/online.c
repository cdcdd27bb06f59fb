/*
 * Each provider is asked by itself, on one loop: credentials first where its
 * module fetches them, then about the account where it can be asked. Of the
 * others it is at least found out whether the host of its API is there, with a
 * good certificate; where that is the module's own request tells.
 */
#include <cli/online.h>

#include <cli/cli.h>

#include <base/arena.h>
#include <base/buf.h>
#include <base/clock.h>
#include <base/list.h>
#include <config/config.h>
#include <http/http.h>
#include <loop/blocking.h>
#include <loop/loop.h>
#include <mail/message.h>
#include <mail/mime.h>
#include <provider/provider.h>

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TIMEOUT_MS = 10000,
	CONNECTIONS = 8, /* per host */
	RESOLVERS = 4,
	WAITING_MAX = 256,
	ARENA_MAX = 64 * 1024,
	SAMPLE_MAX = 4096,
	MS_PER_HOUR = 3600000
};

enum state {
	STATE_KEYS = 0,
	STATE_ACCOUNT,
	STATE_HOST,
	STATE_DONE
};

struct online;

/* One provider. */
struct probe {
	struct online *owner;
	const struct config_provider *provider;
	enum state state;
	struct provider_preparation *preparation;
	struct provider_grant *grant;
	struct provider_inquiry *inquiry;
	struct http_call http;
	struct arena arena;
	const char *url; /* of its API's host */
	bool is_wrong;
	bool is_told; /* by its account: */
	struct postern_inquiry told;
	char text[2 * POSTERN_REASON_SIZE];
};

struct online {
	const struct config *config;
	struct loop *loop;
	struct blocking *pool;
	struct http *http;
	struct message *sample;
	struct probe *probes;
	size_t count, open;
	struct task start;
};

/* --- the end of one --- */

static void on_closed(void *ctx)
{
	struct online *o = ctx;

	loop_stop(o->loop);
}

__attribute__((format(printf, 3, 4))) static void finish(
    struct probe *p, bool is_wrong, const char *fmt, ...)
{
	struct online *o = p->owner;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(p->text, sizeof(p->text), fmt, args);
	va_end(args);
	p->is_wrong = is_wrong;
	p->state = STATE_DONE;
	if (--o->open == 0)
		http_close(o->http, on_closed, o);
}

/* --- its account --- */

/* "the account may send, 14 recipients per second, ..." */
static int describe(const struct postern_inquiry *q, struct buf *out)
{
	int rc = buf_add_str(
	    out, q->is_closed ? "takes no mail" : "the account may send");

	if (rc == 0 && q->per_second > 0)
		rc = buf_printf(out, ", %g %s per second", q->per_second,
		    q->counts_recipients ? "recipients" : "calls");
	if (rc == 0 && q->has_quota)
		rc = buf_printf(out, ", %llu of %llu recipients left in %llu h",
		    (unsigned long long)q->quota_left,
		    (unsigned long long)q->quota,
		    (unsigned long long)q->quota_ms / MS_PER_HOUR);
	if (rc == 0 && q->reason[0])
		rc = buf_printf(out, ": %s", q->reason);
	return rc;
}

static void tell_account(struct probe *p, const struct postern_inquiry *q)
{
	struct buf text;

	buf_init(&text, sizeof(p->text));
	if (describe(q, &text) < 0)
		finish(p, true, "out of memory");
	else
		finish(p, q->is_closed, "%.*s", SPAN_FMT(buf_span(&text)));
	buf_finish(&text);
}

static void judge_account(struct probe *p)
{
	const struct postern_inquiry *q = provider_inquiry_told(p->inquiry);

	p->told = *q;
	p->told.response = NULL;
	p->is_told = q->result == POSTERN_ACCEPTED;
	if (p->is_told) {
		tell_account(p, q);
	} else if (q->is_send_only) {
		finish(p, false,
		    "the key is known there but may not ask about the "
		    "account: %s",
		    q->reason);
	} else {
		finish(p, true, "%s: %s", provider_class_name(q->result),
		    q->reason[0] ? q->reason : "no reason was given");
	}
}

/* --- steps --- */

static void go_on(struct probe *p);

static void judge_host(struct probe *p, const struct http_response *r)
{
	const char *keys = p->grant ? "credentials were got, but whether they "
				      "may send was not checked"
				    : "the key was not checked";

	if (r->status == 0)
		finish(p, true, "%s: %s%s%s", p->url,
		    provider_fault_text(r->fault), r->error[0] ? ": " : "",
		    r->error);
	else
		finish(p, false,
		    "cannot be asked about the account; %s answers%s; %s",
		    p->url,
		    strncmp(p->url, "https:", 6) == 0
			? ", its certificate is good"
			: "",
		    keys);
}

static void on_answer(
    struct http_call *call, const struct http_response *response)
{
	struct probe *p = container_of(call, struct probe, http);

	switch (p->state) {
	case STATE_KEYS:
		provider_preparation_answer(p->preparation, response);
		break;
	case STATE_ACCOUNT:
		provider_inquiry_answer(p->inquiry, response);
		break;
	case STATE_HOST:
		judge_host(p, response);
		return;
	case STATE_DONE:
		return;
	}
	go_on(p);
}

static void submit(struct probe *p)
{
	int rc;

	p->http.on_done = on_answer;
	rc = http_submit(p->owner->http, &p->http);
	if (rc < 0)
		finish(p, true, "%s", strerror(-rc));
}

/* True: there is a grant now, or none is needed. */
static bool get_keys(struct probe *p)
{
	enum provider_step step =
	    provider_preparation_step(p->preparation, clock_wall_ms() / 1000);

	switch (step) {
	case PROVIDER_STEP_SEND:
		provider_preparation_http(p->preparation, &p->http);
		submit(p);
		return false;
	case PROVIDER_STEP_REFUSED:
		finish(p, true, "no credentials: %s",
		    provider_preparation_reason(p->preparation));
		return false;
	case PROVIDER_STEP_GRANTED:
		break;
	}
	p->grant = provider_preparation_grant(p->preparation);
	if (!p->grant)
		finish(p, true, "out of memory");
	return p->grant != NULL;
}

static void ask_account(struct probe *p)
{
	const struct config_provider *c = p->provider;

	if (!p->inquiry)
		p->inquiry =
		    provider_inquiry_new(c->module, c->settings, p->grant);
	if (!p->inquiry) {
		finish(p, true, "out of memory");
	} else if (provider_inquiry_step(p->inquiry, clock_wall_ms() / 1000)) {
		provider_inquiry_http(p->inquiry, &p->http);
		submit(p);
	} else {
		judge_account(p);
	}
}

/* scheme://host:port/ of where a message would go. NULL with e filled. */
static const char *find_host(struct probe *p, struct err *e)
{
	const struct span to = SPAN("postern@example.org");
	const struct config_provider *c = p->provider;
	const struct provider_input input = { .message = p->owner->sample,
		.id = "check",
		.attempt_key = "check",
		.now = clock_wall_ms() / 1000,
		.sender = to,
		.recipients = &to,
		.recipient_count = 1,
		.grant = p->grant };
	struct provider_call *call = provider_call_new(&input);
	struct http_call http;
	const char *url = NULL;

	if (call && provider_call_build(call, c->module, c->settings, e) == 0) {
		provider_call_http(call, &http);
		const char *host = http.url ? strstr(http.url, "://") : NULL;
		size_t len = host ? strcspn(host + 3, "/?#") : 0;

		if (len > 0)
			url = arena_printf(&p->arena, "%.*s/",
			    (int)(host + 3 - http.url + (ptrdiff_t)len),
			    http.url);
	}
	provider_call_free(call);
	return url;
}

static void ask_host(struct probe *p)
{
	static const char *const headers[] = { NULL };
	struct err e = { .code = 0 };

	p->url = find_host(p, &e);
	if (p->url && strncmp(p->url, "http", 4) != 0) {
		finish(p, false,
		    "cannot be asked without sending mail: neither %s nor the "
		    "login was checked",
		    p->url);
		return;
	}
	if (!p->url) {
		finish(p, true, "where it would be asked is not known: %s",
		    e.text[0] ? e.text : "out of memory");
		return;
	}
	p->http = (struct http_call){ .method = "GET",
		.url = p->url,
		.headers = headers,
		.timeout_ms = TIMEOUT_MS };
	submit(p);
}

static void go_on(struct probe *p)
{
	if (p->state == STATE_KEYS) {
		if (p->preparation && !get_keys(p))
			return;
		p->state = provider_inquires(p->provider->module)
			       ? STATE_ACCOUNT
			       : STATE_HOST;
	}
	if (p->state == STATE_ACCOUNT)
		ask_account(p);
	else
		ask_host(p);
}

static void begin(struct probe *p)
{
	const struct config_provider *c = p->provider;

	arena_init(&p->arena, ARENA_MAX);
	if (provider_prepares(c->module)) {
		p->preparation = provider_preparation_new(
		    c->module, c->settings, &provider_world_real);
		if (!p->preparation) {
			finish(p, true, "out of memory");
			return;
		}
	}
	go_on(p);
}

static void on_start(struct task *t)
{
	struct online *o = container_of(t, struct online, start);

	if (o->count == 0)
		http_close(o->http, on_closed, o);
	for (size_t i = 0; i < o->count; i++)
		begin(&o->probes[i]);
}

/* --- what is printed --- */

static void print_text(const struct probe *p)
{
	(void)printf("provider %s: %s%s\n", p->provider->name,
	    p->is_wrong ? "FAILED: " : "", p->text);
}

static void print_json(const struct probe *p)
{
	const struct postern_inquiry *q = &p->told;
	json_t *object = json_pack("{s:s, s:b, s:b, s:s}", "provider",
	    p->provider->name, "ok", (int)!p->is_wrong, "asked",
	    (int)p->is_told, "text", p->text);

	if (object && p->is_told) {
		(void)json_object_set_new(
		    object, "closed", json_boolean(q->is_closed));
		(void)json_object_set_new(
		    object, "per_second", json_real(q->per_second));
	}
	if (object && p->is_told && q->has_quota)
		(void)json_object_set_new(object, "quota",
		    json_pack("{s:I, s:I}", "limit", (json_int_t)q->quota,
			"left", (json_int_t)q->quota_left));
	(void)json_dumpf(object, stdout, JSON_COMPACT);
	(void)printf("\n");
	json_decref(object);
}

/* --- the whole --- */

static struct message *make_sample(const char *hostname)
{
	struct message *m = NULL;
	struct buf header, body;

	buf_init(&header, SAMPLE_MAX);
	buf_init(&body, SAMPLE_MAX);
	if (buf_printf(&header,
		"From: postern@%s\r\nTo: postern@example.org\r\n"
		"Subject: check\r\n\r\n",
		hostname) == 0 &&
	    buf_add_str(&body, "check\r\n") == 0)
		m = message_new(&header, &body, 0);
	buf_finish(&header);
	buf_finish(&body);
	return m;
}

static int open_all(struct online *o)
{
	const struct config *c = o->config;
	const struct http_settings settings = {
		.connect_timeout_ms = c->http.connect_timeout_ms,
		.max_connections_per_host = CONNECTIONS,
		.ca_file = c->http.ca_file,
		.proxy = c->http.proxy,
	};

	(void)signal(SIGPIPE, SIG_IGN);
	mime_library_init();
	if (http_library_init() < 0)
		return -ENOMEM;
	o->sample = make_sample(c->hostname);
	o->probes = calloc(c->providers.count + 1, sizeof(*o->probes));
	o->pool = blocking_new(RESOLVERS, WAITING_MAX);
	o->loop = loop_new(0);
	if (o->loop && o->pool)
		o->http = http_new(o->loop, o->pool, &settings);
	if (!o->sample || !o->probes || !o->http)
		return -ENOMEM;
	o->count = o->open = c->providers.count;
	for (size_t i = 0; i < o->count; i++) {
		o->probes[i].owner = o;
		o->probes[i].provider =
		    CONFIG_AT(c->providers, struct config_provider, i);
	}
	return 0;
}

static void close_all(struct online *o)
{
	for (size_t i = 0; i < o->count; i++) {
		struct probe *p = &o->probes[i];

		provider_inquiry_free(p->inquiry);
		provider_preparation_free(p->preparation);
		provider_grant_unref(p->grant);
		arena_finish(&p->arena);
	}
	free(o->probes);
	message_unref(o->sample);
	blocking_free(o->pool);
	if (o->loop)
		loop_run_late(o->loop);
	loop_free(o->loop);
}

int online_check(const struct config *c, bool is_json)
{
	struct online o = { .config = c, .start.run = on_start };
	int rc = open_all(&o), wrong = 0;

	/* What else was set up ends with the process. */
	if (rc < 0) {
		free(o.probes);
		message_unref(o.sample);
		return rc;
	}
	loop_post(o.loop, &o.start);
	loop_run(o.loop);
	for (size_t i = 0; i < o.count; i++) {
		if (is_json)
			print_json(&o.probes[i]);
		else
			print_text(&o.probes[i]);
		wrong += o.probes[i].is_wrong;
	}
	close_all(&o);
	return wrong;
}
