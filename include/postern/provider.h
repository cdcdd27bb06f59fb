/*
 * The module interface. A provider module is a shared object that exports one
 * constant, postern_provider_v1. It turns a message into an HTTP request (or
 * an SMTP transaction) and a response into an outcome, and where keys or tokens
 * must be fetched first it says how; all of it is pure: no I/O, no clock, no
 * threads, no globals. The core owns sockets, time, retries and limits, and
 * everything a module needs from it comes through struct postern_host, so a
 * module links nothing of the core.
 */
#ifndef POSTERN_PROVIDER_H
#define POSTERN_PROVIDER_H

#include <postern/field.h>
#include <postern/inquiry.h>
#include <postern/mail.h>
#include <postern/outcome.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * Grows by one when modules built before can no longer be used: so when a
 * struct grows that they see in an array, such as struct postern_part.
 */
#define POSTERN_PROVIDER_ABI 2u

/* The request under construction; opaque, owned by the core. */
struct postern_request;

enum postern_encoding {
	POSTERN_AS_IS = 0,
	POSTERN_BASE64,     /* one line, no breaks */
	POSTERN_JSON_STRING /* UTF-8 text escaped, without the quotes */
};

enum postern_smtp_tls {
	POSTERN_SMTP_TLS_REQUIRED = 0,
	POSTERN_SMTP_TLS_OPPORTUNISTIC, /* by STARTTLS where it is offered */
	POSTERN_SMTP_TLS_NONE
};

/* How to speak to a server that takes mail by SMTP. Copied. */
struct postern_smtp {
	uint32_t size;
	enum postern_smtp_tls tls; /* smtps:// is TLS from the start */
	/*
	 * AUTH PLAIN or LOGIN, whether or not there is TLS; NULL: no login.
	 */
	const char *user;
	struct postern_secret password;
	bool is_direct; /* to this machine: http.proxy is not for it */
};

/*
 * Services of the core, the same for every module. Functions that return int
 * give 0 or a negative errno; a module passes it on. A request's body is a
 * sequence of pieces; large ones are references that the core reads and
 * encodes while it sends, so a module never holds a message in memory.
 */
struct postern_host {
	uint32_t abi, size;
	/* Zeroed memory released with the request; NULL for memory. */
	void *(*alloc)(struct postern_request *r, size_t size);
	int (*method)(struct postern_request *r, const char *method);
	int (*url)(struct postern_request *r, const char *url);
	int (*header)(
	    struct postern_request *r, const char *name, const char *value);
	/* Append bytes (copied). */
	int (*body)(struct postern_request *r, const void *data, size_t len);
	/* Append text escaped as the inside of a JSON string. */
	int (*body_json)(struct postern_request *r, struct postern_str text);
	/*
	 * Append the whole message, without Bcc, CRLF lines (by reference).
	 * With POSTERN_JSON_STRING one whose bytes are not UTF-8 is refused;
	 * after POSTERN_NEEDS_7BIT that can be its header, or what is signed.
	 */
	int (*body_message)(
	    struct postern_request *r, enum postern_encoding encoding);
	/* Append decoded part i of mail->content (by reference). */
	int (*body_part)(struct postern_request *r, size_t i,
	    enum postern_encoding encoding);
	/* Digest of the body as appended so far, lower-case hex and NUL. */
	int (*body_sha256)(struct postern_request *r, char out[65]);
	void (*sha256)(struct postern_str data, uint8_t out[32]);
	void (*hmac_sha256)(
	    struct postern_str key, struct postern_str data, uint8_t out[32]);
	/* Percent-encode all but unreserved characters (RFC 3986 2.3). */
	const char *(*percent)(
	    struct postern_request *r, struct postern_str text);
	/* Standard base64, NUL-terminated. */
	const char *(*base64)(
	    struct postern_request *r, struct postern_str data);
	/* Say why build fails: shown to the client, so it must help. Returns
	 * -EINVAL for `return host->refuse(...)`. */
	int (*refuse)(struct postern_request *r, const char *reason);
	/*
	 * A variable of the server's environment; NULL when it is not set or
	 * empty. In prepare only.
	 */
	const char *(*env)(struct postern_request *r, const char *name);
	/*
	 * The whole of a file of less than 64 KiB; read anew each time. 0 or a
	 * negative errno, which does not stick. In prepare only.
	 */
	int (*file)(struct postern_request *r, const char *path,
	    struct postern_str *out);
	/* In build: what prepare has granted; ptr is NULL without prepare. */
	struct postern_secret (*grant)(struct postern_request *r);
	/*
	 * Append what follows the message's header, as it is (by reference).
	 * In build only.
	 */
	int (*body_content)(struct postern_request *r);
	/* HMAC of prefix and, behind it, the body as appended so far. */
	int (*body_hmac_sha256)(struct postern_request *r,
	    struct postern_str key, struct postern_str prefix, uint8_t out[32]);
	/*
	 * The text of a header value for people: encoded words (RFC 2047)
	 * decoded, valid UTF-8 without controls, NUL-terminated. For fields
	 * that are text, such as Comments; not for addresses. NULL for memory.
	 */
	const char *(*decode)(
	    struct postern_request *r, struct postern_str value);
	/*
	 * As refuse, of these recipients in one call: the core asks again with
	 * one per call, whom the module must not refuse in this way. Returns
	 * what build is to return.
	 */
	int (*refuse_together)(struct postern_request *r, const char *reason);
	/*
	 * As body_message, of the message with another header: first fields,
	 * whole lines with CRLF, then its own but for those whose names are in
	 * without, which a NULL ends; without itself NULL: none of its own. In
	 * build only.
	 */
	int (*body_changed)(struct postern_request *r,
	    struct postern_str fields, const char *const *without,
	    enum postern_encoding encoding);
	/* The fields of the message as body_message appends them: whole lines
	 * with CRLF, without the empty one behind them. In build only. */
	struct postern_str (*message_header)(struct postern_request *r);
	/*
	 * RS256 (RFC 7518 3.3) of data with a private RSA key of 2048 bits at
	 * least, in PEM. 0 with the signature in *out; -EINVAL when it is no
	 * such key, which does not stick; -ENOMEM. In prepare only.
	 */
	int (*sign_rs256)(struct postern_request *r, struct postern_str pem,
	    struct postern_str data, struct postern_str *out);
	/*
	 * In build, instead of method and header: the body, which must be the
	 * message as it is, goes by SMTP to the server that url names,
	 * smtp://host[:port] or smtps://, in one transaction from mail->sender
	 * to mail->recipients: to all of them or, when one is refused, to none.
	 * classify gets the reply that decided: its code as status, its text
	 * as body, the codes left out and lines ended by LF, and in the header
	 * field "Command" what it answers: "connect" (or EHLO), "AUTH",
	 * "MAIL", "RCPT", "DATA" (the message was not ended) or ".", the end
	 * of the message. Nothing was taken unless that is a success to ".".
	 * Where SMTPUTF8 is needed and not offered the reply is 555 5.6.7 to
	 * MAIL, where no login is possible 504 5.7.4 to AUTH.
	 */
	int (*smtp)(struct postern_request *r, const struct postern_smtp *how);
};

