/*
 * Who a message is from and to: the envelope of one transaction, apart from
 * what its header says. Owned by the session, then by the delivery.
 */
#pragma once

#include <base/arena.h>
#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

struct map;

/* The numbers of these are stored. RFC 6152. */
enum envelope_body {
	ENVELOPE_BODY_7BIT = 0,
	ENVELOPE_BODY_8BITMIME
};

/* RFC 3461 4.3: what of the message a report of failure brings back. */
enum envelope_ret {
	ENVELOPE_RET_UNSAID = 0,
	ENVELOPE_RET_FULL,
	ENVELOPE_RET_HDRS
};

/* RFC 3461 4.1: what a report is wanted of; none of them: it was not said. */
enum envelope_notify {
	ENVELOPE_NOTIFY_NEVER = 1 << 0, /* stands alone */
	ENVELOPE_NOTIFY_SUCCESS = 1 << 1,
	ENVELOPE_NOTIFY_FAILURE = 1 << 2,
	ENVELOPE_NOTIFY_DELAY = 1 << 3,
	ENVELOPE_NOTIFY_ALL = (1 << 4) - 1
};

enum {
	ENVELOPE_PRIORITY_MIN = -9, /* RFC 6710 */
	ENVELOPE_PRIORITY_MAX = 9
};

/* How a message wants to be carried: what MAIL said beyond the sender. */
struct envelope_terms {
	enum envelope_body body;
	bool is_utf8; /* SMTPUTF8 was given (RFC 6531) */
	enum envelope_ret ret;
	struct span envid;  /* xtext as it came (RFC 3461 4.4); "" when not */
	int priority;       /* as it was granted */
	bool has_priority;  /* it was asked for */
	int64_t release_ms; /* wall clock, not before (RFC 4865); 0 = now */
};

struct envelope_recipient {
	struct span address; /* addr-spec */
	unsigned notify;     /* bits of enum envelope_notify */
	struct span orcpt;   /* type;xtext as it came (RFC 3461 4.2), or "" */
};

struct envelope {
	struct arena arena; /* everything below lives here */
	struct span sender; /* addr-spec; empty = null sender */
	struct envelope_terms terms;
	struct envelope_recipient *recipients;
	size_t recipient_count, recipient_cap;
	struct map *seen; /* index of recipients, made when they are many */
	struct span user; /* authenticated identity */
	struct span helo;
	struct span peer;       /* numeric address */
	uint64_t declared_size; /* SIZE=, 0 when absent */
};

void envelope_init(struct envelope *e);
void envelope_finish(struct envelope *e);
/*
 * Copies; addresses equal but for case are kept once, as they came first.
 * 0, -ENOMEM, or -EMSGSIZE for an address no session lets through.
 */
int envelope_add_recipient(
    struct envelope *e, const struct envelope_recipient *r);
