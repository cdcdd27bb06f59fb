/*
 * A settings struct filled from JSON by the module's own rows: enough of the
 * types for the modules, without the configuration's reader. Texts and numbers
 * that a case does not say are as the rows preset them, flags are off.
 */
#include "case.h"

#include <stdlib.h>

static const char *string_of(const json_t *value, const char *name)
{
	const char *s = json_string_value(value);

	if (!s)
		die("setting %s is no string", name);
	return s;
}

static int enum_of(const struct postern_field *f, const char *word)
{
	for (int i = 0; f->names[i]; i++) {
		if (strcmp(f->names[i], word) == 0)
			return i;
	}
	die("setting %s has no value %s", f->name, word);
}

static struct postern_list strings_of(const json_t *value)
{
	size_t n = json_array_size(value);
	const char **items = calloc(n + 1, sizeof(*items));

	if (!items)
		die("out of memory");
	for (size_t i = 0; i < n; i++)
		items[i] = json_string_value(json_array_get(value, i));
	return (struct postern_list){ items, n };
}

static void set(char *at, const struct postern_field *f, const json_t *value)
{
	const char *text;

	switch (f->type) {
	case POSTERN_TYPE_STRING:
	case POSTERN_TYPE_URL:
	case POSTERN_TYPE_SMTP_URL:
		text = string_of(value, f->name);
		memcpy(at, &text, sizeof(text));
		break;
	case POSTERN_TYPE_SECRET:
		text = string_of(value, f->name);
		memcpy(at, &(struct postern_secret){ text, strlen(text) },
		    sizeof(struct postern_secret));
		break;
	case POSTERN_TYPE_BOOL:
		*(bool *)(void *)at = json_is_true(value);
		break;
	case POSTERN_TYPE_ENUM:
		*(int *)(void *)at = enum_of(f, string_of(value, f->name));
		break;
	case POSTERN_TYPE_INT:
		*(int64_t *)(void *)at = json_integer_value(value);
		break;
	case POSTERN_TYPE_STRINGS:
		*(struct postern_list *)(void *)at = strings_of(value);
		break;
	default:
		die("setting %s: type %d is not known here", f->name, f->type);
	}
}

static void preset(char *at, const struct postern_field *f)
{
	int64_t number;

	if (f->type == POSTERN_TYPE_STRING)
		memcpy(at, &f->preset, sizeof(f->preset));
	if (f->type != POSTERN_TYPE_INT)
		return;
	number = strtoll(f->preset, NULL, 10);
	memcpy(at, &number, sizeof(number));
}

void *settings_make(
    const struct postern_field *fields, size_t size, const json_t *json)
{
	char *settings = calloc(1, size);
	size_t known = 0;

	if (!settings)
		die("out of memory");
	for (const struct postern_field *f = fields; f->name; f++) {
		const json_t *value = json_object_get(json, f->name);
		if (!value && f->flags & POSTERN_FIELD_REQUIRED)
			die("setting %s is required", f->name);
		if (value)
			set(settings + f->offset, f, value);
		else if (f->preset)
			preset(settings + f->offset, f);
		known += value ? 1 : 0;
	}
	if (known != json_object_size(json))
		die("a setting is not known to the module");
	return settings;
}

void settings_free(void *settings, const struct postern_field *fields)
{
	char *base = settings;

	for (const struct postern_field *f = fields; f->name; f++) {
		if (f->type == POSTERN_TYPE_STRINGS)
			free(((struct postern_list *)(void *)(base + f->offset))
				 ->items);
	}
	free(settings);
}
