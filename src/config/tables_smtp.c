/* What clients meet: listeners, TLS, logins, users, limits. */
#include <config/tables_internal.h>

static const char *const tls_names[] = { "starttls", "implicit", "none", NULL };
static const char *const policy_names[] = { "intermediate", "modern", "legacy",
	NULL };
static const char *const client_auth_names[] = { "none", "request", "require",
	NULL };
static const char *const lines_names[] = { "normalize", "reject", NULL };
const char *const tables_mode_names[] = { "inherit", "hybrid", "queued",
	"direct", NULL };

/* In the order of enum header_strip. */
static const char *const strip_names[] = { "none", "internal", "all", NULL };

/* clang-format off */
const struct postern_field tables_listener[] = {
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
	  .names = tables_mode_names, .flags = RELOAD,
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
	{ .name = "lenient_syntax", .type = POSTERN_TYPE_BOOL,
	  AT(config_listener, lenient_syntax), .preset = "false",
	  .flags = RELOAD,
	  .doc = "take what old devices send: a bare LF as line end, "
		 "addresses without angle brackets" },
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

const struct postern_field tables_tls[] = {
	{ .name = "policy", .type = POSTERN_TYPE_ENUM,
	  AT(config_tls, policy), .preset = "intermediate",
	  .names = policy_names, .flags = RELOAD,
	  .doc = "intermediate: TLS 1.2 and 1.3; modern: TLS 1.3 only; legacy: "
		 "TLS 1.0 and what else old devices speak" },
	{ .name = "certificates", .type = POSTERN_TYPE_LIST,
	  AT(config_tls, certificates), .fields = certificate_rows,
	  .size = sizeof(struct config_certificate), .flags = RELOAD,
	  .doc = "chosen by the name a client asks for, else the first" },
	{ .name = "client_auth", .type = POSTERN_TYPE_ENUM,
	  AT(config_tls, client_auth), .preset = "none",
	  .names = client_auth_names, .flags = RELOAD,
	  .doc = "certificates of clients: request: without a good one a "
		 "client goes on, but not as who it says; require: it cannot "
		 "connect" },
	{ .name = "client_ca", .type = POSTERN_TYPE_STRING,
	  AT(config_tls, client_ca), .flags = RELOAD,
	  .doc = "PEM file of the authorities that certify clients" },
	{ .name = "crl", .type = POSTERN_TYPE_STRING,
	  AT(config_tls, crl), .flags = RELOAD,
	  .doc = "PEM file of revocation lists, one of each authority in "
		 "client_ca" },
	{ .name = NULL },
};

const struct postern_field tables_auth[] = {
	{ .name = "mechanisms", .type = POSTERN_TYPE_STRINGS,
	  AT(config_auth, mechanisms),
	  .preset = "[PLAIN, LOGIN, SCRAM-SHA-256, EXTERNAL]",
	  .doc = "SASL mechanisms to offer; EXTERNAL only after a client "
		 "certificate that is a user's" },
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

const struct postern_field tables_user[] = {
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
	  AT(config_user, mode), .preset = "inherit", .names = tables_mode_names,
	  .flags = RELOAD,
	  .doc = "when 250 is answered; inherit: as the listener says" },
	{ .name = "certificates", .type = POSTERN_TYPE_STRINGS,
	  AT(config_user, certificates), .flags = RELOAD,
	  .doc = "client certificates that log in without a password: a "
		 "subject alternative name (dns:, email: or uri: in front is "
		 "optional), CN=name, sha256:fingerprint; when missing, those "
		 "that name the user" },
	{ .name = "allow_from", .type = POSTERN_TYPE_NETWORKS,
	  AT(config_user, allow_from), .flags = RELOAD,
	  .doc = "where this user may log in from; anywhere when missing" },
	{ .name = "disabled", .type = POSTERN_TYPE_BOOL,
	  AT(config_user, disabled), .preset = "false", .flags = RELOAD,
	  .doc = "may not log in any more, and is told so" },
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
	{ .name = "auth_step", .type = POSTERN_TYPE_DURATION,
	  AT(config_smtp, auth_step_timeout_ms), .preset = "1m",
	  RANGE(SECOND, HOUR), .flags = RELOAD,
	  .doc = "waiting for the next line of a login" },
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

static const struct postern_field extension_rows[] = {
	{ .name = "chunking", .type = POSTERN_TYPE_BOOL,
	  AT(config_smtp, chunking), .preset = "true", .flags = RELOAD,
	  .doc = "offer BDAT (RFC 3030)" },
	{ .name = NULL },
};

const struct postern_field tables_smtp[] = {
	{ .name = "banner", .type = POSTERN_TYPE_STRING,
	  AT(config_smtp, banner), .preset = "Postern", .flags = RELOAD,
	  .doc = "the greeting's text after the host name and ESMTP" },
	{ .name = "hide_client", .type = POSTERN_TYPE_BOOL,
	  AT(config_smtp, hide_client), .preset = "true", .flags = RELOAD,
	  .doc = "keep the client's address out of Received" },
	{ .name = "received_strip", .type = POSTERN_TYPE_ENUM,
	  AT(config_smtp, received_strip), .preset = "none",
	  .names = strip_names, .flags = RELOAD,
	  .doc = "Received fields of earlier servers that do not go on: "
		 "internal are those that name private networks" },
	{ .name = "add_sender", .type = POSTERN_TYPE_BOOL,
	  AT(config_smtp, add_sender), .preset = "false", .flags = RELOAD,
	  .doc = "add a Sender field where From does not name the sender" },
	{ .name = "null_sender", .type = POSTERN_TYPE_BOOL,
	  AT(config_smtp, null_sender), .preset = "false", .flags = RELOAD,
	  .doc = "accept MAIL FROM:<>" },
	{ .name = "line_endings", .type = POSTERN_TYPE_ENUM,
	  AT(config_smtp, line_endings), .preset = "normalize",
	  .names = lines_names, .flags = RELOAD,
	  .doc = "a bare LF in content: normalize makes it CRLF, and a bare "
		 "CR a space; reject refuses the message and hangs up" },
	/* Maps in the file only, as queue.retry. */
	{ .name = "extensions", .type = POSTERN_TYPE_MAP, .offset = 0,
	  .fields = extension_rows, .flags = RELOAD,
	  .doc = "what EHLO offers beside the basics" },
	{ .name = "limits", .type = POSTERN_TYPE_MAP, .offset = 0,
	  .fields = limit_rows, .flags = RELOAD,
	  .doc = "what one client, session or message may use" },
	{ .name = "timeouts", .type = POSTERN_TYPE_MAP, .offset = 0,
	  .fields = timeout_rows, .flags = RELOAD,
	  .doc = "how long a client may take" },
	{ .name = NULL },
};
/* clang-format on */
