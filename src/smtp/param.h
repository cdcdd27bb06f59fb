/* Parameters of MAIL and RCPT, typed. Pure. */
#pragma once

#include <base/span.h>
#include <mail/envelope.h>

#include <stdbool.h>
#include <stdint.h>

struct smtp_params {
	bool has_size, has_body, has_auth;
	uint64_t size;           /* RFC 1870 */
	enum envelope_body body; /* RFC 6152 */
	struct span auth;        /* RFC 4954 5: raw xtext; parsed, not used */
};

enum smtp_param_result {
	SMTP_PARAM_OK = 0,
	SMTP_PARAM_UNKNOWN, /* 555 */
	SMTP_PARAM_BAD,     /* 501: bad or repeated value */
	SMTP_PARAM_SYNTAX   /* 501: not even a keyword */
};

/*
 * What follows the path of MAIL. *out_culprit is the keyword at fault for
 * UNKNOWN and BAD.
 */
enum smtp_param_result smtp_param_parse_mail(
    struct span args, struct smtp_params *out, struct span *out_culprit);
/* What follows the path of RCPT: no parameter is offered yet. */
enum smtp_param_result smtp_param_parse_rcpt(
    struct span args, struct span *out_culprit);
