/* What the servers, settle.c and control.c share. */
#pragma once

#include <sandbox/archive.h>
#include <sandbox/fake.h>
#include <sandbox/faults.h>
#include <sandbox/keyring.h>
#include <sandbox/limits.h>
#include <sandbox/sandbox.h>
#include <sandbox/ses_account.h>

#include <stdint.h>

struct httpd;
struct loop;
struct smtpd;

struct sandbox_counts {
	uint64_t requests;
	uint64_t accepted; /* messages taken */
	uint64_t rejected; /* answered with an error of the check */
	uint64_t faulted;  /* a fault fired */
	uint64_t limited;  /* one too many for its limit */
};

/* The loop's thread. */
struct sandbox {
	struct loop *loop;
	struct sandbox_settings settings;
	struct httpd *httpd;
	struct smtpd *smtpd; /* NULL: there is none */
	struct archive archive;
	struct faults faults;
	struct keyring ses_keyring;
	struct ses_account ses_account;
	struct sandbox_counts counts[FAKES_ALL]; /* as fakes */
	struct limit limits[FAKES_ALL];          /* likewise */
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

/* --- settle.c --- */

/*
 * Count a request that was checked into a, hold it against limit and faults,
 * and keep its letter if it is taken. a becomes what is answered; the fault
 * that befell it says how, NULL: at once.
 */
const struct fault *settle(
    struct sandbox *s, size_t index, struct fake_answer *a);
/* A fault before the body is there, counted; or NULL. */
const struct fault *settle_head(struct sandbox *s, size_t index);
/* The same of one command of SMTP; a becomes the answer. */
const struct fault *settle_command(struct sandbox *s, size_t index,
    const char *command, struct span args, struct fake_answer *a);

/* control.c: answer a request for / or under /_sandbox/. */
void control_answer(struct sandbox *s, struct httpd_request *r);
