/*
 * Applications written for SendGrid's SMTP relay steer it by one header with
 * JSON in it. What has a counterpart in v3 is translated; recipients in it
 * are ignored, for they would get around the envelope, and mail merge is
 * refused rather than sent with its placeholders.
 */
#include <sendgrid_controls.h>

#include <common/metadata.h>
#include <common/str.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

enum {
	CATEGORIES_MAX = 10,
	ARGS_MAX = 10000
};

static int set(json_t *out, const char *name, json_t *value)
{
	return value ? json_object_set_new(out, name, value) : 0;
}

/* The member of that name, made when it is not there. */
static json_t *member_of(json_t *object, const char *name, json_t *fresh)
{
	json_t *member = json_object_get(object, name);

	if (!member && json_object_set(object, name, fresh) == 0)
		member = fresh;
	json_decref(fresh);
	return member;
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

static json_t *group(const json_t *api)
{
	json_t *id = json_object_get(api, "asm_group_id");
	json_t *shown = json_object_get(api, "asm_groups_to_display");
	json_t *asm_group = json_is_integer(id) ? json_object() : NULL;

	(void)json_object_set(asm_group, "group_id", id);
	if (json_array_size(shown) > 0)
		(void)json_object_set(asm_group, "groups_to_display", shown);
	return asm_group;
}

/* --- filters --- */

/* What each is called, and where it is, in v3. */
static const struct filter {
	const char *name, *group, *member;
} filters[] = {
	{ "clicktrack", "tracking_settings", "click_tracking" },
	{ "opentrack", "tracking_settings", "open_tracking" },
	{ "subscriptiontrack", "tracking_settings", "subscription_tracking" },
	{ "ganalytics", "tracking_settings", "ganalytics" },
	{ "footer", "mail_settings", "footer" },
	{ "bypass_list_management", "mail_settings", "bypass_list_management" },
	{ .name = NULL },
};

/* filter NULL: of all. */
static const struct {
	const char *filter, *name, *member;
	bool is_switch;
} settings[] = {
	{ NULL, "enable", "enable", true },
	{ "clicktrack", "enable_text", "enable_text", true },
	{ "opentrack", "replace", "substitution_tag", false },
	{ "subscriptiontrack", "text/html", "html", false },
	{ "subscriptiontrack", "text/plain", "text", false },
	{ "subscriptiontrack", "replace", "substitution_tag", false },
	{ "ganalytics", "utm_source", "utm_source", false },
	{ "ganalytics", "utm_medium", "utm_medium", false },
	{ "ganalytics", "utm_term", "utm_term", false },
	{ "ganalytics", "utm_content", "utm_content", false },
	{ "ganalytics", "utm_campaign", "utm_campaign", false },
	{ "footer", "text/html", "html", false },
	{ "footer", "text/plain", "text", false },
};

static bool is_off(const json_t *value)
{
	return json_is_false(value) ||
	       (json_is_integer(value) && json_integer_value(value) == 0);
}

/* False when it is not known, or of another type. */
static bool add_setting(
    const struct filter *f, const char *name, const json_t *value, json_t *out)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		json_t *copy = NULL;

		if (strcmp(settings[i].name, name) != 0 ||
		    (settings[i].filter &&
			strcmp(settings[i].filter, f->name) != 0))
			continue;
		if (settings[i].is_switch &&
		    (json_is_integer(value) || json_is_boolean(value)))
			copy = json_boolean(!is_off(value));
		else if (!settings[i].is_switch)
			copy = copy_string(value);
		return copy &&
		       json_object_set_new(out, settings[i].member, copy) == 0;
	}
	return false;
}

/* {"settings":{"enable":1}} becomes {"enable":true}; false: it cannot. */
static bool add_filter(const char *name, const json_t *filter, json_t *out)
{
	json_t *of = json_object_get(filter, "settings"), *value;
	const struct filter *f = filters;
	json_t *settings_of, *member;
	const char *key;
	bool is_fine = json_is_object(of);

	while (f->name && strcmp(f->name, name) != 0)
		f++;
	/* What is not there is off, too. */
	if (!f->name)
		return is_off(json_object_get(of, "enable"));
	settings_of = member_of(out, f->group, json_object());
	member = member_of(settings_of, f->member, json_object());
	json_object_foreach(of, key, value) is_fine &=
	    add_setting(f, key, value, member);
	return is_fine;
}

static bool add_filters(json_t *given, json_t *out)
{
	const char *name;
	json_t *filter;
	bool is_fine = true;

	json_object_foreach(given, name, filter) is_fine &=
	    add_filter(name, filter, out);
	return is_fine;
}

