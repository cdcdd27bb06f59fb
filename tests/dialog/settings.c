/* See settings.h. */
#include "settings.h"

#include "fakes.h"

#include <base/span.h>
#include <config/content.h>
#include <mail/header.h>
#include <policy/pressure.h>
#include <postern/provider.h>

#include <support/unit.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *const way_names[WAYS] = { "whole", "lines", "bytes" };

static void set_defaults(struct settings *t, enum transport transport)
{
	bool is_plain = transport == TRANSPORT_PLAIN;

	*t = (struct settings){ .transport = transport,
		.has_certificate = true };
	t->listener = (struct config_listener){ .name = "test",
		.tls = is_plain                     ? CONFIG_TLS_NONE
		       : transport == TRANSPORT_TLS ? CONFIG_TLS_IMPLICIT
						    : CONFIG_TLS_STARTTLS,
		.allow_insecure = is_plain,
		.allow_plaintext_auth = is_plain };
	t->user = (struct config_user){ .name = "alice", .may_control = ~0u };
	t->user.senders.items = t->senders;
	t->user.recipients.items = t->recipients;
	t->config = (struct config){ .hostname = "mx.test",
		.listeners = { &t->listener, 1 },
		.users = { &t->user, 1 },
		.queue = { .mode = CONFIG_MODE_HYBRID },
		.auth = { .max_failures = 5, .failure_delay_ms = 1 },
		.spool = { .min_free = { .percent = 10 } },
		.memory = { .soft = 80, .hard = 95 },
		.smtp = { .banner = "Postern",
		    .max_message_size = 26214400,
		    .content_memory = 256 * 1024 * 1024,
		    .max_recipients = 1000,
		    .max_messages_per_session = 1000,
		    .sessions_total = 100,
		    .sessions_per_ip = 100,
		    .soft_errors = 10,
		    .hard_errors = 20,
		    .junk_commands = 100,
		    .error_delay_ms = 1,
		    .header_bytes = 262144,
		    .header_field_bytes = 102400,
		    .header_fields = 1000,
		    .max_hops = 100,
		    .mime_depth = 100,
		    .mime_parts = 1000,
		    .min_priority = -9,
		    .command_timeout_ms = 300000,
		    .first_command_timeout_ms = 60000,
		    .auth_step_timeout_ms = 60000,
		    .data_idle_ms = 180000,
		    .proxy_header_ms = 60000,
		    .data_total_ms = 1800000,
		    .data_processing_ms = 60000,
		    .tls_handshake_ms = 30000,
		    .min_data_rate = 500,
		    .session_total_ms = 7200000,
		    .chunking = true,
		    .smtputf8 = true,
		    .dsn = true,
		    .priority = true,
		    .future_release_ms = 604800000,
		    .hide_client = true } };
}

/* --- one function per key --- */

static void die(const char *key, struct span value)
{
	(void)fprintf(
	    stderr, "setting %s: bad value %.*s\n", key, SPAN_FMT(value));
	exit(EXIT_FAILURE);
}

static bool set_bit(
    unsigned *bits, const char *const *names, unsigned count, struct span name)
{
	for (unsigned i = 0; i < count; i++) {
		if (!span_eq(name, span_of(names[i])))
			continue;
		*bits |= 1U << i;
		return true;
	}
	return false;
}

static void set_only(struct settings *t, struct span v)
{
	while (v.ptr) {
		struct span word = span_cut(&v, ' ');

		if (span_eq(word, SPAN("cleartext")))
			t->is_cleartext = true;
		else if (!set_bit(&t->only_transports, transport_names,
			     TRANSPORTS, word) &&
			 !set_bit(&t->only_ways, way_names, WAYS, word))
			die("only", word);
	}
}

static void set_prefix(struct settings *t, struct span v)
{
	t->prefix = span_eq(v, SPAN("auth")) ? PREFIX_AUTH : PREFIX_EHLO;
}

static void set_senders(struct settings *t, struct span v)
{
	while (v.ptr && t->user.senders.count < 4)
		t->senders[t->user.senders.count++] =
		    span_dup(span_cut(&v, ' '));
}

