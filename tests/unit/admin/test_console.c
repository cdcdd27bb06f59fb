/*
 * What operators ask at the unix socket, with a server behind it that only
 * answers as the test says; and a memory store with messages.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <admin/admin.h>
#include <base/buf.h>
#include <base/counters.h>
#include <config/config.h>
#include <health/health.h>
#include <jansson.h>
#include <postern/provider.h>
#include <store/store.h>
#include <support/onloop.h>
#include <support/unit.h>
#include <support/web.h>

enum {
	MESSAGES = 250 /* more than two pages */
};

#define ID "01h00000000000000000000000"

static const char config_text[] =
    "hostname: mail.shop.example\n"
    "listeners:\n"
    "  - {name: local, address: \"127.0.0.1:2525\", tls: none,\n"
    "     allow_insecure: true, allow_unauthenticated: true, user: app}\n"
    "users:\n"
    "  - {name: app, password_hash: x}\n"
    "providers:\n"
    "  - {name: first, type: \"fake\"}\n"
    "stats: {address: \"\"}\n"
    "admin: {socket: ";

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

static struct {
	struct loop *main, *worker;
	struct loop *loops[1];
	struct counters *counters;
	const struct counters *all_counters[1];
	struct config *config;
	struct store *store;
	struct admin *admin;
	struct err e;
	char path[64];
	int socket;

	/* What the server behind answers, and what it was asked. */
	int result;
	bool is_silent;
	struct admin_operation *waiting;
	size_t asked;
	struct deliver_operation last;
	const char *why;
} rig;

static void load(void)
{
	static const struct config_helpers helpers = {
		.load_module = load_module,
		.check_password_record = check_record,
	};
	struct config_report report = { 0 };
	char path[] = "/tmp/postern-test-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dprintf(fd, "%s%s}\n", config_text, rig.path), 0);
	(void)close(fd);
	rig.config = config_load(path, &helpers, &report);
	config_report_finish(&report);
	(void)unlink(path);
	ck_assert_ptr_nonnull(rig.config);
	ck_assert_int_eq(health_configure(rig.config, NULL), 0);
}

/* As the real one: never inside the call. */
static void on_answer(struct task *t)
{
	struct admin_operation *o =
	    container_of(t, struct admin_operation, task);

	o->done(o);
}

static void operate(struct admin_operation *o, void *ctx)
{
	(void)ctx;
	rig.asked++;
	rig.last = o->op;
	o->op.result = rig.result;
	o->op.changed = rig.result == 0 ? 2 : 0;
	o->task.run = on_answer;
	if (rig.is_silent)
		rig.waiting = o;
	else
		loop_post(rig.main, &o->task);
}

static struct task reload_task;
static struct admin_reload *reloading;

static void on_reloaded(struct task *t)
{
	(void)t;
	reloading->done(reloading, rig.why, NULL);
}

static void reload(struct admin_reload *r, void *ctx)
{
	(void)ctx;
	reloading = r;
	reload_task.run = on_reloaded;
	loop_post(rig.main, &reload_task);
}

static void listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	strncpy(sa.sun_path, path, sizeof(sa.sun_path) - 1);
	rig.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(
	    bind(rig.socket, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(rig.socket, 64), 0);
}

static void start(void *ctx)
{
	const struct admin_services services = {
		.config = rig.config,
		.counters = rig.all_counters,
		.loops = rig.loops,
		.worker_count = 1,
		.store = rig.store,
		.socket = rig.socket,
		.reload = reload,
		.operate = operate,
	};

	(void)ctx;
	rig.admin = admin_new(rig.main, &services, &rig.e);
}

static void stop(void *ctx, void (*done)(void *), void *done_ctx)
{
	(void)ctx;
	admin_close(rig.admin, done, done_ctx);
}

