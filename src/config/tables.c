/* The root of the configuration, and what is not about clients. */
#include <config/tables_internal.h>

static const char *const queue_mode_names[] = { "", "hybrid", "queued",
	"direct", NULL };
static const char *const duplicates_names[] = { "off", "log", "drop", NULL };
static const char *const unknown_names[] = { "retry", "hold", "fail", NULL };
static const char *const strategy_names[] = { "failover", "weighted",
	"least_used", NULL };
static const char *const level_names[] = { "debug", "info", "warn", "error",
	NULL };
static const char *const address_names[] = { "full", "domain", "hash", NULL };
static const char *const hardening_names[] = { "auto", "on", "off", NULL };
static const char *const durability_names[] = { "full", "none", NULL };
static const char *const format_names[] = { "text", "json", NULL };

/* clang-format off */
static const struct postern_field breaker_rows[] = {
	{ .name = "failures", .type = POSTERN_TYPE_INT,
	  AT(config_breaker, failures), .preset = "5",
	  RANGE(1, 1000), .flags = RELOAD,
	  .doc = "so many in a row, and the provider is left alone" },
	{ .name = "ratio", .type = POSTERN_TYPE_PERCENT,
	  AT(config_breaker, ratio), .preset = "50%",
	  RANGE(1, 100), .flags = RELOAD,
	  .doc = "likewise when this share of the calls of window fails" },
	{ .name = "min_calls", .type = POSTERN_TYPE_INT,
	  AT(config_breaker, min_calls), .preset = "20",
	  RANGE(1, 100000), .flags = RELOAD,
	  .doc = "fewer calls in window say nothing about a share" },
	{ .name = "window", .type = POSTERN_TYPE_DURATION,
	  AT(config_breaker, window_ms), .preset = "60s",
	  RANGE(SECOND, HOUR), .flags = RELOAD,
	  .doc = "of which ratio is" },
	{ .name = "open", .type = POSTERN_TYPE_DURATION,
	  AT(config_breaker, open_ms), .preset = "30s",
	  RANGE(100, HOUR), .flags = RELOAD,
	  .doc = "how long it is left alone; doubles when it then still "
		 "fails" },
	{ .name = "open_max", .type = POSTERN_TYPE_DURATION,
	  AT(config_breaker, open_max_ms), .preset = "5m",
	  RANGE(100, DAY), .flags = RELOAD, .doc = "at most so long" },
	{ .name = "account_retry", .type = POSTERN_TYPE_DURATION,
	  AT(config_breaker, account_retry_ms), .preset = "10m",
	  RANGE(100, DAY), .flags = RELOAD,
	  .doc = "how long it is left alone once it has refused the account" },
	{ .name = NULL },
};

static const struct postern_field budget_rows[] = {
	{ .name = "per_day", .type = POSTERN_TYPE_INT,
	  AT(config_budget, per_day), .preset = "0",
	  RANGE(0, CONFIG_BUDGET_MAX), .flags = RELOAD,
	  .doc = "most recipients per UTC day; 0 = any number" },
	{ .name = "per_month", .type = POSTERN_TYPE_INT,
	  AT(config_budget, per_month), .preset = "0",
	  RANGE(0, CONFIG_BUDGET_MAX), .flags = RELOAD,
	  .doc = "most recipients per UTC month; 0 = any number" },
	{ .name = "price_per_million", .type = POSTERN_TYPE_INT,
	  AT(config_budget, price_per_million), .preset = "0",
	  RANGE(0, CONFIG_BUDGET_MAX), .flags = RELOAD,
	  .doc = "what a million recipients cost, in any unit" },
	{ .name = "cost_per_day", .type = POSTERN_TYPE_INT,
	  AT(config_budget, cost_per_day), .preset = "0",
	  RANGE(0, CONFIG_BUDGET_MAX), .flags = RELOAD,
	  .doc = "most they may cost per UTC day, in that unit; 0 = any" },
	{ .name = "cost_per_month", .type = POSTERN_TYPE_INT,
	  AT(config_budget, cost_per_month), .preset = "0",
	  RANGE(0, CONFIG_BUDGET_MAX), .flags = RELOAD,
	  .doc = "most they may cost per UTC month; 0 = any" },
	{ .name = NULL },
};

