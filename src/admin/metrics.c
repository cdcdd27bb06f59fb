/*
 * See metrics.h. Labels come from the configuration and from fixed lists
 * only, never from mail, so that their number is bounded.
 */
#include <admin/metrics.h>

#include <errno.h>
#include <stdlib.h>

#include <admin/admin_internal.h>
#include <admin/metrics_internal.h>
#include <admin/process.h>
#include <admin/totals.h>
#include <base/clock.h>
#include <base/jumps.h>
#include <base/log.h>
#include <config/config.h>
#include <health/health.h>
#include <policy/pressure.h>
#include <provider/provider.h>
#include <store/store.h>

void metrics_counter(struct metrics *r, const char *name, const char *help,
    const counter_value *value)
{
	exposition_family(&r->x, name, EXPOSITION_COUNTER, help);
	exposition_u64(&r->x, NO_LABELS, counter_get(value));
}

void metrics_gauge(
    struct metrics *r, const char *name, const char *help, uint64_t value)
{
	exposition_family(&r->x, name, EXPOSITION_GAUGE, help);
	exposition_u64(&r->x, NO_LABELS, value);
}

/* -- providers -- */

static const struct config_provider *provider_at(
    const struct metrics *r, size_t i)
{
	return CONFIG_AT(r->config->providers, struct config_provider, i);
}

static size_t provider_count(const struct metrics *r)
{
	return r->config->providers.count;
}

static const struct counter_provider *counts_of(
    const struct metrics *r, size_t i)
{
	return &r->c->providers[provider_at(r, i)->slot];
}

static void render_deliveries(struct metrics *r)
{
	exposition_family(&r->x, "deliveries", EXPOSITION_COUNTER,
	    "Calls to providers, by result class.");
	for (size_t i = 0; i < provider_count(r); i++) {
		const struct counter_provider *p = counts_of(r, i);

		for (size_t k = POSTERN_ACCEPTED; k < COUNTER_CLASSES; k++)
			exposition_u64(&r->x,
			    LABELS("provider", provider_at(r, i)->name,
				"result",
				provider_class_name((enum postern_class)k)),
			    counter_get(&p->attempts[k]));
	}
	exposition_family(&r->x, "delivery_duration_seconds",
	    EXPOSITION_HISTOGRAM, "Whole calls to providers.");
	for (size_t i = 0; i < provider_count(r); i++)
		exposition_histogram(&r->x,
		    LABELS("provider", provider_at(r, i)->name),
		    &counts_of(r, i)->latency);
}

static void per_provider(struct metrics *r, const char *name,
    enum exposition_type type, const char *help, size_t offset)
{
	exposition_family(&r->x, name, type, help);
	for (size_t i = 0; i < provider_count(r); i++) {
		const void *at = (const char *)counts_of(r, i) + offset;

		exposition_u64(&r->x,
		    LABELS("provider", provider_at(r, i)->name),
		    counter_get(at));
	}
}

/* Wall-clock milliseconds shown as seconds. */
static void per_provider_time(
    struct metrics *r, const char *name, const char *help, size_t offset)
{
	exposition_family(&r->x, name, EXPOSITION_GAUGE, help);
	for (size_t i = 0; i < provider_count(r); i++) {
		const void *at = (const char *)counts_of(r, i) + offset;

		exposition_milli(&r->x,
		    LABELS("provider", provider_at(r, i)->name),
		    counter_get(at));
	}
}

/* Keys and tokens that a module fetches before it builds. */
static void render_credentials(struct metrics *r)
{
	exposition_family(&r->x, "provider_credentials_fetches",
	    EXPOSITION_COUNTER, "Times credentials were fetched, by result.");
	for (size_t i = 0; i < provider_count(r); i++) {
		const char *name = provider_at(r, i)->name;
		const struct counter_provider *c = counts_of(r, i);

		exposition_u64(&r->x, LABELS("provider", name, "result", "ok"),
		    counter_get(&c->grants_fetched));
		exposition_u64(&r->x,
		    LABELS("provider", name, "result", "failed"),
		    counter_get(&c->grants_failed));
	}
}

