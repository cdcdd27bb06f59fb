/*
 * The configuration as an immutable snapshot: read once, checked whole, then
 * shared by reference. Sessions and deliveries keep the one they started
 * with; a reload makes a new one.
 */
#pragma once

#include <base/err.h>
#include <base/map.h>
#include <base/netaddr.h>
#include <base/span.h>
#include <postern/field.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

struct health_account;
struct postern_provider;

enum config_listener_tls {
	CONFIG_TLS_STARTTLS = 0,
	CONFIG_TLS_IMPLICIT,
	CONFIG_TLS_NONE /* only with allow_insecure */
};

enum config_mode {
	CONFIG_MODE_INHERIT = 0, /* listener and user: what is above decides */
	CONFIG_MODE_HYBRID,
	CONFIG_MODE_QUEUED,
	CONFIG_MODE_DIRECT
};

/* INHERIT is for listeners only: as `tls` says. */
enum config_tls_policy {
	CONFIG_TLS_INTERMEDIATE = 0,
	CONFIG_TLS_MODERN,
	CONFIG_TLS_LEGACY,
	CONFIG_TLS_INHERIT
};

enum config_client_auth {
	CONFIG_CLIENT_AUTH_NONE = 0,
	CONFIG_CLIENT_AUTH_REQUEST, /* without a good one it goes on */
	CONFIG_CLIENT_AUTH_REQUIRE,
	CONFIG_CLIENT_AUTH_INHERIT
};

enum config_proxy {
	CONFIG_PROXY_OFF = 0,
	CONFIG_PROXY_REQUIRED
};

struct config_listener {
	const char *name, *address;
	int tls;                    /* enum config_listener_tls */
	int mode;                   /* enum config_mode */
	int tls_policy;             /* enum config_tls_policy */
	int client_auth;            /* enum config_client_auth */
	bool allow_insecure;        /* mail without TLS */
	bool allow_plaintext_auth;  /* PLAIN and LOGIN without TLS */
	bool allow_unauthenticated; /* mail without a login, as `user` */
	const char *user;           /* identity for the case above */
	/* For old devices: struct network, who needs no TLS to log in and to
	 * send; and bare LF, paths without brackets, AUTH after HELO. */
	struct postern_list plaintext_from;
	bool lenient_syntax;

	const char *socket_mode; /* octal; of a unix: address */

	/* Who may connect, and who may say that it is for somebody else. */
	struct postern_list allow_from; /* struct network; empty = any */
	int proxy_protocol;             /* enum config_proxy */
	struct postern_list proxy_trusted, xclient_trusted; /* likewise */
	bool xclient_login; /* and that it has logged in */
	size_t slot;        /* in the counters: config_keep_slots */
};

struct config_certificate {
	const char *cert, *key; /* PEM files */
};

struct config_tls {
	int policy;                       /* enum config_tls_policy */
	struct postern_list certificates; /* struct config_certificate */
	int client_auth;                  /* enum config_client_auth */
	const char *client_ca, *crl;      /* PEM files, or NULL */
};

struct config_oauth {
	const char *issuer, *audience;    /* NULL: no logins by token */
	const char *jwks_file, *jwks_url; /* one of them */
	const char *claim;                /* holds the user's name */
	uint64_t refresh_ms;
};

struct config_auth {
	struct postern_list mechanisms; /* const char * */
	int64_t workers;                /* threads for hashes */
	int64_t max_failures;           /* per session */
	uint64_t failure_delay_ms;
	int64_t failures_per_minute, failures_per_day; /* of a network */
	uint64_t cache_ttl_ms;
	struct config_oauth oauth;
	const char *saslauthd; /* path of its socket; NULL: not asked */
};

/* For a user, of what is decided for all elsewhere. */
enum config_choice {
	CONFIG_CHOICE_INHERIT = 0,
	CONFIG_CHOICE_ALLOW,
	CONFIG_CHOICE_REJECT
};

enum config_quota_action {
	CONFIG_QUOTA_DEFER = 0, /* 451: the client tries again */
	CONFIG_QUOTA_REJECT,    /* 550 */
	CONFIG_QUOTA_HOLD       /* accepted; a person lets it go */
};

