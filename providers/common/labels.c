#include <common/labels.h>

#include <stdio.h>

enum {
	LABEL_MAX = 256,
	TAG_SIZE = 32
};

static bool is_label(struct postern_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = str_lower(s.ptr[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_')
			return false;
	}
	return s.len > 0 && s.len <= LABEL_MAX;
}

const char *labels_check(const struct postern_controls *controls)
{
	bool is_fine = true;

	for (size_t i = 0; i < controls->tag_count; i++)
		is_fine &= is_label(controls->tags[i]);
	for (size_t i = 0; i < controls->metadata_count; i++)
		is_fine &= is_label(controls->metadata[i].value);
	return is_fine ? NULL
		       : "the provider takes tags and metadata of letters, "
			 "digits, - and _ only";
}

void labels_pair(struct writer *w, const char *const members[2],
    struct postern_str name, struct postern_str value)
{
	writer_open(w, NULL, "{");
	writer_text(w, members[0], name);
	writer_text(w, members[1], value);
	(void)writer_close(w, "}");
}

/* --- names --- */

static bool is_metadata(
    const struct postern_controls *controls, struct postern_str name)
{
	for (size_t i = 0; i < controls->metadata_count; i++) {
		if (str_ieq(controls->metadata[i].name, name))
			return true;
	}
	return false;
}

/* The next name of a tag behind number n, which grows: "tag", "tag_2", ... */
static struct postern_str next_tag(
    const struct postern_controls *controls, size_t *n, char out[TAG_SIZE])
{
	do {
		++*n;
		if (*n == 1)
			(void)snprintf(out, TAG_SIZE, "tag");
		else
			(void)snprintf(out, TAG_SIZE, "tag_%zu", *n);
	} while (is_metadata(controls, str_of(out)));
	return str_of(out);
}

static bool is_ours(struct postern_str name)
{
	return str_ieq(name, STR("postern_id"));
}

bool labels_have(
    const struct postern_controls *controls, struct postern_str name)
{
	char tag[TAG_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < controls->tag_count; i++) {
		if (str_ieq(next_tag(controls, &n, tag), name))
			return true;
	}
	return !is_ours(name) && is_metadata(controls, name);
}

void labels_add(struct writer *w, const struct postern_controls *controls,
    const char *name, const char *value)
{
	const char *const members[2] = { name, value };
	char tag[TAG_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < controls->metadata_count; i++) {
		const struct postern_header *h = &controls->metadata[i];

		if (!is_ours(h->name))
			labels_pair(w, members, h->name, h->value);
	}
	for (size_t i = 0; i < controls->tag_count; i++)
		labels_pair(
		    w, members, next_tag(controls, &n, tag), controls->tags[i]);
}
