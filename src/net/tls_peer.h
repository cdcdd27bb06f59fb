/*
 * Who a client proved to be with a certificate: what SASL EXTERNAL (RFC 4422
 * appendix A) looks at. Names are as the authority wrote them; which of them
 * is a user is for the configuration to say.
 */
#pragma once

#include <stddef.h>

enum tls_name_kind {
	TLS_NAME_DNS = 0,
	TLS_NAME_EMAIL,
	TLS_NAME_URI
};

/* A subject alternative name: printable ASCII, never empty. */
struct tls_name {
	enum tls_name_kind kind;
	const char *text;
};

enum {
	TLS_FINGERPRINT_SIZE = 65, /* SHA-256 in lower-case hex, and NUL */
	TLS_NAMES_MAX = 64         /* those after it are left out */
};

/* Immutable; lives as long as the connection it belongs to. */
struct tls_peer {
	/* UTF-8 without control characters; NULL when the subject has none,
	 * or several. */
	const char *common_name;
	const struct tls_name *names;
	size_t count;
	char fingerprint[TLS_FINGERPRINT_SIZE]; /* of the certificate */
	const char *subject; /* the whole of it, for people (RFC 4514) */
};