enum {
	POSTERN_SOURCE_SIZE = 160
};

/* What is shown in place of a secret; it is base64, too. */
#define POSTERN_MASK "XXXXXXXXXXXXXXXX"

/*
 * One step towards a grant: bytes that build needs and that run out, such as
 * temporary keys or an access token. Every step may send one request; what a
 * step must remember for the next is in state. Zeroed before each step, but
 * for what is marked.
 */
struct postern_preparation {
	uint32_t size;
	int64_t now; /* wall clock, seconds */
	void *state; /* kept: state_size bytes, zeroed before the first step */
	/* To the request of the step before; NULL in the first. */
	const struct postern_response *response;
	const char *fault; /* why response is NULL after a request, or NULL */

	/* The result, made with host->alloc; ptr NULL: r is to be sent. */
	struct postern_secret grant;
	int64_t expires; /* wall clock, seconds; 0: never */
	/*
	 * With host->refuse: ACCOUNT, which it is when prepare says nothing,
	 * or THROTTLED or TRANSIENT when another try may help.
	 */
	enum postern_class refusal;
	char source[POSTERN_SOURCE_SIZE]; /* kept: where from, for people */
	/*
	 * Kept, set by the core: nothing will be sent, somebody only wants to
	 * see what build makes. Where the first step would ask for a request,
	 * or has found keys, it sets a grant that build can use but that is
	 * none, of POSTERN_MASK, and is_stand_in. source and refusals are as
	 * ever.
	 */
	bool is_rehearsal;
	bool is_stand_in;
};