static void set_unstored(struct settings *t, struct span v)
{
	(void)t;
	fakes.is_unstored = span_eq(v, SPAN("true"));
}

static void set_recipients(struct settings *t, struct span v)
{
	while (v.ptr && t->user.recipients.count < 4)
		t->recipients[t->user.recipients.count++] =
		    span_dup(span_cut(&v, ' '));
}

static void set_suppress(struct settings *t, struct span v)
{
	t->suppress = span_dup(v);
	t->config.suppress = (struct postern_list){ &t->suppress, 1 };
}

static void set_open(struct settings *t, struct span v)
{
	t->listener.allow_unauthenticated = true;
	t->listener.user = span_eq(v, SPAN("alice")) ? "alice" : "nobody";
}

static void set_mode(struct settings *t, struct span v)
{
	int mode = span_eq(v, SPAN("direct")) ? CONFIG_MODE_DIRECT
					      : CONFIG_MODE_QUEUED;
	t->listener.mode = mode;
}

static void set_plaintext_from(struct settings *t, struct span v)
{
	if (!network_parse(v, &t->plaintext_from))
		die("plaintext_from", v);
	t->listener.plaintext_from =
	    (struct postern_list){ &t->plaintext_from, 1 };
}

/* Also a listener without TLS lets nobody in who is not named. */
static void set_insecure(struct settings *t, struct span v)
{
	bool is_so = span_eq(v, SPAN("true"));

	t->listener.allow_insecure = is_so;
	t->listener.allow_plaintext_auth = is_so;
}

static void set_certificate(struct settings *t, struct span v)
{
	t->has_certificate = !span_eq(v, SPAN("none"));
}

static void set_add_sender(struct settings *t, struct span v)
{
	t->config.smtp.add_sender = span_eq(v, SPAN("true"));
}

static void set_received_strip(struct settings *t, struct span v)
{
	t->config.smtp.received_strip =
	    span_eq(v, SPAN("all")) ? HEADER_STRIP_ALL : HEADER_STRIP_INTERNAL;
}

static void set_null_sender(struct settings *t, struct span v)
{
	t->config.smtp.null_sender = span_eq(v, SPAN("true"));
}

static void set_user_null_sender(struct settings *t, struct span v)
{
	t->user.null_sender = span_eq(v, SPAN("allow")) ? CONFIG_CHOICE_ALLOW
							: CONFIG_CHOICE_REJECT;
}

/* Names of extensions to leave out; FUTURERELEASE has a number. */
static void set_without(struct settings *t, struct span v)
{
	struct config_smtp *c = &t->config.smtp;

	while (v.ptr) {
		struct span word = span_cut(&v, ' ');

		if (span_eq(word, SPAN("smtputf8")))
			c->smtputf8 = false;
		else if (span_eq(word, SPAN("dsn")))
			c->dsn = false;
		else if (span_eq(word, SPAN("priority")))
			c->priority = false;
		else
			die("without", word);
	}
}

static void set_utf8(struct settings *t, struct span v)
{
	(void)t;
	fakes.carries_no_utf8 = span_eq(v, SPAN("nobody"));
}

/* all (the default), ses, fields, nothing. */
static void set_carried(struct settings *t, struct span v)
{
	const unsigned all =
	    POSTERN_CARRIES_ALL_CONTENT | POSTERN_CARRIES_CONTROLS;

	(void)t;
	fakes.carries_not = span_eq(v, SPAN("all")) ? 0
			    : span_eq(v, SPAN("ses"))
				? POSTERN_CARRIES_DATE_AND_ID
			    : span_eq(v, SPAN("fields"))
				? all & ~(unsigned)(POSTERN_CARRIES_INLINE |
						    POSTERN_CARRIES_NESTED)
				: all;
}

static void set_controls(struct settings *t, struct span v)
{
	t->user.may_control = 0;
	while (v.ptr) {
		struct span word = span_cut(&v, ' ');

		t->user.may_control |= content_bits(content_controls, word);
	}
}

