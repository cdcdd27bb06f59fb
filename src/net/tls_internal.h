/* Between the files of the TLS engine; the only header that shows OpenSSL. */
#pragma once

#include <net/tls.h>

#include <base/arena.h>
#include <base/hash.h>

#include <openssl/ssl.h>

/* One certificate and its key, as PEM. */
struct tls_pair {
	struct tls_certificate about;
	struct buf cert, key;
};

struct tls_files {
	struct tls_pair *pairs;
	size_t count;
	struct buf client_ca, crl; /* empty when not configured */
	/* What is in them; shared by all contexts, OpenSSL locks it. */
	X509_STORE *authorities;
	STACK_OF(X509_NAME) * authority_names;
	const char *crl_file;
	int64_t crl_until_s; /* the first of the lists to be stale; or 0 */
	uint8_t digest[HASH_SHA256_SIZE]; /* of all of them */
	struct arena texts;
};

/* --- tls_files.c --- */

/* OpenSSL's reason for what just failed, as words. */
const char *tls_reason(void);
/* A pem_password_cb that knows none. */
int tls_no_pass_phrase(char *out, int size, int is_writing, void *ctx);
/* To read b from; NULL for memory. b must stay as it is. */
BIO *tls_bio(const struct buf *b);
/* A host name the certificate is for: its first DNS name, else its CN. */
bool tls_first_name(X509 *leaf, char *out, int size);

/* --- tls_ctx.c --- */

/* The context a connection starts with; SNI may choose another. */
SSL_CTX *tls_ctx_default(struct tls_ctx *ctx);
/* Whether only clients with a good certificate may stay. */
bool tls_ctx_requires_client(const struct tls_ctx *ctx);

/* --- tls_client.c --- */

/* Ask clients of ssl for certificates. 0, or a negative errno and e. */
int tls_client_enable(SSL_CTX *ssl, const struct tls_files *files,
    int client_auth, struct err *e);

/* --- tls_why.c --- */

/* error: of OpenSSL's queue. Writes a sentence without a period to out. */
enum counter_tls_failure tls_explain(
    const SSL *ssl, unsigned long error, char *out, size_t size);

/* --- tls_peer.c --- */

struct tls_peer *tls_peer_new(X509 *x);    /* NULL for memory */
void tls_peer_free(struct tls_peer *peer); /* accepts NULL */

/* --- tls_ticket.c --- */

/*
 * Seal and open session tickets of ctx with keys that all contexts of the
 * process share, so that a client may resume at any worker.
 */
int tls_ticket_enable(SSL_CTX *ctx);
