/* See stats.h. */
#include <admin/stats.h>

#include <inttypes.h>
#include <stdlib.h>

#include <admin/admin_internal.h>
#include <admin/reply.h>
#include <admin/totals.h>
#include <base/clock.h>
#include <base/date.h>
#include <base/log.h>
#include <config/config.h>
#include <health/health.h>
#include <policy/quota.h>
#include <provider/provider.h>
#include <store/store.h>

/* json_int_t of a counter: wraps into the negative only past 2^63. */
static json_int_t count(const counter_value *c)
{
	return (json_int_t)counter_get(c);
}

static json_t *latency(const struct counter_histogram *h)
{
	return json_pack("{s:I, s:f, s:f, s:f}", "count",
	    (json_int_t)totals_count(h), "p50", totals_quantile_ms(h, 0.50),
	    "p95", totals_quantile_ms(h, 0.95), "p99",
	    totals_quantile_ms(h, 0.99));
}

static const char *state(const struct admin *a)
{
	if (!health_is(&a->health, HEALTH_LIVE))
		return "failed";
	if (a->health.is_draining)
		return "draining";
	if (!health_is(&a->health, HEALTH_STARTED))
		return "starting";
	return health_is(&a->health, HEALTH_READY) ? "ready" : "degraded";
}

static json_t *rate(const struct admin *a, enum rates_kind kind)
{
	return json_pack("{s:f, s:f, s:f}", "1m",
	    rates_per_second(&a->rates, kind, 1), "5m",
	    rates_per_second(&a->rates, kind, 5), "15m",
	    rates_per_second(&a->rates, kind, 15));
}

static json_t *rates(const struct admin *a)
{
	return json_pack("{s:o, s:o, s:o}", "accepted", rate(a, RATES_ACCEPTED),
	    "sent", rate(a, RATES_SENT), "failed", rate(a, RATES_FAILED));
}

static json_int_t tls_sessions(const struct counters *c)
{
	json_int_t n = 0;

	for (size_t i = 0; i < COUNTER_LISTENERS_MAX; i++)
		for (size_t v = 0; v < COUNTER_TLS_VERSIONS; v++)
			n += count(&c->listeners[i].tls_sessions[v]);
	return n;
}

static json_int_t tls_failures(const struct counters *c)
{
	json_int_t n = 0;

	for (size_t i = 0; i < COUNTER_TLS_FAILURES; i++)
		n += count(&c->tls_failures[i]);
	return n;
}

static json_t *totals(const struct counters *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
	    "accepted", count(&c->accepted), "sent_recipients",
	    count(&c->sent_recipients), "failed_recipients",
	    count(&c->failed_recipients), "deferred", count(&c->deferred),
	    "unknown", count(&c->unknown), "quota_refused",
	    count(&c->quota_refused) + count(&c->rate_refused), "commands",
	    count(&c->commands), "tls_sessions", tls_sessions(c),
	    "tls_failures", tls_failures(c));
}

/* Over all mechanisms. */
static json_int_t logins(const struct counters *c, enum counter_login result)
{
	json_int_t sum = 0;

	for (size_t i = 0; i < COUNTER_MECHANISMS; i++)
		sum += count(&c->logins[i][result]);
	return sum;
}

static json_t *auth(const struct counters *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "ok",
	    logins(c, COUNTER_LOGIN_OK), "bad_credentials",
	    logins(c, COUNTER_LOGIN_BAD), "unavailable",
	    logins(c, COUNTER_LOGIN_UNAVAILABLE), "disabled",
	    logins(c, COUNTER_LOGIN_DISABLED), "limited",
	    logins(c, COUNTER_LOGIN_LIMITED));
}

static json_t *listener(
    const struct config_listener *l, const struct counter_listener *c)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
	    "name", l->name, "address", l->address, "connections",
	    count(&c->connections), "active", count(&c->active), "refused",
	    (json_int_t)counter_sum(c->refused, COUNTER_REFUSALS), "messages",
	    count(&c->messages), "bytes", count(&c->bytes), "recipients",
	    count(&c->recipients), "rejected", count(&c->rejected));
}

static json_t *listeners(const struct config *config, const struct counters *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->listeners.count; i++) {
		const struct config_listener *l =
		    CONFIG_AT(config->listeners, struct config_listener, i);

		(void)json_array_append_new(
		    list, listener(l, &c->listeners[l->slot]));
	}
	return list;
}

