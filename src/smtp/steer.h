/*
 * Fields by which a client steers its message (mail/controls.h): whether this
 * user may, whether they make sense, and what of them is the server's to do.
 * The rest stays in the header, for the router and for the provider. Pure: no
 * session, so that `postern explain` asks the same.
 */
#pragma once

#include <base/span.h>
#include <config/config.h>
#include <smtp/param.h>

#include <stdbool.h>

struct smtp_steer_refusal {
	unsigned code;
	const char *enhanced;
	char text[256];
};

/*
 * Sets in terms what the header asks for. rules: those of MAIL. False with
 * *out when the message is to be refused.
 */
bool smtp_steer(const struct config_user *user, struct span header,
    const struct smtp_param_rules *rules, struct envelope_terms *terms,
    struct smtp_steer_refusal *out);
