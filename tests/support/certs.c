/* See certs.h. */
#include <support/certs.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

/*
 * A file that ends with the process, however that ends: tests that fail are
 * not given the time to tidy up.
 */
static char *make_file(int *fd, FILE **f)
{
	char path[64];

	*fd = memfd_create("certs", MFD_CLOEXEC);
	ck_assert_int_ge(*fd, 0);
	ck_assert_int_eq(fchmod(*fd, 0600), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	*f = fopen(path, "we");
	ck_assert_ptr_nonnull(*f);
	char *copy = span_dup(span_of(path));
	ck_assert_ptr_nonnull(copy);
	return copy;
}

void certs_init(struct certs *c)
{
	*c = (struct certs){ .tls.certificates.items = c->items };
}

void certs_add(struct certs *c, const char *name, enum certs_key type)
{
	size_t i = c->tls.certificates.count++;
	EVP_PKEY *key =
	    type == CERTS_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	FILE *f;

	ck_assert_ptr_nonnull(key);
	X509 *x = make_certificate(key, name);
	c->items[i].cert = make_file(&c->fds[i][0], &f);
	ck_assert_int_eq(PEM_write_X509(f, x), 1);
	(void)fclose(f);
	c->items[i].key = make_file(&c->fds[i][1], &f);
	ck_assert_int_eq(
	    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	(void)fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

void certs_finish(struct certs *c)
{
	for (size_t i = 0; i < c->tls.certificates.count; i++) {
		(void)close(c->fds[i][0]);
		(void)close(c->fds[i][1]);
		free((void *)(uintptr_t)c->items[i].cert);
		free((void *)(uintptr_t)c->items[i].key);
	}
}
