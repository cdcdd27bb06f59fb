/*
 * What the files of SMTP share. A session is one connection, from the call
 * that wants it to the last one it carries: relay.c owns its life,
 * relay_connect.c lets curl connect, by a proxy where there is one, greet,
 * start TLS and log in; relay_talk.c then speaks the transactions over curl's
 * connection.
 */
#pragma once

#include <http/http_internal.h>

enum {
	RELAY_SOURCE_SIZE = 16 * 1024, /* of the message at a time */
	/* Were each byte a dot at the start of a line, it would be doubled. */
	RELAY_OUT_SIZE = RELAY_SOURCE_SIZE * 2 + 64,
	RELAY_LINE_MAX = 2048, /* of a reply; RFC 5321 allows 512 */
	RELAY_TEXT_MAX = 8 * 1024,
	RELAY_REPLY_MAX = 64 * 1024 /* bytes of one reply, kept or not */
};

enum relay_state {
	RELAY_WAITING = 0, /* for one of the connections that are allowed */
	RELAY_RESOLVING,
	RELAY_CONNECTING, /* curl, to the end of AUTH */
	RELAY_TALKING,    /* ours, from MAIL on */
	RELAY_ENDED,      /* on_done is due */
	RELAY_IDLE        /* no call */
};

/* What the server's EHLO says. */
enum relay_capability {
	RELAY_HAS_SIZE = 1 << 0,
	RELAY_HAS_8BITMIME = 1 << 1,
	RELAY_HAS_PIPELINING = 1 << 2,
	RELAY_HAS_UTF8 = 1 << 3
};

/* A reply, of one line or several. */
struct relay_reply {
	int code;        /* 0: none yet */
	size_t bytes;    /* of its lines */
	bool is_open;    /* more lines follow */
	struct buf text; /* lines without code, LF between them */
};

/* Where a transaction stands; see relay_talk.c. */
struct relay_talk {
	size_t sent, answered; /* commands, by their place */
	const char *command;   /* that the refusal, or the reply, is to */
	struct relay_reply reply, refusal; /* refusal: the first, if any */
	uint64_t offset;                   /* next byte of the message */
	bool is_in_body;                   /* 354 came: the message goes */
	bool is_line_begun; /* the last byte given out was no LF */
	bool is_dot_tried;  /* its end may have been sent */
	char line[RELAY_LINE_MAX];
	size_t line_len;
	size_t out_len, out_used;
	char out[RELAY_OUT_SIZE];
};

struct relay_watch;

/* Owned by relay; loop's thread. */
struct relay_session {
	struct list node; /* of relay.all, in order of their coming */
	struct relay *relay;
	struct http_options *options; /* a reference */
	enum relay_state state;
	struct http_call *call; /* NULL when idle */
	/* Whom it is with. */
	char *url, *user, *password;
	enum http_smtp_tls tls;

	CURL *easy; /* in the multi from CONNECTING on */
	struct relay_watch *watch;
	struct resolve_query query;
	struct loop_timer timer;
	struct pin pin;
	char error[CURL_ERROR_SIZE];
	uint64_t begun_ns; /* the call, from its submission on */
	uint64_t until_ns; /* its time is up, from a connection on */
	unsigned calls;    /* that ended on this connection */
	unsigned capabilities;
	bool is_logged_in;
	bool is_reset_due; /* the last transaction did not end by itself */
	bool is_usable;    /* for another call, once this one has ended */
	struct relay_talk *talk; /* from CONNECTING on */
	struct http_header field;
	struct http_response response;
};

/* One per loop, made with the first call. */
struct relay {
	struct http *http;
	struct engine engine;
	struct list all;
	struct task deliver; /* hands out what has ended */
	bool is_deliver_queued, is_closing, is_engine_stopped;
	unsigned watches;
	void (*on_closed)(void *ctx);
	void *ctx;
};

/* --- relay.c --- */

/* As http_submit; h->relay is made when it is not there. */
int relay_submit(struct http *h, struct http_call *call);
/* As http_cancel. */
void relay_cancel(struct relay_session *s);
void relay_cancel_all(struct relay *m);
/* Close the connections that no call uses; those in use end with theirs. */
void relay_drop_idle(struct relay *m);
/* No call is under way. on_closed runs last, inside or later, m is gone. */
void relay_close(struct relay *m, void (*on_closed)(void *ctx), void *ctx);

/* Of relay_talk.c: the call has ended; it may be on the way elsewhere. */
void relay_end(struct relay_session *s, enum http_fault fault, const char *why);
/* The same, by a reply to command; text must live until on_done has run. */
void relay_end_by(
    struct relay_session *s, const char *command, int status, struct span text);
/*
 * The connection broke, and nothing of the call was answered: once, when it
 * has served another call before, a new one is made. False: it is not.
 */
bool relay_start_over(struct relay_session *s);
/* End a session without a call, with a goodbye. */
void relay_drop(struct relay_session *s);
/* Something that closing waits for has gone. */
void relay_close_step(struct relay *m);

/* --- relay_connect.c --- */

/* For s->call, until s->until_ns; 0, or a negative errno and nothing has begun.
 */
int connect_begin(struct relay_session *s);
/* The resolver's answer. */
void connect_go_on(
    struct resolve_query *q, const char *addresses, const char *error);
/* The engine's: curl has the connection ready, or not. */
void connect_done(CURL *easy, CURLcode code);
/* Close, and forget all that is about this connection. */
void connect_drop(struct relay_session *s);
/* Wait for what can be read, and perhaps written. 0 or a negative errno. */
int connect_watch(struct relay_session *s, bool wants_write);
/* Wait for nothing. */
void connect_ignore(struct relay_session *s);

/* --- relay_talk.c --- */

/* NULL for memory. */
struct relay_talk *talk_new(void);
void talk_free(struct relay_talk *t); /* accepts NULL */
/* Whether the envelope can be said at all. */
bool talk_may_say(const struct http_smtp *how);
/* Begin the transaction of s->call. */
void talk_begin(struct relay_session *s);
/* The connection can be read, or written. */
void talk_go_on(struct relay_session *s);
/* A line of curl's part of the session: greeting, EHLO, AUTH. */
void talk_note(struct relay_session *s, struct span line);
/* Take leave, if that is possible without waiting. */
void talk_quit(struct relay_session *s);
