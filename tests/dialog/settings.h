/*
 * The configuration a dialog runs with: defaults as those of the daemon but
 * for delays, and what `#!` lines change.
 */
#pragma once

#include "script.h"

#include <base/netaddr.h>
#include <config/config.h>

/* How much the client sends at a time. */
enum way {
	WAY_WHOLE = 0, /* all that is left up to a step that waits */
	WAY_LINES,
	WAY_BYTES,
	WAYS
};

extern const char *const way_names[WAYS];

struct settings {
	struct config config;
	struct network plaintext_from;
	struct config_listener listener;
	struct config_user user;
	const char *senders[4], *recipients[4], *suppress;
	struct network network; /* of the listener's list that a line sets */
	struct network user_network; /* and of the user's */
	enum transport transport;
	/* How to play it; bits 1 << what it counts, 0: every way. */
	unsigned only_transports, only_ways;
	bool is_cleartext; /* STARTTLS, if any, is said by the dialog */
	enum {
		PREFIX_NONE = 0,
		PREFIX_EHLO, /* the runner says EHLO first */
		PREFIX_AUTH  /* and logs in */
	} prefix;
	bool has_certificate;
	int64_t bodies; /* how many messages go to a file */
	/* Of the spool, in percent; 0: not looked at. */
	int64_t free_space, free_inodes, memory;
};

/* Also tells the fakes. Exits when a setting is not known. */
void settings_apply(
    struct settings *t, const struct script *s, enum transport transport);
/* What is nearly used up, as they say. */
struct pressure *settings_pressure(const struct settings *t);
void settings_finish(struct settings *t);
