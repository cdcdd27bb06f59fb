/* Between the files of the TLS engine; the only header that shows OpenSSL. */
#pragma once

#include <net/tls.h>

#include <openssl/ssl.h>

/* The context a connection starts with; SNI may choose another. */
SSL_CTX *tls_ctx_default(struct tls_ctx *ctx);

/*
 * Seal and open session tickets of ctx with keys that all contexts of the
 * process share, so that a client may resume at any worker.
 */
int tls_ticket_enable(SSL_CTX *ctx);
