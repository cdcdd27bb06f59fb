/*
 * A fetch alternates between the pool, where the module's prepare runs, and
 * http, until there is a grant or a refusal. Lifetimes are turned into times
 * of the monotonic clock when a grant comes, so that a jump of the other one
 * neither ends nor prolongs it.
 */
#include <deliver/grants.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/clock.h>
#include <base/counters.h>
#include <base/date.h>
#include <base/hash.h>
#include <base/log.h>
#include <config/config.h>
#include <http/http.h>
#include <loop/blocking.h>
#include <provider/provider.h>

enum {
	AHEAD_MS = 5 * 60 * 1000, /* before the end: fetch another */
	LAST_MS = 60 * 1000,      /* before the end: wait for the other */
	PAUSE_MIN_MS = 1000,      /* after a failure; doubles */
	PAUSE_MAX_MS = 60 * 1000,
	RENEW_MS = 60 * 1000
};

/* What one provider has. Owned by grants. */
struct entry {
	struct list node;
	struct grants *owner;
	char *name; /* with module and hash: whose it is */
	const struct postern_provider *module;
	char hash[CONFIG_HASH_SIZE];

	/* Monotonic ms; UINT64_MAX: never. */
	struct provider_grant *grant; /* NULL: none */
	uint64_t ahead_ms, last_ms, end_ms;
	uint64_t renewed_ms; /* 0: never */

	enum postern_class result; /* of the last failure */
	char reason[POSTERN_REASON_SIZE];
	unsigned failures; /* in a row */
	uint64_t pause_ms; /* until then no fetch begins */

	struct list waiters;
	struct provider_preparation *fetch; /* under way, or NULL */
	enum provider_step step;
	struct config *config; /* a reference while it is */
	const struct config_provider *provider;
	struct blocking_job job;
	struct http_call http;
};

struct grants {
	struct grants_services services;
	struct list entries;
	size_t fetches;
	bool is_draining;
};

/* --- entries --- */

static struct entry *find(
    const struct grants *g, const struct config_provider *p)
{
	list_for_each (pos, &g->entries) {
		struct entry *e = container_of(pos, struct entry, node);

		if (e->module == p->module && strcmp(e->name, p->name) == 0 &&
		    strcmp(e->hash, p->hash) == 0)
			return e;
	}
	return NULL;
}

static struct entry *entry_new(
    struct grants *g, const struct config_provider *p)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->name = strdup(p->name);
	if (!e->name) {
		free(e);
		return NULL;
	}
	e->owner = g;
	e->module = p->module;
	memcpy(e->hash, p->hash, sizeof(e->hash));
	list_init(&e->waiters);
	list_append(&g->entries, &e->node);
	return e;
}

static void entry_free(struct entry *e)
{
	list_remove(&e->node);
	provider_grant_unref(e->grant);
	free(e->name);
	free(e);
}

/* --- answers --- */

static void fail(
    struct grant_waiter *w, enum postern_class result, const char *why)
{
	w->grant = NULL;
	w->result = result;
	(void)snprintf(w->reason, sizeof(w->reason), "no credentials: %.*s",
	    (int)sizeof(w->reason) - 32, why);
	provider_clean_text(w->reason, sizeof(w->reason));
}

static bool has_grant(const struct entry *e)
{
	return e->grant && clock_mono_ms() < e->end_ms;
}

/* What is known now: the grant while it is good, else the last failure. */
static void answer(const struct entry *e, struct grant_waiter *w)
{
	if (has_grant(e))
		w->grant = provider_grant_ref(e->grant);
	else
		fail(w, e->result, e->reason);
}

static void wake(struct entry *e)
{
	struct list waiters;

	/* Who is woken may ask again. */
	list_init(&waiters);
	while (!list_is_empty(&e->waiters)) {
		struct list *first = e->waiters.next;

		list_remove(first);
		list_append(&waiters, first);
	}
	while (!list_is_empty(&waiters)) {
		struct grant_waiter *w =
		    container_of(waiters.next, struct grant_waiter, node);

		list_remove(&w->node);
		answer(e, w);
		w->done(w);
	}
}

/* --- the end of a fetch --- */