const struct postern_field tables_provider[] = {
	{ .name = "name", .type = POSTERN_TYPE_STRING,
	  AT(config_provider, name), .flags = REQUIRED | RELOAD,
	  .doc = "a short name, for routes, logs and metrics" },
	{ .name = "type", .type = POSTERN_TYPE_STRING,
	  AT(config_provider, type), .flags = REQUIRED | RELOAD,
	  .doc = "the module that speaks to it: ses, sendgrid, mailgun, ..." },
	{ .name = "timeout", .type = POSTERN_TYPE_DURATION,
	  AT(config_provider, timeout_ms), .preset = "60s",
	  RANGE(SECOND, 10 * MINUTE), .flags = RELOAD,
	  .doc = "for one request; after it the outcome is unknown" },
	{ .name = "concurrency", .type = POSTERN_TYPE_INT,
	  AT(config_provider, concurrency), .preset = "128",
	  RANGE(1, 10000), .flags = RELOAD,
	  .doc = "most requests at a time; fewer while it fails" },
	{ .name = "rate", .type = POSTERN_TYPE_RATE,
	  AT(config_provider, rate), .preset = "0", .flags = RELOAD,
	  .doc = "most requests: 14/s, 600/min; 0 = as it says itself" },
	{ .name = "ask_account", .type = POSTERN_TYPE_BOOL,
	  AT(config_provider, ask_account), .preset = "true",
	  .flags = RELOAD,
	  .doc = "ask it now and then what the account may send, where its "
		 "module can" },
	{ .name = "breaker", .type = POSTERN_TYPE_MAP,
	  AT(config_provider, breaker), .fields = breaker_rows,
	  .flags = RELOAD, .doc = "when it is left alone for a while" },
	{ .name = "budget", .type = POSTERN_TYPE_MAP,
	  AT(config_provider, budget), .fields = budget_rows,
	  .flags = RELOAD,
	  .doc = "what it may cost: then the next provider gets the mail, or "
		 "it waits" },
	{ .name = "max_recipients", .type = POSTERN_TYPE_INT,
	  AT(config_provider, max_recipients), .preset = "0",
	  RANGE(0, 100000), .flags = RELOAD,
	  .doc = "per request; 0 = as many as the provider takes" },
	{ .name = "allow_altering", .type = POSTERN_TYPE_STRINGS,
	  AT(config_provider, allow_altering), .flags = RELOAD,
	  .doc = "what it may get although it damages it: signed, encrypted, "
		 "dkim, calendar, alternative, inline, nested, report" },
	{ .name = NULL },
};

static const struct postern_field match_rows[] = {
	{ .name = "user", .type = POSTERN_TYPE_STRINGS,
	  AT(config_match, user), .flags = RELOAD,
	  .doc = "names of users; any when missing" },
	{ .name = "sender", .type = POSTERN_TYPE_STRINGS,
	  AT(config_match, sender), .flags = RELOAD,
	  .doc = "a@b, @b or *; any when missing" },
	{ .name = "recipient", .type = POSTERN_TYPE_STRINGS,
	  AT(config_match, recipient), .flags = RELOAD,
	  .doc = "a@b, @b or *; any when missing" },
	{ .name = "header", .type = POSTERN_TYPE_STRINGS,
	  AT(config_match, header), .flags = RELOAD,
	  .doc = "\"Name\": has such a field, \"Name: pattern\": with such a "
		 "value, * being anything; any when missing" },
	{ .name = "content", .type = POSTERN_TYPE_STRINGS,
	  AT(config_match, content), .flags = RELOAD,
	  .doc = "what the message holds: signed, encrypted, dkim, calendar, "
		 "alternative, inline, nested, report; any when missing" },
	{ .name = "min_size", .type = POSTERN_TYPE_SIZE,
	  AT(config_match, min_size), .preset = "0",
	  RANGE(0, 1024 * GIB), .flags = RELOAD,
	  .doc = "the message has so many bytes or more" },
	{ .name = "max_size", .type = POSTERN_TYPE_SIZE,
	  AT(config_match, max_size), .preset = "0",
	  RANGE(0, 1024 * GIB), .flags = RELOAD,
	  .doc = "so many or less; 0 = any" },
	{ .name = NULL },
};

