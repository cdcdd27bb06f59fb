/* See certs.h. */
#include <support/certs.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <unistd.h>

#include <support/unit.h>

static void add_extension(X509 *x, const char *name)
{
	char text[128];
	X509_EXTENSION *e;

	(void)snprintf(text, sizeof(text), "DNS:%s", name);
	e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *make_certificate(EVP_PKEY *key, const char *name)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);

	ck_assert_int_eq(X509_set_version(x, 2), 1);
	ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(x), -3600));
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(x), 86400));
	ck_assert_int_eq(X509_set_pubkey(x, key), 1);
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
			     (const unsigned char *)name, -1, -1, 0),
	    1);
	ck_assert_int_eq(X509_set_issuer_name(x, subject), 1);
	add_extension(x, name);
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
	return x;
}

static char *path_of(const struct certs *c, size_t i, const char *kind)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s/%zu.%s.pem", c->dir, i, kind);
	char *path = span_dup(span_of(text));
	ck_assert_ptr_nonnull(path);
	return path;
}

void certs_init(struct certs *c)
{
	*c = (struct certs){ .dir = "/tmp/postern-certs-XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(c->dir));
	c->tls.certificates.items = c->items;
}

void certs_add(struct certs *c, const char *name, enum certs_key type)
{
	size_t i = c->tls.certificates.count++;
	char *cert = path_of(c, i, "cert"), *file = path_of(c, i, "key");
	EVP_PKEY *key =
	    type == CERTS_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

	ck_assert_ptr_nonnull(key);
	X509 *x = make_certificate(key, name);
	FILE *f = fopen(cert, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(PEM_write_X509(f, x), 1);
	(void)fclose(f);
	f = fopen(file, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	(void)fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
	c->items[i] = (struct config_certificate){ .cert = cert, .key = file };
}

void certs_finish(struct certs *c)
{
	for (size_t i = 0; i < c->tls.certificates.count; i++) {
		char *cert = path_of(c, i, "cert"), *key = path_of(c, i, "key");

		(void)unlink(cert);
		(void)unlink(key);
		free(cert);
		free(key);
		free((void *)(uintptr_t)c->items[i].cert);
		free((void *)(uintptr_t)c->items[i].key);
	}
	(void)rmdir(c->dir);
}