static bool is_followed(
    const struct config_route *route, size_t from, size_t to)
{
	bool has_from = false, has_to = false;

	for (size_t i = 0; i < route->providers.count; i++) {
		has_to |= route->provider_index[i] == to;
		if (route->provider_index[i] == from)
			has_from = !has_to ||
				   route->strategy != CONFIG_STRATEGY_FAILOVER;
	}
	return from != to && has_from && has_to;
}

/* Only pairs that a route may have in this order. */
static bool may_follow(const struct config *c, size_t from, size_t to)
{
	for (size_t i = 0; i < c->routes.count; i++) {
		if (is_followed(
			CONFIG_AT(c->routes, struct config_route, i), from, to))
			return true;
	}
	return false;
}

static void render_failovers(struct metrics *r)
{
	exposition_family(&r->x, "failovers", EXPOSITION_COUNTER,
	    "Messages that left a provider for the next one of their route.");
	for (size_t i = 0; i < provider_count(r); i++) {
		const struct config_provider *from = provider_at(r, i);

		for (size_t k = 0; k < provider_count(r); k++) {
			const struct config_provider *to = provider_at(r, k);

			if (may_follow(r->config, i, k))
				exposition_u64(&r->x,
				    LABELS("from", from->name, "to", to->name),
				    counter_get(&r->c->failovers[from->slot]
								[to->slot]));
		}
	}
}

#define PROVIDER(field) offsetof(struct counter_provider, field)

/* What the gates are like, in the order of the configuration. */
struct gauges {
	uint64_t up, state, concurrency, rate_milli, throttled_ms;
};

static struct gauges gauges_of(const struct config_provider *p)
{
	struct health_view v;

	health_look(p->account, clock_mono_ms(), &v);
	return (struct gauges){ .up = v.state != BREAKER_OPEN,
		.state = v.state,
		.concurrency = v.limit,
		.rate_milli = (uint64_t)(v.per_second * 1000),
		.throttled_ms = v.paused_ms };
}

static void per_gate(struct metrics *r, const char *name,
    enum exposition_type type, const char *help, size_t offset)
{
	bool is_milli = offset >= offsetof(struct gauges, rate_milli);

	exposition_family(&r->x, name, type, help);
	for (size_t i = 0; i < provider_count(r); i++) {
		struct gauges g = gauges_of(provider_at(r, i));
		const uint64_t *value =
		    (const uint64_t *)(const void *)((char *)&g + offset);

		(is_milli ? exposition_milli : exposition_u64)(
		    &r->x, LABELS("provider", provider_at(r, i)->name), *value);
	}
}

#define GATE(field) offsetof(struct gauges, field)

static void render_health(struct metrics *r)
{
	per_gate(r, "provider_up", EXPOSITION_GAUGE,
	    "0 while the provider is left alone for its failures.", GATE(up));
	per_gate(r, "provider_breaker_state", EXPOSITION_GAUGE,
	    "0 closed, 1 half open (being tried), 2 open.", GATE(state));
	per_gate(r, "provider_concurrency_limit", EXPOSITION_GAUGE,
	    "Calls that may be under way at a time now.", GATE(concurrency));
	per_gate(r, "provider_rate_limit", EXPOSITION_GAUGE,
	    "Calls per second that are allowed now; 0 = any number.",
	    GATE(rate_milli));
	per_gate(r, "provider_throttled_seconds", EXPOSITION_COUNTER,
	    "Time it was left alone because it had asked for that.",
	    GATE(throttled_ms));
}

/* used: what of it; else the limit. */
static void render_budget(
    struct metrics *r, const char *name, const char *help, bool used)
{
	exposition_family(&r->x, name, EXPOSITION_GAUGE, help);
	for (size_t i = 0; i < provider_count(r); i++) {
		const struct config_provider *p = provider_at(r, i);
		struct health_view v;

		health_look(p->account, clock_mono_ms(), &v);
		for (enum spend_window w = SPEND_DAY; w < SPEND_WINDOWS; w++)
			exposition_u64(&r->x,
			    LABELS("provider", p->name, "window",
				spend_window_name(w)),
			    used ? v.spend.used[w] : v.spend.limits[w]);
	}
}

/* What an account says of itself. */
enum told {
	TOLD_USABLE = 0,
	TOLD_RATE,
	TOLD_QUOTA,
	TOLD_QUOTA_LEFT
};

