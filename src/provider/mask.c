/*
 * Settings without their secrets, so that what a module builds of them can be
 * shown: nothing has to be found and struck out afterwards.
 */
#include <provider/provider.h>

#include <base/arena.h>

#include <string.h>

static bool mask_struct(
    const struct postern_field *fields, char *at, struct arena *a);

static bool mask_list(
    const struct postern_field *f, struct postern_list *list, struct arena *a)
{
	char *items = arena_copy(a, list->items, list->count * f->size);

	if (!items)
		return false;
	list->items = items;
	for (size_t i = 0; i < list->count; i++) {
		if (!mask_struct(f->fields, items + i * f->size, a))
			return false;
	}
	return true;
}

static bool mask_field(const struct postern_field *f, char *at, struct arena *a)
{
	static const struct postern_secret mask = { POSTERN_MASK,
		sizeof(POSTERN_MASK) - 1 };
	struct postern_list list;
	struct postern_secret secret;

	switch (f->type) {
	case POSTERN_TYPE_SECRET:
		memcpy(&secret, at, sizeof(secret));
		if (secret.ptr)
			memcpy(at, &mask, sizeof(mask));
		return true;
	case POSTERN_TYPE_MAP:
		return mask_struct(f->fields, at, a);
	case POSTERN_TYPE_LIST:
		memcpy(&list, at, sizeof(list));
		if (list.count == 0)
			return true;
		if (!mask_list(f, &list, a))
			return false;
		memcpy(at, &list, sizeof(list));
		return true;
	default:
		return true;
	}
}

static bool mask_struct(
    const struct postern_field *fields, char *at, struct arena *a)
{
	for (const struct postern_field *f = fields; f && f->name; f++) {
		if (!mask_field(f, at + f->offset, a))
			return false;
	}
	return true;
}

const void *provider_mask_settings(
    const struct postern_provider *p, const void *settings, struct arena *a)
{
	char *copy = arena_copy(a, settings, p->settings_size);

	return copy && mask_struct(p->fields, copy, a) ? copy : NULL;
}