static uint64_t random_below(uint64_t limit)
{
	uint64_t random;

	hash_random(&random, sizeof(random));
	return limit > 0 ? random % limit : 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Workers and pods that began together shall not all ask together. */
static void keep_grant(struct entry *e, struct provider_grant *grant)
{
	uint64_t now = clock_mono_ms();
	int64_t left = grant->expires * 1000 - clock_wall_ms();

	provider_grant_unref(e->grant);
	e->grant = grant;
	e->failures = 0;
	e->ahead_ms = e->last_ms = e->end_ms = UINT64_MAX;
	if (grant->expires == 0)
		return;
	uint64_t life = left > 0 ? (uint64_t)left : 0;
	uint64_t ahead = smaller(AHEAD_MS, life / 2);
	e->end_ms = now + life;
	e->last_ms = e->end_ms - smaller(LAST_MS, life / 4);
	e->ahead_ms = e->end_ms - ahead - random_below(ahead / 4 + 1);
}

static void keep_failure(
    struct entry *e, enum postern_class result, const char *reason)
{
	uint64_t pause = PAUSE_MAX_MS;

	e->result = result;
	(void)snprintf(e->reason, sizeof(e->reason), "%s", reason);
	if (e->failures < 6)
		pause = smaller(pause, (uint64_t)PAUSE_MIN_MS << e->failures);
	e->failures++;
	e->pause_ms = clock_mono_ms() + pause / 2 + random_below(pause / 2);
}

static struct counter_provider *counter_of(const struct entry *e)
{
	return &e->owner->services.counters->providers[e->provider->slot];
}

static void tell_grant(const struct entry *e)
{
	char until[DATE_RFC3339_SIZE] = "never";

	if (e->grant->expires > 0)
		date_format_rfc3339_s(e->grant->expires * 1000, until);
	counter_add(&counter_of(e)->grants_fetched, 1);
	log_info("credentials_fetched", LOG_STR("provider", e->name),
	    LOG_STR("source", provider_preparation_source(e->fetch)),
	    LOG_STR("expires", until));
}

static void tell_failure(const struct entry *e)
{
	const char *class_name = provider_class_name(e->result);

	counter_add(&counter_of(e)->grants_failed, 1);
	if (has_grant(e))
		log_warn("credentials_failed", LOG_STR("provider", e->name),
		    LOG_STR("class", class_name), LOG_STR("reason", e->reason),
		    LOG_STR("kept", "true"));
	else
		log_error("credentials_failed", LOG_STR("provider", e->name),
		    LOG_STR("class", class_name), LOG_STR("reason", e->reason));
}

static void settle(struct entry *e)
{
	struct grants *g = e->owner;

	provider_preparation_free(e->fetch);
	e->fetch = NULL;
	config_unref(e->config);
	e->config = NULL;
	e->provider = NULL;
	g->fetches--;
	wake(e);
	g->services.on_settled(g->services.ctx);
}

/* Fetched ahead, for nobody who waits. */
static bool is_needless(const struct entry *e)
{
	return e->owner->is_draining && list_is_empty(&e->waiters);
}

static void settle_failure(
    struct entry *e, enum postern_class result, const char *reason)
{
	keep_failure(e, result, reason);
	if (!is_needless(e))
		tell_failure(e);
	settle(e);
}

static void settle_grant(struct entry *e)
{
	struct provider_grant *grant = provider_preparation_grant(e->fetch);
	const char *trouble = NULL;

	if (!grant)
		trouble = "out of memory";
	else if (grant->expires > 0 && grant->expires * 1000 <= clock_wall_ms())
		trouble = "what was fetched has expired already";
	if (trouble) {
		provider_grant_unref(grant);
		settle_failure(e, POSTERN_TRANSIENT, trouble);
		return;
	}
	keep_grant(e, grant);
	tell_grant(e);
	settle(e);
}

/* --- a fetch --- */

static int run_step(struct entry *e);

static void on_answer(
    struct http_call *call, const struct http_response *response)
{
	struct entry *e = container_of(call, struct entry, http);

	provider_preparation_answer(e->fetch, response);
	if (run_step(e) != 0)
		settle_failure(
		    e, POSTERN_TRANSIENT, "too much work is waiting");
}

static void send(struct entry *e)
{
	int rc = -ECANCELED;

	provider_preparation_http(e->fetch, &e->http);
	e->http.on_done = on_answer;
	if (!is_needless(e))
		rc = http_submit(e->owner->services.http, &e->http);
	if (rc != 0)
		settle_failure(e, POSTERN_TRANSIENT, strerror(-rc));
}

/* In the pool; nothing else touches the preparation meanwhile. */
static void on_work(struct blocking_job *job)
{
	struct entry *e = container_of(job, struct entry, job);

	e->step = provider_preparation_step(e->fetch, clock_wall_ms() / 1000);
}

static void on_step(struct blocking_job *job)
{
	struct entry *e = container_of(job, struct entry, job);

	switch (e->step) {
	case PROVIDER_STEP_SEND:
		send(e);
		break;
	case PROVIDER_STEP_GRANTED:
		settle_grant(e);
		break;
	case PROVIDER_STEP_REFUSED:
		settle_failure(e, provider_preparation_class(e->fetch),
		    provider_preparation_reason(e->fetch));
		break;
	}
}

static int run_step(struct entry *e)
{
	e->job = (struct blocking_job){ .loop = e->owner->services.loop,
		.work = on_work,
		.done = on_step };
	return blocking_submit(e->owner->services.pool, &e->job);
}

/* When it cannot even begin, that is a failure like others. */
static void begin(
    struct entry *e, struct config *c, const struct config_provider *p)
{
	struct grants *g = e->owner;

	e->fetch =
	    provider_preparation_new(p->module, p->settings, g->services.world);
	if (!e->fetch) {
		keep_failure(e, POSTERN_TRANSIENT, "out of memory");
		return;
	}
	if (run_step(e) != 0) {
		keep_failure(e, POSTERN_TRANSIENT, "too much work is waiting");
		provider_preparation_free(e->fetch);
		e->fetch = NULL;
		return;
	}
	e->config = config_ref(c);
	e->provider = p;
	g->fetches++;
}

/* --- the interface --- */

bool grants_ask(struct grants *g, struct config *c,
    const struct config_provider *p, struct grant_waiter *w)
{
	struct entry *e = find(g, p);
	uint64_t now = clock_mono_ms();

	if (!e)
		e = entry_new(g, p);
	if (!e) {
		fail(w, POSTERN_TRANSIENT, "out of memory");
		return true;
	}
	bool is_good = e->grant && now < e->last_ms;
	if (!e->fetch && now >= e->pause_ms && (!is_good || now >= e->ahead_ms))
		begin(e, c, p);
	if (is_good || !e->fetch) {
		answer(e, w);
		return true;
	}
	list_append(&e->waiters, &w->node);
	return false;
}

bool grants_renew(struct grants *g, const struct config_provider *p,
    const struct provider_grant *grant)
{
	struct entry *e = find(g, p);
	uint64_t now = clock_mono_ms();

	if (!e || grant->expires == 0)
		return false;
	if (e->grant != grant)
		return true;
	if (e->renewed_ms > 0 && now - e->renewed_ms < RENEW_MS)
		return false;
	e->renewed_ms = now;
	e->pause_ms = 0;
	provider_grant_unref(e->grant);
	e->grant = NULL;
	log_warn("credentials_stale", LOG_STR("provider", e->name));
	return true;
}

static bool is_configured(const struct entry *e, const struct config *c)
{
	for (size_t i = 0; i < c->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(c->providers, struct config_provider, i);

		if (find(e->owner, p) == e)
			return true;
	}
	return false;
}

void grants_set_config(struct grants *g, const struct config *c)
{
	list_for_each_safe (pos, tmp, &g->entries) {
		struct entry *e = container_of(pos, struct entry, node);

		if (!e->fetch && !is_configured(e, c))
			entry_free(e);
	}
}

void grants_drain(struct grants *g)
{
	g->is_draining = true;
	list_for_each (pos, &g->entries) {
		struct entry *e = container_of(pos, struct entry, node);

		/* In the pool there is nothing to call off; see send. */
		if (e->fetch && is_needless(e))
			http_cancel(g->services.http, &e->http);
	}
}

bool grants_is_idle(const struct grants *g)
{
	return g->fetches == 0;
}

struct grants *grants_new(const struct grants_services *services)
{
	struct grants *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->services = *services;
	list_init(&g->entries);
	return g;
}

void grants_free(struct grants *g)
{
	if (!g)
		return;
	list_for_each_safe (pos, tmp, &g->entries)
		entry_free(container_of(pos, struct entry, node));
	free(g);
}
