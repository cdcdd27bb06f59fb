/*
 * The whole endpoint over sockets, beside a worker loop, the memory store and
 * a small configuration.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <admin/admin.h>
#include <base/clock.h>
#include <base/counters.h>
#include <config/config.h>
#include <health/health.h>
#include <jansson.h>
#include <policy/quota.h>
#include <postern/provider.h>
#include <store/store.h>
#include <support/onloop.h>
#include <support/unit.h>
#include <support/web.h>

static const char config_text[] =
    "hostname: mail.shop.example\n"
    "listeners:\n"
    "  - {name: local, address: \"127.0.0.1:2525\", tls: none,\n"
    "     allow_insecure: true, allow_unauthenticated: true, user: app}\n"
    "users:\n"
    "  - {name: app, password_hash: x, daily: 100}\n"
    "  - {name: other, password_hash: x}\n"
    "providers:\n"
    "  - {name: first, type: \"fake\"}\n"
    "  - {name: second, type: \"fake\"}\n"
    "routes:\n"
    "  - {name: all, providers: [first, second]}\n"
    "stats: {address: \"127.0.0.1:0\"}\n";

static const struct postern_field no_fields[] = { { .name = NULL } };
static const struct postern_provider fake_module = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(fake_module),
	.name = "fake",
	.fields = no_fields,
	.settings_size = 1,
};

static const struct postern_provider *load_module(
    const char *type, struct err *e)
{
	(void)type;
	(void)e;
	return &fake_module;
}

static int check_record(struct span record, struct err *e)
{
	(void)record;
	(void)e;
	return 0;
}

struct rig {
	struct loop *main, *worker;
	struct loop *loops[1];
	struct counters *counters;
	const struct counters *all_counters[1];
	struct config *config;
	struct store *store, *volatile_store;
	struct quota *quota;
	struct admin *admin;
	struct err e;
	int port;
};

static struct config *load(const char *text)
{
	static const struct config_helpers helpers = {
		.load_module = load_module,
		.check_password_record = check_record,
	};
	struct config_report report = { 0 };
	char path[] = "/tmp/postern-test-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, text, strlen(text)), (int)strlen(text));
	(void)close(fd);
	struct config *c = config_load(path, &helpers, &report);
	if (!c)
		config_report_print(&report, stderr);
	config_report_finish(&report);
	(void)unlink(path);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(health_configure(c, NULL), 0);
	return c;
}

static struct store *memory_store(void)
{
	const struct store_settings settings = { .engine = STORE_MEMORY,
		.history_ms = 3600000,
		.max_pending_bytes = 1 << 20 };
	struct err e = { 0 };
	struct store *s = store_open(&settings, &e);

	ck_assert_msg(s != NULL, "%s", e.text);
	return s;
}

static void start(void *ctx)
{
	struct rig *r = ctx;
	const struct admin_services services = {
		.config = r->config,
		.counters = r->all_counters,
		.loops = r->loops,
		.worker_count = 1,
		.store = r->store,
		.volatile_store = r->volatile_store,
		.quota = r->quota,
		.socket = -1,
	};

	r->admin = admin_new(r->main, &services, &r->e);
	if (r->admin)
		r->port = admin_port(r->admin);
}

static void stop(void *ctx, void (*done)(void *), void *done_ctx)
{
	struct rig *r = ctx;

	admin_close(r->admin, done, done_ctx);
}

static void set_up(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->counters = calloc(1, sizeof(*r->counters));
	r->all_counters[0] = r->counters;
	r->config = load(config_text);
	r->store = memory_store();
	r->volatile_store = memory_store();
	r->quota = quota_new();
	r->main = onloop_start();
	r->worker = r->loops[0] = onloop_start();
	onloop_call(r->main, start, r);
	ck_assert_msg(r->admin != NULL, "%s", r->e.text);
	ck_assert_int_gt(r->port, 0);
}

static void tear_down(struct rig *r)
{
	onloop_await(r->main, stop, r);
	onloop_stop(r->main);
	onloop_stop(r->worker);
	store_close(r->store);
	store_close(r->volatile_store);
	quota_free(r->quota);
	config_unref(r->config);
	free(r->counters);
}

static struct web_answer ask(struct rig *r, const char *target)
{
	struct web_answer a;

	ck_assert(web_ask(r->port, "GET", target, NULL, NULL, 0, &a));
	return a;
}

static int status_of(struct rig *r, const char *target)
{
	struct web_answer a = ask(r, target);

	web_answer_free(&a);
	return a.status;
}

static json_t *ask_json(struct rig *r, const char *target)
{
	struct web_answer a = ask(r, target);
	json_t *value = json_loads(a.body, 0, NULL);

	ck_assert_int_eq(a.status, 200);
	ck_assert_str_eq(web_header(&a, "Content-Type"), "application/json");
	ck_assert_str_eq(web_header(&a, "Cache-Control"), "no-store");
	ck_assert_ptr_nonnull(value);
	web_answer_free(&a);
	return value;
}

static void turn(void *ctx)
{
	(void)ctx;
}

/* Until the tick of the admin has seen the worker turn. */
static void wait_until_ready(struct rig *r)
{
	for (int i = 0; i < 1000 && status_of(r, "/readyz") != 200; i++) {
		onloop_call(r->worker, turn, NULL);
		(void)usleep(10000);
	}
	ck_assert_int_eq(status_of(r, "/readyz"), 200);
}

