/*
 * Header fields that steer what becomes of a message: our own, X-Postern-*,
 * which mean the same with every provider, and those that the SMTP service of
 * one provider understands. None of them is for the reader. Pure.
 *
 *   X-Postern-Tag: welcome, trial          as often as wanted
 *   X-Postern-Metadata-Order: 1234         likewise, each name once
 *   X-Postern-Track: yes | no | opens, clicks=no
 *   X-Postern-Schedule: 2026-12-01T08:00:00Z
 *   X-Postern-Provider: main, backup       of the route's only these
 */
#pragma once

#include <base/err.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message_field;

enum control_kind {
	CONTROL_NONE = 0, /* any other field */
	CONTROL_TAG,
	CONTROL_METADATA,
	CONTROL_TRACK,
	CONTROL_SCHEDULE,
	CONTROL_PROVIDER,
	CONTROL_NATIVE, /* of a provider */
	CONTROL_UNKNOWN /* of ours, but none that there is */
};

#define CONTROL_BIT(kind) (1u << (kind))

enum control_kind control_kind(struct span name);
/* Of a METADATA field: what it says something of, "Order". */
struct span control_metadata_name(struct span field_name);
/* Cut the next of a list with commas off *list; false at its end. */
bool control_next(struct span *list, struct span *out);

enum control_choice {
	CONTROL_UNSAID = 0,
	CONTROL_NO,
	CONTROL_YES
};
struct control_track {
	enum control_choice opens, clicks;
};
/* A TRACK field, unfolded or not. 0 or -EINVAL. */
int control_read_track(struct span value, struct control_track *out);

/* What a header asks of the server itself. Spans lie in the header. */
struct controls {
	struct span header;    /* that was read */
	unsigned kinds;        /* CONTROL_BIT of each that is there */
	struct span native;    /* name of the first such field */
	size_t tag_count;      /* tags in them */
	size_t metadata_count; /* such fields */
	int64_t schedule_ms;   /* wall clock; 0: now */
	struct span providers; /* a list; ptr NULL: any */
};

/* The providers that a header names, a list; "" when it names none. */
struct span controls_providers(struct span header);
/* All of a header. 0, or -EINVAL with a sentence for who wrote it. */
int controls_read(struct span header, struct controls *out, struct err *why);
