/*
 * An authority that certifies clients, for tests: its certificate and its
 * revocation list as PEM files in a directory of their own.
 */
#pragma once

#include <openssl/ssl.h>

#include <stdbool.h>

struct authority {
	char dir[64], ca_file[80], crl_file[80];
	X509 *cert;
	EVP_PKEY *key;
	X509_CRL *crl;
	long serial;
};

/* What to certify; NULL leaves a name out. */
struct authority_client {
	const char *common_name;
	const char *san; /* as X509V3_EXT_conf_nid wants: "DNS:a,email:b" */
	bool is_expired;
};

struct authority_certificate {
	X509 *cert;
	EVP_PKEY *key;
};

void authority_init(struct authority *a);
void authority_finish(struct authority *a);
struct authority_certificate authority_certify(
    struct authority *a, const struct authority_client *client);
void authority_certificate_free(struct authority_certificate *c);
/* Put it on the list, and write the list (revoke NULL: as it is). */
void authority_revoke(struct authority *a, const X509 *revoked);
/* Show it from now on. */
void authority_use(SSL *client, const struct authority_certificate *c);