static void setup(void)
{
	const struct store_settings settings = { .engine = STORE_MEMORY,
		.history_ms = 3600000,
		.max_pending_bytes = 64 << 20 };

	memset(&rig, 0, sizeof(rig));
	rig.counters = calloc(1, sizeof(*rig.counters));
	rig.all_counters[0] = rig.counters;
	(void)snprintf(
	    rig.path, sizeof(rig.path), "/tmp/postern-test-%d", getpid());
	load();
	rig.store = store_open(&settings, &rig.e);
	rig.main = onloop_start();
	rig.worker = rig.loops[0] = onloop_start();
	(void)unlink(rig.path);
	listen_at(rig.path);
	onloop_call(rig.main, start, NULL);
	ck_assert_msg(rig.admin != NULL, "%s", rig.e.text);
}

static void teardown(void)
{
	onloop_await(rig.main, stop, NULL);
	onloop_stop(rig.main);
	onloop_stop(rig.worker);
	store_close(rig.store);
	config_unref(rig.config);
	free(rig.counters);
	(void)unlink(rig.path);
}

/* The answer as JSON; its status is returned. */
static int ask(
    const char *method, const char *target, const char *body, json_t **out)
{
	struct web w;
	struct web_answer a;

	web_open_unix(&w, rig.path);
	web_print(&w,
	    "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
	    method, target, body ? strlen(body) : 0, body ? body : "");
	ck_assert(web_receive(&w, false, &a));
	web_close(&w);
	*out = json_loads(a.body, 0, NULL);
	ck_assert_msg(*out != NULL, "%s", a.body);
	web_answer_free(&a);
	return a.status;
}

static void expect(
    const char *method, const char *target, const char *body, int status)
{
	json_t *answer;
	int got = ask(method, target, body, &answer);

	ck_assert_msg(got == status, "%s %s %s: %d", method, target,
	    body ? body : "", got);
	if (status >= 400)
		ck_assert(json_is_string(json_object_get(answer, "error")));
	json_decref(answer);
}

/* --- one message --- */

START_TEST(an_operation_is_carried_out)
{
	json_t *answer;
	char note[64];

	ck_assert_int_eq(ask("POST", "/api/v1/queue/" ID "/retry",
			     "{\"reason\": \"why\", \"force\": true}", &answer),
	    200);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(answer, "changed")), 2);
	json_decref(answer);
	ck_assert_int_eq(rig.last.action, DELIVER_RETRY);
	ck_assert(rig.last.is_forced);
	(void)snprintf(note, sizeof(note),
	    "operator (uid %u): retry, forced: why", (unsigned)getuid());
	ck_assert_str_eq(rig.last.note, note);
}
END_TEST

static const struct {
	int result, status;
} results[] = { { 0, 200 }, { -EINPROGRESS, 202 }, { -ENOENT, 404 },
	{ -EALREADY, 409 }, { -EBUSY, 409 }, { -EBADMSG, 409 },
	{ -ECANCELED, 503 }, { -EIO, 503 }, { -ENOMEM, 503 } };

START_TEST(each_result_has_its_status)
{
	rig.result = results[_i].result;
	expect("POST", "/api/v1/queue/" ID "/hold", NULL, results[_i].status);
	ck_assert_uint_eq(rig.asked, 1);
}
END_TEST

