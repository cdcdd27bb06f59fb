/*
 * Certificates for tests, made when they are needed, in a directory of their
 * own that goes with them.
 */
#pragma once

#include <config/config.h>

enum certs_key {
	CERTS_ECDSA = 0,
	CERTS_RSA
};

struct certs {
	char dir[64];
	struct config_certificate items[4];
	struct config_tls tls; /* of all items */
};

void certs_init(struct certs *c);
/* A self-signed certificate for name and its key, as PEM files. */
void certs_add(struct certs *c, const char *name, enum certs_key key);
void certs_finish(struct certs *c);
