/* Between param.c and the files that take the values of one RFC each. */
#pragma once

#include <smtp/param.h>

/* One parameter as it came. */
struct smtp_param {
	struct span keyword, value;
	bool has_value;
};

/* What is being filled; one of mail and rcpt is NULL. */
struct smtp_param_taker {
	const struct smtp_param_rules *rules;
	struct smtp_mail_params *mail;
	struct smtp_rcpt_params *rcpt;
	const char *why; /* may be set by who refuses */
};

/* True when the value is good and was taken; each runs once at most. */
typedef bool smtp_param_take(
    struct smtp_param_taker *t, const struct smtp_param *p);

/* A letter, digit or "-", which does not come first; at least one. */
bool smtp_param_is_keyword(struct span s);
/* RFC 3461 4; whatever the octets it stands for. */
bool smtp_param_is_xtext(struct span s);

/* --- param_dsn.c: RFC 3461 --- */

smtp_param_take smtp_param_take_ret, smtp_param_take_envid,
    smtp_param_take_notify, smtp_param_take_orcpt;

/* --- param_release.c: RFC 4865 --- */

smtp_param_take smtp_param_take_holdfor, smtp_param_take_holduntil;
