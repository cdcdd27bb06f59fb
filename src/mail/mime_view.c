/*
 * The memory of a view: strings in an arena, texts in buffers, and for each
 * part a description and where it lies.
 */
#include <mail/mime_view.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PARTS_FIRST = 8, /* room for */
	TOKEN_MAX = 128
};

static int grow_parts(struct mime_view *v)
{
	size_t cap = v->part_cap ? 2 * v->part_cap : PARTS_FIRST;
	struct mime_part *parts;
	struct mime_place *places;

	if (v->fields.part_count < v->part_cap)
		return 0;
	parts = realloc(v->parts, cap * sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	v->parts = parts;
	places = realloc(v->places, cap * sizeof(*places));
	if (!places)
		return -ENOMEM;
	v->places = places;
	v->part_cap = cap;
	return 0;
}

int mime_view_add_part(struct mime_view *v, const struct mime_part *part,
    const struct mime_place *place)
{
	size_t i = v->fields.part_count;
	int rc = grow_parts(v);

	if (rc < 0)
		return rc;
	v->parts[i] = *part;
	v->places[i] = *place;
	v->fields.part_count++;
	return 0;
}

bool mime_view_is_token(const char *s)
{
	size_t len = 0;

	for (; s && s[len]; len++) {
		unsigned char c = (unsigned char)s[len];
		if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?=", c))
			return false;
	}
	return len > 0 && len < TOKEN_MAX;
}

bool mime_view_is_address(const char *s)
{
	const char *at = s ? strrchr(s, '@') : NULL;

	return at && at > s && at[1] && !strpbrk(at, " \t\r\n<>,;") &&
	       (*s == '"' || !strpbrk(s, " \t\r\n<>,;"));
}

struct span mime_view_lower(char *text)
{
	for (char *c = text; c && *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	}
	return span_of(text ? text : "");
}

struct mime_view *mime_view_new(const struct message *m, struct err *e)
{
	struct mime_view *v = calloc(1, sizeof(*v));

	if (!v) {
		(void)err_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	arena_init(&v->arena, MIME_ARENA_MAX);
	mime_bodies_init(&v->bodies);
	v->reader.message = m;
	if (mime_parse(v, m, e) < 0) {
		mime_view_free(v);
		return NULL;
	}
	v->counted = v->bodies.text.cap + v->bodies.html.cap;
	message_memory_change(0, v->counted);
	return v;
}

void mime_view_free(struct mime_view *v)
{
	if (!v)
		return;
	message_memory_change(v->counted, 0);
	mime_reader_finish(&v->reader);
	mime_bodies_finish(&v->bodies);
	free(v->parts);
	free(v->places);
	arena_finish(&v->arena);
	free(v);
}

const struct mime_fields *mime_view_fields(const struct mime_view *v)
{
	return &v->fields;
}

int mime_view_read(
    struct mime_view *v, size_t i, uint64_t offset, void *out, size_t len)
{
	return mime_reader_read(&v->reader, &v->places[i], offset, out, len);
}

uint64_t mime_view_held(const struct mime_view *v)
{
	return sizeof(*v) + v->counted + v->arena.used +
	       v->part_cap * (sizeof(*v->parts) + sizeof(*v->places));
}
