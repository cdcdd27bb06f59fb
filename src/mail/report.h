/*
 * Delivery status notifications (RFC 3464, 3462, 6533): what became of a
 * message, as a message to its sender. Pure.
 */
#pragma once

#include <mail/envelope.h>
#include <mail/message.h>

enum report_action {
	REPORT_FAILED = 0,
	REPORT_DELAYED, /* still tried */
	REPORT_RELAYED  /* a provider took it; what it does is not known */
};

enum {
	/* Of a message larger than this only the header comes back. */
	REPORT_FULL_MAX = 50000
};

struct report_recipient {
	struct span address;
	struct span orcpt;       /* type;xtext as it came, or "" */
	const char *status;      /* enhanced status code (RFC 3463) */
	struct span provider;    /* who said so, or "" */
	int http_status;         /* 0: nobody answered */
	struct span reason;      /* one line */
	int64_t last_attempt_ms; /* wall clock; 0: none was made */
};

struct report {
	enum report_action action;
	const char *hostname;   /* Reporting-MTA */
	const char *from;       /* address of the report's From */
	const char *id;         /* of the report: Message-ID and boundary */
	const char *subject_id; /* queue id of the message it is about */
	struct span to;         /* the sender of that message */
	const struct envelope_terms *terms; /* of that message */
	int64_t now_ms, arrival_ms;
	int64_t until_ms; /* DELAYED: given up then */
	const struct message *original;
	const struct report_recipient *recipients;
	size_t recipient_count;
};

/* Name of an action, as the report writes it: "failed". */
const char *report_action_name(enum report_action action);
/*
 * The report as a message of its own: multipart/report with a text for
 * people, the fields for programs, and the message or its header. Reads the
 * original's body, so not on a loop when that lies in a file and is wanted;
 * above REPORT_FULL_MAX it is not. 0 with a new message, -ENOMEM, -EMSGSIZE,
 * or what message_read answered.
 */
int report_compose(const struct report *r, struct message **out);