static const struct postern_field route_rows[] = {
	{ .name = "name", .type = POSTERN_TYPE_STRING,
	  AT(config_route, name), .flags = REQUIRED | RELOAD,
	  .doc = "a short name, for logs" },
	{ .name = "match", .type = POSTERN_TYPE_MAP,
	  AT(config_route, match), .fields = match_rows, .flags = RELOAD,
	  .doc = "all of its keys must fit; everything fits when missing" },
	{ .name = "providers", .type = POSTERN_TYPE_STRINGS,
	  AT(config_route, providers), .flags = REQUIRED | RELOAD,
	  .doc = "names of providers in the order they are tried" },
	{ .name = "strategy", .type = POSTERN_TYPE_ENUM,
	  AT(config_route, strategy), .preset = "failover",
	  .names = strategy_names, .flags = RELOAD,
	  .doc = "who is tried first: failover as listed, weighted by "
		 "chance, least_used who had the least recipients today; "
		 "then the others" },
	{ .name = "weights", .type = POSTERN_TYPE_STRINGS,
	  AT(config_route, weights), .flags = RELOAD,
	  .doc = "the share of each of providers, 0 = only when no other is "
		 "left; all alike when missing" },
	{ .name = "on_unknown", .type = POSTERN_TYPE_ENUM,
	  AT(config_route, unknown), .preset = "retry",
	  .names = unknown_names, .flags = RELOAD,
	  .doc = "when nobody knows whether a message was sent: retry may "
		 "send it twice, hold asks a person, fail gives it up" },
	{ .name = NULL },
};

static const struct postern_field retry_rows[] = {
	{ .name = "base", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, retry_base_ms), .preset = "5s",
	  RANGE(100, HOUR), .flags = RELOAD,
	  .doc = "longest wait before the first retry; doubles each time" },
	{ .name = "cap", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, retry_cap_ms), .preset = "15m",
	  RANGE(SECOND, DAY), .flags = RELOAD,
	  .doc = "longest wait before any retry" },
	{ .name = "budget", .type = POSTERN_TYPE_PERCENT,
	  AT(config_queue, retry_budget), .preset = "20%",
	  RANGE(0, 100), .flags = RELOAD,
	  .doc = "most retries at a provider, of first attempts there within "
		 "60 s; 3 per second in any case" },
	{ .name = NULL },
};