static void set_show_client(struct settings *t, struct span v)
{
	t->config.smtp.hide_client = !span_eq(v, SPAN("true"));
}

static void set_line_endings(struct settings *t, struct span v)
{
	t->config.smtp.line_endings = span_eq(v, SPAN("reject"))
					  ? CONFIG_LINES_REJECT
					  : CONFIG_LINES_NORMALIZE;
}

static void set_chunking(struct settings *t, struct span v)
{
	t->config.smtp.chunking = span_eq(v, SPAN("true"));
}

static void set_lenient(struct settings *t, struct span v)
{
	t->listener.lenient_syntax = span_eq(v, SPAN("true"));
}

static void set_plaintext_auth(struct settings *t, struct span v)
{
	t->listener.allow_plaintext_auth = span_eq(v, SPAN("true"));
}

static void set_memory(struct settings *t, struct span v)
{
	(void)t;
	fakes.is_out_of_memory = span_eq(v, SPAN("none"));
}

/* Of the client's own address, or of somebody else's. */
static struct postern_list network(struct settings *t, struct span v)
{
	bool is_ours = !span_eq(v, SPAN("others"));

	(void)network_parse(
	    is_ours ? SPAN("127.0.0.0/8") : SPAN("192.0.2.0/24"), &t->network);
	return (struct postern_list){ &t->network, 1 };
}

static void set_allow_from(struct settings *t, struct span v)
{
	t->listener.allow_from = network(t, v);
}

static void set_proxy(struct settings *t, struct span v)
{
	t->listener.proxy_protocol = CONFIG_PROXY_REQUIRED;
	t->listener.proxy_trusted = network(t, v);
}

static void set_xclient(struct settings *t, struct span v)
{
	t->listener.xclient_trusted = network(t, v);
	t->listener.xclient_login = span_eq(v, SPAN("login"));
}

static void set_user_allow_from(struct settings *t, struct span v)
{
	if (!network_parse(v, &t->user_network))
		die("user_allow_from", v);
	t->user.allow_from = (struct postern_list){ &t->user_network, 1 };
}

static void set_user_disabled(struct settings *t, struct span v)
{
	t->user.disabled = span_eq(v, SPAN("true"));
}

static void set_quota(struct settings *t, struct span v)
{
	t->user.daily = 500;
	fakes.quota = span_eq(v, SPAN("rate"))   ? QUOTA_RATE
		      : span_eq(v, SPAN("held")) ? QUOTA_HELD
						 : QUOTA_DAILY;
	if (span_eq(v, SPAN("reject")))
		t->user.quota_action = CONFIG_QUOTA_REJECT;
	fakes.retry_after_ms = 5400 * 1000 + 1;
}

static void set_store(struct settings *t, struct span v)
{
	(void)t;
	fakes.store_rc = span_eq(v, SPAN("full")) ? -ENOSPC : -EIO;
}

static void set_body(struct settings *t, struct span v)
{
	(void)t;
	fakes.is_disk_stuck = span_eq(v, SPAN("stuck"));
	fakes.body_rc = span_eq(v, SPAN("full")) ? -ENOSPC : -EIO;
}

