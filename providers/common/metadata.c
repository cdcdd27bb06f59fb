/* See metadata.h. */
#include <common/metadata.h>

#include <common/str.h>

#include <stdio.h>

enum {
	NAME_SIZE = 128 /* names are shorter */
};

void metadata_add(json_t *object, const struct postern_controls *controls)
{
	for (size_t i = 0; i < controls->metadata_count; i++) {
		const struct postern_header *h = &controls->metadata[i];
		char name[NAME_SIZE];

		if (str_ieq(h->name, STR("postern_id")))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", STR_FMT(h->name));
		(void)json_object_set_new(
		    object, name, json_stringn(h->value.ptr, h->value.len));
	}
}

size_t metadata_size(const json_t *object)
{
	return json_dumpb(object, NULL, 0, JSON_COMPACT);
}
