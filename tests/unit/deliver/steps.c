/* See steps.h. */
#include "steps.h"

#include <support/unit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/clock.h>
#include <health/health.h>
#include <provider/provider.h>

enum {
	DEADLINE_TICKS = 60 * 1000
};

uint64_t mono_ms;
unsigned ticks;
struct loop *loop;
struct blocking *pool;
struct config *config;
struct counters counters;
struct grants *grants;
struct http_call *open_call;
unsigned calls;

static const step_fn *next_step;
static struct loop_timer tick;

static uint64_t fake_mono_ns(void)
{
	return mono_ms * 1000000;
}

static int64_t fake_wall_ms(void)
{
	return INT64_C(1440938160000) + (int64_t)mono_ms;
}

/* --- modules and their configuration --- */

const struct postern_field fake_fields[] = {
	{ .name = "mark",
	    .type = POSTERN_TYPE_STRING,
	    .offset = offsetof(struct fake_settings, mark),
	    .doc = "anything" },
	{ .name = NULL },
};

int fake_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)settings;
	(void)mail;
	return host->refuse(r, "not in this test");
}

void fake_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	(void)settings;
	(void)response;
	out->result = POSTERN_UNKNOWN;
}

static int check_password(struct span record, struct err *e)
{
	(void)record;
	(void)e;
	return 0;
}

struct config *load_config(
    const struct postern_provider *(*load)(const char *type, struct err *e),
    const char *providers)
{
	const struct config_helpers helpers = { load, check_password, NULL,
		NULL };
	struct config_report report = { .count = 0 };
	char path[] = "/tmp/postern-steps-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(dprintf(fd,
			     "hostname: mail.example.com\n"
			     "listeners:\n"
			     "  - {name: l, address: '127.0.0.1:0', tls: none, "
			     "allow_insecure: true}\n"
			     "users: [{name: app, password_hash: x}]\n"
			     "providers: [%s]\n",
			     providers),
	    0);
	struct config *c = config_load(path, &helpers, &report);
	if (!c)
		config_report_print(&report, stderr);
	ck_assert_ptr_nonnull(c);
	config_report_finish(&report);
	close(fd);
	(void)unlink(path);
	return c;
}

/* --- http --- */

int http_submit(struct http *h, struct http_call *call)
{
	(void)h;
	ck_assert_ptr_null(open_call); /* one asks for all */
	open_call = call;
	calls++;
	return 0;
}

void answer_with(enum http_fault fault, int status)
{
	struct http_response r = {
		.fault = fault, .status = status, .body = SPAN("")
	};
	struct http_call *call = open_call;

	open_call = NULL;
	call->on_done(call, &r);
}

/* --- the loop --- */

void on_settled(void *ctx)
{
	(void)ctx;
}

void set_up(
    const struct postern_provider *(*load)(const char *type, struct err *e),
    const char *providers)
{
	mono_ms = 1000000;
	clock_override(fake_mono_ns, fake_wall_ms);
	open_call = NULL;
	calls = ticks = 0;
	memset(&counters, 0, sizeof(counters));
	loop = loop_new(0);
	pool = blocking_new(1, 100);
	config = load_config(load, providers);
	ck_assert(loop && pool);
	ck_assert_int_eq(health_configure(config, NULL), 0);
	grants = grants_new(&(struct grants_services){ .loop = loop,
	    .pool = pool,
	    .counters = &counters,
	    .world = &provider_world_real,
	    .on_settled = on_settled });
	ck_assert_ptr_nonnull(grants);
}

void tear_down(void)
{
	ck_assert(grants_is_idle(grants));
	grants_free(grants);
	config_unref(config);
	blocking_free(pool);
	loop_free(loop);
	clock_override(NULL, NULL);
}

static void on_tick(struct loop_timer *t)
{
	ck_assert_msg(++ticks < DEADLINE_TICKS, "a step never came true");
	while (*next_step && (*next_step)())
		next_step++;
	if (*next_step)
		loop_timer_start(loop, t, 1);
	else
		loop_stop(loop);
}

void run(const step_fn *steps)
{
	next_step = steps;
	loop_timer_init(&tick, on_tick);
	loop_timer_start(loop, &tick, 0);
	loop_run(loop);
}

/* --- steps --- */

bool is_asked(void)
{
	return open_call != NULL;
}

bool say_yes(void)
{
	answer_with(HTTP_FAULT_NONE, 200);
	return true;
}

bool say_no(void)
{
	answer_with(HTTP_FAULT_NONE, 403);
	return true;
}
