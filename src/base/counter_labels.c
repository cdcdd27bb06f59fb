/* See counter_labels.h. */
#include <base/counter_labels.h>

#include <string.h>

const char *const counter_refusal_names[COUNTER_REFUSALS] = {
	[COUNTER_REFUSED_ACCESS] = "access",
	[COUNTER_REFUSED_SESSIONS] = "sessions_per_ip",
	[COUNTER_REFUSED_RATE] = "connects_per_ip",
	[COUNTER_REFUSED_LOGINS] = "network_failures",
	[COUNTER_REFUSED_FULL] = "full",
	[COUNTER_REFUSED_STORAGE] = "storage",
	[COUNTER_REFUSED_SHUTDOWN] = "shutdown",
	[COUNTER_REFUSED_PRESSURE] = "pressure",
	[COUNTER_REFUSED_MEMORY] = "memory",
};

const char *const counter_proxy_error_names[COUNTER_PROXY_ERRORS] = {
	[COUNTER_PROXY_MISSING] = "missing",
	[COUNTER_PROXY_MALFORMED] = "malformed",
	[COUNTER_PROXY_TOO_LONG] = "too_long",
	[COUNTER_PROXY_CHECKSUM] = "checksum",
	[COUNTER_PROXY_LATE] = "late",
	[COUNTER_PROXY_UNTRUSTED] = "untrusted",
};

const char *const counter_end_names[COUNTER_ENDS] = {
	[COUNTER_END_QUIT] = "quit",
	[COUNTER_END_TIMEOUT] = "timeout",
	[COUNTER_END_LOST] = "lost",
	[COUNTER_END_ERRORS] = "errors",
	[COUNTER_END_ABUSE] = "abuse",
	[COUNTER_END_SHUTDOWN] = "shutdown",
	[COUNTER_END_TLS] = "tls",
	[COUNTER_END_OTHER] = "other",
};

const char *const counter_violation_names[COUNTER_VIOLATIONS] = { "bare_lf",
	"bare_cr", "nul", "pregreet", "starttls_injection", "long_line",
	"invalid_character", "other_protocol", "pipelining" };

const char *const counter_mechanism_names[COUNTER_MECHANISMS] = {
	[COUNTER_MECHANISM_PLAIN] = "PLAIN",
	[COUNTER_MECHANISM_LOGIN] = "LOGIN",
	[COUNTER_MECHANISM_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[COUNTER_MECHANISM_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
	[COUNTER_MECHANISM_XOAUTH2] = "XOAUTH2",
	[COUNTER_MECHANISM_OAUTHBEARER] = "OAUTHBEARER",
	[COUNTER_MECHANISM_EXTERNAL] = "EXTERNAL",
	[COUNTER_MECHANISM_OTHER] = "other",
};

const char *const counter_login_names[COUNTER_LOGINS] = {
	[COUNTER_LOGIN_OK] = "ok",
	[COUNTER_LOGIN_BAD] = "bad_credentials",
	[COUNTER_LOGIN_UNAVAILABLE] = "tempfail",
	[COUNTER_LOGIN_DISABLED] = "disabled",
	[COUNTER_LOGIN_LIMITED] = "limited",
};

const char *const counter_verb_names[COUNTER_VERBS] = {
	[COUNTER_VERB_AUTH] = "AUTH",
	[COUNTER_VERB_BDAT] = "BDAT",
	[COUNTER_VERB_DATA] = "DATA",
	[COUNTER_VERB_EHLO] = "EHLO",
	[COUNTER_VERB_HELO] = "HELO",
	[COUNTER_VERB_HELP] = "HELP",
	[COUNTER_VERB_MAIL] = "MAIL",
	[COUNTER_VERB_NOOP] = "NOOP",
	[COUNTER_VERB_QUIT] = "QUIT",
	[COUNTER_VERB_RCPT] = "RCPT",
	[COUNTER_VERB_RSET] = "RSET",
	[COUNTER_VERB_STARTTLS] = "STARTTLS",
	[COUNTER_VERB_VRFY] = "VRFY",
	[COUNTER_VERB_XCLIENT] = "XCLIENT",
	[COUNTER_VERB_OTHER] = "other",
};

const char *const counter_stage_names[COUNTER_STAGES] = {
	[COUNTER_STAGE_MAIL] = "mail",
	[COUNTER_STAGE_RCPT] = "rcpt",
	[COUNTER_STAGE_DATA] = "data",
};

const char *const counter_reject_names[COUNTER_REJECTS] = {
	[COUNTER_REJECT_SENDER] = "sender",
	[COUNTER_REJECT_RECIPIENT] = "recipient",
	[COUNTER_REJECT_SIZE] = "size",
	[COUNTER_REJECT_QUOTA] = "quota",
	[COUNTER_REJECT_RATE] = "rate",
	[COUNTER_REJECT_POLICY] = "policy",
	[COUNTER_REJECT_SYNTAX] = "syntax",
	[COUNTER_REJECT_LOOP] = "loop",
	[COUNTER_REJECT_STORAGE] = "storage",
	[COUNTER_REJECT_CONFIG] = "config",
	[COUNTER_REJECT_PROVIDER] = "provider",
};

const char *const counter_duplicate_names[COUNTER_DUPLICATES] = {
	[COUNTER_DUPLICATE_LOGGED] = "logged",
	[COUNTER_DUPLICATE_DROPPED] = "dropped",
};

const char *const counter_event_names[COUNTER_EVENTS] = {
	[COUNTER_EVENT_SENT] = "sent",
	[COUNTER_EVENT_DEFERRED] = "deferred",
	[COUNTER_EVENT_FAILED] = "failed",
};

const char *const counter_event_result_names[COUNTER_EVENT_RESULTS] = {
	[COUNTER_EVENT_QUEUED] = "queued",
	[COUNTER_EVENT_DELIVERED] = "delivered",
	[COUNTER_EVENT_DROPPED] = "dropped",
};

const char *const counter_report_names[COUNTER_REPORTS] = {
	[COUNTER_REPORT_FAILED] = "failed",
	[COUNTER_REPORT_DELAYED] = "delayed",
	[COUNTER_REPORT_RELAYED] = "relayed",
};

const char *const counter_tls_version_names[COUNTER_TLS_VERSIONS] = {
	[COUNTER_TLS_1_0] = "TLSv1",
	[COUNTER_TLS_1_1] = "TLSv1.1",
	[COUNTER_TLS_1_2] = "TLSv1.2",
	[COUNTER_TLS_1_3] = "TLSv1.3",
};

const char *const counter_tls_failure_names[COUNTER_TLS_FAILURES] = {
	[COUNTER_TLS_OTHER] = "other",
	[COUNTER_TLS_PROTOCOL] = "protocol",
	[COUNTER_TLS_VERSION] = "version",
	[COUNTER_TLS_CIPHER] = "cipher",
	[COUNTER_TLS_UNTRUSTED] = "untrusted",
	[COUNTER_TLS_UNVERIFIED] = "unverified",
	[COUNTER_TLS_ALPN] = "alpn",
	[COUNTER_TLS_TIMEOUT] = "timeout",
	[COUNTER_TLS_CLOSED] = "closed",
};

unsigned counter_label_find(
    const char *const *names, unsigned count, const char *word, unsigned other)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(names[i], word) == 0)
			return i;
	return other;
}
