/*
 * The TLS engine. Instead of memory BIOs, which copy every byte once more and
 * keep what they grew to, one small BIO reads straight from the span being
 * fed and writes straight into the caller's buffer. It holds nothing between
 * calls, so an idle connection costs no more than its SSL.
 *
 * Before each call into OpenSSL the thread's error queue is cleared: a stale
 * entry from anyone else would turn "want read" into a failure.
 */
#include <net/tls.h>

#include <net/tls_internal.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Plaintext per call: one record. */
	TLS_CHUNK = 16 * 1024,
	TLS_ERROR_SIZE = 160
};

struct tls {
	SSL *ssl;
	struct tls_ctx *ctx;
	struct span in;  /* during a call: what is being fed */
	struct buf *out; /* during a call: where ciphertext goes */
	bool is_failed;
	bool is_out_full; /* out refused bytes: the real reason of a failure */
	bool is_met;      /* the handshake is over, the client known or not */
	struct tls_peer *client;
	const char *doubt; /* static text */
	enum counter_tls_failure failure;
	char error[TLS_ERROR_SIZE];
};

static BIO_METHOD *engine_method;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;
static int engine_status;

static int bio_read(BIO *bio, char *out, size_t len, size_t *got)
{
	struct tls *t = BIO_get_data(bio);
	size_t n = len < t->in.len ? len : t->in.len;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		/* Not the end: libuv tells that, never OpenSSL. */
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(out, t->in.ptr, n);
	t->in = span_from(t->in, n);
	*got = n;
	return 1;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *written)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!t->out || buf_add(t->out, data, len) < 0) {
		t->is_out_full = true;
		return 0;
	}
	*written = len;
	return 1;
}

static long bio_ctrl(BIO *bio, int command, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static void engine_init(void)
{
	engine_status = -ENOMEM;
	if (OPENSSL_init_ssl(0, NULL) != 1)
		return;
	int type = BIO_get_new_index();
	if (type == -1)
		return;
	engine_method = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "engine");
	if (!engine_method)
		return;
	if (BIO_meth_set_read_ex(engine_method, bio_read) == 1 &&
	    BIO_meth_set_write_ex(engine_method, bio_write) == 1 &&
	    BIO_meth_set_ctrl(engine_method, bio_ctrl) == 1 &&
	    BIO_meth_set_create(engine_method, bio_create) == 1)
		engine_status = 0;
}

int tls_library_init(void)
{
	(void)pthread_once(&engine_once, engine_init);
	return engine_status;
}

struct tls *tls_new_server(struct tls_ctx *ctx)
{
	struct tls *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->ctx = tls_ctx_ref(ctx);
	ERR_clear_error();
	BIO *bio = BIO_new(engine_method);
	t->ssl = SSL_new(tls_ctx_default(ctx));
	if (!bio || !t->ssl) {
		BIO_free(bio);
		tls_free(t);
		return NULL;
	}
	BIO_set_data(bio, t);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_accept_state(t->ssl);
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	tls_peer_free(t->client);
	tls_ctx_unref(t->ctx);
	free(t);
}

/* For a reason that is not OpenSSL's. The first one stays. */
static enum tls_result fail_for(
    struct tls *t, enum counter_tls_failure kind, const char *reason)
{
	if (!t->is_failed) {
		(void)snprintf(t->error, sizeof(t->error), "%s", reason);
		t->failure = kind;
	}
	t->is_failed = true;
	ERR_clear_error();
	return TLS_FAILED;
}

static enum tls_result fail(struct tls *t)
{
	char text[TLS_ERROR_SIZE];

	if (t->is_out_full)
		return fail_for(t, COUNTER_TLS_OTHER, "output limit reached");
	enum counter_tls_failure kind =
	    tls_explain(t->ssl, ERR_peek_error(), text, sizeof(text));
	return fail_for(t, kind, text);
}

/* What a return value other than success means. */
static enum tls_result judge(struct tls *t, int rc)
{
	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_OK;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return fail(t);
	}
}

