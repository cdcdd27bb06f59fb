/*
 * JWKs become OpenSSL keys once, when a set is read. The kind of a key decides
 * what its signatures can be; what a token says only picks among those, so
 * that a public key can never pass for a shared secret.
 */
#include <auth/jwk.h>

#include <base/b64.h>

#include <errno.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	MODULUS_BITS_MIN = 2048,
	MODULUS_BITS_MAX = 8192,
	EXPONENT_BITS_MAX = 64,
	COORDINATE_MAX = 48,
	ED25519_SIZE = 32
};

struct algorithm {
	const char *name, *type, *curve; /* curve NULL: RSA */
	const char *digest;              /* NULL: the scheme has its own */
	bool is_pss;
	size_t size; /* of one half of an ECDSA signature */
};

static const struct algorithm algorithms[] = {
	{ "RS256", "RSA", NULL, "SHA256", false, 0 },
	{ "RS384", "RSA", NULL, "SHA384", false, 0 },
	{ "RS512", "RSA", NULL, "SHA512", false, 0 },
	{ "PS256", "RSA", NULL, "SHA256", true, 0 },
	{ "ES256", "EC", "P-256", "SHA256", false, 32 },
	{ "ES384", "EC", "P-384", "SHA384", false, 48 },
	{ "EdDSA", "OKP", "Ed25519", NULL, false, 0 },
};

struct jwk {
	char *kid;
	const char *type, *curve;     /* of the algorithms' rows */
	const struct algorithm *only; /* NULL: any of its kind */
	EVP_PKEY *key;
};

struct jwk_set {
	atomic_uint refs;
	size_t count;
	struct jwk keys[];
};

static const struct algorithm *find_algorithm(struct span name)
{
	size_t n = sizeof(algorithms) / sizeof(algorithms[0]);

	for (size_t i = 0; i < n; i++)
		if (span_eq(name, span_of(algorithms[i].name)))
			return &algorithms[i];
	return NULL;
}

bool jwk_is_algorithm(struct span name)
{
	return find_algorithm(name) != NULL;
}

/* --- reading --- */

/* A member that is base64url; its length, or negative. */
static ptrdiff_t get_bytes(
    const json_t *jwk, const char *name, uint8_t *out, size_t max)
{
	struct span text =
	    span_of(json_string_value(json_object_get(jwk, name)));

	if (text.len == 0 || text.len > max / 3 * 4)
		return -EINVAL;
	return b64url_decode(text, out);
}

static BIGNUM *get_number(const json_t *jwk, const char *name)
{
	uint8_t bytes[MODULUS_BITS_MAX / 8 + 2]; /* 1026: whole triples */
	ptrdiff_t len = get_bytes(jwk, name, bytes, sizeof(bytes));

	return len > 0 ? BN_bin2bn(bytes, (int)len, NULL) : NULL;
}