/* What to do with a message that was sent before. */
enum config_duplicate_policy {
	CONFIG_DUPLICATES_OFF = 0,
	CONFIG_DUPLICATES_LOG,
	CONFIG_DUPLICATES_DROP,
	CONFIG_DUPLICATES_INHERIT /* users only */
};

struct config_duplicates {
	int policy; /* enum config_duplicate_policy */
	uint64_t window_ms;
};

/* Fields that steer a message, as users[].controls allows them. */
enum {
	CONFIG_CONTROL_TAG = 1 << 0,
	CONFIG_CONTROL_METADATA = 1 << 1,
	CONFIG_CONTROL_TRACK = 1 << 2,
	CONFIG_CONTROL_SCHEDULE = 1 << 3,
	CONFIG_CONTROL_PROVIDER = 1 << 4,
	CONFIG_CONTROL_NATIVE = 1 << 5 /* those of providers */
};

struct config_user {
	const char *name;
	struct postern_secret password_hash;
	struct postern_list senders;    /* patterns: a@b, @b, *; empty = any */
	struct postern_rate rate;       /* messages; token bucket */
	int64_t daily;                  /* messages per UTC day, 0 = no limit */
	int quota_action;               /* enum config_quota_action */
	struct postern_list recipients; /* patterns; empty = any */
	uint64_t max_message_size;      /* 0 = as smtp.limits, as is next */
	int64_t max_recipients;
	int mode;
	struct postern_list certificates; /* const char *; see tables */
	struct postern_list allow_from;   /* struct network; empty = any */
	bool disabled;
	int64_t max_priority;         /* of MT-PRIORITY */
	int null_sender;              /* enum config_choice */
	int duplicates;               /* enum config_duplicate_policy */
	struct postern_list controls; /* const char *; see content.h */
	unsigned may_control;         /* the same as CONFIG_CONTROL_* */
	size_t index; /* place in config.users; set by config_load */
};

enum {
	CONFIG_HASH_SIZE = 17 /* with NUL */
};

/* When a provider is left alone; what counts are calls. */
struct config_breaker {
	int64_t failures;  /* in a row */
	int64_t ratio;     /* or percent of all, */
	int64_t min_calls; /* when there were so many */
	uint64_t window_ms;
	uint64_t open_ms, open_max_ms; /* the first time; doubles up to */
	uint64_t account_retry_ms;
};

/*
 * Recipients it may be handed, UTC, or what they may cost, in units of anyone's
 * choice; 0 = any number. All of these are at most CONFIG_BUDGET_MAX.
 */
struct config_budget {
	int64_t per_day, per_month;
	int64_t cost_per_day, cost_per_month;
	int64_t price_per_million; /* recipients */
};

#define CONFIG_BUDGET_MAX INT64_C(1000000000000)

struct config_provider {
	const char *name, *type;
	uint64_t timeout_ms;
	int64_t concurrency;      /* calls at a time, of the whole process */
	struct postern_rate rate; /* calls */
	bool ask_account;
	struct config_breaker breaker;
	struct config_budget budget;
	int64_t max_recipients; /* per call; 0 = the module's own limit */
	struct postern_list allow_altering; /* const char *; see content.h */
	const struct postern_provider *module;
	unsigned carries;     /* POSTERN_CARRIES_* it does, or may do badly */
	const void *settings; /* decoded by the module's rows */
	char hash[CONFIG_HASH_SIZE];    /* hex digest of them */
	size_t slot;                    /* in the counters: config_keep_slots */
	struct health_account *account; /* health_configure */
	bool is_webhook;                /* carries events, and no mail */
};

enum config_unknown {
	CONFIG_UNKNOWN_RETRY = 0,
	CONFIG_UNKNOWN_HOLD,
	CONFIG_UNKNOWN_FAIL
};

struct config_match {
	struct postern_list user;      /* names */
	struct postern_list sender;    /* patterns as in users[].senders */
	struct postern_list recipient; /* likewise */
	/* Of the message: "Name" or "Name: pattern"; bytes, 0 = any. */
	struct postern_list header;
	struct postern_list content; /* const char *; see content.h */
	uint64_t min_size, max_size;
};

/* Which provider of a route comes first. */
enum config_strategy {
	CONFIG_STRATEGY_FAILOVER = 0, /* as they are listed */
	CONFIG_STRATEGY_WEIGHTED,     /* by chance and weight */
	CONFIG_STRATEGY_LEAST_USED    /* who had the least for its weight */
};

