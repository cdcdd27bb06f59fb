#include <config/tables.h>

#include <config/config.h>
#include <config/field.h>

#define SECOND INT64_C(1000) /* ms */
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define RELOAD POSTERN_FIELD_RELOAD
#define REQUIRED POSTERN_FIELD_REQUIRED

#define AT(struct_name, member) .offset = offsetof(struct struct_name, member)
#define RANGE(low, high) .min = (low), .max = (high)

static const char *const tls_names[] = { "starttls", "implicit", "none", NULL };
static const char *const policy_names[] = { "intermediate", "modern", NULL };
/* In the order of enum config_mode; the queue itself has nobody to ask. */
static const char *const mode_names[] = { "inherit", "hybrid", "queued",
	"direct", NULL };
static const char *const queue_mode_names[] = { "", "hybrid", "queued",
	"direct", NULL };
static const char *const unknown_names[] = { "retry", "hold", "fail", NULL };
static const char *const level_names[] = { "debug", "info", "warn", "error",
	NULL };
static const char *const format_names[] = { "text", "json", NULL };

/* clang-format off */
static const struct postern_field listener_rows[] = {
	{ .name = "name", .type = POSTERN_TYPE_STRING,
	  AT(config_listener, name), .flags = REQUIRED,
	  .doc = "a short name, for logs and metrics" },
	{ .name = "address", .type = POSTERN_TYPE_STRING,
	  AT(config_listener, address), .flags = REQUIRED,
	  .doc = "where to listen: host:port, [v6]:port or :port" },
	{ .name = "tls", .type = POSTERN_TYPE_ENUM,
	  AT(config_listener, tls), .preset = "starttls", .names = tls_names,
	  .doc = "starttls: upgraded by the client (587); implicit: TLS from "
		 "the first byte (465); none" },
	{ .name = "mode", .type = POSTERN_TYPE_ENUM,
	  AT(config_listener, mode), .preset = "inherit",
	  .names = mode_names, .flags = RELOAD,
	  .doc = "when 250 is answered; inherit: as queue.mode says" },
	{ .name = "allow_insecure", .type = POSTERN_TYPE_BOOL,
	  AT(config_listener, allow_insecure), .preset = "false",
	  .doc = "accept mail without TLS" },
	{ .name = "allow_plaintext_auth", .type = POSTERN_TYPE_BOOL,
	  AT(config_listener, allow_plaintext_auth), .preset = "false",
	  .doc = "offer PLAIN and LOGIN without TLS" },
	{ .name = "allow_unauthenticated", .type = POSTERN_TYPE_BOOL,
	  AT(config_listener, allow_unauthenticated), .preset = "false",
	  .doc = "accept mail without a login, as `user`" },
	{ .name = "user", .type = POSTERN_TYPE_STRING,
	  AT(config_listener, user),
	  .doc = "whose mail it is that comes without a login" },
	{ .name = NULL },
};

static const struct postern_field certificate_rows[] = {
	{ .name = "cert", .type = POSTERN_TYPE_STRING,
	  AT(config_certificate, cert), .flags = REQUIRED | RELOAD,
	  .doc = "PEM file of the certificate and its chain" },
	{ .name = "key", .type = POSTERN_TYPE_STRING,
	  AT(config_certificate, key), .flags = REQUIRED | RELOAD,
	  .doc = "PEM file of the private key" },
	{ .name = NULL },
};

static const struct postern_field tls_rows[] = {
	{ .name = "policy", .type = POSTERN_TYPE_ENUM,
	  AT(config_tls, policy), .preset = "intermediate",
	  .names = policy_names, .flags = RELOAD,
	  .doc = "intermediate: TLS 1.2 and 1.3; modern: TLS 1.3 only" },
	{ .name = "certificates", .type = POSTERN_TYPE_LIST,
	  AT(config_tls, certificates), .fields = certificate_rows,
	  .size = sizeof(struct config_certificate), .flags = RELOAD,
	  .doc = "chosen by the name a client asks for, else the first" },
	{ .name = NULL },
};

