/* What an account may send, as its provider says when it is asked. */
#ifndef POSTERN_INQUIRY_H
#define POSTERN_INQUIRY_H

#include <postern/outcome.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * One step of asking. Every step may send one request; what a step has found
 * out stays for the next. Zeroed before the first, but for what the core sets.
 */
struct postern_inquiry {
	uint32_t size;
	int64_t now;   /* wall clock, seconds */
	unsigned step; /* 0 first */
	/* To the request of the step before; NULL in the first. */
	const struct postern_response *response;

	/*
	 * ACCEPTED: what follows is true. Else why it cannot be told: ACCOUNT
	 * (the key is refused, or may send but not ask), THROTTLED, TRANSIENT
	 * and so on. Nothing follows from that for mail.
	 */
	enum postern_class result;
	/* For people: why that, or what else they should know, or "". */
	char reason[POSTERN_REASON_SIZE];
	/* With ACCEPTED: it takes no mail at all now, and reason says why. */
	bool is_closed;
	/* At most so many per second; 0: not told, or no limit. */
	double per_second;
	bool counts_recipients; /* of them; else of calls */
	/* Recipients in so long a time, and how many of them are left. */
	bool has_quota;
	uint64_t quota, quota_left, quota_ms;
	/*
	 * With ACCOUNT: the key is known there, but may not ask this; nothing
	 * says that it may not send.
	 */
	bool is_send_only;
};

#endif