static bool told_of(
    const struct postern_inquiry *t, enum told what, uint64_t *out_milli)
{
	switch (what) {
	case TOLD_USABLE:
		*out_milli = t->is_closed ? 0 : 1000;
		return true;
	case TOLD_RATE:
		*out_milli = (uint64_t)(t->per_second * 1000);
		return t->per_second > 0;
	case TOLD_QUOTA:
		*out_milli = t->quota * 1000;
		return t->has_quota;
	case TOLD_QUOTA_LEFT:
		*out_milli = t->quota_left * 1000;
		return t->has_quota;
	}
	return false;
}

static void render_told(
    struct metrics *r, const char *name, const char *help, enum told what)
{
	exposition_family(&r->x, name, EXPOSITION_GAUGE, help);
	for (size_t i = 0; i < provider_count(r); i++) {
		const struct config_provider *p = provider_at(r, i);
		struct health_view v;
		uint64_t milli;

		health_look(p->account, clock_mono_ms(), &v);
		if (v.is_told && told_of(&v.told, what, &milli))
			exposition_milli(
			    &r->x, LABELS("provider", p->name), milli);
	}
}

static void render_accounts(struct metrics *r)
{
	render_told(r, "provider_account_usable",
	    "Whether the account may send, as the provider says.", TOLD_USABLE);
	render_told(r, "provider_account_rate_limit",
	    "What the account may send per second, as the provider says.",
	    TOLD_RATE);
	render_told(r, "provider_account_quota",
	    "Recipients the account may have, as the provider says.",
	    TOLD_QUOTA);
	render_told(r, "provider_account_quota_left",
	    "Those that were left when it was asked.", TOLD_QUOTA_LEFT);
}

static void render_providers(struct metrics *r)
{
	render_deliveries(r);
	render_failovers(r);
	render_budget(r, "provider_budget_used",
	    "Recipients handed over this UTC day or month.", true);
	render_budget(r, "provider_budget_limit",
	    "Recipients that may be; 0 = any number.", false);
	render_health(r);
	render_accounts(r);
	per_provider(r, "provider_inflight", EXPOSITION_GAUGE,
	    "Calls under way.", PROVIDER(inflight));
	per_provider_time(r, "provider_last_success_timestamp_seconds",
	    "When a call last succeeded; 0 = never.",
	    PROVIDER(last_success_ms));
	per_provider_time(r, "provider_last_error_timestamp_seconds",
	    "When a call last failed; 0 = never.", PROVIDER(last_error_ms));
	render_credentials(r);
}

/* -- queue and store -- */

static void render_events(struct metrics *r)
{
	exposition_family(&r->x, "webhook_events", EXPOSITION_COUNTER,
	    "Events for the webhook: queued, and what became of them.");
	for (size_t i = 0; i < COUNTER_EVENTS; i++)
		for (size_t k = 0; k < COUNTER_EVENT_RESULTS; k++)
			exposition_u64(&r->x,
			    LABELS("event", counter_event_names[i], "result",
				counter_event_result_names[k]),
			    counter_get(&r->c->webhook_events[i][k]));
}

