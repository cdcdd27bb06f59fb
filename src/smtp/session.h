/*
 * One SMTP submission session (RFC 5321, 6409) on one worker loop. Created
 * for an accepted connection, ends by itself.
 */
#pragma once

#include <base/list.h>
#include <config/config.h>
#include <loop/loop.h>

#include <stdbool.h>

struct auth;
struct conn;
struct counters;
struct deliver;
struct loop;
struct peers;
struct pressure;
struct quota;
struct store;
struct tls_set;

/* What sessions of one worker share. Owned by the worker. */
struct smtp_service {
	struct loop *loop;
	struct config *config; /* present snapshot; sessions take a ref */
	struct tls_set *tls; /* owned; NULL when no certificate is configured */
	struct auth *auth;
	struct quota *quota;
	struct deliver *deliver;
	struct store *store;
	struct counters *counters;
	struct peers *peers;          /* shared by all workers */
	struct pressure *pressure;    /* likewise */
	struct list sessions;         /* struct smtp_session.link */
	struct list paused;           /* struct smtp_session.paused: room.c */
	struct loop_timer look_again; /* runs while there are any */
	struct list doors;           /* connections that are none yet: door.c */
	size_t session_count;        /* of both */
	bool is_stressed;            /* what waits was timed for that */
	bool is_draining;            /* 421 at the next command outside DATA */
	void (*on_empty)(void *ctx); /* the last session ended; may be NULL */
	void *ctx;
};

void smtp_service_init(struct smtp_service *s, struct loop *loop);
void smtp_service_finish(struct smtp_service *s);
/* Sessions that begin from now on use set, which the service takes over. */
void smtp_service_set_tls(struct smtp_service *s, struct tls_set *set);
/* Take over an accepted connection; listener: index in config->listeners. */
void smtp_session_start(
    struct smtp_service *s, struct conn *c, size_t listener);
/*
 * Note in p what the store has to do now: with each message, and once a second.
 * Any thread.
 */
void smtp_note_store(struct pressure *p, struct store *store);
/* Say 421 to who is idle now and to others at their next command. */
void smtp_service_drain(struct smtp_service *s);
/* End all sessions at once. */
void smtp_service_abort(struct smtp_service *s);