/* -- probes -- */

static void drain(void *ctx)
{
	struct rig *r = ctx;

	admin_set_draining(r->admin);
}

START_TEST(probes_follow_the_life_of_the_server)
{
	struct rig r;

	set_up(&r);
	ck_assert_int_eq(status_of(&r, "/livez"), 200);
	ck_assert_int_eq(status_of(&r, "/healthz"), 200);
	wait_until_ready(&r);
	ck_assert_int_eq(status_of(&r, "/startupz"), 200);
	struct web_answer a = ask(&r, "/readyz");
	ck_assert_str_eq(a.body, "ok\n");
	web_answer_free(&a);
	a = ask(&r, "/readyz?verbose");
	ck_assert_str_eq(a.body, "[+]started ok\n[+]spool ok\n[+]spool_space "
				 "ok\n[+]draining ok\nok\n");
	web_answer_free(&a);
	onloop_call(r.main, drain, &r);
	a = ask(&r, "/readyz");
	ck_assert_int_eq(a.status, 503);
	ck_assert_str_eq(
	    a.body, "[-]draining failed: the server is shutting down\n");
	web_answer_free(&a);
	ck_assert_int_eq(status_of(&r, "/livez"), 200);
	ck_assert_int_eq(status_of(&r, "/startupz"), 200);
	tear_down(&r);
}
END_TEST

static void still_live(void *ctx)
{
	struct rig *r = ctx;

	ck_assert(admin_is_live(r->admin));
}

START_TEST(works_without_an_endpoint)
{
	struct rig r;
	char text[sizeof(config_text)];

	set_up(&r);
	onloop_await(r.main, stop, &r);
	config_unref(r.config);
	memcpy(text, config_text, sizeof(text));
	*strstr(text, "stats:") = '\0';
	(void)strncat(
	    text, "stats: {address: \"\"}\n", sizeof(text) - strlen(text) - 1);
	r.config = load(text);
	onloop_call(r.main, start, &r);
	ck_assert_msg(r.admin != NULL, "%s", r.e.text);
	ck_assert_int_eq(r.port, 0);
	onloop_call(r.main, still_live, &r);
	tear_down(&r);
}
END_TEST

/* -- requests -- */

static const struct {
	const char *method, *target, *headers;
	int status;
} requests[] = {
	{ "GET", "/", "", 200 },
	{ "HEAD", "/", "", 200 },
	{ "HEAD", "/metrics", "", 200 },
	{ "HEAD", "/api/v1/stats", "", 200 },
	{ "GET", "/nothing", "", 404 },
	{ "GET", "/metrics/", "", 404 },
	{ "GET", "/livez%00x", "", 404 },
	{ "POST", "/", "Content-Length: 0\r\n", 405 },
	{ "DELETE", "/api/v1/stats", "", 405 },
	{ "PUT", "/livez", "Content-Length: 0\r\n", 405 },
	{ "POST", "/", "Content-Length: 100000\r\n", 413 },
	{ "POST", "/api/v1/reload", "Content-Length: 0\r\n", 403 },
	{ "GET", "/api/v1/reload", "", 403 },
	{ "GET", "/api/v1/messages/", "", 400 },
	{ "GET", "/api/v1/messages/x", "", 400 },
	{ "GET", "/api/v1/messages/01h00000000000000000000000/x", "", 400 },
	{ "GET", "/api/v1/messages/01h00000000000000000000000", "", 404 },
};