struct config_route {
	const char *name;
	struct config_match match;     /* empty lists match everything */
	struct postern_list providers; /* const char *, in order */
	int strategy;                  /* enum config_strategy */
	struct postern_list weights;   /* numbers as text, as `weight` */
	int unknown;                   /* enum config_unknown */
	/* Set by config_load: indices into config.providers; and the weight of
	 * each, or NULL for one each. */
	size_t *provider_index;
	uint32_t *weight;
};

struct config_queue {
	int mode; /* never INHERIT */
	uint64_t sync_budget_ms;
	uint64_t retry_base_ms, retry_cap_ms;
	int64_t retry_budget;      /* percent of first attempts, per provider */
	uint64_t unknown_delay_ms; /* at least, until the same one is asked */
	uint64_t max_age_ms;
	uint64_t history_ms;
	/* What may wait in all; 0 = no limit. And of that for one user: in
	 * percent, 0 likewise. */
	uint64_t max_bytes;
	int64_t max_messages, user_share;
	uint64_t dead_ms, dead_bytes; /* what failed, with its content */
};

/* Reports to senders (RFC 3464). */
struct config_dsn {
	/* Whose providers carry them; none: there are no reports. */
	struct config_route route;
	const char *from;
	uint64_t delay_after_ms;  /* 0 = delays are not reported */
	struct postern_rate rate; /* per address */
};

/* Of the provider behind `webhook`: name and type. */
#define CONFIG_WEBHOOK "webhook"

/* What a webhook may hear of; bits of config_webhook.wanted. */
enum config_event {
	CONFIG_EVENT_SENT = 0,
	CONFIG_EVENT_DEFERRED,
	CONFIG_EVENT_FAILED
};

/*
 * Events for programs. Who takes them is the last of config.providers, added
 * by config_load; route leads to it. Neither is there without a webhook.
 */
struct config_webhook {
	struct config_route route;
	struct config_provider provider; /* what the last one is made of */
	struct postern_list events;      /* const char *, of config_event */
	struct postern_list users;       /* names; empty = of all */
	unsigned wanted;                 /* 1 << enum config_event */
};

enum config_durability {
	CONFIG_DURABILITY_FULL = 0,
	CONFIG_DURABILITY_NONE /* it may lie in memory */
};

struct config_spool {
	const char *path;
	struct postern_share min_free; /* of the disk; and of its inodes */
	int durability;                /* enum config_durability */
	uint64_t fail_after_ms;        /* broken for so long: not alive */
};

/* Of `limit`, or of the process's control group: percent, 0 = no mark. */
struct config_memory {
	int64_t soft, hard;
	uint64_t limit; /* 0 = the control group's */
};

/* What to do with a bare CR or LF in content. */
enum config_lines {
	CONFIG_LINES_NORMALIZE = 0,
	CONFIG_LINES_REJECT
};

enum config_pregreet {
	CONFIG_PREGREET_LOG = 0,
	CONFIG_PREGREET_REJECT
};

struct config_smtp {
	const char *banner;
	struct postern_list exempt; /* struct network */
	uint64_t max_message_size;
	uint64_t
	    content_memory; /* of all sessions; above it the disk is used */
	int64_t max_recipients, max_messages_per_session;
	int64_t sessions_total, sessions_per_ip, sessions_per_user;
	struct postern_rate connects_per_ip;
	int64_t ipv6_prefix; /* bits that make one IPv6 network */
	bool stress;         /* shorter limits when nearly full */
	int64_t soft_errors, hard_errors, junk_commands;
	uint64_t error_delay_ms;
	uint64_t min_data_rate; /* bytes per s */
	uint64_t header_bytes, header_field_bytes;
	int64_t header_fields, max_hops;
	int64_t mime_depth, mime_parts;
	int64_t min_priority; /* of MT-PRIORITY */
	uint64_t command_timeout_ms, first_command_timeout_ms;
	uint64_t auth_step_timeout_ms, tls_handshake_ms;
	uint64_t data_processing_ms;
	uint64_t data_idle_ms, data_total_ms, session_total_ms;
	uint64_t proxy_header_ms;
	bool hide_client;   /* in Received */
	bool add_sender;    /* where From does not name the sender */
	int received_strip; /* enum header_strip */
	bool null_sender;   /* accept MAIL FROM:<> */
	int pregreet;       /* enum config_pregreet */
	int line_endings;   /* enum config_lines */
	/* What EHLO offers: */
	bool smtputf8, chunking, dsn, priority;
	uint64_t future_release_ms; /* longest wait; 0 = not offered */
};

