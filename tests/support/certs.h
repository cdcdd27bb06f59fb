/*
 * Certificates for tests, made when they are needed, in files that only this
 * process can see and that go with it.
 */
#pragma once

#include <config/config.h>

enum certs_key {
	CERTS_ECDSA = 0,
	CERTS_RSA
};

struct certs {
	int fds[4][2]; /* certificate, key */
	struct config_certificate items[4];
	struct config_tls tls; /* of all items */
};

void certs_init(struct certs *c);
/* A self-signed certificate for name and its key, as PEM files. */
void certs_add(struct certs *c, const char *name, enum certs_key key);
void certs_finish(struct certs *c);