static json_t *attempts(const struct counter_provider *c)
{
	json_t *by_class = json_object();

	for (size_t k = POSTERN_ACCEPTED; k < COUNTER_CLASSES; k++)
		(void)json_object_set_new(by_class,
		    provider_class_name((enum postern_class)k),
		    json_integer(count(&c->attempts[k])));
	return by_class;
}

static json_t *last_error(const struct counter_provider *c)
{
	int64_t at = (int64_t)counter_get(&c->last_error_ms);

	if (at == 0)
		return json_null();
	return json_pack("{s:o, s:s}", "at", reply_time(at), "class",
	    provider_class_name(
		(enum postern_class)counter_get(&c->last_error_class)));
}

/* Wall-clock time of a moment of the monotonic clock; 0 = none. */
static json_t *moment(uint64_t mono_ms)
{
	int64_t ago = (int64_t)(clock_mono_ms() - mono_ms);

	return mono_ms ? reply_time(clock_wall_ms() - ago) : json_null();
}

static json_t *window(const struct spend_view *v, enum spend_window w)
{
	json_int_t limit = (json_int_t)v->limits[w];

	return json_pack("{s:I, s:o}", "used", (json_int_t)v->used[w], "limit",
	    limit ? json_integer(limit) : json_null());
}

static json_t *provider_budget(const struct config_provider *p)
{
	struct health_view v;

	health_look(p->account, clock_mono_ms(), &v);
	return json_pack("{s:o, s:o, s:o}", "day", window(&v.spend, SPEND_DAY),
	    "month", window(&v.spend, SPEND_MONTH), "used_up_until",
	    v.spend.is_out ? reply_time(v.spend.again_ms) : json_null());
}

static json_t *quota(const struct postern_inquiry *told)
{
	return json_pack("{s:I, s:I, s:f}", "limit", (json_int_t)told->quota,
	    "left", (json_int_t)told->quota_left, "window_s",
	    (double)told->quota_ms / 1000);
}

/* What it said of itself; null where it has not, or cannot be asked. */
static json_t *provider_account(const struct config_provider *p)
{
	struct health_view v;
	const struct postern_inquiry *told = &v.told;

	health_look(p->account, clock_mono_ms(), &v);
	if (v.asked_ms == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:s, s:o}", "asked",
	    moment(v.asked_ms), "usable",
	    v.is_told ? json_boolean(!told->is_closed) : json_null(),
	    "per_second",
	    told->per_second > 0 ? json_real(told->per_second) : json_null(),
	    "quota", told->has_quota ? quota(told) : json_null(), "counts",
	    told->counts_recipients ? "recipients" : "calls", "reason",
	    told->reason, "unknown",
	    v.trouble[0] ? reply_string(span_of(v.trouble)) : json_null());
}

static json_t *provider_health(const struct config_provider *p)
{
	static const char *const states[] = { [BREAKER_CLOSED] = "closed",
		[BREAKER_HALF] = "half_open",
		[BREAKER_OPEN] = "open" };
	struct health_view v;

	health_look(p->account, clock_mono_ms(), &v);
	return json_pack(
	    "{s:s, s:o, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:f}",
	    "breaker", states[v.state], "since", moment(v.since_ms), "reason",
	    v.reason, "next_try", moment(v.again_ms), "last_failure",
	    moment(v.failed_ms), "opened", (json_int_t)v.opened, "held",
	    (json_int_t)v.held, "waiting", (json_int_t)v.queued,
	    "concurrency_limit", (json_int_t)v.limit, "rate_limit",
	    v.per_second > 0 ? json_real(v.per_second) : json_null(),
	    "throttled_s", (double)v.paused_ms / 1000);
}

static json_t *provider(
    const struct config_provider *p, const struct counters *all)
{
	const struct counter_provider *c = &all->providers[p->slot];

	return json_pack(
	    "{s:o, s:o, s:o, s:s, s:s, s:I, s:o, s:I, s:o, s:o, s:o}", "health",
	    provider_health(p), "account", provider_account(p), "budget",
	    provider_budget(p), "name", p->name, "type", p->type, "inflight",
	    count(&c->inflight), "attempts", attempts(c), "failovers",
	    (json_int_t)counter_sum(
		all->failovers[p->slot], COUNTER_PROVIDERS_MAX),
	    "last_success",
	    reply_time((int64_t)counter_get(&c->last_success_ms)), "last_error",
	    last_error(c), "latency_ms", latency(&c->latency));
}