/* A public key of a type from parameters, which are freed. */
static EVP_PKEY *make_key(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static bool is_sane_rsa(const BIGNUM *n, const BIGNUM *e)
{
	return n && e && BN_num_bits(n) >= MODULUS_BITS_MIN &&
	       BN_num_bits(n) <= MODULUS_BITS_MAX && BN_is_odd(e) &&
	       !BN_is_one(e) && BN_num_bits(e) <= EXPONENT_BITS_MAX;
}

static EVP_PKEY *read_rsa(const json_t *jwk)
{
	BIGNUM *n = get_number(jwk, "n"), *e = get_number(jwk, "e");
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (build && is_sane_rsa(n, e) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = make_key("RSA", OSSL_PARAM_BLD_to_param(build));
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
	return key;
}

static EVP_PKEY *read_ec(const json_t *jwk, const struct algorithm *a)
{
	/* Uncompressed: 4, x, y. */
	uint8_t point[1 + 2 * COORDINATE_MAX] = { 4 };
	uint8_t *x = point + 1, *y = x + a->size;
	uint8_t last[COORDINATE_MAX];
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (build &&
	    get_bytes(jwk, "x", x, COORDINATE_MAX) == (ptrdiff_t)a->size &&
	    get_bytes(jwk, "y", last, sizeof(last)) == (ptrdiff_t)a->size) {
		memcpy(y, last, a->size);
		if (OSSL_PARAM_BLD_push_utf8_string(
			build, OSSL_PKEY_PARAM_GROUP_NAME, a->curve, 0) == 1 &&
		    OSSL_PARAM_BLD_push_octet_string(build,
			OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * a->size) == 1)
			key = make_key("EC", OSSL_PARAM_BLD_to_param(build));
	}
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *read_okp(const json_t *jwk)
{
	uint8_t bytes[ED25519_SIZE + 1]; /* whole triples */

	if (get_bytes(jwk, "x", bytes, sizeof(bytes)) != ED25519_SIZE)
		return NULL;
	return EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, bytes, ED25519_SIZE);
}

/* The row of the first algorithm for this kind of key. */
static const struct algorithm *kind_of(const json_t *jwk)
{
	struct span type =
	    span_of(json_string_value(json_object_get(jwk, "kty")));
	struct span curve =
	    span_of(json_string_value(json_object_get(jwk, "crv")));
	size_t n = sizeof(algorithms) / sizeof(algorithms[0]);

	for (size_t i = 0; i < n; i++)
		if (span_eq(type, span_of(algorithms[i].type)) &&
		    (!algorithms[i].curve ||
			span_eq(curve, span_of(algorithms[i].curve))))
			return &algorithms[i];
	return NULL;
}

/* Whether the key may be used for signatures, and which; 0 or negative. */
static int read_use(const json_t *jwk, struct jwk *out)
{
	const char *use = json_string_value(json_object_get(jwk, "use"));
	const char *name = json_string_value(json_object_get(jwk, "alg"));

	if (use && strcmp(use, "sig") != 0)
		return -EINVAL;
	out->only = name ? find_algorithm(span_of(name)) : NULL;
	return name && !out->only ? -EINVAL : 0;
}

static int read_key(const json_t *jwk, struct jwk *out)
{
	const char *kid = json_string_value(json_object_get(jwk, "kid"));
	const struct algorithm *kind = kind_of(jwk);

	*out = (struct jwk){ .kid = NULL };
	if (!kid || !*kid || !kind || read_use(jwk, out) < 0)
		return -EINVAL;
	out->type = kind->type;
	out->curve = kind->curve;
	out->key = !kind->curve ? read_rsa(jwk)
		   : kind->size ? read_ec(jwk, kind)
				: read_okp(jwk);
	if (!out->key)
		return -EINVAL;
	out->kid = strdup(kid);
	if (out->kid)
		return 0;
	EVP_PKEY_free(out->key);
	return -ENOMEM;
}

static struct jwk_set *read_keys(const json_t *array, struct err *e)
{
	size_t count = json_array_size(array);
	struct jwk_set *set;

	if (!json_is_array(array) || count == 0 || count > JWK_KEYS_MAX) {
		(void)err_set(e, -EINVAL,
		    "not a JWK set: its \"keys\" must be 1 to %d keys",
		    JWK_KEYS_MAX);
		return NULL;
	}
	set = calloc(1, sizeof(*set) + count * sizeof(set->keys[0]));
	if (!set) {
		(void)err_errno(e, -ENOMEM, "cannot read keys");
		return NULL;
	}
	atomic_init(&set->refs, 1);
	for (size_t i = 0; i < count; i++)
		if (read_key(
			json_array_get(array, i), &set->keys[set->count]) == 0)
			set->count++;
	if (set->count > 0)
		return set;
	(void)err_set(e, -EINVAL,
	    "none of its %zu keys can verify signatures (RSA of %d bits or "
	    "more, P-256, P-384, Ed25519; with a kid)",
	    count, MODULUS_BITS_MIN);
	jwk_set_unref(set);
	return NULL;
}

struct jwk_set *jwk_set_parse(struct span json, struct err *e)
{
	json_error_t error;
	json_t *root;
	struct jwk_set *set;

	if (json.len > JWK_SET_BYTES_MAX) {
		(void)err_set(e, -EMSGSIZE, "larger than %d KiB",
		    JWK_SET_BYTES_MAX / 1024);
		return NULL;
	}
	root = json_loadb(
	    json.ptr ? json.ptr : "", json.len, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		(void)err_set(e, -EINVAL, "not JSON: %s", error.text);
		return NULL;
	}
	set = read_keys(json_object_get(root, "keys"), e);
	json_decref(root);
	ERR_clear_error(); /* this thread's: of keys that were left out */
	return set;
}

struct jwk_set *jwk_set_ref(struct jwk_set *set)
{
	atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	return set;
}

void jwk_set_unref(struct jwk_set *set)
{
	if (!set ||
	    atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < set->count; i++) {
		free(set->keys[i].kid);
		EVP_PKEY_free(set->keys[i].key);
	}
	free(set);
}

size_t jwk_set_count(const struct jwk_set *set)
{
	return set->count;
}

/* --- verifying --- */

/* Two numbers side by side (RFC 7518 3.4) as OpenSSL wants them; or NULL. */
static unsigned char *ecdsa_to_der(
    struct span raw, size_t size, size_t *out_len)
{
	const unsigned char *bytes = (const unsigned char *)raw.ptr;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	BIGNUM *r, *s;
	int len = -1;

	if (!sig || raw.len != 2 * size) {
		ECDSA_SIG_free(sig);
		return NULL;
	}
	r = BN_bin2bn(bytes, (int)size, NULL);
	s = BN_bin2bn(bytes + size, (int)size, NULL);
	if (r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
		len = i2d_ECDSA_SIG(sig, &der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	*out_len = len > 0 ? (size_t)len : 0;
	return der;
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct algorithm *a)
{
	return !a->is_pss ||
	       (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		   EVP_PKEY_CTX_set_rsa_pss_saltlen(
		       ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool verify_with(EVP_PKEY *key, const struct algorithm *a,
    struct span text, struct span signature)
{
	const unsigned char *sig = (const unsigned char *)signature.ptr;
	size_t len = signature.len;
	unsigned char *der = NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *params = NULL;
	bool is_good;

	if (a->size)
		sig = der = ecdsa_to_der(signature, a->size, &len);
	is_good = ctx && sig &&
		  EVP_DigestVerifyInit_ex(
		      ctx, &params, a->digest, NULL, NULL, key, NULL) == 1 &&
		  set_padding(params, a) &&
		  EVP_DigestVerify(ctx, sig, len,
		      (const unsigned char *)text.ptr, text.len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ERR_clear_error(); /* the thread's, which TLS looks at */
	return is_good;
}

static bool is_for(const struct jwk *key, const struct algorithm *a)
{
	if (key->only)
		return key->only == a;
	return !strcmp(key->type, a->type) &&
	       (!a->curve || !strcmp(key->curve, a->curve));
}

bool jwk_verify(const struct jwk_set *set, struct span kid,
    struct span algorithm, struct span text, struct span signature)
{
	const struct algorithm *a = find_algorithm(algorithm);

	for (size_t i = 0; a && i < set->count; i++)
		if (span_eq(kid, span_of(set->keys[i].kid)) &&
		    is_for(&set->keys[i], a) &&
		    verify_with(set->keys[i].key, a, text, signature))
			return true;
	return false;
}
