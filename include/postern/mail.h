/*
 * A message as a provider module sees it: read-only, borrowed for the length
 * of one build call.
 */
#ifndef POSTERN_MAIL_H
#define POSTERN_MAIL_H

#include <postern/field.h>

#include <stdint.h>

/* One header field as submitted; value unfolded, outer space removed. */
struct postern_header {
	struct postern_str name, value;
};

struct postern_address {
	struct postern_str name; /* display name, decoded to UTF-8, may be "" */
	struct postern_str address; /* addr-spec */
};

/* What a part is to the reader; see also is_inline. */
enum postern_part_kind {
	POSTERN_PART_FILE = 0,
	/*
	 * An invitation: text/calendar with a method, or not as an attachment.
	 * What POSTERN_CARRIES_CALENDAR is about.
	 */
	POSTERN_PART_CALENDAR,
	/*
	 * Another form of the text, such as text/x-amp-html. What
	 * POSTERN_CARRIES_ALTERNATIVES is about.
	 */
	POSTERN_PART_ALTERNATIVE
};

/*
 * A leaf that is not part of the two bodies. Its bytes are those of the
 * message, decoded but never converted, also of text.
 */
struct postern_part {
	struct postern_str type;       /* "image/png", lower case */
	struct postern_str filename;   /* UTF-8; never empty */
	struct postern_str content_id; /* without <>, may be empty */
	bool is_inline; /* shown by the html through content_id */
	uint64_t size;  /* decoded bytes */
	enum postern_part_kind kind;
	struct postern_str disposition; /* lower case; empty when not said */
	struct postern_str charset;     /* of text, as it is said, or empty */
	struct postern_str method;      /* of a calendar: "REQUEST", or empty */
};

/*
 * The parsed message: only for modules whose table asks for it with
 * POSTERN_NEEDS_CONTENT. Everything is UTF-8.
 *
 * Of addresses there are those that are a mailbox, members of groups in the
 * place of their group; what is none is left out, so each list may be empty,
 * also that of From. text and html are all texts a reader sees, in order.
 */
struct postern_content {
	const struct postern_address *from, *to, *cc, *reply_to;
	size_t from_count, to_count, cc_count, reply_to_count;
	struct postern_address sender; /* address empty when absent */
	struct postern_str subject;
	struct postern_str text, html; /* empty when absent */
	const struct postern_part *parts;
	size_t part_count;
};

enum postern_choice {
	POSTERN_UNSAID = 0, /* as the provider's own settings say, or no */
	POSTERN_NO,
	POSTERN_YES
};

/*
 * What the sender asked for in fields X-Postern-*, which every module says in
 * its provider's words: see POSTERN_CARRIES_TAGS and those behind it. Decoded,
 * UTF-8 without controls. Names of metadata are of letters, digits, - and _.
 */
struct postern_controls {
	const struct postern_str *tags;
	size_t tag_count;
	const struct postern_header *metadata;
	size_t metadata_count;
	enum postern_choice track_opens, track_clicks;
};

struct postern_mail {
	uint32_t size;           /* of this struct, as the core was built */
	const char *id;          /* queue id, for the provider's metadata */
	const char *attempt_key; /* stable idempotency key of this batch */
	int64_t now;             /* wall clock, seconds; modules ask no clock */
	struct postern_str sender; /* envelope; empty = null sender */
	const struct postern_str *recipients; /* envelope, this call only */
	size_t recipient_count;
	const struct postern_header *headers; /* in order; never Bcc */
	size_t header_count;
	uint64_t raw_size; /* of the whole message, CRLF lines */
	const struct postern_content *content; /* or NULL, see above */
	const struct postern_controls *controls;
};

#endif
