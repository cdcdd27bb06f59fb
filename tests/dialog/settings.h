/*
 * The configuration a dialog runs with: defaults as those of the daemon but
 * for delays, and what `#!` lines change.
 */
#pragma once

#include "script.h"

#include <config/config.h>

enum listener_kind {
	LISTENER_PLAIN = 0, /* everything allowed without TLS */
	LISTENER_IMPLICIT,
	LISTENER_STARTTLS
};

struct settings {
	struct config config;
	struct config_listener listener;
	struct config_user user;
	const char *senders[4];
	enum listener_kind kind;
	/* Which ways of playing the dialog make sense. */
	bool only_plain, only_tls, only_lines, only_whole, is_starttls;
	enum {
		PREFIX_NONE = 0,
		PREFIX_EHLO, /* the runner says EHLO first */
		PREFIX_AUTH  /* and logs in */
	} prefix;
	bool has_certificate;
};

/* Also tells the fakes. Exits when a setting is not known. */
void settings_apply(
    struct settings *t, const struct script *s, enum listener_kind kind);
void settings_finish(struct settings *t);
