/*
 * One SASL exchange: a fresh libsasl2 connection per AUTH command, because
 * one that has failed may say yes to whatever comes next. Private to auth;
 * the session's loop.
 */
#pragma once

#include <auth/auth.h>
#include <auth/verify.h>
#include <auth/view.h>

#include <base/span.h>

#include <stdbool.h>

struct exchange;

/* All borrowed until exchange_free, but hostname. */
struct exchange_setup {
	struct view *view;
	struct verifier *verifier;
	struct verify_wait *wait;
	const char *hostname;
	struct auth_channel channel;  /* without proven */
	const char *certificate_user; /* for EXTERNAL; may be NULL */
};

struct exchange *exchange_new(const struct exchange_setup *setup); /* NULL */
/* Also while a hash runs, when verify_cancel was called. Accepts NULL. */
void exchange_free(struct exchange *x);

/*
 * The three return true with *out set, or false when they wait for a hash:
 * then exchange_resume is due when the setup's wait has its verdict. What
 * *out points to is valid until the next call for x.
 */
/* initial: NULL when the client sent no initial response. */
bool exchange_start(struct exchange *x, const char *mechanism,
    const struct span *initial, struct auth_answer *out);
bool exchange_step(
    struct exchange *x, struct span response, struct auth_answer *out);
bool exchange_resume(struct exchange *x, struct auth_answer *out);

/* Whether libsasl2 would do this mechanism under TLS. */
bool exchange_is_available(const char *mechanism);
/* Where libsasl2 looks for the plugins that are not ours. */
const char *exchange_plugin_dir(void);
