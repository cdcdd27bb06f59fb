/* See inquiries.h. A question is freed when it is settled. */
#include <deliver/inquiries.h>

#include <deliver/grants.h>

#include <base/clock.h>
#include <base/list.h>
#include <config/config.h>
#include <health/health.h>
#include <http/http.h>
#include <loop/loop.h>
#include <provider/provider.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inquiries {
	struct inquiries_services services;
	struct config *config; /* a reference */
	struct loop_timer timer;
	struct list questions; /* under way */
	bool is_draining;
};

struct question {
	struct list node;
	struct inquiries *owner;
	struct config *config; /* a reference */
	const struct config_provider *provider;
	struct grant_waiter waiter;
	struct provider_inquiry *inquiry; /* NULL before it has its grant */
	struct http_call http;
};

/* --- the end of one --- */

static void settle(struct question *q)
{
	struct inquiries *owner = q->owner;

	list_remove(&q->node);
	provider_inquiry_free(q->inquiry);
	config_unref(q->config);
	free(q);
	inquiries_look(owner);
	owner->services.on_settled(owner->services.ctx);
}

static void give_up(struct question *q)
{
	health_not_told(q->provider->account);
	settle(q);
}

static void tell(struct question *q, const struct postern_inquiry *told)
{
	health_told(q->provider->account, told, clock_mono_ms());
	settle(q);
}

static void tell_trouble(
    struct question *q, enum postern_class result, const char *reason)
{
	struct postern_inquiry told = { .result = result };

	(void)snprintf(told.reason, sizeof(told.reason), "%s", reason);
	tell(q, &told);
}

/* --- asking --- */

static void step(struct question *q);

static void on_answer(
    struct http_call *call, const struct http_response *response)
{
	struct question *q = container_of(call, struct question, http);

	if (q->owner->is_draining) {
		give_up(q);
		return;
	}
	provider_inquiry_answer(q->inquiry, response);
	step(q);
}

static void step(struct question *q)
{
	int rc;

	if (!provider_inquiry_step(q->inquiry, clock_wall_ms() / 1000)) {
		tell(q, provider_inquiry_told(q->inquiry));
		return;
	}
	memset(&q->http, 0, sizeof(q->http));
	provider_inquiry_http(q->inquiry, &q->http);
	q->http.on_done = on_answer;
	rc = http_submit(q->owner->services.http, &q->http);
	if (rc)
		tell_trouble(q, POSTERN_TRANSIENT, strerror(-rc));
}

static void ask(struct question *q, struct provider_grant *grant)
{
	const struct config_provider *p = q->provider;

	q->inquiry = provider_inquiry_new(p->module, p->settings, grant);
	if (q->inquiry)
		step(q);
	else
		tell_trouble(q, POSTERN_TRANSIENT, "out of memory");
}

/* The waiter has its answer: a reference, or none. */
static void take_grant(struct question *q)
{
	struct provider_grant *grant = q->waiter.grant;

	if (q->owner->is_draining)
		give_up(q);
	else if (!grant)
		tell_trouble(q, q->waiter.result, q->waiter.reason);
	else
		ask(q, grant);
	provider_grant_unref(grant);
}

static void on_grant(struct grant_waiter *w)
{
	take_grant(container_of(w, struct question, waiter));
}

static void begin(struct inquiries *owner, const struct config_provider *p)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q) {
		health_not_told(p->account);
		return;
	}
	q->owner = owner;
	q->config = config_ref(owner->config);
	q->provider = p;
	q->waiter.done = on_grant;
	list_append(&owner->questions, &q->node);
	if (!provider_prepares(p->module))
		ask(q, NULL);
	else if (grants_ask(owner->services.grants, q->config, p, &q->waiter))
		take_grant(q);
}

/* --- when --- */

/* Ask those whose time has come; when the next one's does. */
static uint64_t ask_due(struct inquiries *q, uint64_t now_ms)
{
	uint64_t next_ms = UINT64_MAX, again_ms;

	for (size_t i = 0; i < q->config->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(q->config->providers, struct config_provider, i);

		if (!p->ask_account || !provider_inquires(p->module))
			continue;
		if (health_may_ask(p->account, now_ms, &again_ms))
			begin(q, p);
		if (again_ms < next_ms)
			next_ms = again_ms;
	}
	return next_ms;
}

static void on_time(struct loop_timer *t)
{
	struct inquiries *q = container_of(t, struct inquiries, timer);
	uint64_t now_ms = clock_mono_ms();
	uint64_t next_ms = ask_due(q, now_ms);

	if (next_ms != UINT64_MAX)
		loop_timer_start(q->services.loop, &q->timer,
		    next_ms > now_ms ? next_ms - now_ms : 0);
}

/* Not from here: the caller may be in the middle of something. */
void inquiries_look(struct inquiries *q)
{
	if (!q->is_draining)
		loop_timer_start(q->services.loop, &q->timer, 0);
}

/* --- the interface --- */

struct inquiries *inquiries_new(
    const struct inquiries_services *services, struct config *c)
{
	struct inquiries *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->services = *services;
	q->config = config_ref(c);
	list_init(&q->questions);
	loop_timer_init(&q->timer, on_time);
	inquiries_look(q);
	return q;
}

void inquiries_free(struct inquiries *q)
{
	if (!q)
		return;
	loop_timer_stop(q->services.loop, &q->timer);
	config_unref(q->config);
	free(q);
}

void inquiries_set_config(struct inquiries *q, struct config *c)
{
	config_unref(q->config);
	q->config = config_ref(c);
	inquiries_look(q);
}

void inquiries_drain(struct inquiries *q)
{
	q->is_draining = true;
	loop_timer_stop(q->services.loop, &q->timer);
	list_for_each_safe (pos, tmp, &q->questions) {
		struct question *one = container_of(pos, struct question, node);

		if (one->inquiry) {
			http_cancel(q->services.http, &one->http);
			continue;
		}
		list_remove(&one->waiter.node);
		give_up(one);
	}
}

bool inquiries_is_idle(const struct inquiries *q)
{
	return list_is_empty(&q->questions);
}