START_TEST(answers_with_the_right_status)
{
	struct rig r;
	struct web_answer a;

	set_up(&r);
	ck_assert(web_ask(r.port, requests[_i].method, requests[_i].target,
	    requests[_i].headers, NULL, 0, &a));
	ck_assert_int_eq(a.status, requests[_i].status);
	if (a.status == 405)
		ck_assert_str_eq(web_header(&a, "Allow"), "GET, HEAD");
	web_answer_free(&a);
	tear_down(&r);
}
END_TEST

START_TEST(refuses_names_that_are_not_ours)
{
	static const struct {
		const char *host;
		int status;
	} cases[] = {
		{ "127.0.0.1", 200 },
		{ "127.0.0.1:8587", 200 },
		{ "10.1.2.3:8587", 200 },
		{ "[::1]:8587", 200 },
		{ "localhost:1", 200 },
		{ "LOCALHOST", 200 },
		{ "mail.shop.example:8587", 200 },
		{ "evil.example", 403 },
		{ "evil.example:8587", 403 },
		{ "127.0.0.1.evil.example", 403 },
		{ "localhost.evil.example", 403 },
		{ "[::1", 403 },
		{ "999.1.1.1", 403 },
	};
	struct rig r;
	struct web w;
	struct web_answer a;

	set_up(&r);
	web_open(&w, r.port);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		web_print(&w, "GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n",
		    cases[i].host);
		ck_assert(web_receive(&w, false, &a));
		ck_assert_msg(a.status == cases[i].status, "%s", cases[i].host);
		web_answer_free(&a);
	}
	web_close(&w);
	tear_down(&r);
}
END_TEST

START_TEST(the_page_has_no_scripts_and_says_so)
{
	struct rig r;

	set_up(&r);
	struct web_answer a = ask(&r, "/");
	ck_assert_ptr_nonnull(strstr(a.body, "/api/v1/stats"));
	ck_assert_ptr_null(strstr(a.body, "<script"));
	ck_assert_ptr_nonnull(strstr(
	    web_header(&a, "Content-Security-Policy"), "default-src 'none'"));
	web_answer_free(&a);
	tear_down(&r);
}
END_TEST

/* -- metrics -- */

static void count_things(struct rig *r)
{
	struct counters *c = r->counters;

	counter_add(&c->listeners[0].connections, 7);
	counter_add(&c->accepted, 5);
	counter_add(&c->providers[0].attempts[POSTERN_ACCEPTED], 4);
	counter_add(&c->providers[1].attempts[POSTERN_UNKNOWN], 1);
	counter_set(&c->providers[0].last_success_ms, 1700000000123);
	counter_set(&c->providers[1].last_error_ms, 1700000000456);
	counter_set(&c->providers[1].last_error_class, POSTERN_UNKNOWN);
	counter_observe_us(&c->providers[0].latency, 20000);
	counter_observe_us(&c->accept_latency, 1000);
}

START_TEST(metrics_show_the_counters)
{
	static const char *const lines[] = {
		"postern_build_info{version=\"" POSTERN_VERSION "\"} 1\n",
		"postern_smtp_connections_total{listener=\"local\"} 7\n",
		"postern_unknown_outcomes_total 0\n",
		"postern_deliveries_total{provider=\"first\","
		"result=\"accepted\"} 4\n",
		"postern_deliveries_total{provider=\"second\","
		"result=\"unknown\"} 1\n",
		"postern_deliveries_total{provider=\"second\","
		"result=\"throttled\"} 0\n",
		"postern_provider_last_success_timestamp_seconds"
		"{provider=\"first\"} 1700000000.123\n",
		"postern_delivery_duration_seconds_bucket{provider=\"first\","
		"le=\"0.025\"} 1\n",
		"postern_spool_writable 1\n",
		"postern_config_last_reload_successful 1\n",
		"postern_admin_requests_total{path=\"/metrics\"} 1\n",
	};
	struct rig r;

	set_up(&r);
	count_things(&r);
	struct web_answer a = ask(&r, "/metrics");
	ck_assert_str_eq(web_header(&a, "Content-Type"),
	    "text/plain; version=0.0.4; charset=utf-8");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(strstr(a.body, lines[i]) != NULL, "%s", lines[i]);
	web_answer_free(&a);
	tear_down(&r);
}
END_TEST

