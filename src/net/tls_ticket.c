/*
 * Session tickets. Each loop has its own SSL_CTX, so the keys are shared
 * here: otherwise a ticket would be worth something at one worker only. A key
 * seals for an hour and opens for one more; keys live in memory only.
 *
 * Shared mutable state, any thread: `keys`, guarded by `keys_lock`; the
 * critical section copies one key or makes one per hour.
 */
#include <net/tls_internal.h>

#include <base/clock.h>
#include <base/hash.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <pthread.h>
#include <string.h>

enum {
	TICKET_NAME = 16,
	TICKET_KEY = 32,
	TICKET_PERIOD_MS = 3600 * 1000,
	TICKET_LIFE_MS = 2 * TICKET_PERIOD_MS
};

struct ticket_key {
	unsigned char name[TICKET_NAME];
	unsigned char cipher[TICKET_KEY], mac[TICKET_KEY];
	uint64_t made_ms; /* monotonic; 0 = no key */
};

static struct {
	struct ticket_key present, last;
} keys;
static pthread_mutex_t keys_lock = PTHREAD_MUTEX_INITIALIZER;

static void make_key(struct ticket_key *k, uint64_t now)
{
	hash_random(k->name, sizeof(k->name));
	hash_random(k->cipher, sizeof(k->cipher));
	hash_random(k->mac, sizeof(k->mac));
	k->made_ms = now ? now : 1;
}

/* Lock held. An idle process may be several periods late. */
static void rotate(uint64_t now)
{
	struct ticket_key *present = &keys.present;

	if (present->made_ms && now - present->made_ms < TICKET_PERIOD_MS)
		return;
	if (present->made_ms && now - present->made_ms < TICKET_LIFE_MS)
		keys.last = *present;
	else
		hash_cleanse(&keys.last, sizeof(keys.last));
	make_key(present, now);
}

static struct ticket_key key_for_sealing(void)
{
	(void)pthread_mutex_lock(&keys_lock);
	rotate(clock_mono_ms());
	struct ticket_key k = keys.present;
	(void)pthread_mutex_unlock(&keys_lock);
	return k;
}

/* False when the key is gone: the handshake goes on without the ticket. */
static bool key_for_opening(
    const unsigned char *name, struct ticket_key *out, bool *is_old)
{
	bool is_found = false;

	(void)pthread_mutex_lock(&keys_lock);
	rotate(clock_mono_ms());
	const struct ticket_key *both[] = { &keys.present, &keys.last };
	for (size_t i = 0; i < 2 && !is_found; i++) {
		if (!both[i]->made_ms ||
		    memcmp(both[i]->name, name, TICKET_NAME) != 0)
			continue;
		*out = *both[i];
		*is_old = i > 0;
		is_found = true;
	}
	(void)pthread_mutex_unlock(&keys_lock);
	return is_found;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *k)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/*
 * Returns as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants; 2: the client
 * shall have a fresh ticket. With TLS 1.3 always: a client uses each only once
 * (RFC 8446 C.4), and without another its next handshake would be a full one.
 */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
	struct ticket_key k;
	bool is_old = false;
	int rc = -1;

	if (is_sealing) {
		k = key_for_sealing();
		memcpy(name, k.name, TICKET_NAME);
		if (RAND_bytes(
			iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
		    EVP_EncryptInit_ex(
			cipher, EVP_aes_256_cbc(), NULL, k.cipher, iv) == 1 &&
		    set_mac(mac, &k))
			rc = 1;
	} else {
		if (!key_for_opening(name, &k, &is_old))
			return 0;
		if (set_mac(mac, &k) &&
		    EVP_DecryptInit_ex(
			cipher, EVP_aes_256_cbc(), NULL, k.cipher, iv) == 1)
			rc = is_old || SSL_version(ssl) == TLS1_3_VERSION ? 2
									  : 1;
	}
	hash_cleanse(&k, sizeof(k));
	return rc;
}

int tls_ticket_enable(SSL_CTX *ctx)
{
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1 ? 0
									 : -1;
}
