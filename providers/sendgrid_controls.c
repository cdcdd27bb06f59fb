/*
 * Applications written for SendGrid's SMTP relay steer it by one header with
 * JSON in it. What has a counterpart in v3 is translated; recipients in it
 * are ignored, for they would get around the envelope, and mail merge is
 * refused rather than sent with its placeholders.
 */
#include <sendgrid_controls.h>

#include <common/str.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	CATEGORIES_MAX = 10,
	ARGS_MAX = 10000,
	NAME_SIZE = 128 /* of metadata, which is shorter */
};

static int set(json_t *out, const char *name, json_t *value)
{
	return value ? json_object_set_new(out, name, value) : 0;
}

/* A copy when the value has the type that is wanted. */
static json_t *copy_integer(const json_t *value)
{
	return json_is_integer(value) ? json_deep_copy(value) : NULL;
}

static json_t *copy_string(const json_t *value)
{
	return json_is_string(value) ? json_deep_copy(value) : NULL;
}

static json_t *categories(const json_t *value)
{
	json_t *list;

	if (json_is_array(value))
		return json_deep_copy(value);
	if (!json_is_string(value))
		return NULL;
	list = json_array();
	(void)json_array_append_new(list, json_deep_copy(value));
	return list;
}

/* custom_args takes strings only. */
static json_t *custom_args(json_t *unique_args)
{
	void *at = json_object_iter(unique_args);
	json_t *out = json_is_object(unique_args) ? json_object() : NULL;

	for (; out && at; at = json_object_iter_next(unique_args, at)) {
		const json_t *value = json_object_iter_value(at);
		char *text =
		    json_is_string(value)
			? strdup(json_string_value(value))
			: json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		if (text)
			(void)json_object_set_new(
			    out, json_object_iter_key(at), json_string(text));
		free(text);
	}
	return out;
}

static json_t *group(const json_t *id)
{
	json_t *asm_group = json_is_integer(id) ? json_object() : NULL;

	if (asm_group)
		(void)json_object_set_new(
		    asm_group, "group_id", json_deep_copy(id));
	return asm_group;
}

/* {"settings":{"enable":1}} becomes {"enable":true}. */
static json_t *switch_of(const json_t *filters, const char *name)
{
	const json_t *enable = json_object_get(
	    json_object_get(json_object_get(filters, name), "settings"),
	    "enable");
	json_t *out;

	if (!json_is_integer(enable))
		return NULL;
	out = json_object();
	(void)json_object_set_new(
	    out, "enable", json_boolean(json_integer_value(enable) != 0));
	return out;
}

static json_t *tracking(const json_t *filters)
{
	static const char *const names[][2] = {
		{ "clicktrack", "click_tracking" },
		{ "opentrack", "open_tracking" },
		{ "subscriptiontrack", "subscription_tracking" },
		{ "ganalytics", "ganalytics" },
	};
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)set(out, names[i][1], switch_of(filters, names[i][0]));
	if (json_object_size(out) > 0)
		return out;
	json_decref(out);
	return NULL;
}

/* A new string; NULL when it is no UTF-8, or for memory. */
static json_t *string_of(struct postern_str s)
{
	return json_stringn(s.ptr, s.len);
}

static bool is_in(const json_t *list, const json_t *tag)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (json_equal(item, tag))
			return true;
	}
	return false;
}

/* What mail->controls says goes before; a category may be there once. */
static json_t *add_tags(json_t *list, const struct postern_controls *c)
{
	if (!list && c->tag_count > 0)
		list = json_array();
	for (size_t i = 0; i < c->tag_count; i++) {
		json_t *tag = string_of(c->tags[i]);
		if (tag && !is_in(list, tag))
			(void)json_array_append(list, tag);
		json_decref(tag);
	}
	return list;
}

static json_t *add_metadata(json_t *args, const struct postern_controls *c)
{
	if (!args && c->metadata_count > 0)
		args = json_object();
	for (size_t i = 0; i < c->metadata_count; i++) {
		char name[NAME_SIZE];
		(void)snprintf(
		    name, sizeof(name), "%.*s", STR_FMT(c->metadata[i].name));
		(void)json_object_set_new(
		    args, name, string_of(c->metadata[i].value));
	}
	return args;
}

static json_t *add_choice(
    json_t *settings, const char *name, enum postern_choice choice)
{
	if (choice == POSTERN_UNSAID)
		return settings;
	if (!settings)
		settings = json_object();
	(void)json_object_set_new(
	    settings, name, json_pack("{sb}", "enable", choice == POSTERN_YES));
	return settings;
}

static json_t *translate(const json_t *api, const struct postern_controls *c)
{
	json_t *out = json_object();
	json_t *track = tracking(json_object_get(api, "filters"));

	if (!out) {
		json_decref(track);
		return NULL;
	}
	track = add_choice(track, "open_tracking", c->track_opens);
	track = add_choice(track, "click_tracking", c->track_clicks);
	(void)set(out, "categories",
	    add_tags(categories(json_object_get(api, "category")), c));
	(void)set(out, "custom_args",
	    add_metadata(custom_args(json_object_get(api, "unique_args")), c));
	(void)set(
	    out, "send_at", copy_integer(json_object_get(api, "send_at")));
	(void)set(
	    out, "batch_id", copy_string(json_object_get(api, "batch_id")));
	(void)set(out, "asm", group(json_object_get(api, "asm_group_id")));
	(void)set(
	    out, "ip_pool_name", copy_string(json_object_get(api, "ip_pool")));
	(void)set(out, "tracking_settings", track);
	return out;
}

static int add_members(json_t *object, struct writer *w)
{
	void *at = json_object_iter(object);
	int rc = 0;

	for (; at && rc == 0; at = json_object_iter_next(object, at))
		rc = writer_value(
		    w, json_object_iter_key(at), json_object_iter_value(at));
	return rc;
}

static bool are_categories(const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);
		for (; text && *text; text++) {
			if ((unsigned char)*text >= 0x80)
				return false;
		}
	}
	return json_array_size(list) <= CATEGORIES_MAX;
}

/* Why SendGrid cannot do it, or NULL. */
static const char *find_obstacle(
    struct postern_str header, const json_t *api, const json_t *members)
{
	if (header.ptr && !json_is_object(api))
		return "the X-SMTPAPI field is no JSON object";
	if (json_object_get(api, "sub") || json_object_get(api, "section"))
		return "mail merge by X-SMTPAPI (sub, section) is not "
		       "supported";
	if (!are_categories(json_object_get(members, "categories")))
		return "SendGrid takes at most 10 categories (tags), in ASCII";
	if (json_dumpb(json_object_get(members, "custom_args"), NULL, 0,
		JSON_COMPACT) > ARGS_MAX)
		return "SendGrid takes at most 10000 bytes of metadata";
	return NULL;
}

int sendgrid_add_controls(struct letter *l)
{
	struct postern_str header = letter_find(l->mail, "X-SMTPAPI");
	json_t *api = NULL, *members;
	const char *obstacle;
	int rc;

	if (header.ptr)
		api = json_loadb(header.ptr, header.len, 0, NULL);
	members = translate(api, l->mail->controls);
	obstacle = find_obstacle(header, api, members);
	if (obstacle)
		rc = letter_refuse(l, obstacle);
	else
		rc = members ? add_members(members, &l->w) : -ENOMEM;
	json_decref(members);
	json_decref(api);
	return rc;
}
