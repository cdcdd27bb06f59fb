/*
 * What the files of the mail server share: smtpd.c listens and begins
 * sessions, smtpd_session.c reads lines and gives replies, with the faults
 * that befall them, smtpd_commands.c knows the commands, smtpd_auth.c logins.
 */
#pragma once

#include <base/list.h>
#include <loop/loop.h>
#include <net/conn.h>
#include <sandbox/sandbox_internal.h>
#include <sandbox/smtpd_body.h>

enum {
	SMTPD_LINE_MAX = 1000, /* with CRLF */
	SMTPD_SIZE_MAX = 64 * 1024 * 1024,
	SMTPD_RECIPIENTS_MAX = 100,
	SMTPD_IDLE_MS = 120 * 1000
};

enum smtpd_mode {
	SMTPD_COMMAND = 0,
	/* The next line answers a challenge of AUTH. */
	SMTPD_AUTH_PLAIN,
	SMTPD_AUTH_USER,
	SMTPD_AUTH_PASSWORD,
	SMTPD_BODY,
	SMTPD_WAITING, /* for the time of a reply; nothing is read */
	SMTPD_DEAF,    /* no reply any more: a fault */
	SMTPD_OVER
};

struct smtpd_session {
	struct list node; /* of the server */
	struct smtpd *server;
	struct sandbox *sandbox;
	struct conn *conn;
	struct loop_timer timer; /* for the reply, else for the client */
	enum smtpd_mode mode;
	bool is_discarding; /* in a line that was too long */
	bool is_begun;      /* it has heard from us */
	bool is_greeted, is_extended, is_logged_in;
	char user[SMTPD_LINE_MAX]; /* of AUTH LOGIN */

	/* The transaction. */
	char *sender; /* NULL: there is none */
	bool takes_8bit, takes_utf8;
	bool is_counted; /* among those that were refused */
	bool is_doomed;  /* broken off with its first byte */
	struct buf recipients;
	size_t recipient_count; /* one per line of these */
	struct smtpd_body body;
	struct buf text;

	/* A reply under way. */
	struct buf reply;
	uint64_t byte_ms;
	bool is_last, is_reset; /* the connection ends with it, or instead */
};

/* --- smtpd.c --- */

/* Its connection has closed: frees it. */
void smtpd_forget(struct smtpd_session *c);

/* --- smtpd_session.c --- */

extern const struct conn_ops smtpd_ops;

/* Say hello and begin to read. */
void smtpd_begin(struct smtpd_session *c);
void smtpd_say(struct smtpd_session *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, and the transaction counts as rejected. */
void smtpd_refuse(struct smtpd_session *c, const char *reply);
/* Say goodbye and close. */
void smtpd_leave(struct smtpd_session *c, const char *reply);
/* Answer with a, as the fault will have it; fault may be NULL. */
void smtpd_answer(struct smtpd_session *c, const struct fault *fault,
    const struct fake_answer *a);
/* DATA was said: a fault that happens before the end of the message. */
bool smtpd_meets_early_fault(struct smtpd_session *c);
/* A fault for this command: it has been answered. */
bool smtpd_meets_fault(
    struct smtpd_session *c, const char *command, struct span args);
void smtpd_forget_transaction(struct smtpd_session *c);

/* --- smtpd_commands.c --- */

void smtpd_command(struct smtpd_session *c, struct span line);
/* The message is complete. */
void smtpd_take_message(struct smtpd_session *c);

/* --- smtpd_auth.c --- */

void smtpd_auth(struct smtpd_session *c, struct span args);
/* The line after a challenge. */
void smtpd_auth_go_on(struct smtpd_session *c, struct span line);
