/*
 * Inside a session: shared by session.c, the cmd_*.c and transaction.c.
 *
 * The dialog is a loop over what the client sent. A handler queues its reply
 * and returns what follows; while it says WAIT no more is taken, until
 * smtp_session_resume().
 */
#pragma once

#include <smtp/address.h>
#include <smtp/body.h>
#include <smtp/command.h>
#include <smtp/data.h>
#include <smtp/line.h>
#include <smtp/param.h>
#include <smtp/session.h>

#include <auth/auth.h>
#include <base/buf.h>
#include <base/counters.h>
#include <base/id.h>
#include <base/netaddr.h>
#include <deliver/deliver.h>
#include <loop/loop.h>
#include <mail/envelope.h>
#include <mail/mime_scan.h>
#include <net/conn.h>

#include <stdbool.h>
#include <stdint.h>

/* Who the client is, and through which proxy; the first fields of an event. */
#define SMTP_LOG_CLIENT(conn)                                                  \
	LOG_STR("client.address", conn_peer(conn)),                            \
	    LOG_OPTIONAL("network.peer.address", conn_proxy(conn))

enum smtp_state {
	SMTP_ST_CONNECT = 0, /* nothing said yet; implicit TLS shakes hands */
	SMTP_ST_START,       /* greeted by us; no EHLO yet */
	SMTP_ST_READY,       /* EHLO or HELO was accepted */
	SMTP_ST_MAIL,        /* a transaction without recipients */
	SMTP_ST_RCPT,        /* and with them */
	SMTP_ST_DATA,        /* content follows */
	SMTP_ST_BDAT,        /* content in chunks: in one, or between two */
	SMTP_ST_AUTH,        /* a SASL response follows */
	SMTP_ST_END          /* closing */
};

/* What the session waits for, other than its client. */
enum smtp_wait {
	SMTP_WAIT_NONE = 0,
	SMTP_WAIT_TLS,
	SMTP_WAIT_AUTH,       /* a verdict on credentials */
	SMTP_WAIT_AUTH_DELAY, /* the timer, then the refusal is sent */
	SMTP_WAIT_BODY,       /* content waits to be written */
	SMTP_WAIT_DELIVER,
	SMTP_WAIT_DELAY /* the timer: too many errors */
};

enum smtp_next {
	SMTP_NEXT = 0, /* go on with the next line */
	SMTP_WAIT,     /* wait was set; resume comes */
	SMTP_CLOSE     /* the last reply is queued */
};

/* What breaks the protocol, as the log names it. */
enum smtp_violation {
	SMTP_BARE_LF = 0,
	SMTP_BARE_CR,
	SMTP_NUL,
	SMTP_PREGREET,
	SMTP_INJECTION,
	SMTP_LONG_LINE,
	SMTP_INVALID_CHARACTER,
	SMTP_OTHER_PROTOCOL,
	SMTP_PIPELINING, /* behind what must be the last of a group */
	SMTP_VIOLATIONS
};

_Static_assert((int)SMTP_VIOLATIONS == (int)COUNTER_VIOLATIONS,
    "counter_violation_names has a word for each");

/* A transaction: MAIL to the end of its message or RSET. */
struct smtp_tx {
	struct smtp_session *session;
	struct id id;
	char id_text[ID_TEXT_SIZE];
	struct envelope envelope;
	enum config_mode mode;
	const struct config_user *user;
	size_t rcpt_tried;
	bool is_charged; /* one message, on quota_day */
	bool is_held;    /* above its quota: a person lets it go, or not */
	int64_t quota_day;
	struct smtp_data data;
	struct mime_scan mime;
	struct smtp_body body;
	uint64_t received;    /* bytes of content, with what was dropped */
	uint64_t data_ends;   /* loop time by which it must be in; 0 = open */
	uint64_t paced_from;  /* loop time since which its pace counts */
	uint64_t paced_bytes; /* received by then */
	uint64_t ended_ns;    /* when its end was seen */
	uint64_t size;        /* of the message handed over */
	/* Its Message-ID, and the one that was no Message-ID; or NULL. */
	const char *message_id, *replaced_id;
	bool has_message_id;  /* and its client gave it that */
	const char *first_id; /* it is a duplicate of that, and not kept */
	struct deliver_submission submission;
	bool is_submitted;
};

