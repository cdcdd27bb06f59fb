/* A client's certificate in the words auth looks for. Pure. */
#pragma once

struct tls_peer;

/*
 * "dns:host", "email:a@b", "uri:...", "CN=...", "sha256:fingerprint", ending
 * with NULL: one allocation, to be freed. NULL for no peer, or no memory.
 */
const char **smtp_proven_new(const struct tls_peer *peer);