static void render_queue(struct metrics *r)
{
	struct store_stats stats = { .dead = 0 };

	if (r->a->services.store)
		store_stats(r->a->services.store, &stats);
	exposition_family(&r->x, "queue_messages", EXPOSITION_GAUGE,
	    "Messages by state; dead: failed, and kept for a while.");
	exposition_u64(
	    &r->x, LABELS("state", "scheduled"), counter_get(&r->c->scheduled));
	exposition_u64(
	    &r->x, LABELS("state", "inflight"), counter_get(&r->c->inflight));
	exposition_u64(&r->x, LABELS("state", "dead"), stats.dead);
	exposition_family(&r->x, "queue_bytes", EXPOSITION_GAUGE,
	    "Bytes of bodies; open: of what waits or is on its way.");
	exposition_u64(&r->x, LABELS("state", "open"), stats.bytes);
	exposition_u64(&r->x, LABELS("state", "dead"), stats.dead_bytes);
	exposition_family(&r->x, "recipients_finished", EXPOSITION_COUNTER,
	    "Recipients that reached a final state.");
	exposition_u64(&r->x, LABELS("outcome", "sent"),
	    counter_get(&r->c->sent_recipients));
	exposition_u64(&r->x, LABELS("outcome", "failed"),
	    counter_get(&r->c->failed_recipients));
	metrics_counter(r, "delivery_retries",
	    "Messages put off to a later attempt.", &r->c->deferred);
	exposition_family(&r->x, "messages_duplicate", EXPOSITION_COUNTER,
	    "Messages that were sent before, by what became of them.");
	for (size_t i = 0; i < COUNTER_DUPLICATES; i++)
		exposition_u64(&r->x,
		    LABELS("action", counter_duplicate_names[i]),
		    counter_get(&r->c->duplicates[i]));
	exposition_family(&r->x, "dsn_sent", EXPOSITION_COUNTER,
	    "Reports to senders (RFC 3464) that were queued.");
	for (size_t i = 0; i < COUNTER_REPORTS; i++)
		exposition_u64(&r->x, LABELS("action", counter_report_names[i]),
		    counter_get(&r->c->dsn_sent[i]));
	metrics_counter(r, "double_bounce", "Reports that failed themselves.",
	    &r->c->double_bounces);
	render_events(r);
	metrics_counter(r, "unknown_outcomes",
	    "Attempts of which nobody knows whether they were accepted.",
	    &r->c->unknown);
}

static void render_store(struct metrics *r)
{
	struct store *s = r->a->services.store;
	struct store_stats stats;

	if (!s)
		return;
	store_stats(s, &stats);
	metrics_gauge(r, "spool_messages", "Messages in the spool, not final.",
	    stats.messages);
	metrics_gauge(r, "spool_bytes", "Bytes of their bodies.", stats.bytes);
	exposition_family(&r->x, "spool_free_bytes", EXPOSITION_GAUGE,
	    "Free space on the spool's disk.");
	exposition_level(&r->x, NO_LABELS, stats.space.free_bytes);
	exposition_family(&r->x, "spool_free_inodes", EXPOSITION_GAUGE,
	    "Files it can still hold; +Inf where nobody counts them.");
	exposition_level(&r->x, NO_LABELS, stats.space.free_inodes);
	metrics_gauge(r, "spool_unsynced_bytes",
	    "Bytes of messages that wait to be made durable.",
	    stats.unsynced_bytes);
	metrics_gauge(r, "spool_writable", "1 while the spool takes messages.",
	    stats.is_writable);
	exposition_family(&r->x, "spool_errors", EXPOSITION_COUNTER,
	    "Writes and syncs that failed.");
	exposition_u64(&r->x, NO_LABELS, stats.errors);
	exposition_family(&r->x, "spool_requests", EXPOSITION_COUNTER,
	    "Requests made durable; by spool_fsync_seconds_count it gives "
	    "the size of a batch.");
	exposition_u64(&r->x, NO_LABELS, stats.committed);
	exposition_family(&r->x, "spool_fsync_seconds", EXPOSITION_SUMMARY,
	    "Time to make a batch durable.");
	exposition_summary(
	    &r->x, NO_LABELS, stats.sync_ns_total, stats.commits);
}

/* What is nearly used up: see policy/pressure.h. */
static void render_pressure(struct metrics *r)
{
	const struct pressure *p = r->a->services.pressure;

	if (!p)
		return;
	exposition_family(&r->x, "pressure", EXPOSITION_GAUGE,
	    "1 while that is nearly used up and clients are held off.");
	for (unsigned i = 0; i < PRESSURE_MARKS; i++)
		exposition_u64(&r->x, LABELS("what", pressure_names[i]),
		    pressure_holds(p, (enum pressure_mark)i));
}

/* -- the process -- */