static const struct postern_field queue_rows[] = {
	{ .name = "mode", .type = POSTERN_TYPE_ENUM,
	  AT(config_queue, mode), .preset = "hybrid",
	  .names = queue_mode_names, .flags = RELOAD,
	  .doc = "when 250 is answered: hybrid waits sync_budget for the "
		 "provider, queued answers once stored, direct stores nothing" },
	{ .name = "sync_budget", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, sync_budget_ms), .preset = "5s",
	  RANGE(0, MINUTE), .flags = RELOAD,
	  .doc = "how long a client of mode hybrid waits for the provider" },
	/* A map in the file only: its rows fill the struct of the queue. */
	{ .name = "retry", .type = POSTERN_TYPE_MAP, .offset = 0,
	  .fields = retry_rows, .flags = RELOAD,
	  .doc = "when a message is tried again" },
	{ .name = "unknown_delay", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, unknown_delay_ms), .preset = "30s",
	  RANGE(0, HOUR), .flags = RELOAD,
	  .doc = "at least, before the same provider is asked again when it "
		 "is not known whether it took a message; doubles up to "
		 "retry.cap" },
	{ .name = "max_age", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, max_age_ms), .preset = "48h",
	  RANGE(SECOND, 30 * DAY), .flags = RELOAD,
	  .doc = "after which an undelivered message fails" },
	{ .name = "history", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, history_ms), .preset = "7d",
	  RANGE(0, 3650 * DAY), .flags = RELOAD,
	  .doc = "how long what became of a message is remembered" },
	{ .name = "max_bytes", .type = POSTERN_TYPE_SIZE,
	  AT(config_queue, max_bytes), .preset = "10GiB",
	  RANGE(0, GIB * 1024 * 1024), .flags = RELOAD,
	  .doc = "of messages that wait: beyond, no mail is accepted until "
		 "10 % of it is free again; 0 = no limit" },
	{ .name = "max_messages", .type = POSTERN_TYPE_INT,
	  AT(config_queue, max_messages), .preset = "1000000",
	  RANGE(0, 1000000000), .flags = RELOAD,
	  .doc = "likewise, in messages" },
	{ .name = "user_share", .type = POSTERN_TYPE_PERCENT,
	  AT(config_queue, user_share), .preset = "25%",
	  RANGE(0, 100), .flags = RELOAD,
	  .doc = "most of max_bytes and of max_messages that one user's "
		 "messages may take; 0 = no limit" },
	{ .name = "dead", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, dead_ms), .preset = "7d",
	  RANGE(0, 365 * DAY), .flags = RELOAD,
	  .doc = "how long a message that failed is kept whole, so that it "
		 "can be requeued; 0 = not at all" },
	{ .name = "dead_bytes", .type = POSTERN_TYPE_SIZE,
	  AT(config_queue, dead_bytes), .preset = "1GiB",
	  RANGE(0, 1024 * GIB), .flags = RELOAD,
	  .doc = "of all of those; above it the oldest go first" },
	{ .name = NULL },
};

static const struct postern_field duplicates_rows[] = {
	{ .name = "policy", .type = POSTERN_TYPE_ENUM,
	  AT(config_duplicates, policy), .preset = "log",
	  .names = duplicates_names, .flags = RELOAD,
	  .doc = "log: it is sent, and said so; drop: answered as the first "
		 "one and not sent; off: not looked for" },
	{ .name = "window", .type = POSTERN_TYPE_DURATION,
	  AT(config_duplicates, window_ms), .preset = "1h",
	  RANGE(SECOND, DAY), .flags = RELOAD,
	  .doc = "how long after the first one it counts as the same" },
	{ .name = NULL },
};

static const struct postern_field dsn_rows[] = {
	{ .name = "providers", .type = POSTERN_TYPE_STRINGS,
	  AT(config_dsn, route.providers), .flags = RELOAD,
	  .doc = "who carries reports, in the order they are tried; none: "
		 "what failed is only logged and counted" },
	{ .name = "from", .type = POSTERN_TYPE_STRING,
	  AT(config_dsn, from), .flags = RELOAD,
	  .doc = "address they come from, which the providers must accept" },
	{ .name = "delay_after", .type = POSTERN_TYPE_DURATION,
	  AT(config_dsn, delay_after_ms), .preset = "4h",
	  RANGE(0, 30 * DAY), .flags = RELOAD,
	  .doc = "when who asked for it (NOTIFY=DELAY) hears that mail still "
		 "waits; 0 = never" },
	{ .name = "rate", .type = POSTERN_TYPE_RATE,
	  AT(config_dsn, rate), .preset = "20/hour", .flags = RELOAD,
	  .doc = "reports to one address, at most" },
	{ .name = NULL },
};