static const struct {
	const char *method, *target, *body;
	int status;
} wrong[] = {
	{ "POST", "/api/v1/queue/" ID "/explode", NULL, 404 },
	{ "POST", "/api/v1/queue/" ID, NULL, 404 },
	{ "POST", "/api/v1/queue/nonsense/hold", NULL, 400 },
	{ "POST", "/api/v1/queue/" ID "/hold", "{", 400 },
	{ "POST", "/api/v1/queue/" ID "/hold", "[]", 400 },
	{ "POST", "/api/v1/queue/" ID "/hold", "{\"odd\": 1}", 400 },
	{ "POST", "/api/v1/queue/" ID "/hold", "{\"force\": true}", 400 },
	{ "POST", "/api/v1/queue/" ID "/hold", "{\"reason\": 1}", 400 },
	{ "GET", "/api/v1/queue/" ID, NULL, 404 },
	{ "GET", "/api/v1/queue/nonsense", NULL, 400 },
	{ "POST", "/api/v1/queue", NULL, 405 },
	{ "GET", "/api/v1/queue?state=odd", NULL, 400 },
	{ "GET", "/api/v1/queue?state=unknown", NULL, 400 },
	{ "GET", "/api/v1/queue?limit=0", NULL, 400 },
	{ "GET", "/api/v1/queue?limit=501", NULL, 400 },
	{ "GET", "/api/v1/queue?limit=x", NULL, 400 },
	{ "GET", "/api/v1/queue?after=x", NULL, 400 },
	{ "POST", "/api/v1/queue/actions", NULL, 400 },
	{ "POST", "/api/v1/queue/actions", "[]", 400 },
	{ "POST", "/api/v1/queue/actions", "{\"action\": \"odd\"}", 400 },
	{ "POST", "/api/v1/queue/actions", "{\"action\": \"drop\"}", 400 },
	{ "POST", "/api/v1/queue/actions",
	    "{\"action\": \"drop\", \"filter\": {}}", 400 },
	{ "POST", "/api/v1/queue/actions",
	    "{\"action\": \"drop\", \"filter\": {\"usr\": \"a\"}}", 400 },
	{ "POST", "/api/v1/queue/actions",
	    "{\"action\": \"drop\", \"filter\": {\"user\": 1}}", 400 },
	{ "POST", "/api/v1/queue/actions",
	    "{\"action\": \"drop\", \"filter\": {\"user\": \"\"}}", 400 },
	{ "POST", "/api/v1/queue/actions",
	    "{\"action\": \"drop\", \"all\": true, \"after\": \"x\"}", 400 },
	{ "POST", "/api/v1/queue/actions",
	    "{\"action\": \"drop\", \"all\": true, \"odd\": 1}", 400 },
	{ "DELETE", "/api/v1/queue/" ID, NULL, 405 },
};

START_TEST(what_is_wrong_is_refused)
{
	expect(wrong[_i].method, wrong[_i].target, wrong[_i].body,
	    wrong[_i].status);
	ck_assert_uint_eq(rig.asked, 0);
}
END_TEST

/* --- many --- */

static struct store_recipient to = { .address = { "a@b", 3 } };
static struct store_accept accepts[MESSAGES];
static struct store_entry entries[MESSAGES];
static size_t stored;

static void on_stored(struct store_request *r)
{
	ck_assert_int_eq(r->result, 0);
	stored++;
}

static void fill(void *ctx)
{
	struct buf header, body;

	(void)ctx;
	stored = 0;
	for (size_t i = 0; i < MESSAGES; i++) {
		buf_init(&header, 100);
		buf_init(&body, 100);
		(void)buf_add_str(&header, "A: b\r\n\r\n");
		entries[i] = (struct store_entry){ .id = id_make(),
			.user = i % 2 ? SPAN("odd") : SPAN("even"),
			.sender = SPAN("s"),
			.recipients = &to,
			.recipient_count = 1,
			.message = message_new(&header, &body, 0) };
		accepts[i] = (struct store_accept){ .entry = &entries[i] };
		accepts[i].request.loop = rig.main;
		accepts[i].request.done = on_stored;
		ck_assert_int_eq(store_accept(rig.store, &accepts[i]), 0);
		message_unref(entries[i].message);
	}
}

static void count_stored(void *ctx)
{
	*(size_t *)ctx = stored;
}

static void fill_store(void)
{
	size_t count;

	onloop_call(rig.main, fill, NULL);
	do {
		onloop_call(rig.main, count_stored, &count);
	} while (count < MESSAGES);
}

static long long number(const json_t *answer, const char *key)
{
	return json_integer_value(json_object_get(answer, key));
}

static const struct {
	const char *body;
	int result;
	long long matched, changed, refused;
	size_t asked;
} many[] = {
	{ "{\"action\": \"hold\", \"all\": true}", 0, MESSAGES, MESSAGES, 0,
	    MESSAGES },
	{ "{\"action\": \"hold\", \"filter\": {\"user\": \"odd\"}}", 0,
	    MESSAGES / 2, MESSAGES / 2, 0, MESSAGES / 2 },
	{ "{\"action\": \"hold\", \"all\": true, \"dry_run\": true}", 0,
	    MESSAGES, 0, 0, 0 },
	{ "{\"action\": \"drop\", \"all\": true}", -EBUSY, MESSAGES, 0,
	    MESSAGES, MESSAGES },
	{ "{\"action\": \"drop\", \"all\": true}", -ENOENT, MESSAGES, 0, 0,
	    MESSAGES },
	/* Nothing is held. */
	{ "{\"action\": \"release\", \"all\": true}", 0, 0, 0, 0, 0 },
};

