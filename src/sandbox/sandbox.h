/*
 * A fake of the providers' HTTP APIs, and of a mail server, with fault
 * injection: for trying Postern without keys, for failover drills and for
 * tests. It checks requests as the real provider would and keeps what it
 * accepted for inspection.
 */
#pragma once

#include <base/err.h>

#include <stddef.h>
#include <stdint.h>

struct keyring;
struct loop;
struct sandbox;
struct ses_account;

struct sandbox_settings {
	const char *address;    /* "127.0.0.1:8025"; port 0: any */
	const char *archive;    /* directory for accepted messages, or NULL */
	const char *ses_key_id; /* NULL: the default, as for ses_secret */
	const char *ses_secret;
	const char *smtp_address; /* the same of mail by SMTP; NULL: none */
	/* The only good login, without which nothing is taken; NULL: any. */
	const char *smtp_user, *smtp_password;
	size_t max_messages;               /* kept in memory; 0: the default */
	uint64_t max_bytes;                /* likewise */
	const struct keyring *ses_keyring; /* the sandbox's own */
	struct ses_account *ses_account;   /* likewise */
};

#define SANDBOX_ADDRESS "127.0.0.1:8025"
#define SANDBOX_SES_KEY_ID "SANDBOXACCESSKEYID01"
#define SANDBOX_SES_SECRET "sandbox-secret-access-key"
#define SANDBOX_AZURE_KEY "c2FuZGJveC1henVyZS1hY2Nlc3Mta2V5" /* base64 */

enum {
	SANDBOX_MAX_MESSAGES = 10000,
	SANDBOX_MAX_BYTES = 256 * 1024 * 1024
};

/* On l's thread, or before it runs; the texts in settings must outlive it. */
struct sandbox *sandbox_start(
    struct loop *l, const struct sandbox_settings *settings, struct err *e);
/* on_closed runs on the loop, never inside this call. */
void sandbox_close(struct sandbox *s, void (*on_closed)(void *ctx), void *ctx);
int sandbox_port(const struct sandbox *s);
int sandbox_smtp_port(const struct sandbox *s); /* 0: there is none */
/* The i-th of those with HTTP, whose paths begin with its name; NULL behind the
 * last. */
const char *sandbox_provider(size_t i);