static void set_verdict(struct settings *t, struct span v)
{
	static const struct {
		const char *name;
		struct deliver_answer answer;
	} rows[] = {
		{ "queued", { .verdict = DELIVER_QUEUED } },
		{ "sent", { .verdict = DELIVER_SENT, .provider = "ses" } },
		{ "queued_before",
		    { .verdict = DELIVER_QUEUED,
			.first = "01jzzzzzzzzzzzzzzzzzzzzzzz" } },
		{ "sent_before", { .verdict = DELIVER_SENT,
				     .provider = "ses",
				     .first = "01jzzzzzzzzzzzzzzzzzzzzzzz" } },
		{ "rejected", { .verdict = DELIVER_REJECTED,
				  .reason = "Bad\r\n250 content \xc3\xa9",
				  .result = POSTERN_REJECTED } },
		{ "too_large", { .verdict = DELIVER_REJECTED,
				   .refusal = POSTERN_REFUSED_SIZE } },
		{ "recipient", { .verdict = DELIVER_REJECTED,
				   .refusal = POSTERN_REFUSED_RECIPIENT } },
		{ "suppressed", { .verdict = DELIVER_REJECTED,
				    .refusal = POSTERN_REFUSED_SUPPRESSED } },
		{ "account", { .verdict = DELIVER_DEFERRED,
				 .result = POSTERN_ACCOUNT } },
		{ "throttled", { .verdict = DELIVER_DEFERRED,
				   .reason = "slow down",
				   .result = POSTERN_THROTTLED } },
		{ "transient", { .verdict = DELIVER_DEFERRED,
				   .result = POSTERN_TRANSIENT } },
		{ "unknown", { .verdict = DELIVER_DEFERRED,
				 .result = POSTERN_UNKNOWN } },
		{ "full", { .verdict = DELIVER_FULL } },
		{ "store_error", { .verdict = DELIVER_STORE_ERROR } },
		{ "no_route", { .verdict = DELIVER_NO_ROUTE } },
		{ "no_utf8", { .verdict = DELIVER_NO_UTF8 } },
	};

	(void)t;
	if (span_eq(v, SPAN("none"))) {
		fakes.is_deaf = true;
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!span_eq(v, span_of(rows[i].name)))
			continue;
		fakes.answer = rows[i].answer;
		return;
	}
	die("verdict", v);
}

/* --- and the numbers --- */

static bool set_number(struct settings *t, struct span key, struct span v)
{
	struct config_smtp *c = &t->config.smtp;
	const struct {
		const char *name;
		int64_t *i;
		uint64_t *u;
	} rows[] = {
		{ "max_message_size", NULL, &c->max_message_size },
		{ "content_memory", NULL, &c->content_memory },
		{ "header_bytes", NULL, &c->header_bytes },
		{ "bodies", &t->bodies, NULL },
		{ "free_space", &t->free_space, NULL },
		{ "free_inodes", &t->free_inodes, NULL },
		{ "memory_used", &t->memory, NULL },
		{ "unsynced_bytes", NULL, &fakes.unsynced },
		{ "queue_max_messages", &t->config.queue.max_messages, NULL },
		{ "queue_max_bytes", NULL, &t->config.queue.max_bytes },
		{ "queue_user_share", &t->config.queue.user_share, NULL },
		{ "stored_messages", NULL, &fakes.stored.messages },
		{ "stored_bytes", NULL, &fakes.stored.bytes },
		{ "held_messages", NULL, &fakes.held_by_user.messages },
		{ "held_bytes", NULL, &fakes.held_by_user.bytes },
		{ "max_recipients", &c->max_recipients, NULL },
		{ "max_messages", &c->max_messages_per_session, NULL },
		{ "soft_errors", &c->soft_errors, NULL },
		{ "hard_errors", &c->hard_errors, NULL },
		{ "junk_commands", &c->junk_commands, NULL },
		{ "error_delay_ms", NULL, &c->error_delay_ms },
		{ "max_hops", &c->max_hops, NULL },
		{ "mime_depth", &c->mime_depth, NULL },
		{ "mime_parts", &c->mime_parts, NULL },
		{ "command_timeout_ms", NULL, &c->command_timeout_ms },
		{ "auth_step_timeout_ms", NULL, &c->auth_step_timeout_ms },
		{ "first_command_timeout_ms", NULL,
		    &c->first_command_timeout_ms },
		{ "min_data_rate", NULL, &c->min_data_rate },
		{ "data_processing_ms", NULL, &c->data_processing_ms },
		{ "user_size", NULL, &t->user.max_message_size },
		{ "user_recipients", &t->user.max_recipients, NULL },
		{ "data_idle_ms", NULL, &c->data_idle_ms },
		{ "proxy_header_ms", NULL, &c->proxy_header_ms },
		{ "data_total_ms", NULL, &c->data_total_ms },
		{ "session_total_ms", NULL, &c->session_total_ms },
		{ "max_priority", &t->user.max_priority, NULL },
		{ "min_priority", &c->min_priority, NULL },
		{ "future_release_ms", NULL, &c->future_release_ms },
		{ "sessions_per_ip", &c->sessions_per_ip, NULL },
		{ "sessions_total", &c->sessions_total, NULL },
		{ "max_failures", &t->config.auth.max_failures, NULL },
		{ "failure_delay_ms", NULL, &t->config.auth.failure_delay_ms },
	};
	unsigned long long n;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!span_eq(key, span_of(rows[i].name)))
			continue;
		if (!span_parse_u64(v, INT64_MAX, &n))
			die(rows[i].name, v);
		if (rows[i].i)
			*rows[i].i = (int64_t)n;
		else
			*rows[i].u = n;
		return true;
	}
	return false;
}

