/*
 * Parameters of MAIL and RCPT, typed: SIZE (RFC 1870), BODY (6152), AUTH
 * (4954), SMTPUTF8 (6531), RET, ENVID, NOTIFY and ORCPT (3461), HOLDFOR and
 * HOLDUNTIL (4865), MT-PRIORITY (6710). Pure.
 */
#pragma once

#include <base/span.h>
#include <mail/envelope.h>

#include <stdbool.h>
#include <stdint.h>

/* What a client may use; EHLO offers the same bits it is held to. */
enum smtp_extension {
	SMTP_EXT_ESMTP = 1 << 0, /* SIZE, 8BITMIME, AUTH: every EHLO */
	SMTP_EXT_UTF8 = 1 << 1,
	SMTP_EXT_DSN = 1 << 2,
	SMTP_EXT_RELEASE = 1 << 3,
	SMTP_EXT_PRIORITY = 1 << 4
};

/* What the parameters are judged by. */
struct smtp_param_rules {
	unsigned offered;     /* bits of enum smtp_extension */
	bool is_stored;       /* a message can wait here */
	uint64_t max_hold_ms; /* from now_ms */
	int64_t now_ms;       /* wall clock */
	bool is_utf8;         /* RCPT: MAIL had SMTPUTF8 */
};

/* Spans are borrowed from the arguments. */
struct smtp_mail_params {
	bool has_size;
	uint64_t size;
	struct span auth; /* raw xtext; parsed, not used (RFC 4954 5) */
	/* Priority as it was asked for. */
	struct envelope_terms terms;
};

struct smtp_rcpt_params {
	unsigned notify; /* bits of enum envelope_notify */
	struct span orcpt;
};

enum smtp_param_result {
	SMTP_PARAM_OK = 0,
	SMTP_PARAM_UNKNOWN,   /* 555 5.5.4: not offered, or no such */
	SMTP_PARAM_BAD,       /* 501 5.5.4: bad or repeated value */
	SMTP_PARAM_MALFORMED, /* 501 5.5.2: the same of MT-PRIORITY */
	SMTP_PARAM_SYNTAX     /* 501: not even a keyword */
};

struct smtp_param_fault {
	struct span keyword; /* at fault; ASCII, never empty but for SYNTAX */
	const char *why;     /* more for the client, or NULL; static */
};

/* What follows the path of MAIL. *out_fault is set for all but OK. */
enum smtp_param_result smtp_param_parse_mail(struct span args,
    const struct smtp_param_rules *rules, struct smtp_mail_params *out,
    struct smtp_param_fault *out_fault);
/* What follows the path of RCPT, likewise. */
enum smtp_param_result smtp_param_parse_rcpt(struct span args,
    const struct smtp_param_rules *rules, struct smtp_rcpt_params *out,
    struct smtp_param_fault *out_fault);