static const struct postern_field auth_rows[] = {
	{ .name = "mechanisms", .type = POSTERN_TYPE_STRINGS,
	  AT(config_auth, mechanisms),
	  .preset = "[PLAIN, LOGIN, SCRAM-SHA-256]",
	  .doc = "SASL mechanisms to offer" },
	{ .name = "workers", .type = POSTERN_TYPE_INT,
	  AT(config_auth, workers), .preset = "2", RANGE(1, 64),
	  .doc = "threads that compute password hashes" },
	{ .name = "max_failures", .type = POSTERN_TYPE_INT,
	  AT(config_auth, max_failures), .preset = "5", RANGE(1, 100),
	  .flags = RELOAD,
	  .doc = "failed logins after which a session is closed" },
	{ .name = "failure_delay", .type = POSTERN_TYPE_DURATION,
	  AT(config_auth, failure_delay_ms), .preset = "2s",
	  RANGE(0, MINUTE), .flags = RELOAD,
	  .doc = "how long the answer to a failed login waits" },
	{ .name = "cache_ttl", .type = POSTERN_TYPE_DURATION,
	  AT(config_auth, cache_ttl_ms), .preset = "10m", RANGE(0, DAY),
	  .doc = "how long a verified password need not be hashed again" },
	{ .name = NULL },
};

static const struct postern_field user_rows[] = {
	{ .name = "name", .type = POSTERN_TYPE_STRING,
	  AT(config_user, name), .flags = REQUIRED | RELOAD,
	  .doc = "what the client logs in as; upper and lower case are one" },
	{ .name = "password_hash", .type = POSTERN_TYPE_SECRET,
	  AT(config_user, password_hash), .flags = RELOAD,
	  .doc = "made by `postern passwd`" },
	{ .name = "senders", .type = POSTERN_TYPE_STRINGS,
	  AT(config_user, senders), .flags = RELOAD,
	  .doc = "addresses this user may send from: a@b, @b or *; "
		 "any when missing" },
	{ .name = "rate", .type = POSTERN_TYPE_RATE,
	  AT(config_user, rate), .preset = "0", .flags = RELOAD,
	  .doc = "messages per period, as 100/min; 0 = no limit" },
	{ .name = "daily", .type = POSTERN_TYPE_INT,
	  AT(config_user, daily), .preset = "0", RANGE(0, INT64_MAX),
	  .flags = RELOAD,
	  .doc = "messages per day (UTC); 0 = no limit" },
	{ .name = "mode", .type = POSTERN_TYPE_ENUM,
	  AT(config_user, mode), .preset = "inherit", .names = mode_names,
	  .flags = RELOAD,
	  .doc = "when 250 is answered; inherit: as the listener says" },
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
	{ .name = "max_connections", .type = POSTERN_TYPE_INT,
	  AT(config_provider, max_connections), .preset = "16",
	  RANGE(1, 1000), .flags = RELOAD,
	  .doc = "per worker thread" },
	{ .name = "max_recipients", .type = POSTERN_TYPE_INT,
	  AT(config_provider, max_recipients), .preset = "0",
	  RANGE(0, 100000), .flags = RELOAD,
	  .doc = "per request; 0 = as many as the provider takes" },
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
	  .doc = "before the same provider is asked again when it is not "
		 "known whether it took a message" },
	{ .name = "max_age", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, max_age_ms), .preset = "48h",
	  RANGE(SECOND, 30 * DAY), .flags = RELOAD,
	  .doc = "after which an undelivered message fails" },
	{ .name = "history", .type = POSTERN_TYPE_DURATION,
	  AT(config_queue, history_ms), .preset = "7d",
	  RANGE(0, 3650 * DAY), .flags = RELOAD,
	  .doc = "how long what became of a message is remembered" },
	{ .name = NULL },
};

static const struct postern_field spool_rows[] = {
	{ .name = "path", .type = POSTERN_TYPE_STRING,
	  AT(config_spool, path), .preset = "/var/lib/postern",
	  .doc = "directory of the message store" },
	{ .name = "min_free", .type = POSTERN_TYPE_SIZE,
	  AT(config_spool, min_free), .preset = "100MiB",
	  RANGE(0, 1024 * GIB), .flags = RELOAD,
	  .doc = "free space below which no mail is accepted" },
	{ .name = NULL },
};

