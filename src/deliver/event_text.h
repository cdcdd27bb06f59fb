/*
 * What a webhook is told: JSON with the names of the ledger
 * (/api/v1/messages/{id}), in the frame of Standard Webhooks: type, timestamp,
 * data. Keys are only ever added. Pure.
 */
#pragma once

#include <mail/message.h>

enum event_type {
	EVENT_SENT = 0,
	EVENT_DEFERRED, /* still tried */
	EVENT_FAILED
};

enum {
	EVENT_SCHEMA_VERSION = 1,
	/* In one event; of more recipients there are several. */
	EVENT_RECIPIENTS_MAX = 100
};

/* Of a recipient: as it is now, and its last attempt. */
struct event_recipient {
	struct span address;
	const char *state;
	uint32_t attempts;
	struct span provider;        /* "": none was asked */
	struct span provider_id;     /* its id of the message, or "" */
	const char *result;          /* class; NULL: no attempt was made */
	int status;                  /* HTTP, 0: no answer */
	const char *enhanced_status; /* RFC 3463 */
	struct span reason;          /* one line, or "" */
	int64_t at_ms;               /* of the attempt; 0: none */
	int64_t next_ms;             /* of the next one; 0: none */
};

struct event {
	enum event_type type;
	const char *id;       /* of the event */
	const char *queue_id; /* of the message, as what follows */
	struct span message_id, user, sender;
	int64_t created_ms, now_ms;
	size_t recipient_total;
	const struct event_recipient *recipients;
	size_t recipient_count; /* at most EVENT_RECIPIENTS_MAX */
};

/* "message.sent" */
const char *event_type_name(enum event_type type);
/* Which one that is; SENT when it is none. */
enum event_type event_type_parse(struct span name);
/*
 * The event as a message whose content is the JSON, in one line. 0 with a new
 * message, -ENOMEM or -EMSGSIZE.
 */
int event_compose(const struct event *e, struct message **out);