START_TEST(many_are_carried_out_and_counted)
{
	json_t *answer;

	fill_store();
	rig.result = many[_i].result;
	ck_assert_int_eq(
	    ask("POST", "/api/v1/queue/actions", many[_i].body, &answer), 200);
	ck_assert_int_eq(number(answer, "matched"), many[_i].matched);
	ck_assert_int_eq(number(answer, "changed"), many[_i].changed);
	ck_assert_int_eq(number(answer, "refused"), many[_i].refused);
	ck_assert(json_is_null(json_object_get(answer, "next")));
	ck_assert_uint_eq(rig.asked, many[_i].asked);
	json_decref(answer);
}
END_TEST

START_TEST(pages_follow_each_other)
{
	char target[128] = "/api/v1/queue?limit=100";
	size_t count = 0, pages = 0;
	const char *next;
	json_t *answer;

	fill_store();
	do {
		ck_assert_int_eq(ask("GET", target, NULL, &answer), 200);
		count += json_array_size(json_object_get(answer, "messages"));
		pages++;
		next = json_string_value(json_object_get(answer, "next"));
		(void)snprintf(target, sizeof(target),
		    "/api/v1/queue?limit=100&after=%s", next ? next : "");
		if (next)
			json_decref(answer);
	} while (next);
	json_decref(answer);
	ck_assert_uint_eq(count, MESSAGES);
	ck_assert_uint_eq(pages, 3);
}
END_TEST

/* --- who does not wait, and the end --- */

static void has_asked(void *ctx)
{
	*(bool *)ctx = rig.waiting != NULL;
}

static void answer_late(void *ctx)
{
	struct admin_operation *o = rig.waiting;

	(void)ctx;
	rig.waiting = NULL;
	o->done(o);
}

START_TEST(a_close_does_not_wait_for_an_operation)
{
	struct web w;
	bool is_asked = false;

	rig.is_silent = true;
	web_open_unix(&w, rig.path);
	web_print(&w, "POST /api/v1/queue/" ID "/hold HTTP/1.1\r\nHost: x\r\n"
		      "Content-Length: 0\r\n\r\n");
	while (!is_asked)
		onloop_call(rig.main, has_asked, &is_asked);
	onloop_await(rig.main, stop, NULL);
	onloop_call(rig.main, answer_late, NULL);
	web_close(&w);
	/* For the end of the test. */
	listen_at(rig.path);
	onloop_call(rig.main, start, NULL);
}
END_TEST

START_TEST(a_reload_is_answered_with_how_it_went)
{
	json_t *answer;

	ck_assert_int_eq(ask("POST", "/api/v1/reload", NULL, &answer), 200);
	ck_assert_str_eq(json_string_value(json_object_get(answer, "hash")),
	    rig.config->hash);
	json_decref(answer);
	rig.why = "it is wrong";
	ck_assert_int_eq(ask("POST", "/api/v1/reload", NULL, &answer), 422);
	ck_assert_str_eq(
	    json_string_value(json_object_get(answer, "error")), rig.why);
	json_decref(answer);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("admin/console");
	TCase *t = tcase_create("console");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_operation_is_carried_out);
	tcase_add_loop_test(t, each_result_has_its_status, 0,
	    sizeof(results) / sizeof(results[0]));
	tcase_add_loop_test(
	    t, what_is_wrong_is_refused, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_loop_test(t, many_are_carried_out_and_counted, 0,
	    sizeof(many) / sizeof(many[0]));
	tcase_add_test(t, pages_follow_each_other);
	tcase_add_test(t, a_close_does_not_wait_for_an_operation);
	tcase_add_test(t, a_reload_is_answered_with_how_it_went);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