static const struct postern_field limit_rows[] = {
	{ .name = "max_message_size", .type = POSTERN_TYPE_SIZE,
	  AT(config_smtp, max_message_size), .preset = "25MiB",
	  RANGE(64 * KIB, GIB), .flags = RELOAD,
	  .doc = "bytes of one message" },
	{ .name = "max_recipients", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, max_recipients), .preset = "1000",
	  RANGE(1, 100000), .flags = RELOAD,
	  .doc = "of one message" },
	{ .name = "max_messages_per_session", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, max_messages_per_session), .preset = "1000",
	  RANGE(1, 1000000), .flags = RELOAD,
	  .doc = "after which a session is closed" },
	{ .name = "sessions_total", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, sessions_total), .preset = "10000",
	  RANGE(1, 1000000), .flags = RELOAD,
	  .doc = "sessions at the same time" },
	{ .name = "sessions_per_ip", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, sessions_per_ip), .preset = "50",
	  RANGE(1, 1000000), .flags = RELOAD,
	  .doc = "sessions at the same time from one address (IPv6: one /64)" },
	{ .name = "soft_errors", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, soft_errors), .preset = "10",
	  RANGE(1, 1000), .flags = RELOAD,
	  .doc = "errors after which replies are delayed by error_delay" },
	{ .name = "hard_errors", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, hard_errors), .preset = "20",
	  RANGE(1, 1000), .flags = RELOAD,
	  .doc = "errors after which a session is closed" },
	{ .name = "error_delay", .type = POSTERN_TYPE_DURATION,
	  AT(config_smtp, error_delay_ms), .preset = "1s",
	  RANGE(0, MINUTE), .flags = RELOAD,
	  .doc = "of a reply after soft_errors errors" },
	{ .name = "junk_commands", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, junk_commands), .preset = "100",
	  RANGE(1, 100000), .flags = RELOAD,
	  .doc = "commands that do nothing, between two messages" },
	{ .name = "header_bytes", .type = POSTERN_TYPE_SIZE,
	  AT(config_smtp, header_bytes), .preset = "256KiB",
	  RANGE(4 * KIB, 16 * MIB), .flags = RELOAD,
	  .doc = "of the header of one message" },
	{ .name = "header_fields", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, header_fields), .preset = "1000",
	  RANGE(10, 100000), .flags = RELOAD,
	  .doc = "in the header of one message" },
	{ .name = "header_field_bytes", .type = POSTERN_TYPE_SIZE,
	  AT(config_smtp, header_field_bytes), .preset = "100KiB",
	  RANGE(KIB, 16 * MIB), .flags = RELOAD,
	  .doc = "of one field" },
	{ .name = "max_hops", .type = POSTERN_TYPE_INT,
	  AT(config_smtp, max_hops), .preset = "100",
	  RANGE(10, 1000), .flags = RELOAD,
	  .doc = "Received fields, above which a message goes in circles" },
	{ .name = NULL },
};

static const struct postern_field timeout_rows[] = {
	{ .name = "command", .type = POSTERN_TYPE_DURATION,
	  AT(config_smtp, command_timeout_ms), .preset = "5m",
	  RANGE(SECOND, HOUR), .flags = RELOAD,
	  .doc = "waiting for a command" },
	{ .name = "first_command", .type = POSTERN_TYPE_DURATION,
	  AT(config_smtp, first_command_timeout_ms), .preset = "1m",
	  RANGE(SECOND, HOUR), .flags = RELOAD,
	  .doc = "waiting for the first command" },
	{ .name = "data_idle", .type = POSTERN_TYPE_DURATION,
	  AT(config_smtp, data_idle_ms), .preset = "3m",
	  RANGE(SECOND, HOUR), .flags = RELOAD,
	  .doc = "waiting for more of a message" },
	{ .name = "data_total", .type = POSTERN_TYPE_DURATION,
	  AT(config_smtp, data_total_ms), .preset = "30m",
	  RANGE(SECOND, DAY), .flags = RELOAD,
	  .doc = "for the whole of a message" },
	{ .name = "session_total", .type = POSTERN_TYPE_DURATION,
	  AT(config_smtp, session_total_ms), .preset = "2h",
	  RANGE(SECOND, 7 * DAY), .flags = RELOAD,
	  .doc = "for a whole session" },
	{ .name = NULL },
};

static const struct postern_field smtp_rows[] = {
	{ .name = "banner", .type = POSTERN_TYPE_STRING,
	  AT(config_smtp, banner), .preset = "Postern", .flags = RELOAD,
	  .doc = "the greeting's text after the host name and ESMTP" },
	{ .name = "hide_client", .type = POSTERN_TYPE_BOOL,
	  AT(config_smtp, hide_client), .preset = "true", .flags = RELOAD,
	  .doc = "keep the client's address out of Received" },
	{ .name = "null_sender", .type = POSTERN_TYPE_BOOL,
	  AT(config_smtp, null_sender), .preset = "false", .flags = RELOAD,
	  .doc = "accept MAIL FROM:<>" },
	/* Maps in the file only, as queue.retry. */
	{ .name = "limits", .type = POSTERN_TYPE_MAP, .offset = 0,
	  .fields = limit_rows, .flags = RELOAD,
	  .doc = "what one client, session or message may use" },
	{ .name = "timeouts", .type = POSTERN_TYPE_MAP, .offset = 0,
	  .fields = timeout_rows, .flags = RELOAD,
	  .doc = "how long a client may take" },
	{ .name = NULL },
};