static void render_build(struct metrics *r)
{
	const struct admin *a = r->a;

	exposition_family(&r->x, "build_info", EXPOSITION_GAUGE,
	    "Always 1; the label says what runs.");
	exposition_u64(&r->x, LABELS("version", POSTERN_VERSION), 1);
	metrics_gauge(r, "config_last_reload_successful",
	    "1 while the configuration in use is the newest one.",
	    a->is_config_current);
	exposition_family(&r->x, "config_last_reload_success_timestamp_seconds",
	    EXPOSITION_GAUGE, "When the configuration was last loaded.");
	exposition_milli(&r->x, NO_LABELS, (uint64_t)a->config_loaded_ms);
	exposition_family(&r->x, "config_hash_info", EXPOSITION_GAUGE,
	    "Always 1; the label is a digest of the values in effect.");
	exposition_u64(&r->x, LABELS("hash", r->config->hash), 1);
	metrics_gauge(r, "ready", "What /readyz answers, 1 = ready.",
	    health_is(&a->health, HEALTH_READY));
}

static void render_loops(struct metrics *r)
{
	const struct health *h = &r->a->health;
	char index[24];

	exposition_family(&r->x, "loop_turns", EXPOSITION_COUNTER,
	    "Turns of a worker's loop; none for 10 s means it is stuck.");
	for (size_t i = 0; i < r->a->services.worker_count; i++) {
		(void)snprintf(index, sizeof(index), "%zu", i);
		exposition_u64(
		    &r->x, LABELS("thread", index), h->loops[i].turns);
	}
	exposition_family(&r->x, "clock_jumps", EXPOSITION_COUNTER,
	    "How often the wall clock was set by more than 5 s.");
	exposition_u64(&r->x, NO_LABELS, jumps_count());
	exposition_family(&r->x, "log_dropped", EXPOSITION_COUNTER,
	    "Log lines lost because the writer could not keep up.");
	exposition_u64(&r->x, NO_LABELS, log_dropped());
}

static void render_requests(struct metrics *r)
{
	static const char *const paths[ENDPOINT_PATHS] = {
		[ENDPOINT_INDEX] = "/",
		[ENDPOINT_LIVEZ] = "/livez",
		[ENDPOINT_READYZ] = "/readyz",
		[ENDPOINT_STARTUPZ] = "/startupz",
		[ENDPOINT_HEALTHZ] = "/healthz",
		[ENDPOINT_METRICS] = "/metrics",
		[ENDPOINT_STATS] = "/api/v1/stats",
		[ENDPOINT_MESSAGES] = "/api/v1/messages",
		[ENDPOINT_QUEUE] = "/api/v1/queue",
		[ENDPOINT_RELOAD] = "/api/v1/reload",
		[ENDPOINT_OTHER] = "other",
	};

	exposition_family(&r->x, "admin_requests", EXPOSITION_COUNTER,
	    "Requests to the endpoints.");
	for (size_t i = 0; i < ENDPOINT_PATHS; i++)
		exposition_u64(
		    &r->x, LABELS("path", paths[i]), r->a->requests[i]);
}

static void render_process(struct metrics *r)
{
	struct process_figures p;

	process_read(&p);
	r->x.prefix = "";
	exposition_family(&r->x, "process_cpu_seconds", EXPOSITION_COUNTER,
	    "User and system time.");
	exposition_milli(&r->x, NO_LABELS, p.cpu_ms);
	metrics_gauge(r, "process_resident_memory_bytes", "Resident memory.",
	    p.resident_bytes);
	metrics_gauge(r, "process_open_fds", "Open descriptors.", p.open_fds);
	metrics_gauge(r, "process_max_fds", "Limit on descriptors.", p.max_fds);
	exposition_family(&r->x, "process_start_time_seconds", EXPOSITION_GAUGE,
	    "When the process started.");
	exposition_milli(&r->x, NO_LABELS, (uint64_t)r->a->started_ms);
}

int metrics_render(const struct admin *a, bool is_openmetrics, struct buf *out)
{
	struct counters *sum = malloc(sizeof(*sum));
	struct metrics r = {
		.x = { .out = out,
		    .is_openmetrics = is_openmetrics,
		    .prefix = "postern_" },
		.a = a,
		.config = a->services.config,
		.c = sum,
	};

	if (!sum)
		return -ENOMEM;
	totals_read(&a->services, sum);
	render_build(&r);
	metrics_smtp(&r);
	metrics_tls(&r);
	render_queue(&r);
	render_providers(&r);
	render_store(&r);
	render_pressure(&r);
	render_loops(&r);
	render_requests(&r);
	render_process(&r);
	exposition_end(&r.x);
	free(sum);
	return r.x.code;
}