const struct postern_field tables_webhook[] = {
	{ .name = "events", .type = POSTERN_TYPE_STRINGS,
	  AT(config_webhook, events), .preset = "[sent, deferred, failed]",
	  .flags = RELOAD,
	  .doc = "of what: sent, deferred (once a message), failed" },
	{ .name = "users", .type = POSTERN_TYPE_STRINGS,
	  AT(config_webhook, users), .flags = RELOAD,
	  .doc = "of whose mail; of all when missing" },
	{ .name = "timeout", .type = POSTERN_TYPE_DURATION,
	  AT(config_webhook, provider.timeout_ms), .preset = "20s",
	  RANGE(SECOND, 10 * MINUTE), .flags = RELOAD,
	  .doc = "for one request; after it the event is sent again" },
	{ .name = "concurrency", .type = POSTERN_TYPE_INT,
	  AT(config_webhook, provider.concurrency), .preset = "16",
	  RANGE(1, 10000), .flags = RELOAD,
	  .doc = "most requests at a time; fewer while it fails" },
	{ .name = "rate", .type = POSTERN_TYPE_RATE,
	  AT(config_webhook, provider.rate), .preset = "0", .flags = RELOAD,
	  .doc = "most requests: 14/s, 600/min; 0 = as it says itself" },
	{ .name = "breaker", .type = POSTERN_TYPE_MAP,
	  AT(config_webhook, provider.breaker), .fields = breaker_rows,
	  .flags = RELOAD, .doc = "when it is left alone for a while" },
	{ .name = NULL },
};

static const struct postern_field spool_rows[] = {
	{ .name = "path", .type = POSTERN_TYPE_STRING,
	  AT(config_spool, path), .preset = "/var/lib/postern",
	  .doc = "directory of the message store" },
	{ .name = "min_free", .type = POSTERN_TYPE_SHARE,
	  AT(config_spool, min_free), .preset = "10%",
	  RANGE(0, 1024 * GIB), .flags = RELOAD,
	  .doc = "free space below which no mail is accepted, of the disk or "
		 "in bytes, and never less than a large message needs; in "
		 "percent of the inodes, too; 0 = until the disk is full" },
	{ .name = "fail_after", .type = POSTERN_TYPE_DURATION,
	  AT(config_spool, fail_after_ms), .preset = "60s",
	  RANGE(0, DAY), .flags = RELOAD,
	  .doc = "a spool that cannot be written is no reason for /livez and "
		 "the watchdog to fail for so long" },
	{ .name = "durability", .type = POSTERN_TYPE_ENUM,
	  AT(config_spool, durability), .preset = "full",
	  .names = durability_names,
	  .doc = "none: path may be in memory (tmpfs), so that a restart of "
		 "the machine loses mail that was acknowledged" },
	{ .name = NULL },
};

static const struct postern_field memory_rows[] = {
	{ .name = "soft", .type = POSTERN_TYPE_PERCENT,
	  AT(config_memory, soft), .preset = "80%",
	  RANGE(0, 100), .flags = RELOAD,
	  .doc = "of limit: from there on nobody new is let in; 0 = never" },
	{ .name = "hard", .type = POSTERN_TYPE_PERCENT,
	  AT(config_memory, hard), .preset = "95%",
	  RANGE(0, 100), .flags = RELOAD,
	  .doc = "and from there on no content is read, either; 0 = never" },
	{ .name = "limit", .type = POSTERN_TYPE_SIZE,
	  AT(config_memory, limit), .preset = "0",
	  RANGE(0, GIB * 1024 * 1024), .flags = RELOAD,
	  .doc = "memory the server may take; 0 = what its control group "
		 "(MemoryMax, a container's limit) allows, if it says so" },
	{ .name = NULL },
};

static const struct postern_field http_rows[] = {
	{ .name = "connect_timeout", .type = POSTERN_TYPE_DURATION,
	  AT(config_http, connect_timeout_ms), .preset = "10s",
	  RANGE(100, 5 * MINUTE), .flags = RELOAD,
	  .doc = "for a connection to a provider" },
	{ .name = "ca_file", .type = POSTERN_TYPE_STRING,
	  AT(config_http, ca_file), .flags = RELOAD,
	  .doc = "PEM file of the authorities to trust instead of the "
		 "system's" },
	{ .name = "proxy", .type = POSTERN_TYPE_STRING,
	  AT(config_http, proxy), .flags = RELOAD,
	  .doc = "proxy for all requests: http://host:port" },
	{ .name = NULL },
};