struct smtp_refusal;

/* What BDAT announced. */
struct smtp_chunk {
	uint64_t size, left;
	bool is_last;
	const struct smtp_refusal *refusal; /* dropped, with this reply */
};

/* Owned by its service; that loop's thread. */
/* Static texts. */
struct smtp_auth_refusal {
	unsigned code;
	const char *enhanced, *text;
};

struct smtp_session {
	struct list link;
	struct list paused; /* in the service's list, or alone */
	struct smtp_service *service;
	struct config *config; /* as it was at the start */
	const struct config_listener *listener;
	struct counter_listener *counts;
	struct peer *peer; /* for policy/peers; NULL: an exempt address */
	struct conn *conn;
	struct tls_ctx *tls; /* as it was at the start; NULL without */
	enum smtp_state state;
	enum smtp_wait wait;
	struct loop_timer timer;
	uint64_t ends_at; /* loop time; 0 = open end */
	struct smtp_line_reader lines;
	char *helo;
	bool is_esmtp;
	bool is_admitted;    /* counted by policy/peers */
	bool is_probe;       /* a proxy's own: no session until it does work */
	bool may_xclient;    /* the client may name another */
	bool is_eof;         /* the client will send no more */
	bool has_spoken;     /* a first command was read */
	unsigned violations; /* bits of enum smtp_violation: logged once */
	const struct config_user *user; /* NULL before AUTH; counted */
	const char **proven;            /* by its certificate; NULL without */
	struct auth_session *auth;
	uint64_t auth_asked_at; /* loop time of the client's last response */
	/* The login under way has failed: when that may be said; 0 = not yet.
	 * And the reply, once nothing else can come. */
	uint64_t auth_due;
	struct smtp_auth_refusal auth_refusal;
	unsigned errors, refusals, junk, auth_failures, auth_outages;
	bool is_error;              /* the command at hand failed */
	enum counter_verb verb;     /* of it; COUNTER_VERBS: there is none */
	enum counter_reject reject; /* why, where its reply does not say */
	const char *end_reason;     /* for the log */
	uint64_t messages;
	struct smtp_tx *tx;
	struct smtp_chunk chunk;
	char id[ID_TEXT_SIZE];
};

typedef enum smtp_next smtp_handler(
    struct smtp_session *s, const struct smtp_command *cmd);

/* --- handlers, one family per file --- */

smtp_handler smtp_cmd_ehlo, smtp_cmd_helo; /* cmd_ehlo.c */
smtp_handler smtp_cmd_starttls;            /* cmd_tls.c */
smtp_handler smtp_cmd_auth;                /* cmd_auth.c */
smtp_handler smtp_cmd_mail;                /* cmd_mail.c */
smtp_handler smtp_cmd_rcpt;                /* cmd_rcpt.c */
smtp_handler smtp_cmd_data;                /* cmd_data.c */
smtp_handler smtp_cmd_bdat;                /* cmd_bdat.c */
smtp_handler smtp_cmd_rset, smtp_cmd_noop, smtp_cmd_quit, smtp_cmd_vrfy,
    smtp_cmd_help, smtp_cmd_unimplemented; /* cmd_misc.c */
smtp_handler smtp_cmd_xclient;             /* cmd_xclient.c */

