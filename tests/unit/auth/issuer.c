/* See issuer.h. */
#include "issuer.h"

#include <base/b64.h>
#include <support/unit.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>

static EVP_PKEY *keys[ISSUER_KEYS];
static const char *const kids[] = { "rsa", "p256", "p384", "ed", "small" };

void issuer_open(void)
{
	keys[ISSUER_RSA] = EVP_RSA_gen(2048);
	keys[ISSUER_P256] = EVP_EC_gen("P-256");
	keys[ISSUER_P384] = EVP_EC_gen("P-384");
	keys[ISSUER_ED25519] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	keys[ISSUER_SMALL] = EVP_RSA_gen(1024);
	for (size_t i = 0; i < ISSUER_KEYS; i++)
		ck_assert_ptr_nonnull(keys[i]);
}

void issuer_close(void)
{
	for (size_t i = 0; i < ISSUER_KEYS; i++)
		EVP_PKEY_free(keys[i]);
}

static size_t encode(const void *data, size_t len, char *out)
{
	size_t n = b64_encode(data, len, out);

	while (n > 0 && out[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	out[n] = '\0';
	return n;
}

static const char *number(
    enum issuer_key key, const char *name, int size, char *out)
{
	unsigned char bytes[512];
	BIGNUM *n = NULL;
	int len;

	ck_assert_int_eq(EVP_PKEY_get_bn_param(keys[key], name, &n), 1);
	len = size ? size : BN_num_bytes(n);
	ck_assert_int_eq(BN_bn2binpad(n, bytes, len), len);
	BN_free(n);
	(void)encode(bytes, (size_t)len, out);
	return out;
}

static int print_members(enum issuer_key key, char *out, size_t size)
{
	char a[700], b[700];
	unsigned char raw[32];
	size_t len = sizeof(raw);

	switch (key) {
	case ISSUER_RSA:
	case ISSUER_SMALL:
		return snprintf(out, size,
		    "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"",
		    number(key, OSSL_PKEY_PARAM_RSA_N, 0, a),
		    number(key, OSSL_PKEY_PARAM_RSA_E, 0, b));
	case ISSUER_P256:
	case ISSUER_P384:
		return snprintf(out, size,
		    "\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"",
		    key == ISSUER_P256 ? "P-256" : "P-384",
		    number(key, OSSL_PKEY_PARAM_EC_PUB_X,
			key == ISSUER_P256 ? 32 : 48, a),
		    number(key, OSSL_PKEY_PARAM_EC_PUB_Y,
			key == ISSUER_P256 ? 32 : 48, b));
	case ISSUER_ED25519:
	case ISSUER_KEYS:
		break;
	}
	ck_assert_int_eq(EVP_PKEY_get_raw_public_key(keys[key], raw, &len), 1);
	(void)encode(raw, len, a);
	return snprintf(
	    out, size, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", a);
}

const char *issuer_jwk(
    enum issuer_key key, const char *kid, const char *more, char *out)
{
	char members[2048];

	(void)print_members(key, members, sizeof(members));
	(void)snprintf(out, ISSUER_TEXT_SIZE, "{\"kid\":\"%s\",%s%s}",
	    kid ? kid : kids[key], members, more ? more : "");
	return out;
}

const char *issuer_set(const char *texts, char *out)
{
	(void)snprintf(out, ISSUER_TEXT_SIZE, "{\"keys\":[%s]}", texts);
	return out;
}

const char *issuer_jwks(char *out)
{
	char all[4][2600];
	char list[4 * 2600];

	for (int i = 0; i < 4; i++) {
		char one[ISSUER_TEXT_SIZE];
		(void)snprintf(all[i], sizeof(all[i]), "%.2590s",
		    issuer_jwk((enum issuer_key)i, NULL, NULL, one));
	}
	(void)snprintf(
	    list, sizeof(list), "%s,%s,%s,%s", all[0], all[1], all[2], all[3]);
	return issuer_set(list, out);
}

/* DER to the two numbers side by side. */
static size_t raw_ecdsa(unsigned char *sig, size_t len, int size)
{
	const unsigned char *at = sig;
	ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &at, (long)len);

	ck_assert_ptr_nonnull(parsed);
	ck_assert_int_eq(
	    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig, size), size);
	ck_assert_int_eq(
	    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + size, size), size);
	ECDSA_SIG_free(parsed);
	return 2 * (size_t)size;
}

static size_t make_signature(enum issuer_key key, const char *algorithm,
    struct span text, unsigned char *sig, size_t size)
{
	char digest[8];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *params = NULL;

	(void)snprintf(digest, sizeof(digest), "SHA%.3s", algorithm + 2);
	ck_assert_int_eq(EVP_DigestSignInit_ex(ctx, &params,
			     key == ISSUER_ED25519 ? NULL : digest, NULL, NULL,
			     keys[key], NULL),
	    1);
	if (algorithm[0] == 'P') {
		(void)EVP_PKEY_CTX_set_rsa_padding(
		    params, RSA_PKCS1_PSS_PADDING);
		(void)EVP_PKEY_CTX_set_rsa_pss_saltlen(
		    params, RSA_PSS_SALTLEN_DIGEST);
	}
	ck_assert_int_eq(EVP_DigestSign(ctx, sig, &size,
			     (const unsigned char *)text.ptr, text.len),
	    1);
	EVP_MD_CTX_free(ctx);
	if (key == ISSUER_P256 || key == ISSUER_P384)
		return raw_ecdsa(sig, size, key == ISSUER_P256 ? 32 : 48);
	return size;
}

static size_t put_parts(const char *header, const char *claims, char *out)
{
	size_t len = encode(header, strlen(header), out);

	out[len++] = '.';
	return len + encode(claims, strlen(claims), out + len);
}

const char *issuer_raw(
    const char *header, const char *claims, struct span signature, char *out)
{
	size_t len = put_parts(header, claims, out);

	out[len++] = '.';
	(void)encode(signature.ptr, signature.len, out + len);
	return out;
}

const char *issuer_sign(enum issuer_key key, const char *algorithm,
    const char *header, const char *claims, char *out)
{
	unsigned char sig[600];
	size_t len = put_parts(header, claims, out);

	len = make_signature(
	    key, algorithm, span_make(out, len), sig, sizeof(sig));
	return issuer_raw(header, claims, span_make(sig, len), out);
}

const char *issuer_token(
    enum issuer_key key, const char *algorithm, const char *claims, char *out)
{
	char header[200];

	(void)snprintf(header, sizeof(header),
	    "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", algorithm,
	    kids[key]);
	return issuer_sign(key, algorithm, header, claims, out);
}