static const struct postern_field stats_rows[] = {
	{ .name = "address", .type = POSTERN_TYPE_STRING,
	  AT(config_stats, address), .preset = "127.0.0.1:8587",
	  .doc = "where metrics and probes are served; \"\" = nowhere" },
	{ .name = NULL },
};

static const struct postern_field admin_rows[] = {
	{ .name = "socket", .type = POSTERN_TYPE_STRING,
	  AT(config_admin, socket), .preset = "/run/postern/admin.sock",
	  .doc = "unix socket for `postern queue`, `stats` and `reload`; its "
		 "folder must be the account's; \"\" = none" },
	{ .name = "socket_mode", .type = POSTERN_TYPE_STRING,
	  AT(config_admin, socket_mode), .preset = "0600",
	  .doc = "permissions of the socket" },
	{ .name = NULL },
};

static const struct postern_field log_rows[] = {
	{ .name = "level", .type = POSTERN_TYPE_ENUM,
	  AT(config_log, level), .preset = "info", .names = level_names,
	  .flags = RELOAD, .doc = "the least important lines to write" },
	{ .name = "format", .type = POSTERN_TYPE_ENUM,
	  AT(config_log, format), .preset = "text", .names = format_names,
	  .flags = RELOAD, .doc = "text for people, json for programs" },
	{ .name = "addresses", .type = POSTERN_TYPE_ENUM,
	  AT(config_log, addresses), .preset = "full",
	  .names = address_names, .flags = RELOAD,
	  .doc = "how mail addresses are shown: full, domain (*@example.com) "
		 "or hash (the same digits for the same address)" },
	{ .name = NULL },
};

static const struct postern_field shutdown_rows[] = {
	{ .name = "lame_duck", .type = POSTERN_TYPE_DURATION,
	  AT(config_shutdown, lame_duck_ms), .preset = "5s",
	  RANGE(0, 10 * MINUTE), .flags = RELOAD,
	  .doc = "serve on, but not ready: load balancers look elsewhere" },
	{ .name = "grace", .type = POSTERN_TYPE_DURATION,
	  AT(config_shutdown, grace_ms), .preset = "25s",
	  RANGE(0, HOUR), .flags = RELOAD,
	  .doc = "for sessions and deliveries to end" },
	{ .name = "flush", .type = POSTERN_TYPE_BOOL,
	  AT(config_shutdown, flush), .preset = "false", .flags = RELOAD,
	  .doc = "the spool does not outlive the server: deliver what is in "
		 "it, as long as grace allows" },
	{ .name = NULL },
};

static const struct postern_field reload_rows[] = {
	{ .name = "watch", .type = POSTERN_TYPE_BOOL,
	  AT(config_reload, watch), .preset = "false", .flags = RELOAD,
	  .doc = "reload when the file changes, without a signal" },
	{ .name = NULL },
};

