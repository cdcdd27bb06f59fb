/*
 * The only way out: HTTP requests by libcurl's multi interface on one loop,
 * and mail by SMTP to a server that takes it over (RFC 6409). Keep-alive,
 * HTTP/2 where the server offers it, no redirects, certificates checked. One
 * struct http per loop; all functions on its thread.
 */
#pragma once

#include <base/err.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blocking;
struct http;
struct http_request;
struct loop;
struct relay_session;

struct http_settings {
	uint64_t connect_timeout_ms;
	unsigned max_connections_per_host;
	const char *ca_file; /* NULL: the system's */
	const char *proxy;   /* NULL: none; the environment is not read */
	const char *name;    /* ours in EHLO; NULL: localhost */
};

/* How a request ended when no complete response came. */
enum http_fault {
	HTTP_FAULT_NONE = 0,
	HTTP_FAULT_RESOLVE,    /* name not found */
	HTTP_FAULT_CONNECT,    /* refused, unreachable, timed out connecting */
	HTTP_FAULT_TLS,        /* handshake or certificate */
	HTTP_FAULT_UNSENT,     /* broke before the last body byte was written */
	HTTP_FAULT_UNANSWERED, /* broke or timed out after the body was sent */
	HTTP_FAULT_CUT,        /* status came, the body did not end */
	HTTP_FAULT_CANCELLED   /* called off before all of it was sent */
};

struct http_header {
	struct span name, value;
};

/*
 * Borrowed by the callback; gone when it returns. By SMTP the status is the
 * code of the reply that decided, the body its text without codes, lines ended
 * by LF, and the one header field "Command" says what it is a reply to:
 * "connect", "AUTH", "MAIL", "RCPT", "DATA" or, of the message itself, ".".
 * Only of the last may a success be reported.
 */
struct http_response {
	enum http_fault fault;
	int status; /* 0 when no status line came */
	const struct http_header *headers;
	size_t header_count;
	struct span body; /* at most HTTP_BODY_MAX bytes */
	char error[256];  /* what curl says, "" without fault */
	uint64_t total_ms, connect_ms;
};

enum {
	HTTP_BODY_MAX = 256 * 1024,
	HTTP_HEADERS_MAX = 64 * 1024
};

enum http_smtp_tls {
	HTTP_SMTP_TLS_REQUIRED = 0,  /* no TLS, no mail */
	HTTP_SMTP_TLS_OPPORTUNISTIC, /* by STARTTLS where it is offered */
	HTTP_SMTP_TLS_NONE
};

/*
 * How a call goes by SMTP: one transaction, to all recipients or, when one of
 * them is refused, to none.
 */
struct http_smtp {
	enum http_smtp_tls tls;
	/*
	 * For AUTH PLAIN or LOGIN; NULL: none. The password goes as the server
	 * lets it: no TLS required, none kept from the wire.
	 */
	const char *user, *password;
	struct span sender; /* addr-spec; empty: the null sender */
	const struct span *recipients;
	size_t recipient_count;
	bool needs_utf8; /* SMTPUTF8 (RFC 6531), or it is not sent: 555 */
};

/*
 * A request, owned by the caller until on_done has run. Everything it points
 * to must live as long.
 */
struct http_call {
	const char *method; /* "POST" */
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated */
	uint64_t body_size;
	/* Copies up to len bytes of the body at offset; how many, or a negative
	 * errno. Runs on the loop's thread and must not block. */
	ptrdiff_t (*body_read)(
	    void *ctx, uint64_t offset, char *out, size_t len);
	/* Runs exactly once, on the loop, never inside http_submit. */
	void (*on_done)(
	    struct http_call *call, const struct http_response *response);
	void *ctx;
	/* Whole request, and before it as long at most for a connection. */
	uint64_t timeout_ms;
	bool is_direct; /* without the proxy, if there is one */
	bool is_secret; /* the answer is overwritten after on_done */
	/*
	 * NULL: HTTP. Else url is smtp://host[:port] or smtps://, the body the
	 * message with lines that end in CRLF, and method and headers do not
	 * matter.
	 */
	const struct http_smtp *smtp;
	/* The library's; NULL before submit. */
	struct http_request *request;
	struct relay_session *session;
};

/* Process-wide; once in main, after sasl and TLS. 0 or a negative errno. */
int http_library_init(void);
void http_library_done(void);

struct http *http_new(struct loop *l, struct blocking *pool,
    const struct http_settings *settings);
/*
 * Requests and connections from now on; those under way go on as they are. 0,
 * or -ENOMEM and nothing has changed.
 */
int http_set_settings(struct http *h, const struct http_settings *settings);
/* Cancel what runs, then free on the loop; on_closed runs last. */
void http_close(struct http *h, void (*on_closed)(void *ctx), void *ctx);

/* 0, or a negative errno (nothing was taken, on_done will not run). */
int http_submit(struct http *h, struct http_call *call);
/*
 * on_done follows: with HTTP_FAULT_CANCELLED, or with HTTP_FAULT_UNANSWERED
 * (or CUT) when the server may have got all of the request.
 */
void http_cancel(struct http *h, struct http_call *call);
/* The same for every call under way. */
void http_cancel_all(struct http *h);
unsigned http_inflight(const struct http *h);
