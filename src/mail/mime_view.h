/* What a view consists of: mail/mime fills it. Private to mail/mime. */
#pragma once

#include <base/arena.h>
#include <mail/mime.h>
#include <mail/mime_bodies.h>
#include <mail/mime_stream.h>

enum {
	MIME_PARTS_MAX = 1000,
	MIME_ARENA_MAX = 32 * 1024 * 1024 /* addresses, names, the subject */
};

struct mime_view {
	struct mime_fields fields;
	struct arena arena;
	struct mime_part *parts;
	struct mime_place *places; /* of the same */
	size_t part_cap;
	struct mime_bodies bodies;
	uint64_t counted; /* of those, in message_memory */
	struct mime_reader reader;
};

/* Append a part. 0 or -ENOMEM. */
int mime_view_add_part(struct mime_view *v, const struct mime_part *part,
    const struct mime_place *place);
/* A word of a type or a disposition (RFC 2045 5.1). */
bool mime_view_is_token(const char *s); /* or NULL */
/*
 * Roughly an addr-spec: a provider would refuse the whole message for one that
 * is none at all.
 */
bool mime_view_is_address(const char *s); /* or NULL */
/* In its place; NULL becomes "". */
struct span mime_view_lower(char *text);
/* In mail/mime.c: fill an empty view from m. 0, or e->code. */
int mime_parse(struct mime_view *v, const struct message *m, struct err *e);
