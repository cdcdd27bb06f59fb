/*
 * TLS as an engine: bytes in, bytes out, no sockets and no callbacks. One
 * engine belongs to one connection and one thread. The only folder besides
 * base/hash and auth/password that knows OpenSSL.
 */
#pragma once

#include <base/buf.h>
#include <base/counters.h>
#include <base/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls;
struct tls_ctx;
struct tls_files;
struct tls_peer;
struct config_tls;

/* --- the files of the configuration, read once for all loops --- */

struct tls_certificate {
	const char *file, *key_file;
	const char *name; /* its first DNS name, else its CN; may be "" */
	int64_t not_before_s, not_after_s; /* since 1970 */
	uint8_t digest[32];                /* of the file */
};

/*
 * Certificates, keys, authorities of clients, revocation lists. NULL with e
 * filled: which file, and what is wrong with it. Immutable; any thread.
 */
struct tls_files *tls_files_read(
    const struct config_tls *config, struct err *e);
void tls_files_free(struct tls_files *f); /* accepts NULL */
/* No more contexts are made from it: keys leave memory, the rest stays. */
void tls_files_drop(struct tls_files *f);
/* Whether the same bytes were read, all of them; b may be NULL. */
bool tls_files_are_same(const struct tls_files *a, const struct tls_files *b);
size_t tls_files_count(const struct tls_files *f);
const struct tls_certificate *tls_files_at(const struct tls_files *f, size_t i);
/*
 * Tell doubt of each certificate that is not valid at wall_ms, and of a
 * revocation list out of date: the file, and what is the matter with it.
 */
void tls_files_doubts(const struct tls_files *f, int64_t wall_ms,
    void (*doubt)(void *ctx, const char *file, const char *what), void *ctx);

/* --- contexts: made for one loop each --- */

/*
 * policy: enum config_tls_policy; client_auth: enum config_client_auth; not
 * their INHERIT. files is needed during the call only. NULL with e filled.
 * Any thread.
 */
struct tls_ctx *tls_ctx_make(
    const struct tls_files *files, int policy, int client_auth, struct err *e);
/* The same from a configuration, its own policy and client_auth. */
struct tls_ctx *tls_ctx_new(const struct config_tls *config, struct err *e);
/* Connections keep a reference; own thread only once in use; accepts NULL. */
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
void tls_ctx_unref(struct tls_ctx *ctx);
/* Library set-up, once in main before any thread. 0 or a negative errno. */
int tls_library_init(void);

/* --- one connection --- */

struct tls *tls_new_server(struct tls_ctx *ctx); /* NULL for memory */
void tls_free(struct tls *t);

enum tls_result {
	TLS_OK = 0, /* progress was made; look at the outputs */
	TLS_CLOSED, /* close_notify received */
	TLS_FAILED  /* broken: tls_error() says why; flush out, then close */
};

/*
 * Feed ciphertext: handshake on, decrypt into plain (up to its maximum), put
 * what must be sent into out. *used is how much of data was taken; the rest
 * must be fed again once plain has room.
 */
enum tls_result tls_feed(struct tls *t, const void *data, size_t len,
    size_t *used, struct buf *plain, struct buf *out);
/* Encrypt; ciphertext is appended to out. */
enum tls_result tls_write(
    struct tls *t, const void *data, size_t len, struct buf *out);
/* Queue close_notify. */
void tls_shutdown(struct tls *t, struct buf *out);
bool tls_is_established(const struct tls *t);
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
int tls_bits(const struct tls *t);
/* Why it failed, for the log; "" when it did not. */
const char *tls_error(const struct tls *t);
enum counter_tls_failure tls_failure(const struct tls *t);
/* The client's certificate, verified; NULL without one. Borrowed. */
const struct tls_peer *tls_client(const struct tls *t);
/* Why a certificate the client showed is not believed; "" when it is. */
const char *tls_client_doubt(const struct tls *t);
