/*
 * OpenSSL's digests. Looking an algorithm up by name takes locks and costs
 * more than hashing a short string, so algorithms are fetched once and each
 * thread keeps one context of each kind for the one-shot functions. A failure
 * here means no memory for a few hundred bytes or a broken installation;
 * neither can be answered by sending unsigned or unguarded data, so it aborts.
 */
#include <base/hash.h>

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

struct hash_sha256 {
	EVP_MD_CTX *ctx;
};

struct hash_hmac {
	EVP_MAC_CTX *ctx;
};

struct contexts {
	EVP_MD_CTX *sha256;
	EVP_MAC_CTX *hmac;
};

static EVP_MD *sha256;
static EVP_MAC *hmac;
static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static _Thread_local struct contexts *contexts;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void contexts_free(void *arg)
{
	struct contexts *c = arg;

	contexts = NULL;
	EVP_MD_CTX_free(c->sha256);
	EVP_MAC_CTX_free(c->hmac);
	free(c);
}

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	must(sha256 && hmac);
	must(pthread_key_create(&contexts_key, contexts_free) == 0);
}

/* NULL for memory. */
static EVP_MAC_CTX *hmac_new(void)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(
				    OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end() };
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);

	if (ctx)
		must(EVP_MAC_CTX_set_params(ctx, params) == 1);
	return ctx;
}

static struct contexts *contexts_new(void)
{
	struct contexts *c = calloc(1, sizeof(*c));

	must(c != NULL);
	c->sha256 = EVP_MD_CTX_new();
	c->hmac = hmac_new();
	must(c->sha256 && c->hmac);
	must(pthread_setspecific(contexts_key, c) == 0);
	return c;
}

/* This thread's contexts; freed when it ends. */
static struct contexts *my_contexts(void)
{
	if (!contexts) {
		(void)pthread_once(&contexts_once, fetch);
		contexts = contexts_new();
	}
	return contexts;
}

struct hash_sha256 *hash_sha256_new(void)
{
	struct hash_sha256 *h = malloc(sizeof(*h));
	if (!h)
		return NULL;
	(void)pthread_once(&contexts_once, fetch);
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex2(h->ctx, sha256, NULL) != 1) {
		EVP_MD_CTX_free(h->ctx);
		free(h);
		return NULL;
	}
	return h;
}

void hash_sha256_add(struct hash_sha256 *h, const void *data, size_t len)
{
	must(EVP_DigestUpdate(h->ctx, data, len) == 1);
}

void hash_sha256_end(struct hash_sha256 *h, uint8_t out[HASH_SHA256_SIZE])
{
	must(EVP_DigestFinal_ex(h->ctx, out, NULL) == 1);
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hash_sha256(struct span data, uint8_t out[HASH_SHA256_SIZE])
{
	EVP_MD_CTX *ctx = my_contexts()->sha256;

	must(EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
	must(EVP_DigestUpdate(ctx, data.ptr, data.len) == 1);
	must(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
}

void hash_hmac_sha256(
    struct span key, struct span data, uint8_t out[HASH_SHA256_SIZE])
{
	EVP_MAC_CTX *ctx = my_contexts()->hmac;
	/* A null key would mean the key of the call before. */
	const void *bytes = key.len ? key.ptr : "";

	must(EVP_MAC_init(ctx, bytes, key.len, NULL) == 1);
	must(EVP_MAC_update(ctx, (const void *)data.ptr, data.len) == 1);
	must(EVP_MAC_final(ctx, out, NULL, HASH_SHA256_SIZE) == 1);
}

struct hash_hmac *hash_hmac_new(struct span key)
{
	struct hash_hmac *h = malloc(sizeof(*h));

	if (!h)
		return NULL;
	(void)pthread_once(&contexts_once, fetch);
	h->ctx = hmac_new();
	if (!h->ctx) {
		free(h);
		return NULL;
	}
	must(EVP_MAC_init(h->ctx, (const void *)(key.len ? key.ptr : ""),
		 key.len, NULL) == 1);
	return h;
}

void hash_hmac_add(struct hash_hmac *h, const void *data, size_t len)
{
	must(EVP_MAC_update(h->ctx, data, len) == 1);
}

void hash_hmac_end(struct hash_hmac *h, uint8_t out[HASH_SHA256_SIZE])
{
	must(EVP_MAC_final(h->ctx, out, NULL, HASH_SHA256_SIZE) == 1);
	EVP_MAC_CTX_free(h->ctx);
	free(h);
}

void hash_random(void *out, size_t len)
{
	char *at = out;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);
		must(n > 0 || (n < 0 && errno == EINTR));
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
}

bool hash_eq(const void *a, const void *b, size_t len)
{
	return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}

void hash_cleanse(void *data, size_t len)
{
	if (len)
		OPENSSL_cleanse(data, len);
}
