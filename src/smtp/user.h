/*
 * What a user may do, as the configuration says. Pure: no session, so that
 * `postern explain` asks the same.
 */
#pragma once

#include <base/err.h>
#include <base/span.h>
#include <config/config.h>
#include <mail/header.h>
#include <mail/mime_scan.h>

#include <stdbool.h>
#include <stdint.h>

/* The user's mode, else the listener's, else the queue's. Both may be NULL. */
enum config_mode smtp_user_mode(const struct config *c,
    const struct config_listener *l, const struct config_user *user);
/* Bytes of a message, recipients of it (0 or less: any number). */
uint64_t smtp_user_size(const struct config *c, const struct config_user *user);
int64_t smtp_user_recipients(
    const struct config *c, const struct config_user *user);

/* NULL when the parts of a content are few enough, else the refusal. */
const char *smtp_user_parts(
    const struct config *c, const struct mime_scan *content);

/* MAIL FROM: the null sender, and any other. */
bool smtp_user_null_sender(
    const struct config *c, const struct config_user *user);
bool smtp_user_sender(const struct config_user *user, struct span address);

/* RCPT TO. The words of the refusal are smtp_session_reply's. */
enum smtp_user_rcpt {
	SMTP_USER_RCPT_OK = 0,
	SMTP_USER_RCPT_FOREIGN,   /* 550 5.7.1: not this user's to write to */
	SMTP_USER_RCPT_SUPPRESSED /* 550 5.1.1 */
};
enum smtp_user_rcpt smtp_user_rcpt(const struct config *c,
    const struct config_user *user, struct span address);

/* Whether From and Sender of a header name only addresses of the user. */
bool smtp_user_may_write(const struct config_user *user, struct span header);
/*
 * header_rewrite as the configuration wants it; of who, what it says of
 * hostname, hide_client, add_sender and strip is filled in.
 */
enum header_verdict smtp_user_header(const struct config *c, struct span block,
    const struct header_stamp *who, struct buf *out, struct err *why);