START_TEST(openmetrics_ends_with_eof)
{
	struct rig r;
	struct web_answer a;

	set_up(&r);
	ck_assert(web_ask(r.port, "GET", "/metrics",
	    "Accept: application/openmetrics-text; version=1.0.0\r\n", NULL, 0,
	    &a));
	ck_assert_ptr_nonnull(strstr(
	    web_header(&a, "Content-Type"), "application/openmetrics-text"));
	ck_assert_str_eq(a.body + a.body_len - 6, "# EOF\n");
	ck_assert_ptr_nonnull(
	    strstr(a.body, "# TYPE postern_deliveries counter\n"));
	web_answer_free(&a);
	tear_down(&r);
}
END_TEST

START_TEST(promtool_finds_nothing_to_say)
{
	struct rig r;

	if (system("command -v promtool >/dev/null") != 0)
		return; /* not on this machine */
	set_up(&r);
	count_things(&r);
	struct web_answer a = ask(&r, "/metrics");
	FILE *promtool = popen("promtool check metrics 1>&2", "w");
	ck_assert_ptr_nonnull(promtool);
	ck_assert_uint_eq(fwrite(a.body, 1, a.body_len, promtool), a.body_len);
	ck_assert_int_eq(pclose(promtool), 0);
	web_answer_free(&a);
	tear_down(&r);
}
END_TEST

/* -- stats -- */

START_TEST(stats_have_their_keys)
{
	struct rig r;
	int version, accepted, connections, today, limit;
	const char *state, *name, *error, *success;
	double p50;

	set_up(&r);
	count_things(&r);
	for (int i = 0; i < 3; i++)
		(void)quota_take(
		    r.quota, config_find_user(r.config, SPAN("app")));
	wait_until_ready(&r);
	json_t *stats = ask_json(&r, "/api/v1/stats");
	json_t *providers = json_object_get(stats, "providers");
	json_error_t why;
	ck_assert_msg(
	    json_unpack_ex(stats, &why, 0,
		"{s:i, s:s, s:{s:i}, s:[{s:s, s:i}], "
		"s:[{s:i, s:i}, {s:n}]}",
		"schema_version", &version, "state", &state, "totals",
		"accepted", &accepted, "listeners", "name", &name,
		"connections", &connections, "users", "messages_today", &today,
		"daily_limit", &limit, "daily_limit") == 0,
	    "%s", why.text);
	ck_assert_int_eq(version, 1);
	ck_assert_str_eq(state, "ready");
	ck_assert_int_eq(accepted, 5);
	ck_assert_str_eq(name, "local");
	ck_assert_int_eq(connections, 7);
	ck_assert_int_eq(today, 3);
	ck_assert_int_eq(limit, 100);
	ck_assert_msg(json_unpack_ex(providers, &why, 0,
			  "[{s:s, s:s, s:n, s:{s:i}, s:{s:f}}, {s:{s:s}}]",
			  "name", &name, "last_success", &success, "last_error",
			  "attempts", "accepted", &accepted, "latency_ms",
			  "p50", &p50, "last_error", "class", &error) == 0,
	    "%s", why.text);
	ck_assert_str_eq(name, "first");
	ck_assert_str_eq(success, "2023-11-14T22:13:20.123Z");
	ck_assert_int_eq(accepted, 4);
	ck_assert_double_gt(p50, 10);
	ck_assert_str_eq(error, "unknown");
	static const char *const keys[] = { "version", "hostname", "now",
		"started", "uptime_s", "rates_per_second", "auth",
		"accept_latency_ms", "queue", "store", "workers", "user_count",
		"log_dropped" };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		ck_assert_msg(
		    json_object_get(stats, keys[i]) != NULL, "%s", keys[i]);
	json_decref(stats);
	tear_down(&r);
}
END_TEST