/* A line in state AUTH. */
enum smtp_next smtp_auth_line(struct smtp_session *s, struct span line);
enum smtp_next smtp_auth_line_too_long(struct smtp_session *s);
/* Overwrite what was taken from the input: it held a password. */
void smtp_auth_wipe(struct smtp_session *s);
/* The exchange is over, and the delay after a failed login. */
enum smtp_next smtp_auth_refuse(struct smtp_session *s);
/* Drop an exchange, if there is one. */
void smtp_auth_drop(struct smtp_session *s);
/* Bytes in state DATA; called while there are any. */
enum smtp_next smtp_data_input(struct smtp_session *s);
/* Bytes while chunk.left > 0; called while there are any. */
enum smtp_next smtp_chunk_input(struct smtp_session *s);

/* --- predicates: what is offered is what is checked --- */

bool smtp_session_offers_tls(const struct smtp_session *s);
/* Who the peer is now may say XCLIENT. */
bool smtp_session_trusts_peer(const struct smtp_session *s);
bool smtp_session_needs_tls(const struct smtp_session *s);
bool smtp_session_needs_auth(const struct smtp_session *s);
/* The connection as auth sees it; borrowed from the session. */
struct auth_channel smtp_session_channel(const struct smtp_session *s);
/* Mechanisms to offer now, "" for none. */
const char *smtp_session_mechanisms(const struct smtp_session *s);
/* Who sends: the login, or the listener's user where none is needed. */
const struct config_user *smtp_session_identity(const struct smtp_session *s);

/* --- extension.c --- */

/* Bits of enum smtp_extension; none before EHLO. */
unsigned smtp_session_extensions(const struct smtp_session *s);
/* FUTURERELEASE needs more than to be switched on: a queue to wait in. */
bool smtp_session_offers_release(const struct smtp_session *s);
/* For the parameters of MAIL, or of RCPT in a transaction. */
struct smtp_param_rules smtp_session_param_rules(const struct smtp_session *s);
/* The path of MAIL or RCPT, with spaces around it; see address.h. */
enum smtp_address_result smtp_session_parse_path(const struct smtp_session *s,
    struct span args, struct smtp_address *out, struct span *out_rest);
/* Say what is wrong with a parameter; syntax is how the command goes. */
void smtp_session_refuse_param(struct smtp_session *s,
    enum smtp_param_result result, const struct smtp_param_fault *fault,
    const char *syntax);

/* --- what handlers do --- */

