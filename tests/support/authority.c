/* See authority.h. */
#include <support/authority.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <support/unit.h>

static void extend(X509 *x, int kind, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void name(X509_NAME *n, const char *common_name)
{
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
			     (const unsigned char *)common_name, -1, -1, 0),
	    1);
}

static X509 *begin(struct authority *a, EVP_PKEY *key, bool is_expired)
{
	X509 *x = X509_new();
	long end = is_expired ? -60 : 86400;

	ck_assert_ptr_nonnull(x);
	ck_assert_int_eq(X509_set_version(x, 2), 1);
	ck_assert_int_eq(
	    ASN1_INTEGER_set(X509_get_serialNumber(x), ++a->serial), 1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(x), -3600));
	ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(x), end));
	ck_assert_int_eq(X509_set_pubkey(x, key), 1);
	return x;
}

void authority_init(struct authority *a)
{
	*a = (struct authority){ .dir = "/tmp/postern-authority-XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(a->dir));
	(void)snprintf(a->ca_file, sizeof(a->ca_file), "%s/ca.pem", a->dir);
	(void)snprintf(a->crl_file, sizeof(a->crl_file), "%s/crl.pem", a->dir);
	a->key = EVP_EC_gen("P-256");
	ck_assert_ptr_nonnull(a->key);
	a->cert = begin(a, a->key, false);
	name(X509_get_subject_name(a->cert), "Clients");
	ck_assert_int_eq(
	    X509_set_issuer_name(a->cert, X509_get_subject_name(a->cert)), 1);
	extend(a->cert, NID_basic_constraints, "critical,CA:TRUE");
	ck_assert_int_gt(X509_sign(a->cert, a->key, EVP_sha256()), 0);
	FILE *f = fopen(a->ca_file, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(PEM_write_X509(f, a->cert), 1);
	(void)fclose(f);
}

void authority_finish(struct authority *a)
{
	(void)unlink(a->ca_file);
	(void)unlink(a->crl_file);
	(void)rmdir(a->dir);
	X509_CRL_free(a->crl);
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
}

struct authority_certificate authority_certify(
    struct authority *a, const struct authority_client *client)
{
	struct authority_certificate c = { .key = EVP_EC_gen("P-256") };

	ck_assert_ptr_nonnull(c.key);
	c.cert = begin(a, c.key, client->is_expired);
	if (client->common_name)
		name(X509_get_subject_name(c.cert), client->common_name);
	ck_assert_int_eq(
	    X509_set_issuer_name(c.cert, X509_get_subject_name(a->cert)), 1);
	if (client->san)
		extend(c.cert, NID_subject_alt_name, client->san);
	ck_assert_int_gt(X509_sign(c.cert, a->key, EVP_sha256()), 0);
	return c;
}

void authority_certificate_free(struct authority_certificate *c)
{
	X509_free(c->cert);
	EVP_PKEY_free(c->key);
}

static void begin_list(struct authority *a)
{
	ASN1_TIME *t = X509_gmtime_adj(NULL, -3600);

	a->crl = X509_CRL_new();
	ck_assert_int_eq(X509_CRL_set_version(a->crl, 1), 1);
	ck_assert_int_eq(
	    X509_CRL_set_issuer_name(a->crl, X509_get_subject_name(a->cert)),
	    1);
	ck_assert_int_eq(X509_CRL_set1_lastUpdate(a->crl, t), 1);
	ck_assert_ptr_nonnull(X509_gmtime_adj(t, 86400));
	ck_assert_int_eq(X509_CRL_set1_nextUpdate(a->crl, t), 1);
	ASN1_TIME_free(t);
}

void authority_revoke(struct authority *a, const X509 *revoked)
{
	if (!a->crl)
		begin_list(a);
	if (revoked) {
		X509_REVOKED *entry = X509_REVOKED_new();
		ASN1_TIME *t = X509_gmtime_adj(NULL, -60);

		ck_assert_int_eq(
		    X509_REVOKED_set_serialNumber(entry,
			(ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(
			    revoked)),
		    1);
		ck_assert_int_eq(X509_REVOKED_set_revocationDate(entry, t), 1);
		ck_assert_int_eq(X509_CRL_add0_revoked(a->crl, entry), 1);
		ASN1_TIME_free(t);
	}
	ck_assert_int_gt(X509_CRL_sign(a->crl, a->key, EVP_sha256()), 0);
	FILE *f = fopen(a->crl_file, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(PEM_write_X509_CRL(f, a->crl), 1);
	(void)fclose(f);
}

void authority_use(SSL *client, const struct authority_certificate *c)
{
	ck_assert_int_eq(SSL_use_certificate(client, c->cert), 1);
	ck_assert_int_eq(SSL_use_PrivateKey(client, c->key), 1);
}