/* --- mail->controls --- */

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
	metadata_add(args, c);
	return args;
}

static void add_choice(
    json_t *out, const char *name, enum postern_choice choice)
{
	if (choice == POSTERN_UNSAID)
		return;
	(void)json_object_set_new(
	    member_of(out, "tracking_settings", json_object()), name,
	    json_pack("{sb}", "enable", choice == POSTERN_YES));
}

/* --- the whole --- */

static bool is_empty(const json_t *value)
{
	return !value || json_is_null(value) ||
	       ((json_is_array(value) || json_is_object(value)) &&
		   json_array_size(value) + json_object_size(value) == 0);
}

/* Recipients in `to` are not heeded. */
static bool is_known(const char *name, const json_t *value)
{
	static const struct {
		const char *name;
		json_type types[2];
	} known[] = {
		{ "category", { JSON_STRING, JSON_ARRAY } },
		{ "unique_args", { JSON_OBJECT, JSON_OBJECT } },
		{ "send_at", { JSON_INTEGER, JSON_INTEGER } },
		{ "batch_id", { JSON_STRING, JSON_STRING } },
		{ "asm_group_id", { JSON_INTEGER, JSON_INTEGER } },
		{ "asm_groups_to_display", { JSON_ARRAY, JSON_ARRAY } },
		{ "ip_pool", { JSON_STRING, JSON_STRING } },
		{ "filters", { JSON_OBJECT, JSON_OBJECT } },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) == 0)
			return json_typeof(value) == known[i].types[0] ||
			       json_typeof(value) == known[i].types[1];
	}
	return strcmp(name, "to") == 0;
}

static bool are_known(json_t *api)
{
	const char *name;
	json_t *value;

	json_object_foreach(api, name, value)
	{
		if (!is_known(name, value) && !is_empty(value))
			return false;
	}
	return true;
}

/* *is_whole: all of its filters are there in v3. */
static json_t *translate(
    json_t *api, const struct postern_controls *c, bool *is_whole)
{
	json_t *out = json_object();

	*is_whole = are_known(api);
	(void)set(out, "categories",
	    add_tags(categories(json_object_get(api, "category")), c));
	(void)set(out, "custom_args",
	    add_metadata(custom_args(json_object_get(api, "unique_args")), c));
	(void)set(
	    out, "send_at", copy_integer(json_object_get(api, "send_at")));
	(void)set(
	    out, "batch_id", copy_string(json_object_get(api, "batch_id")));
	(void)set(out, "asm", group(api));
	(void)set(
	    out, "ip_pool_name", copy_string(json_object_get(api, "ip_pool")));
	*is_whole &= add_filters(json_object_get(api, "filters"), out);
	add_choice(out, "open_tracking", c->track_opens);
	add_choice(out, "click_tracking", c->track_clicks);
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
static const char *find_obstacle(struct postern_str header, const json_t *api,
    const json_t *members, bool is_whole)
{
	if (header.ptr && !json_is_object(api))
		return "the X-SMTPAPI field is no JSON object";
	if (!is_empty(json_object_get(api, "sub")) ||
	    !is_empty(json_object_get(api, "section")))
		return "mail merge by X-SMTPAPI (sub, section) is not "
		       "supported";
	if (!is_whole)
		return "X-SMTPAPI has members or filters that SendGrid's v3 "
		       "API has no place for";
	if (!are_categories(json_object_get(members, "categories")))
		return "SendGrid takes at most 10 categories (tags), in ASCII";
	if (metadata_size(json_object_get(members, "custom_args")) > ARGS_MAX)
		return "SendGrid takes at most 10000 bytes of metadata";
	return NULL;
}

static void add_sandbox(json_t *members)
{
	(void)json_object_set_new(
	    member_of(members, "mail_settings", json_object()), "sandbox_mode",
	    json_pack("{sb}", "enable", 1));
}

int sendgrid_add_controls(struct letter *l, bool is_sandbox)
{
	struct postern_str header = letter_find(l->mail, "X-SMTPAPI");
	json_t *api = NULL, *members;
	const char *obstacle;
	bool is_whole;
	int rc;

	if (header.ptr)
		api = json_loadb(header.ptr, header.len, 0, NULL);
	members = translate(api, l->mail->controls, &is_whole);
	if (is_sandbox)
		add_sandbox(members);
	obstacle = find_obstacle(header, api, members, is_whole);
	if (obstacle)
		rc = letter_refuse(l, obstacle);
	else
		rc = members ? add_members(members, &l->w) : -ENOMEM;
	json_decref(members);
	json_decref(api);
	return rc;
}