enum {
	POSTERN_NEEDS_CONTENT = 1 << 0, /* build wants mail->content */
	/*
	 * Addresses and header fields in UTF-8 (RFC 6531) reach the recipient
	 * as they are. Without it such a message never comes to build.
	 */
	POSTERN_CARRIES_UTF8 = 1 << 1,
	/*
	 * What of the content reaches the recipient as it is, and so of use. A
	 * message that holds one of these comes to build only where it is
	 * carried, or where the operator has allowed that it is altered.
	 */
	POSTERN_CARRIES_SIGNED = 1 << 2,    /* S/MIME, PGP/MIME (RFC 1847) */
	POSTERN_CARRIES_ENCRYPTED = 1 << 3, /* likewise */
	/* The client's DKIM-Signature, and what such a one signs, but for */
	POSTERN_CARRIES_DKIM = 1 << 4,
	/* Date and Message-ID, which a DKIM signature may cover as well. */
	POSTERN_CARRIES_DATE_AND_ID = 1 << 5,
	/* text/calendar as part of the text, with method: an invitation. */
	POSTERN_CARRIES_CALENDAR = 1 << 6,
	/* Forms of the text beside plain and HTML, such as AMP. */
	POSTERN_CARRIES_ALTERNATIVES = 1 << 7,
	/* Parts that the HTML shows by their Content-ID. */
	POSTERN_CARRIES_INLINE = 1 << 8,
	/* message/rfc822, as a part or as a file. */
	POSTERN_CARRIES_NESTED = 1 << 9,
	/* multipart/report, and parts that only programs read: message/... */
	POSTERN_CARRIES_REPORTS = 1 << 10,
	/* For modules that hand over the message itself, and it is not
	 * rewritten there. */
	POSTERN_CARRIES_ALL_CONTENT = (1 << 11) - (1 << 2),
	/*
	 * mail->controls: what has a place in the request of this module is
	 * claimed; what has none goes to other providers.
	 */
	POSTERN_CARRIES_TAGS = 1 << 11,
	POSTERN_CARRIES_METADATA = 1 << 12,
	POSTERN_CARRIES_TRACKING = 1 << 13,
	POSTERN_CARRIES_CONTROLS = (1 << 14) - (1 << 11),
	/*
	 * The provider reads its control_fields in the message itself, so they
	 * stay there; else build has to say what they say.
	 */
	POSTERN_SENDS_CONTROL_FIELDS = 1 << 14,
	/*
	 * The message itself goes where octets above 127 in its content, or
	 * lines over 998 octets, are not taken or not kept. The core then
	 * shows and appends the message with such leaves as quoted-printable
	 * or base64, which decode to the same octets. Header fields, what
	 * stands between parts, and what a signature covers (multipart/signed,
	 * a DKIM-Signature) stay as they are.
	 */
	POSTERN_NEEDS_7BIT = 1 << 15,
	POSTERN_NEEDS_SHORT_LINES = 1 << 16
};

struct postern_limits {
	uint32_t recipients; /* per call */
	/*
	 * Raw bytes; with POSTERN_NEEDS_CONTENT also of the request's body.
	 * Larger goes to another provider, or is refused. 0: any.
	 */
	uint64_t message_size;
};

/*
 * Fields are only ever appended. The settings are decoded once per configured
 * provider and shared by all loops; build may run on several threads at once,
 * which is why it gets them as const: it must not write to them.
 */
struct postern_provider {
	uint32_t abi, size;
	const char *name; /* the `type` in the configuration */
	const char *doc;  /* one line */
	unsigned flags;   /* POSTERN_NEEDS_*, POSTERN_CARRIES_* */
	struct postern_limits limits;
	const struct postern_field *fields; /* settings; ends with name NULL */
	size_t settings_size; /* of the struct the fields point into */
	/*
	 * Check settings beyond what the rows can say; runs at configuration
	 * time. NULL when valid, else the reason (static text). May be NULL.
	 */
	const char *(*check)(const void *settings);
	/*
	 * Fill r. 0; -EINVAL after host->refuse when this message cannot be
	 * carried; another negative errno for a fault of the machine.
	 */
	int (*build)(const void *settings, const struct postern_mail *mail,
	    const struct postern_host *host, struct postern_request *r);
	/* Decide what a complete response head, of status 200 to 599,
	 * means. Never fails. */
	void (*classify)(const void *settings,
	    const struct postern_response *response,
	    struct postern_outcome *out);
	/*
	 * May be NULL. Asked for before build, and again before the grant runs
	 * out or when classify has called it stale. 0: p->grant is set, or r
	 * is a request to be answered first: https, or plain http to this
	 * machine or to a cloud's own address for credentials. -EINVAL after
	 * host->refuse, whose sentence is for the operator; another negative
	 * errno for a fault of the machine. Any thread, one at a time for each
	 * state.
	 */
	int (*prepare)(const void *settings, struct postern_preparation *p,
	    const struct postern_host *host, struct postern_request *r);
	size_t state_size;
	/*
	 * May be NULL. Ask the provider whether the account is usable and what
	 * it may send. 0: r is a request to be answered first, or, with no
	 * method set, q says what was found out. -EINVAL after host->refuse,
	 * whose sentence says why it cannot be asked; another negative errno
	 * for a fault of the machine. The grant is there as in build; the
	 * response is a complete one. At most four requests.
	 */
	int (*inquire)(const void *settings, struct postern_inquiry *q,
	    const struct postern_host *host, struct postern_request *r);
	/*
	 * Header fields that steer this provider: names or their beginnings,
	 * NULL behind the last. Of those that steer any provider only these are
	 * in mail->headers. "" stands for those of all providers, "X-Postern-"
	 * for what mail->controls says. NULL: none.
	 */
	const char *const *control_fields;
};

#define POSTERN_PROVIDER_SYMBOL "postern_provider_v1"
#define POSTERN_EXPORT __attribute__((visibility("default")))

#endif