static void set(struct settings *t, struct span key, struct span value)
{
	static const struct {
		const char *name;
		void (*set)(struct settings *t, struct span value);
	} rows[] = {
		{ "only", set_only },
		{ "first", set_prefix },
		{ "senders", set_senders },
		{ "recipients", set_recipients },
		{ "suppress", set_suppress },
		{ "unstored", set_unstored },
		{ "open", set_open },
		{ "mode", set_mode },
		{ "plaintext_from", set_plaintext_from },
		{ "insecure", set_insecure },
		{ "certificate", set_certificate },
		{ "null_sender", set_null_sender },
		{ "user_null_sender", set_user_null_sender },
		{ "without", set_without },
		{ "carried_utf8_by", set_utf8 },
		{ "carried", set_carried },
		{ "controls", set_controls },
		{ "add_sender", set_add_sender },
		{ "received_strip", set_received_strip },
		{ "show_client", set_show_client },
		{ "line_endings", set_line_endings },
		{ "chunking", set_chunking },
		{ "lenient_syntax", set_lenient },
		{ "plaintext_auth", set_plaintext_auth },
		{ "memory", set_memory },
		{ "allow_from", set_allow_from },
		{ "proxy", set_proxy },
		{ "xclient", set_xclient },
		{ "user_allow_from", set_user_allow_from },
		{ "user_disabled", set_user_disabled },
		{ "quota", set_quota },
		{ "store", set_store },
		{ "body", set_body },
		{ "verdict", set_verdict },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!span_eq(key, span_of(rows[i].name)))
			continue;
		rows[i].set(t, value);
		return;
	}
	if (!set_number(t, key, value))
		die("of no known name", key);
}

void settings_apply(
    struct settings *t, const struct script *s, enum transport transport)
{
	set_defaults(t, transport);
	for (size_t i = 0; i < s->count; i++) {
		struct span rest = span_make(s->steps[i].data, s->steps[i].len);

		if (s->steps[i].kind == STEP_TLS)
			t->is_cleartext = true;
		if (s->steps[i].kind != STEP_SET)
			continue;
		struct span key = span_cut(&rest, ' ');
		set(t, key, rest.ptr ? rest : SPAN(""));
	}
}

struct pressure *settings_pressure(const struct settings *t)
{
	static const struct pressure_capacity have = { 1U << 30, 1U << 20,
		1U << 30 };
	struct pressure *p = pressure_new();

	ck_assert_ptr_nonnull(p);
	pressure_configure(p, &t->config, &have);
	if (t->free_space)
		(void)pressure_note(p, PRESSURE_SPACE,
		    have.space / 100 * (uint64_t)t->free_space);
	if (t->free_inodes)
		(void)pressure_note(p, PRESSURE_INODES,
		    have.inodes / 100 * (uint64_t)t->free_inodes);
	if (t->memory)
		for (int i = PRESSURE_MEMORY; i <= PRESSURE_MEMORY_HARD; i++)
			(void)pressure_note(p, (enum pressure_mark)i,
			    have.memory / 100 * (uint64_t)t->memory + 100);
	return p;
}

void settings_finish(struct settings *t)
{
	for (size_t i = 0; i < t->user.senders.count; i++)
		free((void *)(uintptr_t)t->senders[i]);
	for (size_t i = 0; i < t->user.recipients.count; i++)
		free((void *)(uintptr_t)t->recipients[i]);
	free((void *)(uintptr_t)t->suppress);
}