struct config_http {
	uint64_t connect_timeout_ms;
	const char *ca_file, *proxy;
};

struct config_stats {
	const char *address; /* "127.0.0.1:8587"; empty = off */
};

struct config_admin {
	const char *socket;      /* path of a unix socket; empty = none */
	const char *socket_mode; /* octal, config_socket_mode */
};

struct config_log {
	int level;     /* enum log_level */
	int format;    /* enum log_format */
	int addresses; /* enum log_addresses */
};

struct config_shutdown {
	uint64_t lame_duck_ms, grace_ms;
	bool flush; /* the spool goes with us: deliver what is in it */
};

struct config_reload {
	bool watch; /* the file, without being told */
};

enum config_hardening {
	CONFIG_HARDENING_AUTO = 0, /* what the kernel can do */
	CONFIG_HARDENING_ON,       /* all of it, or no start */
	CONFIG_HARDENING_OFF
};

/*
 * Slots in struct counters that got their name in this snapshot, as bits:
 * their counters start from zero.
 */
struct config_new_slots {
	uint64_t listeners, providers;
};

struct config {
	const char *hostname;
	int64_t threads;  /* 0 = one per core */
	const char *user; /* account to become when started as root */
	int hardening;    /* enum config_hardening */
	const char
	    *modules; /* directory of provider modules, NULL = built in */
	struct postern_list listeners; /* struct config_listener */
	struct config_tls tls;
	struct config_auth auth;
	struct postern_list users;     /* struct config_user */
	struct postern_list providers; /* struct config_provider */
	struct postern_list routes;    /* struct config_route */
	struct config_queue queue;
	struct config_duplicates duplicates;
	struct config_dsn dsn;
	struct config_webhook webhook;
	struct config_spool spool;
	struct config_memory memory;
	struct config_smtp smtp;
	struct config_http http;
	struct config_stats stats;
	struct config_admin admin;
	struct config_log log;
	struct config_shutdown shutdown;
	struct postern_list suppress; /* patterns: recipients never to serve */
	struct config_reload reload;
	struct map *user_by_name; /* lower-case name -> struct config_user */
	struct config_new_slots new_slots; /* config_keep_slots */
	/*
	 * Hex digest over every value in effect, presets and secrets included:
	 * two servers that show the same one are configured alike.
	 */
	char hash[CONFIG_HASH_SIZE];
	/* Gives back what layers above keep with it; NULL: nothing. */
	void (*on_free)(struct config *c);
};

/* A file a configuration was read from. */
struct config_source {
	char *path;
	/* Of the regular file that was read; all zero when none was. */
	struct stat as_read;
};

/* One thing that is wrong or doubtful, in parts for people and programs. */
struct config_problem {
	size_t source;       /* which of the report's files */
	size_t line, column; /* from 1; 0 = the file as a whole */
	char *path;          /* "listeners[0].tls"; "" = the file as a whole */
	char *message;       /* "what (hint)", one line, never a secret */
	bool is_warning;
};

enum {
	CONFIG_PROBLEMS_MAX = 50 /* kept; the rest is only counted */
};

/*
 * Everything that is wrong or doubtful with a configuration, sorted by place:
 * first what is in the file itself, then in the users' files, in the order it
 * names them.
 */
struct config_report {
	struct config_source *sources; /* in that order */
	size_t source_count;
	size_t reading; /* the source that is read now */
	struct config_problem *problems;
	size_t count, cap;
	size_t errors, warnings; /* found, also those not kept */
};

/*
 * What the configuration must ask layers above it. The first two may not be
 * NULL; both fill e on failure.
 */
struct config_helpers {
	const struct postern_provider *(*load_module)(
	    const char *type, struct err *e);
	int (*check_password_record)(struct span record, struct err *e);
	/* May be NULL. Told `modules`, when set, before the first load. */
	void (*set_module_directory)(const char *dir);
	/*
	 * May be NULL. Whether the files of c->tls can be used. Tells doubt
	 * what is the matter with one of them nevertheless: a date, say.
	 */
	int (*check_tls)(const struct config *c,
	    void (*doubt)(void *ctx, const char *file, const char *what),
	    void *ctx, struct err *e);
};

