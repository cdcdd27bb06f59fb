/*
 * What counters of the client side are told apart by: small fixed sets, with
 * the words for metrics and logs in counter_labels.c.
 */
#pragma once

/* Why a connection was turned away. */
enum counter_refusal {
	COUNTER_REFUSED_ACCESS = 0, /* its address may not */
	COUNTER_REFUSED_SESSIONS,   /* too many of its network */
	COUNTER_REFUSED_RATE,       /* too many of its network per minute */
	COUNTER_REFUSED_LOGINS,     /* too many failed ones of its network */
	COUNTER_REFUSED_FULL,
	COUNTER_REFUSED_STORAGE,
	COUNTER_REFUSED_SHUTDOWN,
	COUNTER_REFUSED_PRESSURE, /* something is nearly used up */
	COUNTER_REFUSED_MEMORY,
	COUNTER_REFUSALS
};

/* What was wrong with the header of a proxy. */
enum counter_proxy_error {
	COUNTER_PROXY_MISSING = 0, /* these bytes begin no header */
	COUNTER_PROXY_MALFORMED,
	COUNTER_PROXY_TOO_LONG,
	COUNTER_PROXY_CHECKSUM,
	COUNTER_PROXY_LATE,
	COUNTER_PROXY_UNTRUSTED, /* who may not send one */
	COUNTER_PROXY_ERRORS
};

/* How a session ended. */
enum counter_end {
	COUNTER_END_QUIT = 0,
	COUNTER_END_TIMEOUT,
	COUNTER_END_LOST,
	COUNTER_END_ERRORS,
	COUNTER_END_ABUSE,
	COUNTER_END_SHUTDOWN,
	COUNTER_END_TLS,
	COUNTER_END_OTHER,
	COUNTER_ENDS
};

/* What breaks the protocol; the order is that of enum smtp_violation. */
enum {
	COUNTER_VIOLATIONS = 9
};

enum counter_mechanism {
	COUNTER_MECHANISM_PLAIN = 0,
	COUNTER_MECHANISM_LOGIN,
	COUNTER_MECHANISM_SCRAM_SHA_256,
	COUNTER_MECHANISM_SCRAM_SHA_256_PLUS,
	COUNTER_MECHANISM_XOAUTH2,
	COUNTER_MECHANISM_OAUTHBEARER,
	COUNTER_MECHANISM_EXTERNAL,
	COUNTER_MECHANISM_OTHER,
	COUNTER_MECHANISMS
};

enum counter_login {
	COUNTER_LOGIN_OK = 0,
	COUNTER_LOGIN_BAD,
	COUNTER_LOGIN_UNAVAILABLE,
	COUNTER_LOGIN_DISABLED,
	COUNTER_LOGIN_LIMITED, /* by what the network or the user has had */
	COUNTER_LOGINS
};

enum counter_verb {
	COUNTER_VERB_AUTH = 0,
	COUNTER_VERB_BDAT,
	COUNTER_VERB_DATA,
	COUNTER_VERB_EHLO,
	COUNTER_VERB_HELO,
	COUNTER_VERB_HELP,
	COUNTER_VERB_MAIL,
	COUNTER_VERB_NOOP,
	COUNTER_VERB_QUIT,
	COUNTER_VERB_RCPT,
	COUNTER_VERB_RSET,
	COUNTER_VERB_STARTTLS,
	COUNTER_VERB_VRFY,
	COUNTER_VERB_XCLIENT,
	COUNTER_VERB_OTHER,
	COUNTER_VERBS /* also: no command was given */
};

enum {
	COUNTER_REPLY_CLASSES = 4 /* 2xx to 5xx */
};

/* Where a message or a recipient was refused. */
enum counter_stage {
	COUNTER_STAGE_MAIL = 0,
	COUNTER_STAGE_RCPT,
	COUNTER_STAGE_DATA,
	COUNTER_STAGES
};

