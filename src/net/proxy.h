/*
 * The header a proxy puts before a connection's own bytes (HAProxy's PROXY
 * protocol, versions 1 and 2): who the client is and where it connected to.
 * Pure: bytes in, a verdict out. Whether the sender may be believed is the
 * caller's question.
 */
#pragma once

#include <base/counter_labels.h>
#include <base/span.h>
#include <net/conn.h>

#include <stdbool.h>
#include <stddef.h>

enum {
	PROXY_V1_MAX = 107,    /* a whole line, with CRLF */
	PROXY_BLOCK_MAX = 4096 /* what may follow the 16 bytes of version 2 */
};

enum proxy_verdict {
	PROXY_MORE = 0, /* the header goes on: call again with more bytes */
	PROXY_OK,
	PROXY_BAD /* proxy_header.error says why */
};

struct proxy_header {
	size_t len; /* of the header; the client's own bytes follow */
	/*
	 * LOCAL or UNKNOWN: the proxy speaks for itself, as in its health
	 * checks, or does not know. The addresses of the socket stay.
	 */
	bool is_local;
	struct conn_name source, destination;
	/* What the proxy saw; in the input's bytes. Empty: it did not say. */
	struct span authority;   /* TLV 0x02: the server name asked for */
	struct span tls_version; /* TLV 0x20/0x21: between client and proxy */
	enum counter_proxy_error error;
};

/* in: all that came so far. Fills out, as far as the verdict allows. */
enum proxy_verdict proxy_parse(struct span in, struct proxy_header *out);
