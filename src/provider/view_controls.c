/*
 * Fields that steer a provider: who gets to see them, and what ours say. A
 * header has few of them or none, and then nothing is copied.
 */
#include <provider/view_internal.h>

#include <mail/controls.h>
#include <mail/header.h>
#include <mail/mime.h>

#include <errno.h>
#include <stddef.h>

/* --- the header as it goes out --- */

const char *const *view_control_fields(const struct postern_provider *p)
{
	size_t known = offsetof(struct postern_provider, control_fields) +
		       sizeof(p->control_fields);

	return p->size >= known ? p->control_fields : NULL;
}

static bool passes(struct span name, const char *const *wanted)
{
	enum control_kind kind = control_kind(name);

	if (kind == CONTROL_NONE)
		return true;
	for (; wanted && *wanted; wanted++) {
		struct span prefix = span_of(*wanted);

		/* "" is all but ours. */
		if ((prefix.len > 0 || kind == CONTROL_NATIVE) &&
		    span_istarts_with(name, prefix))
			return true;
	}
	return false;
}

bool provider_knows_field(const struct postern_provider *p, struct span name)
{
	return passes(name, view_control_fields(p));
}

int view_header(struct arena *a, struct span header, const char *const *wanted,
    struct span *out)
{
	struct span rest = header;
	struct message_field f;
	size_t dropped = 0;
	char *to;

	*out = header;
	while (header_next(&rest, &f))
		dropped += passes(f.name, wanted) ? 0 : f.whole.len;
	if (dropped == 0)
		return 0;
	to = arena_alloc(a, header.len - dropped);
	if (!to)
		return -ENOMEM;
	*out = span_make(to, header.len - dropped);
	for (rest = header; header_next(&rest, &f);) {
		if (!passes(f.name, wanted))
			continue;
		memcpy(to, f.whole.ptr, f.whole.len);
		to += f.whole.len;
	}
	memcpy(to, rest.ptr, rest.len); /* the empty line */
	return 0;
}

/* --- ours --- */

static bool decode(struct arena *a, struct span value, struct postern_str *out)
{
	struct buf text;
	struct span kept = { NULL, 0 };

	buf_init(&text, value.len * 4 + 64);
	if (mime_decode_text(value, &text) == 0)
		kept = arena_span(a, span_trim(buf_span(&text)));
	buf_finish(&text);
	*out = (struct postern_str){ kept.ptr, kept.len };
	return kept.ptr;
}

static enum postern_choice to_choice(enum control_choice choice)
{
	switch (choice) {
	case CONTROL_NO:
		return POSTERN_NO;
	case CONTROL_YES:
		return POSTERN_YES;
	case CONTROL_UNSAID:
		break;
	}
	return POSTERN_UNSAID;
}

struct found {
	struct postern_str *tags;
	struct postern_header *metadata;
	size_t tag_count, metadata_count;
	struct control_track track;
};

static void count_fields(struct span header, struct found *n)
{
	struct message_field f;

	while (header_next(&header, &f)) {
		enum control_kind kind = control_kind(f.name);
		struct span list = f.value, tag;

		while (kind == CONTROL_TAG && control_next(&list, &tag))
			n->tag_count++;
		n->metadata_count += kind == CONTROL_METADATA;
	}
}

static bool take_tags(struct arena *a, struct span list, struct found *to)
{
	struct span tag;

	while (control_next(&list, &tag)) {
		struct postern_str *out = &to->tags[to->tag_count];

		if (!decode(a, tag, out))
			return false;
		/* An encoded word may say nothing. */
		to->tag_count += out->len > 0;
	}
	return true;
}

static bool take_metadata(
    struct arena *a, const struct message_field *f, struct found *to)
{
	struct postern_header *h = &to->metadata[to->metadata_count++];
	struct span name = control_metadata_name(f->name);

	h->name = (struct postern_str){ name.ptr, name.len };
	return decode(a, f->value, &h->value);
}

static bool take_fields(struct arena *a, struct span header, struct found *to)
{
	struct message_field f;
	bool is_done = true;

	while (is_done && header_next(&header, &f)) {
		enum control_kind kind = control_kind(f.name);

		if (kind == CONTROL_TAG)
			is_done = take_tags(a, f.value, to);
		else if (kind == CONTROL_METADATA)
			is_done = take_metadata(a, &f, to);
		else if (kind == CONTROL_TRACK)
			(void)control_read_track(f.value, &to->track);
	}
	return is_done;
}

int view_controls(
    struct arena *a, struct span header, const struct postern_controls **out)
{
	struct postern_controls *c = arena_alloc(a, sizeof(*c));
	struct found counted = { 0 }, found = { 0 };

	if (!c)
		return -ENOMEM;
	count_fields(header, &counted);
	found.tags =
	    arena_alloc(a, (counted.tag_count + 1) * sizeof(*found.tags));
	found.metadata = arena_alloc(
	    a, (counted.metadata_count + 1) * sizeof(*found.metadata));
	if (!found.tags || !found.metadata || !take_fields(a, header, &found))
		return -ENOMEM;
	*c = (struct postern_controls){ .tags = found.tags,
		.tag_count = found.tag_count,
		.metadata = found.metadata,
		.metadata_count = found.metadata_count,
		.track_opens = to_choice(found.track.opens),
		.track_clicks = to_choice(found.track.clicks) };
	*out = c;
	return 0;
}