/*
 * Read, decode, resolve secrets, load modules, check references. Opens and
 * changes nothing else. Returns a snapshot with one reference, or NULL when
 * report holds errors. report may hold warnings in either case. Main thread.
 */
struct config *config_load(const char *path,
    const struct config_helpers *helpers, struct config_report *report);
struct config *config_ref(struct config *c); /* any thread */
void config_unref(struct config *c);         /* any thread; accepts NULL */
/*
 * Whether somebody else has a reference, too. Who has the only one knows that
 * it stays so.
 */
bool config_is_shared(struct config *c);
/*
 * What a budget comes to, in recipients: the number, or what the cost pays for
 * at that price, whichever is less. 0 = any number.
 */
int64_t config_budget_limit(
    int64_t recipients, int64_t cost, int64_t price_per_million);

/* Who takes events; NULL: nobody. */
static inline const struct config_provider *config_webhook(
    const struct config *c)
{
	const struct config_provider *providers = c->providers.items;

	return c->webhook.route.providers.count > 0
		   ? &providers[c->webhook.route.provider_index[0]]
		   : NULL;
}

/* --- reload --- */

/*
 * Each listener and each provider counts in a slot of its own of struct
 * counters. config_load gives slots in the order of the file; this gives c
 * those that the same names have in `old`, which is in use, or had before it.
 * A slot gets another name only when no snapshot with the former one is left.
 * 0, or -EBUSY with e filled when there are not enough: c can then only be
 * given up. Main thread.
 */
int config_keep_slots(struct config *c, struct config *old, struct err *e);
/*
 * Values a running server cannot change: c, freshly loaded, gets those of
 * `old`, and fn is called with the key ("spool.path") of each that differed.
 * 0 or -ENOMEM. Any thread that has c for itself.
 */
int config_keep_fixed(struct config *c, const struct config *old,
    void (*fn)(const char *key, void *ctx), void *ctx);

void config_report_finish(struct config_report *r);
/* The file a problem is in; "" when memory was short. */
const char *config_problem_file(
    const struct config_report *r, const struct config_problem *p);
/*
 * One problem per line, "file:line:col: [warning: ]path: what (hint)", then a
 * count; nothing at all when there is no problem.
 */
void config_report_print(const struct config_report *r, FILE *out);
/* One JSON object per line: file, line, column, path, severity, message. */
void config_report_print_json(const struct config_report *r, FILE *out);

enum {
	CONFIG_USER_MAX = 255 /* bytes of a user's name */
};

/* ASCII lower case of s in key; false when s is longer than a name can be. */
bool config_lower(struct span s, char key[CONFIG_USER_MAX], struct span *out);
/* In any case of letters; NULL when there is none. */
const struct config_user *config_find_user(
    const struct config *c, struct span name);
/* What a listener speaks: its own choice, else that of `tls`. */
static inline int config_tls_policy(
    const struct config *c, const struct config_listener *l)
{
	return l->tls_policy == CONFIG_TLS_INHERIT ? c->tls.policy
						   : l->tls_policy;
}
static inline int config_client_auth(
    const struct config *c, const struct config_listener *l)
{
	return l->client_auth == CONFIG_CLIENT_AUTH_INHERIT ? c->tls.client_auth
							    : l->client_auth;
}
/* a@b exactly (domain and local part without case), @b any at b, * any. */
bool config_pattern_matches(const char *pattern, struct span address);
bool config_patterns_match(
    const struct postern_list *patterns, struct span address);

/* "0660" as a number, which NULL stands for; 0 when it is none. */
unsigned config_socket_mode(const char *text);

/* Typed access to lists. */
#define CONFIG_AT(list, type, i) (&((const type *)(list).items)[i])
/* Whether a list of networks has an address. */
#define CONFIG_NETWORKS_HAVE(list, addr)                                       \
	network_list_has(                                                      \
	    (const struct network *)(list).items, (list).count, (addr))
#define CONFIG_STRING(list, i) (((const char *const *)(list).items)[i])