static void take_config(void *ctx)
{
	struct rig *r = ctx;

	admin_reload_failed(r->admin);
	struct config *next = load("hostname: new.example\n"
				   "listeners: [{name: l, address: \":0\", "
				   "tls: none, allow_insecure: true}]\n"
				   "users: [{name: a, password_hash: x}]\n"
				   "providers: [{name: p, type: \"fake\"}]\n");
	admin_set_config(r->admin, next);
	config_unref(next);
}

START_TEST(a_reload_shows_the_new_snapshot)
{
	struct rig r;

	set_up(&r);
	onloop_call(r.main, take_config, &r);
	json_t *stats = ask_json(&r, "/api/v1/stats");
	ck_assert_str_eq(json_string_value(json_object_get(stats, "hostname")),
	    "new.example");
	json_decref(stats);
	tear_down(&r);
}
END_TEST

/* -- messages -- */

/* A message in a store: one recipient sent, one waiting. */
struct mail {
	struct store *store;
	struct id id;
	struct store_accept accept;
	struct store_update update;
	struct loop *loop;
	void (*done)(void *);
	void *done_ctx;
};

static void on_updated(struct store_request *request)
{
	struct mail *m = container_of(request, struct mail, update.request);

	ck_assert_int_eq(request->result, 0);
	m->done(m->done_ctx);
}

static void on_accepted(struct store_request *request)
{
	struct mail *m = container_of(request, struct mail, accept.request);

	ck_assert_int_eq(request->result, 0);
	m->update.request.loop = m->loop;
	m->update.request.done = on_updated;
	ck_assert_int_eq(store_update(m->store, &m->update), 0);
}

static void accept_mail(void *ctx, void (*done)(void *), void *done_ctx)
{
	struct mail *m = ctx;

	m->done = done;
	m->done_ctx = done_ctx;
	m->accept.request.loop = m->loop;
	m->accept.request.done = on_accepted;
	ck_assert_int_eq(store_accept(m->store, &m->accept), 0);
}

static struct message *small_message(void)
{
	struct buf header, body;

	buf_init(&header, 100);
	buf_init(&body, 100);
	(void)buf_add_str(&header, "From: a@b.example\r\n\r\n");
	(void)buf_add_str(&body, "x\r\n");
	return message_new(&header, &body, 0);
}

static void add_mail(struct rig *r, struct store *store, struct id id)
{
	struct store_recipient to[] = {
		{ .address = SPAN("ann@dest.example"),
		    .notify = ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY,
		    .orcpt = SPAN("rfc822;Ann@dest.example") },
		{ .address = SPAN("b\xff@dest.example"), .due_ms = 1 },
	};
	const struct store_recipient now[] = {
		{ .address = to[0].address,
		    .state = STORE_SENT,
		    .attempts = 1,
		    .provider = "first" },
		{ .address = to[1].address,
		    .attempts = 1,
		    .due_ms = 1700000060000,
		    .provider = "second" },
	};
	const struct store_attempt attempts[] = {
		{ .recipient = 0,
		    .at_ms = 1700000000000,
		    .provider = "first",
		    .result = POSTERN_ACCEPTED,
		    .status = 202,
		    .provider_id = SPAN("abc"),
		    .reason = SPAN(""),
		    .duration_ms = 120 },
		{ .recipient = 1,
		    .at_ms = 1700000001000,
		    .provider = "second",
		    .result = POSTERN_TRANSIENT,
		    .status = 503,
		    .provider_id = SPAN(""),
		    .reason = SPAN("Service Unavailable"),
		    .duration_ms = 30 },
	};
	const size_t indices[] = { 0, 1 };
	struct store_entry entry = {
		.id = id,
		.created_ms = 1699999999000,
		.user = SPAN("app"),
		.sender = SPAN("orders@shop.example"),
		.terms = { .is_utf8 = true,
		    .ret = ENVELOPE_RET_HDRS,
		    .envid = SPAN("QQ+2B1"),
		    .priority = -3,
		    .has_priority = true,
		    .release_ms = 1700000000000 },
		.recipients = to,
		.recipient_count = 2,
		.message = small_message(),
	};
	struct mail m = {
		.store = store,
		.accept = { .entry = &entry },
		.update = { .id = id,
		    .attempts = attempts,
		    .attempt_count = 2,
		    .indices = indices,
		    .recipients = now,
		    .recipient_count = 2 },
		.loop = r->main,
	};

	onloop_await(r->main, accept_mail, &m);
	message_unref(entry.message);
}