/* Queue a reply; 5xx count as errors, which cost time and then the session. */
void smtp_session_reply(struct smtp_session *s, unsigned code,
    const char *enhanced, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/*
 * A message was refused for now: no error, and no reason to end a session that
 * tries again, but from so many on as of errors it costs time.
 */
void smtp_session_note_refusal(struct smtp_session *s);
void smtp_session_set_state(struct smtp_session *s, enum smtp_state state);
/* What a handler returns after its last reply; reason is for the log. */
enum smtp_next smtp_session_close(struct smtp_session *s, const char *reason);
/* Stop taking input until smtp_session_resume. */
enum smtp_next smtp_session_wait(struct smtp_session *s, enum smtp_wait why);
/* A wait is over: act on next, then go on with what the client sent. */
void smtp_session_resume(struct smtp_session *s, enum smtp_next next);
/* Run the timer for ms, or less if the session must end before; 0 = off. */
void smtp_session_arm(struct smtp_session *s, uint64_t ms);
/* Log it, once per kind and session. */
void smtp_session_violation(struct smtp_session *s, enum smtp_violation kind);
/* Forget who it is, as after STARTTLS. */
void smtp_session_forget(struct smtp_session *s);
/* And all that it did, as for a client that has just connected. */
void smtp_session_restart(struct smtp_session *s);
/* Say 220; what follows is the first command. */
void smtp_session_greet(struct smtp_session *s);
/* It does more than a health check: count it, if that was left open. */
void smtp_session_count(struct smtp_session *s);
/* A first command that is no command: say so and close. */
enum smtp_next smtp_session_foreign(struct smtp_session *s);
/* Give up a message that was being received: reply, log, drop. */
enum smtp_next smtp_session_refuse(struct smtp_session *s, unsigned code,
    const char *enhanced, const char *text);

/* --- dialog.c --- */

/* All that was received and can be understood now. */
void smtp_session_run(struct smtp_session *s);
/* The client's turn, for as long as it has; when draining it had its last. */
void smtp_session_await(struct smtp_session *s);
/* Close after what is queued; reason is for the log. */
void smtp_session_end(struct smtp_session *s, const char *reason);
void smtp_session_on_timer(struct loop_timer *t);

/* --- session.c and service.c, for each other --- */

/*
 * Let a connection in, whose peer is known now, or refuse it. is_probe: a
 * proxy opened it for itself.
 */
void smtp_service_admit(struct smtp_service *service, struct conn *c,
    size_t listener, bool is_probe);
/* Begin with an admitted connection. False for memory: nothing was done. */
bool smtp_session_open(struct smtp_service *service, struct conn *c,
    size_t listener, struct peer *peer, bool is_probe);
/* Say 421 if nothing is under way. */
void smtp_session_drain(struct smtp_session *s);
/* Time for a command has another length now. */
void smtp_session_retime(struct smtp_session *s);
/* A session is gone. */
void smtp_service_left(struct smtp_service *service);
struct counter_listener *smtp_service_counts(
    struct smtp_service *service, const struct config_listener *l);

/* --- cmd_tls.c --- */

/* A handshake was completed; TLS was perhaps why a connection ended. */
void smtp_tls_established(struct smtp_session *s);
void smtp_tls_ended(struct smtp_session *s, enum conn_end why);

/* --- dispatch.c --- */

/* Run the handler of a command line, after the checks of its row. */
enum smtp_next smtp_dispatch(struct smtp_session *s, struct span line);

/* --- transaction.c --- */

/* The user's mode, else the listener's, else the queue's. */
enum config_mode smtp_tx_mode(
    const struct smtp_session *s, const struct config_user *user);
/* NULL for memory. The state becomes MAIL. */
struct smtp_tx *smtp_tx_begin(struct smtp_session *s, struct span sender);
/*
 * End a transaction whose message was not accepted: the charge is undone and
 * why is logged. One that delivery goes on with was accepted, though nobody is
 * left to be told, and counts so. Nothing happens when there is none. Back to
 * READY.
 */
void smtp_tx_drop(struct smtp_session *s, const char *why);
/* The message is sent, or may be: what was charged for it stays. */
void smtp_tx_keep_charge(struct smtp_tx *tx);
/* End it after an acceptance that has been answered. */
void smtp_tx_finish(struct smtp_session *s, const char *provider);
/* Refused at MAIL: the one event of a transaction that never began. */
void smtp_tx_log_refused(
    const struct smtp_session *s, struct span sender, const char *why);

/* --- content.c --- */

void smtp_content_begin(struct smtp_session *s, enum smtp_data_kind kind);
/* What comes now is judged by its own pace: a pause was nobody's fault. */
void smtp_content_time_anew(struct smtp_session *s);
/* Take bytes of it; how many: all, unless its end was among them. */
size_t smtp_content_take(struct smtp_session *s, struct span in);
/* Whether the session ends over it at once; *out_next then is what follows. */
bool smtp_content_is_over(struct smtp_session *s, enum smtp_next *out_next);
/* Whether it is ruled out: then that was said and the transaction dropped. */
bool smtp_content_is_refused(struct smtp_session *s);
/* What follows bytes that are not the last: more, or a wait for room. */
enum smtp_next smtp_content_pace(struct smtp_session *s);
/* All is in: refuse it, or submit it. */
enum smtp_next smtp_content_finish(struct smtp_session *s);
/*
 * Milliseconds the client has for more of it, or for the next chunk; 0 = no
 * limit.
 */
uint64_t smtp_content_time(const struct smtp_session *s);
/*
 * Milliseconds we have for what the client waits for: the disk, and after the
 * end of the content the answer to it; 0 = no limit.
 */
uint64_t smtp_content_answer_ms(const struct smtp_session *s);
/* What content waited for is there, or it has failed. */
void smtp_content_go_on(struct smtp_session *s);
/* The disk had that long: the message is read to its end and refused. */
void smtp_content_overdue(struct smtp_session *s);

/* --- room.c --- */

/*
 * Why there is no place for one more message of that user, of that size as far
 * as it was said, for a reply 452 4.3.1; NULL when there is one.
 */
const char *smtp_room_why_not(const struct smtp_session *s,
    const struct config_user *user, uint64_t size);
/* Whether what is not stored may take a file, too. */
bool smtp_room_has_files(const struct smtp_session *s);
/* Whether content in memory should leave it, and a file can take it. */
bool smtp_room_must_spill(const struct smtp_session *s);
void smtp_room_init(struct smtp_service *service);
/*
 * Whether no content may be read or handed over now. Then smtp_content_go_on
 * follows when it may.
 */
bool smtp_room_must_pause(struct smtp_session *s);
/* It waits for that no more. */
void smtp_room_leave(struct smtp_session *s);

/* --- submit.c --- */

/* No verdict in time: accepted, if it is stored; else withdrawn, and 451. */
enum smtp_next smtp_submit_overdue(struct smtp_session *s);

/* All content is in and good: check, rewrite and hand over. */
enum smtp_next smtp_submit(struct smtp_session *s);

/* --- door.c --- */

/* A connection whose first bytes must be a PROXY header. */
void smtp_door_open(
    struct smtp_service *service, struct conn *c, size_t listener);
/* Close those that still wait for it. */
void smtp_door_abort_all(struct smtp_service *service);

/* --- abuse.c --- */

/*
 * Count a connection in, for *out_peer, or say why not and close it: false.
 */
bool smtp_abuse_admit(struct smtp_service *service, struct conn *c,
    size_t listener, struct peer **out_peer);
/*
 * The same for a session whose client is another one from now on (XCLIENT):
 * false when that one was refused, and told so.
 */
bool smtp_abuse_readmit(struct smtp_session *s);
/* Say why not, count it, close. */
void smtp_abuse_refuse(struct smtp_service *service, struct conn *c,
    size_t listener, enum counter_refusal reason);
/* Undo smtp_abuse_admit. */
void smtp_abuse_leave(struct smtp_service *service, struct peer *peer);
/* The event by which others (fail2ban) learn whom to keep out. */
void smtp_abuse_log(const struct smtp_session *s, const char *kind);
/* Count the session as one of user's; false when there are too many. */
bool smtp_abuse_log_in(struct smtp_session *s, const struct config_user *user);
/* And no longer; fine without a login. */
void smtp_abuse_log_out(struct smtp_session *s);
/* Whether its network may not even try to log in. */
bool smtp_abuse_is_locked_out(const struct smtp_session *s);
/* Limits as they are for this session now, under stress or not. */
uint64_t smtp_abuse_command_ms(const struct smtp_session *s);
int64_t smtp_abuse_hard_errors(const struct smtp_session *s);
int64_t smtp_abuse_junk_commands(const struct smtp_session *s);

/* --- rights.c --- */

/* Limits of the one who sends; his own when they are narrower. */
uint64_t smtp_rights_size(const struct smtp_session *s);
int64_t smtp_rights_recipients(const struct smtp_session *s);
/* What a message above smtp_rights_size is refused with. */
const char *smtp_rights_size_code(const struct smtp_session *s);
/* Whether this user may send there at all; else refused, and false. */
bool smtp_rights_allow(struct smtp_session *s, struct span recipient);

/* --- tally.c --- */

/* A reply to the command at hand, for metrics; enhanced may be NULL. */
void smtp_tally_reply(
    struct smtp_session *s, unsigned code, const char *enhanced);
/* What a refusal with that enhanced code is about. Pure. */
enum counter_reject smtp_tally_reason(
    enum counter_stage stage, const char *enhanced);
void smtp_tally_login(struct smtp_session *s, enum counter_login result);
/* reason: as in the log. */
void smtp_tally_end(const struct smtp_session *s, const char *reason);
