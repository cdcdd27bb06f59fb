/*
 * The sandbox as a mail server, for the module smtp: a strict receiver of
 * SMTP (RFC 5321, 4954, 1870, 2920, 6152, 6531) without TLS, whose messages
 * meet the same limits, faults and counts as requests by HTTP and go into the
 * same archive. The loop's thread.
 */
#pragma once

#include <base/err.h>

struct sandbox;
struct smtpd;

/* address: as base/hostport.h has it. NULL: e says why. */
struct smtpd *smtpd_start(
    struct sandbox *s, const char *address, struct err *e);
int smtpd_port(const struct smtpd *d);
/*
 * Break all sessions off. on_closed runs last, perhaps inside this call.
 * Accepts NULL for either.
 */
void smtpd_close(struct smtpd *d, void (*on_closed)(void *ctx), void *ctx);