static void check_mail(struct rig *r, struct id id)
{
	char text[ID_TEXT_SIZE], path[128];
	const char *user, *sender, *created, *shown, *address[2], *state[2];
	const char *next, *class, *why, *provider_id;
	const char *not_before, *envid, *ret, *notify[2], *orcpt;
	int priority, is_utf8;
	json_error_t e;

	id_format(id, text);
	(void)snprintf(path, sizeof(path), "/api/v1/messages/%s", text);
	json_t *m = ask_json(r, path);
	ck_assert_msg(
	    json_unpack_ex(m, &e, 0,
		"{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:b,"
		" s:[{s:s, s:s, s:n, s:[s, s], s:s},"
		" {s:s, s:s, s:s, s:n, s:n}]}",
		"id", &shown, "user", &user, "sender", &sender, "created",
		&created, "priority", &priority, "not_before", &not_before,
		"envid", &envid, "ret", &ret, "smtputf8", &is_utf8,
		"recipients", "address", &address[0], "state", &state[0],
		"next_attempt", "notify", &notify[0], &notify[1], "orcpt",
		&orcpt, "address", &address[1], "state", &state[1],
		"next_attempt", &next, "notify", "orcpt") == 0,
	    "%s", e.text);
	ck_assert_int_eq(priority, -3);
	ck_assert_str_eq(not_before, "2023-11-14T22:13:20.000Z");
	ck_assert_str_eq(envid, "QQ+2B1");
	ck_assert_str_eq(ret, "hdrs");
	ck_assert(is_utf8);
	ck_assert_str_eq(notify[0], "failure");
	ck_assert_str_eq(notify[1], "delay");
	ck_assert_str_eq(orcpt, "rfc822;Ann@dest.example");
	ck_assert_str_eq(shown, text);
	ck_assert_str_eq(user, "app");
	ck_assert_str_eq(sender, "orders@shop.example");
	ck_assert_str_eq(created, "2023-11-14T22:13:19.000Z");
	ck_assert_str_eq(address[0], "ann@dest.example");
	ck_assert_str_eq(address[1], "b?@dest.example"); /* not UTF-8 */
	ck_assert_str_eq(state[0], "sent");
	ck_assert_str_eq(state[1], "pending");
	ck_assert_str_eq(next, "2023-11-14T22:14:20.000Z");
	ck_assert_msg(json_unpack_ex(m, &e, 0, "{s:[{s:s}, {s:s, s:s}]}",
			  "attempts", "provider_id", &provider_id, "class",
			  &class, "reason", &why) == 0,
	    "%s", e.text);
	ck_assert_str_eq(provider_id, "abc");
	ck_assert_str_eq(class, "transient");
	ck_assert_str_eq(why, "Service Unavailable");
	json_decref(m);
}

START_TEST(tells_what_became_of_a_message)
{
	struct rig r;
	struct id durable = id_make(), direct = id_make();

	set_up(&r);
	add_mail(&r, r.store, durable);
	add_mail(&r, r.volatile_store, direct);
	check_mail(&r, durable);
	check_mail(&r, direct);
	tear_down(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("admin/endpoint");
	TCase *t = tcase_create("endpoint");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, probes_follow_the_life_of_the_server);
	tcase_add_test(t, works_without_an_endpoint);
	tcase_add_loop_test(t, answers_with_the_right_status, 0,
	    sizeof(requests) / sizeof(requests[0]));
	tcase_add_test(t, refuses_names_that_are_not_ours);
	tcase_add_test(t, the_page_has_no_scripts_and_says_so);
	tcase_add_test(t, metrics_show_the_counters);
	tcase_add_test(t, openmetrics_ends_with_eof);
	tcase_add_test(t, promtool_finds_nothing_to_say);
	tcase_add_test(t, stats_have_their_keys);
	tcase_add_test(t, a_reload_shows_the_new_snapshot);
	tcase_add_test(t, tells_what_became_of_a_message);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