static json_t *providers(const struct config *config, const struct counters *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(config->providers, struct config_provider, i);

		(void)json_array_append_new(list, provider(p, c));
	}
	return list;
}

static json_t *queue(const struct counters *c)
{
	return json_pack("{s:I, s:I}", "scheduled", count(&c->scheduled),
	    "inflight", count(&c->inflight));
}

static json_t *store(struct store *s)
{
	struct store_stats st;

	if (!s)
		return json_null();
	store_stats(s, &st);
	double sync_ms =
	    st.commits ? (double)st.sync_ns_total / (double)st.commits / 1e6
		       : 0;
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}",
	    "writable", (int)st.is_writable, "messages",
	    (json_int_t)st.messages, "bytes", (json_int_t)st.bytes,
	    "dead_messages", (json_int_t)st.dead, "dead_bytes",
	    (json_int_t)st.dead_bytes, "free_bytes",
	    (json_int_t)st.space.free_bytes, "commits", (json_int_t)st.commits,
	    "committed", (json_int_t)st.committed, "errors",
	    (json_int_t)st.errors, "sync_ms_mean", sync_ms);
}

/* -- users -- */

struct usage {
	const struct config *config;
	int64_t today;
	uint64_t *used; /* by config_user.index */
};

/* Under the quota's lock: no allocation, no waiting. */
static void note_usage(
    struct span user, int64_t day, uint64_t messages, void *ctx)
{
	struct usage *u = ctx;
	const struct config_user *known = config_find_user(u->config, user);

	/* A clock that was set back may be a day behind. */
	if (known && day >= u->today)
		u->used[known->index] = messages;
}

static json_t *user(const struct config_user *u, uint64_t used)
{
	json_t *limit = u->daily ? json_integer(u->daily) : json_null();

	return json_pack("{s:s, s:I, s:o}", "name", u->name, "messages_today",
	    (json_int_t)used, "daily_limit", limit);
}

/* In the order of the configuration, at most STATS_USERS_MAX. */
static json_t *users(const struct admin *a)
{
	const struct config *config = a->services.config;
	size_t n = config->users.count;
	struct usage usage = {
		.config = config,
		.today = date_day(clock_wall_ms()),
		.used = calloc(n + 1, sizeof(*usage.used)),
	};
	json_t *list = usage.used ? json_array() : NULL;

	if (usage.used && a->services.quota)
		quota_each(a->services.quota, note_usage, &usage);
	for (size_t i = 0; list && i < n && i < STATS_USERS_MAX; i++)
		(void)json_array_append_new(
		    list, user(CONFIG_AT(config->users, struct config_user, i),
			      usage.used[i]));
	free(usage.used);
	return list;
}

static json_t *workers(const struct health *h)
{
	json_t *list = json_array();

	for (size_t i = 0; i < h->services->worker_count; i++)
		(void)json_array_append_new(list,
		    json_pack("{s:I, s:I, s:I}", "index", (json_int_t)i,
			"turns", (json_int_t)h->loops[i].turns, "idle_ms",
			(json_int_t)(h->now_ms - h->loops[i].turned_at_ms)));
	return list;
}

json_t *stats_render(const struct admin *a)
{
	const struct config *config = a->services.config;
	struct counters *sum = malloc(sizeof(*sum));
	uint64_t uptime_ms = clock_mono_ms() - a->started_mono_ms;

	if (!sum)
		return NULL;
	totals_read(&a->services, sum);
	json_t *out = json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:I}",
	    "schema_version", STATS_SCHEMA_VERSION, "version", POSTERN_VERSION,
	    "hostname", config->hostname ? config->hostname : "", "state",
	    state(a), "now", reply_time(clock_wall_ms()), "started",
	    reply_time(a->started_ms), "uptime_s",
	    (json_int_t)(uptime_ms / 1000));
	json_t *more = json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I}",
	    "rates_per_second", rates(a), "totals", totals(sum), "auth",
	    auth(sum), "accept_latency_ms", latency(&sum->accept_latency),
	    "listeners", listeners(config, sum), "providers",
	    providers(config, sum), "queue", queue(sum), "store",
	    store(a->services.store), "users", users(a), "workers",
	    workers(&a->health), "user_count", (json_int_t)config->users.count,
	    "log_dropped", (json_int_t)log_dropped());
	free(sum);
	if (!out || !more || json_object_update(out, more) != 0) {
		json_decref(out);
		out = NULL;
	}
	json_decref(more);
	return out;
}
