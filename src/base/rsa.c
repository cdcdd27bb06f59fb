/*
 * OpenSSL's RSA. Keys are read anew each time: who signs does so once in an
 * hour.
 */
#include <base/rsa.h>

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* No prompt for a password: a key that wants one is not read. */
static int no_password(char *out, int size, int is_new, void *ctx)
{
	(void)out;
	(void)size;
	(void)is_new;
	(void)ctx;
	return -1;
}

/* NULL when it is none that may be used. */
static EVP_PKEY *read_key(struct span pem)
{
	BIO *in =
	    pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
	EVP_PKEY *key = NULL;

	if (in)
		key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
	BIO_free(in);
	if (key && (!EVP_PKEY_is_a(key, "RSA") ||
		       EVP_PKEY_get_bits(key) < RSA_BITS_MIN ||
		       EVP_PKEY_get_size(key) > RSA_SIGNATURE_MAX)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();
	return key;
}

int rsa_sign(struct span pem, struct span data, uint8_t *out, size_t *out_len)
{
	EVP_PKEY *key = read_key(pem);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc = key ? -ENOMEM : -EINVAL;

	*out_len = RSA_SIGNATURE_MAX;
	if (key && ctx &&
	    EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) ==
		1 &&
	    EVP_DigestSign(
		ctx, out, out_len, (const uint8_t *)data.ptr, data.len) == 1)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc;
}

bool rsa_is_signed(struct span pem, struct span data, struct span signature)
{
	EVP_PKEY *key = read_key(pem);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_good =
	    key && ctx &&
	    EVP_DigestVerifyInit_ex(
		ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestVerify(ctx, (const uint8_t *)signature.ptr, signature.len,
		(const uint8_t *)data.ptr, data.len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return is_good;
}