/* X509_V_OK, or why the client's certificate is not to be believed. */
static long judge_client(const struct tls *t, const X509 *x)
{
	long verdict = SSL_get_verify_result(t->ssl);

	/* A ticket remembers a verdict, and may outlive the certificate. */
	if (verdict == X509_V_OK &&
	    X509_cmp_current_time(X509_get0_notAfter(x)) <= 0)
		verdict = X509_V_ERR_CERT_HAS_EXPIRED;
	return verdict;
}

static enum tls_result meet_client(struct tls *t)
{
	X509 *x = SSL_get0_peer_certificate(t->ssl);
	long verdict;

	t->is_met = true;
	if (!x)
		return TLS_OK;
	verdict = judge_client(t, x);
	if (verdict == X509_V_OK) {
		t->client = tls_peer_new(x);
		return t->client
			   ? TLS_OK
			   : fail_for(t, COUNTER_TLS_OTHER, "out of memory");
	}
	t->doubt = X509_verify_cert_error_string(verdict);
	return tls_ctx_requires_client(t->ctx)
		   ? fail_for(t, COUNTER_TLS_UNVERIFIED, t->doubt)
		   : TLS_OK;
}

static enum tls_result shake_hands(struct tls *t)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(t->ssl);
	return rc == 1 ? TLS_OK : judge(t, rc);
}

/*
 * One SSL_read gives at most one record and leaves the others in the input,
 * and no event will come for those: read until it wants more.
 */
static enum tls_result read_all(struct tls *t, struct buf *plain)
{
	for (;;) {
		size_t room = plain->max - buf_len(plain);
		size_t got;

		if (room == 0)
			return TLS_OK;
		if (room > TLS_CHUNK)
			room = TLS_CHUNK;
		ERR_clear_error();
		if (buf_reserve(plain, room) < 0)
			return fail(t);
		int rc = SSL_read_ex(t->ssl, buf_tail(plain), room, &got);
		if (rc != 1)
			return judge(t, rc);
		buf_commit(plain, got);
	}
}

enum tls_result tls_feed(struct tls *t, const void *data, size_t len,
    size_t *used, struct buf *plain, struct buf *out)
{
	enum tls_result result = TLS_OK;

	*used = 0;
	if (t->is_failed)
		return TLS_FAILED;
	t->in = span_make(data, len);
	t->out = out;
	if (!SSL_is_init_finished(t->ssl))
		result = shake_hands(t);
	if (result == TLS_OK && SSL_is_init_finished(t->ssl) && !t->is_met)
		result = meet_client(t);
	if (result == TLS_OK && SSL_is_init_finished(t->ssl))
		result = read_all(t, plain);
	*used = len - t->in.len;
	t->in = span_make(NULL, 0);
	t->out = NULL;
	return result;
}

enum tls_result tls_write(
    struct tls *t, const void *data, size_t len, struct buf *out)
{
	struct span rest = span_make(data, len);
	enum tls_result result = TLS_OK;

	if (t->is_failed)
		return TLS_FAILED;
	t->out = out;
	while (rest.len > 0 && result == TLS_OK) {
		size_t n = rest.len < TLS_CHUNK ? rest.len : TLS_CHUNK;
		size_t written;

		ERR_clear_error();
		if (SSL_write_ex(t->ssl, rest.ptr, n, &written) == 1)
			rest = span_from(rest, written);
		else
			result = fail(t); /* our BIO never asks to wait */
	}
	t->out = NULL;
	return result;
}

void tls_shutdown(struct tls *t, struct buf *out)
{
	if (t->is_failed || !SSL_is_init_finished(t->ssl))
		return;
	t->out = out;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
	t->out = NULL;
}

bool tls_is_established(const struct tls *t)
{
	return t->is_met && !t->is_failed;
}

const char *tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
	return SSL_CIPHER_get_name(SSL_get_current_cipher(t->ssl));
}

int tls_bits(const struct tls *t)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);

	return cipher ? SSL_CIPHER_get_bits(cipher, NULL) : 0;
}

const char *tls_error(const struct tls *t)
{
	return t->error;
}

enum counter_tls_failure tls_failure(const struct tls *t)
{
	return t->failure;
}

const struct tls_peer *tls_client(const struct tls *t)
{
	return t->client;
}

const char *tls_client_doubt(const struct tls *t)
{
	return t->doubt ? t->doubt : "";
}
