/* A TLS client over memory BIOs, pumped against an engine by hand. */
#pragma once

#include <net/tls.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <support/unit.h>

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
};

static inline void peer_init(struct peer *p, SSL_CTX *ctx)
{
	p->ctx = ctx ? ctx : SSL_CTX_new(TLS_client_method());
	p->ssl = SSL_new(p->ctx);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	SSL_set_bio(p->ssl, p->in, p->out);
	SSL_set_connect_state(p->ssl);
}

static inline void peer_finish(struct peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
}

/* Give the engine what the client has to say, step bytes at a time. */
static inline enum tls_result peer_to_engine(struct peer *p, struct tls *t,
    size_t step, struct buf *plain, struct buf *out)
{
	enum tls_result result = TLS_OK;
	char bytes[16 * 1024];
	int n;

	while (
	    result == TLS_OK && (n = BIO_read(p->out, bytes, (int)step)) > 0) {
		size_t used;

		result = tls_feed(t, bytes, (size_t)n, &used, plain, out);
		if (result == TLS_OK)
			ck_assert_uint_eq(used, (size_t)n);
	}
	return result;
}

static inline void engine_to_peer(struct peer *p, struct buf *out)
{
	struct span s = buf_span(out);

	if (s.len > 0)
		ck_assert_int_eq(
		    BIO_write(p->in, s.ptr, (int)s.len), (int)s.len);
	buf_clear(out);
}

/* True when both sides are done. */
static inline bool peer_handshake(struct peer *p, struct tls *t, size_t step,
    struct buf *plain, struct buf *out)
{
	for (int i = 0; i < 10; i++) {
		ERR_clear_error();
		int rc = SSL_do_handshake(p->ssl);
		if (peer_to_engine(p, t, step, plain, out) != TLS_OK) {
			engine_to_peer(p, out);
			return false;
		}
		engine_to_peer(p, out);
		if (rc == 1 && tls_is_established(t))
			return true;
	}
	return false;
}
