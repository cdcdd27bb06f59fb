/*
 * What follows from one configuration for logins, worked out once: what to
 * offer, and how to treat names that nobody has. Immutable; any thread.
 * Private to auth.
 */
#pragma once

#include <auth/auth.h>
#include <auth/password.h>
#include <base/hash.h>
#include <base/span.h>
#include <config/config.h>

#include <stdatomic.h>
#include <stdbool.h>

enum {
	VIEW_MECHANISMS_SIZE = 64
};

struct view {
	atomic_uint refs;
	struct view *next;     /* the service's, under its lock */
	struct config *config; /* a reference */
	/* All there can be, in the order of the configuration. */
	char mechanisms[VIEW_MECHANISMS_SIZE];
	/*
	 * The record to hash against for a name nobody has: a real one, of
	 * the kind most users have, so that the time is the same.
	 */
	struct span dummy_record;
	unsigned decoy_iterations;
	uint8_t decoy_key[HASH_SHA256_SIZE];
	/* Most users are saslauthd's: so are names nobody has. */
	bool asks_about_strangers;
	struct keyring *keyring; /* of auth.oauth; NULL without */
	auth_fetch *fetch;       /* for it */
};

/* NULL for memory. Takes a reference to config. Has one reference itself. */
struct view *view_new(struct config *config, auth_fetch *fetch);
struct view *view_ref(struct view *v);
void view_unref(struct view *v); /* accepts NULL */

/* Those of them that this client can use now. */
void view_list_mechanisms(const struct view *v,
    const struct auth_channel *channel, char out[VIEW_MECHANISMS_SIZE]);
/* The name as it is configured, when it is (in any case); else NULL. */
const char *view_find_mechanism(const struct view *v, struct span name);
/* Whether this client can use one of these names. */
bool view_offers(const char *mechanism, const struct view *v,
    const struct auth_channel *channel);
/* Empty for NULL and for a user who cannot log in. */
struct span view_record_of(const struct config_user *user);
/* Whether saslauthd verifies the passwords of user; NULL for a stranger. */
bool view_asks_saslauthd(const struct view *v, const struct config_user *user);
/*
 * What to tell a SCRAM client that asks for a name nobody has: always the
 * same for one name, like a real record; no password fits.
 */
void view_decoy_record(
    const struct view *v, struct span name, char out[PASSWORD_RECORD_SIZE]);
