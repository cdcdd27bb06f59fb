/*
 * What is played of a script over one transport: its own steps but those for
 * other transports, and before them what the runner does for it: STARTTLS with
 * the handshake, EHLO, a login. That stands behind the greeting; a script that
 * begins with anything else, as for a peer that is not let in, has none of it.
 */
#pragma once

#include "script.h"
#include "settings.h"

struct plan {
	const struct settings *settings;
	struct step *steps; /* their data is the script's */
	size_t count;
};

/* s and settings must outlive it. plan_free. */
void plan_make(
    struct plan *p, const struct script *s, const struct settings *settings);
void plan_free(struct plan *p);
