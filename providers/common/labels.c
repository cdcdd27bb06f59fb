#include <common/labels.h>

#include <stdio.h>

enum {
	LABEL_MAX = 256
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

static void add_pair(struct writer *w, const char *const members[2],
    struct postern_str name, struct postern_str value)
{
	writer_open(w, NULL, "{");
	writer_text(w, members[0], name);
	writer_text(w, members[1], value);
	(void)writer_close(w, "}");
}

void labels_add(struct writer *w, const struct postern_controls *controls,
    const char *name, const char *value)
{
	const char *const members[2] = { name, value };
	char tag[32] = "tag";

	for (size_t i = 0; i < controls->metadata_count; i++)
		add_pair(w, members, controls->metadata[i].name,
		    controls->metadata[i].value);
	for (size_t i = 0; i < controls->tag_count; i++) {
		if (i > 0)
			(void)snprintf(tag, sizeof(tag), "tag_%zu", i + 1);
		add_pair(w, members, str_of(tag), controls->tags[i]);
	}
}