enum counter_reject {
	COUNTER_REJECT_SENDER = 0,
	COUNTER_REJECT_RECIPIENT,
	COUNTER_REJECT_SIZE,
	COUNTER_REJECT_QUOTA,
	COUNTER_REJECT_RATE,
	COUNTER_REJECT_POLICY,
	COUNTER_REJECT_SYNTAX,
	COUNTER_REJECT_LOOP,
	COUNTER_REJECT_STORAGE,
	COUNTER_REJECT_CONFIG,
	COUNTER_REJECT_PROVIDER, /* its verdict, or none in time */
	COUNTER_REJECTS
};

enum counter_tls_version {
	COUNTER_TLS_1_0 = 0,
	COUNTER_TLS_1_1,
	COUNTER_TLS_1_2,
	COUNTER_TLS_1_3,
	COUNTER_TLS_VERSIONS
};

/* Why there is no TLS, as far as anybody could do something about it. */
enum counter_tls_failure {
	COUNTER_TLS_OTHER = 0,
	COUNTER_TLS_PROTOCOL,   /* what came is not TLS */
	COUNTER_TLS_VERSION,    /* none in common */
	COUNTER_TLS_CIPHER,     /* no suite, group or signature in common */
	COUNTER_TLS_UNTRUSTED,  /* the client does not believe us */
	COUNTER_TLS_UNVERIFIED, /* we do not believe the client */
	COUNTER_TLS_ALPN,       /* a browser */
	COUNTER_TLS_TIMEOUT,
	COUNTER_TLS_CLOSED, /* the client left in the middle */
	COUNTER_TLS_FAILURES
};

/* Reports to senders; in the order of enum report_action. */
enum counter_report {
	COUNTER_REPORT_FAILED = 0,
	COUNTER_REPORT_DELAYED,
	COUNTER_REPORT_RELAYED,
	COUNTER_REPORTS
};

/* What became of a message that was sent before. */
enum counter_duplicate {
	COUNTER_DUPLICATE_LOGGED = 0,
	COUNTER_DUPLICATE_DROPPED,
	COUNTER_DUPLICATES
};

/* Events for a webhook; in the order of enum event_type. */
enum counter_event {
	COUNTER_EVENT_SENT = 0,
	COUNTER_EVENT_DEFERRED,
	COUNTER_EVENT_FAILED,
	COUNTER_EVENTS
};

/* What became of one. */
enum counter_event_result {
	COUNTER_EVENT_QUEUED = 0,
	COUNTER_EVENT_DELIVERED,
	COUNTER_EVENT_DROPPED, /* too old, or by a person */
	COUNTER_EVENT_RESULTS
};

extern const char *const counter_refusal_names[COUNTER_REFUSALS];
extern const char *const counter_proxy_error_names[COUNTER_PROXY_ERRORS];
extern const char *const counter_end_names[COUNTER_ENDS];
extern const char *const counter_violation_names[COUNTER_VIOLATIONS];
extern const char *const counter_mechanism_names[COUNTER_MECHANISMS];
extern const char *const counter_login_names[COUNTER_LOGINS];
extern const char *const counter_verb_names[COUNTER_VERBS];
extern const char *const counter_stage_names[COUNTER_STAGES];
extern const char *const counter_reject_names[COUNTER_REJECTS];
extern const char *const counter_report_names[COUNTER_REPORTS];
extern const char *const counter_duplicate_names[COUNTER_DUPLICATES];
extern const char *const counter_event_names[COUNTER_EVENTS];
extern const char *const counter_event_result_names[COUNTER_EVENT_RESULTS];
extern const char *const counter_tls_version_names[COUNTER_TLS_VERSIONS];
extern const char *const counter_tls_failure_names[COUNTER_TLS_FAILURES];

/* What a word stands for in such a list; other when it is not there. */
unsigned counter_label_find(
    const char *const *names, unsigned count, const char *word, unsigned other);
