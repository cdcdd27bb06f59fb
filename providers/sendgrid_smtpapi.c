/*
 * Applications written for SendGrid's SMTP relay steer it by one header with
 * JSON in it. What has a counterpart in v3 is translated; recipients in it
 * are ignored, for they would get around the envelope, and mail merge is
 * refused rather than sent with its placeholders.
 */
#include <sendgrid_smtpapi.h>

#include <common/str.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

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

static json_t *translate(const json_t *api)
{
	json_t *out = json_object();

	if (!out)
		return NULL;
	(void)set(
	    out, "categories", categories(json_object_get(api, "category")));
	(void)set(out, "custom_args",
	    custom_args(json_object_get(api, "unique_args")));
	(void)set(
	    out, "send_at", copy_integer(json_object_get(api, "send_at")));
	(void)set(
	    out, "batch_id", copy_string(json_object_get(api, "batch_id")));
	(void)set(out, "asm", group(json_object_get(api, "asm_group_id")));
	(void)set(
	    out, "ip_pool_name", copy_string(json_object_get(api, "ip_pool")));
	(void)set(out, "tracking_settings",
	    tracking(json_object_get(api, "filters")));
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

int sendgrid_add_smtpapi(struct letter *l)
{
	struct postern_str header = letter_find(l->mail, "X-SMTPAPI");
	const struct postern_host *host = l->w.host;
	json_t *api = NULL, *members = NULL;
	int rc = 0;

	if (!header.ptr)
		return 0;
	api = json_loadb(header.ptr, header.len, 0, NULL);
	if (!json_is_object(api)) {
		rc = host->refuse(
		    l->w.r, "the X-SMTPAPI field is no JSON object");
	} else if (json_object_get(api, "sub") ||
		   json_object_get(api, "section")) {
		rc = host->refuse(l->w.r,
		    "mail merge by X-SMTPAPI (sub, section) is not supported");
	} else {
		members = translate(api);
		rc = members ? add_members(members, &l->w) : -ENOMEM;
	}
	json_decref(members);
	json_decref(api);
	return rc;
}