const struct postern_field tables_root[] = {
	{ .name = "hostname", .type = POSTERN_TYPE_STRING,
	  AT(config, hostname), .flags = RELOAD,
	  .doc = "name in greetings and Received; the system's when missing" },
	{ .name = "threads", .type = POSTERN_TYPE_INT,
	  AT(config, threads), .preset = "0", RANGE(0, 256),
	  .doc = "worker threads; 0 = one per core" },
	{ .name = "user", .type = POSTERN_TYPE_STRING,
	  AT(config, user),
	  .doc = "account to become when started as root" },
	{ .name = "hardening", .type = POSTERN_TYPE_ENUM,
	  AT(config, hardening), .preset = "auto", .names = hardening_names,
	  .doc = "give up what is not needed: writing outside of the spool, "
		 "system calls no mail server makes; auto: as far as the "
		 "kernel can, on: or do not start" },
	{ .name = "modules", .type = POSTERN_TYPE_STRING,
	  AT(config, modules),
	  .doc = "directory of provider modules other than the installed one" },
	{ .name = "listeners", .type = POSTERN_TYPE_LIST,
	  AT(config, listeners), .fields = tables_listener,
	  .size = sizeof(struct config_listener),
	  .preset = "[{name: submission, address: '0.0.0.0:587', "
		    "tls: starttls}, "
		    "{name: submissions, address: '0.0.0.0:465', "
		    "tls: implicit}]",
	  .flags = RELOAD, .doc = "where clients connect" },
	{ .name = "tls", .type = POSTERN_TYPE_MAP,
	  AT(config, tls), .fields = tables_tls,
	  .doc = "certificates, and which versions of TLS are spoken" },
	{ .name = "auth", .type = POSTERN_TYPE_MAP,
	  AT(config, auth), .fields = tables_auth, .doc = "how clients log in" },
	{ .name = "users", .type = POSTERN_TYPE_LIST,
	  AT(config, users), .fields = tables_user,
	  .size = sizeof(struct config_user), .flags = RELOAD,
	  .doc = "who may log in, and what they may send" },
	{ .name = "suppress", .type = POSTERN_TYPE_STRINGS,
	  AT(config, suppress), .flags = RELOAD,
	  .doc = "recipients to whom nobody may send: a@b or @b" },
	{ .name = "providers", .type = POSTERN_TYPE_LIST,
	  AT(config, providers), .fields = tables_provider,
	  .size = sizeof(struct config_provider),
	  .flags = REQUIRED | RELOAD | FIELD_OPEN,
	  .doc = "accounts at e-mail providers that carry the mail" },
	{ .name = "routes", .type = POSTERN_TYPE_LIST,
	  AT(config, routes), .fields = route_rows,
	  .size = sizeof(struct config_route), .flags = RELOAD,
	  .doc = "which mail goes to which providers; the first that matches "
		 "decides; all providers in order when missing" },
	{ .name = "queue", .type = POSTERN_TYPE_MAP,
	  AT(config, queue), .fields = queue_rows,
	  .doc = "when mail is acknowledged, and how long it is tried" },
	{ .name = "duplicates", .type = POSTERN_TYPE_MAP,
	  AT(config, duplicates), .fields = duplicates_rows,
	  .doc = "a message that a user sends again to the same recipients, "
		 "as after an answer that got lost" },
	{ .name = "dsn", .type = POSTERN_TYPE_MAP,
	  AT(config, dsn), .fields = dsn_rows,
	  .doc = "reports to senders about mail that failed or waits" },
	{ .name = "webhook", .type = POSTERN_TYPE_MAP,
	  AT(config, webhook), .fields = tables_webhook,
	  .flags = FIELD_OPEN,
	  .doc = "events for programs: what became of a message, posted to a "
		 "URL" },
	{ .name = "spool", .type = POSTERN_TYPE_MAP,
	  AT(config, spool), .fields = spool_rows, .doc = "where mail waits" },
	{ .name = "memory", .type = POSTERN_TYPE_MAP,
	  AT(config, memory), .fields = memory_rows,
	  .doc = "what happens before there is no more of it" },
	{ .name = "smtp", .type = POSTERN_TYPE_MAP,
	  AT(config, smtp), .fields = tables_smtp,
	  .doc = "how Postern speaks to clients" },
	{ .name = "http", .type = POSTERN_TYPE_MAP,
	  AT(config, http), .fields = http_rows,
	  .doc = "how Postern speaks to providers" },
	{ .name = "stats", .type = POSTERN_TYPE_MAP,
	  AT(config, stats), .fields = stats_rows,
	  .doc = "metrics and probes" },
	{ .name = "admin", .type = POSTERN_TYPE_MAP,
	  AT(config, admin), .fields = admin_rows,
	  .doc = "what operators do with a running server" },
	{ .name = "log", .type = POSTERN_TYPE_MAP,
	  AT(config, log), .fields = log_rows, .doc = "lines on stderr" },
	{ .name = "reload", .type = POSTERN_TYPE_MAP,
	  AT(config, reload), .fields = reload_rows,
	  .doc = "when a changed configuration is taken over" },
	{ .name = "shutdown", .type = POSTERN_TYPE_MAP,
	  AT(config, shutdown), .fields = shutdown_rows,
	  .doc = "how a stop goes" },
	{ .name = NULL },
};
/* clang-format on */
