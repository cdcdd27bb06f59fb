/* What became of one call to a provider. */
#ifndef POSTERN_OUTCOME_H
#define POSTERN_OUTCOME_H

#include <postern/field.h>

#include <stdint.h>

enum postern_class {
	POSTERN_ACCEPTED = 1, /* the provider has taken responsibility */
	POSTERN_REJECTED,     /* message or recipient refused; not elsewhere */
	POSTERN_ACCOUNT,      /* key, plan, sender identity: next provider */
	POSTERN_THROTTLED,    /* not taken; later, or next provider */
	POSTERN_TRANSIENT,    /* not taken, as far as known; next provider */
	POSTERN_UNKNOWN       /* may have been taken: never blindly elsewhere */
};

/* What a refusal is about; decides the reply to the client. */
enum postern_refusal {
	POSTERN_REFUSED_MESSAGE = 0,
	POSTERN_REFUSED_SIZE,
	POSTERN_REFUSED_RECIPIENT, /* no such address, or malformed */
	POSTERN_REFUSED_SUPPRESSED /* an address the provider will not use */
};

struct postern_response {
	uint32_t size;
	int status; /* HTTP, or SMTP: see host->smtp */
	const struct postern_header *headers;
	size_t header_count;
	struct postern_str body; /* bounded; may be cut off */
	bool is_cut;             /* the body did not end */
	size_t recipient_count;  /* of the call that is answered */
	int64_t now;             /* wall clock, seconds */
	/* As in struct postern_mail, recipient_count of them; NULL: not told.
	 */
	const struct postern_str *recipients;
	/*
	 * What became of an earlier try of this call, with the same
	 * attempt_key, is not known. When false, each earlier one was
	 * answered, and not taken.
	 */
	bool is_repeat;
};

enum {
	POSTERN_ID_SIZE = 256,
	POSTERN_REASON_SIZE = 512
};

/*
 * Zeroed by the core before classify. result holds for every recipient that
 * rejected does not name.
 */
struct postern_outcome {
	uint32_t size;
	enum postern_class result;
	char
	    provider_id[POSTERN_ID_SIZE]; /* the provider's message id, or "" */
	/* For people: what the provider said beyond its status, or "". */
	char reason[POSTERN_REASON_SIZE];
	uint64_t retry_after_ms; /* 0 = not told */
	/*
	 * Recipients refused while result holds for the others: bit i of
	 * rejected[] for recipient i of the call. Allocated by the core,
	 * (recipient_count + 7) / 8 bytes, zeroed.
	 */
	uint8_t *rejected;
	/*
	 * With POSTERN_REJECTED: one of several recipients is refused and the
	 * provider does not say which. Nothing was taken; asked again with
	 * one recipient per call it will tell.
	 */
	bool try_singly;
	enum postern_refusal refusal; /* with POSTERN_REJECTED */
	/*
	 * Nothing was taken because the grant that build used is not valid
	 * (any more): with a fresh one the same call may succeed.
	 */
	bool is_grant_stale;
	/*
	 * With POSTERN_ACCOUNT: it refuses this message's sender, or its
	 * recipients, and may well take those of others.
	 */
	bool is_about_sender;
	/*
	 * What the provider counts by itself, as this answer tells it, of any
	 * class: calls it still takes until its count begins anew, of how many
	 * (0: not told), and how long that is from now.
	 */
	bool has_allowance;
	uint64_t allowed, allowed_of;
	uint64_t allowed_for_ms;
};

#endif