static const struct postern_field http_rows[] = {
	{ .name = "connect_timeout", .type = POSTERN_TYPE_DURATION,
	  AT(config_http, connect_timeout_ms), .preset = "10s",
	  RANGE(100, 5 * MINUTE),
	  .doc = "for a connection to a provider" },
	{ .name = "ca_file", .type = POSTERN_TYPE_STRING,
	  AT(config_http, ca_file),
	  .doc = "PEM file of the authorities to trust instead of the "
		 "system's" },
	{ .name = "proxy", .type = POSTERN_TYPE_STRING,
	  AT(config_http, proxy),
	  .doc = "proxy for all requests: http://host:port" },
	{ .name = NULL },
};

static const struct postern_field stats_rows[] = {
	{ .name = "address", .type = POSTERN_TYPE_STRING,
	  AT(config_stats, address), .preset = "127.0.0.1:8587",
	  .doc = "where metrics and probes are served; \"\" = nowhere" },
	{ .name = NULL },
};

static const struct postern_field log_rows[] = {
	{ .name = "level", .type = POSTERN_TYPE_ENUM,
	  AT(config_log, level), .preset = "info", .names = level_names,
	  .flags = RELOAD, .doc = "the least important lines to write" },
	{ .name = "format", .type = POSTERN_TYPE_ENUM,
	  AT(config_log, format), .preset = "text", .names = format_names,
	  .flags = RELOAD, .doc = "text for people, json for programs" },
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
	{ .name = NULL },
};

const struct postern_field tables_root[] = {
	{ .name = "hostname", .type = POSTERN_TYPE_STRING,
	  AT(config, hostname),
	  .doc = "name in greetings and Received; the system's when missing" },
	{ .name = "threads", .type = POSTERN_TYPE_INT,
	  AT(config, threads), .preset = "0", RANGE(0, 256),
	  .doc = "worker threads; 0 = one per core" },
	{ .name = "user", .type = POSTERN_TYPE_STRING,
	  AT(config, user),
	  .doc = "account to become when started as root" },
	{ .name = "modules", .type = POSTERN_TYPE_STRING,
	  AT(config, modules),
	  .doc = "directory of provider modules other than the installed one" },
	{ .name = "listeners", .type = POSTERN_TYPE_LIST,
	  AT(config, listeners), .fields = listener_rows,
	  .size = sizeof(struct config_listener),
	  .preset = "[{name: submission, address: '0.0.0.0:587', "
		    "tls: starttls}, "
		    "{name: submissions, address: '0.0.0.0:465', "
		    "tls: implicit}]",
	  .doc = "where clients connect" },
	{ .name = "tls", .type = POSTERN_TYPE_MAP,
	  AT(config, tls), .fields = tls_rows,
	  .doc = "certificates, and which versions of TLS are spoken" },
	{ .name = "auth", .type = POSTERN_TYPE_MAP,
	  AT(config, auth), .fields = auth_rows, .doc = "how clients log in" },
	{ .name = "users", .type = POSTERN_TYPE_LIST,
	  AT(config, users), .fields = user_rows,
	  .size = sizeof(struct config_user), .flags = RELOAD,
	  .doc = "who may log in, and what they may send" },
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
	{ .name = "spool", .type = POSTERN_TYPE_MAP,
	  AT(config, spool), .fields = spool_rows, .doc = "where mail waits" },
	{ .name = "smtp", .type = POSTERN_TYPE_MAP,
	  AT(config, smtp), .fields = smtp_rows,
	  .doc = "how Postern speaks to clients" },
	{ .name = "http", .type = POSTERN_TYPE_MAP,
	  AT(config, http), .fields = http_rows,
	  .doc = "how Postern speaks to providers" },
	{ .name = "stats", .type = POSTERN_TYPE_MAP,
	  AT(config, stats), .fields = stats_rows,
	  .doc = "metrics and probes" },
	{ .name = "log", .type = POSTERN_TYPE_MAP,
	  AT(config, log), .fields = log_rows, .doc = "lines on stderr" },
	{ .name = "shutdown", .type = POSTERN_TYPE_MAP,
	  AT(config, shutdown), .fields = shutdown_rows,
	  .doc = "how a stop goes" },
	{ .name = NULL },
};
/* clang-format on */
