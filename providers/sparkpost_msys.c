/* See sparkpost_msys.h. Recipients it names would get around the envelope. */
#include <sparkpost_msys.h>

#include <common/letter.h>
#include <common/metadata.h>
#include <common/str.h>

#include <stddef.h>

enum {
	CAMPAIGN_MAX = 64,
	TAGS_MAX = 10,
	TAG_MAX = 128, /* bytes: they go along once for each recipient */
	METADATA_MAX = 10000
};

static bool are_tags(const json_t *tags)
{
	const json_t *tag;
	size_t i;

	if (tags && (!json_is_array(tags) || json_array_size(tags) > TAGS_MAX))
		return false;
	json_array_foreach(tags, i, tag)
	{
		if (!json_is_string(tag) || json_string_length(tag) > TAG_MAX)
			return false;
	}
	return true;
}

/* What is wrong with it, or NULL. */
static const char *find_fault(const json_t *api)
{
	static const char *const lists[] = { "cc", "bcc", "archive" };
	const json_t *campaign = json_object_get(api, "campaign_id");
	const json_t *metadata = json_object_get(api, "metadata");
	const json_t *options = json_object_get(api, "options");

	if (!json_is_object(api))
		return "the X-MSYS-API field is no JSON object";
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (json_array_size(json_object_get(api, lists[i])) > 0)
			return "recipients in X-MSYS-API (cc, bcc, archive) "
			       "are not supported: name them by RCPT";
	}
	if (campaign && (!json_is_string(campaign) ||
			    json_string_length(campaign) > CAMPAIGN_MAX))
		return "campaign_id of X-MSYS-API is a string of at most 64 "
		       "bytes";
	if (metadata && !json_is_object(metadata))
		return "metadata of X-MSYS-API is no JSON object";
	if (options && !json_is_object(options))
		return "options of X-MSYS-API are no JSON object";
	if (!are_tags(json_object_get(api, "tags")))
		return "tags of X-MSYS-API are a list of at most 10 strings of "
		       "at most 128 bytes";
	return NULL;
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

static void add_choice(
    json_t *api, const char *name, enum postern_choice choice)
{
	if (choice != POSTERN_UNSAID)
		(void)json_object_set_new(
		    member_of(api, "options", json_object()), name,
		    json_boolean(choice == POSTERN_YES));
}

/* What mail->controls says goes before. */
static void add_controls(json_t *api, const struct postern_controls *c)
{
	for (size_t i = 0; i < c->tag_count; i++)
		(void)json_array_append_new(
		    member_of(api, "tags", json_array()),
		    json_stringn(c->tags[i].ptr, c->tags[i].len));
	if (c->metadata_count > 0)
		metadata_add(member_of(api, "metadata", json_object()), c);
	add_choice(api, "open_tracking", c->track_opens);
	add_choice(api, "click_tracking", c->track_clicks);
}

int sparkpost_read_msys(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r, json_t **out)
{
	struct postern_str field = letter_find(mail, "X-MSYS-API");
	const char *fault;

	*out = field.ptr ? json_loadb(field.ptr, field.len, 0, NULL)
			 : json_object();
	fault = find_fault(*out);
	if (fault)
		return host->refuse(r, fault);
	add_controls(*out, mail->controls);
	if (json_array_size(json_object_get(*out, "tags")) > TAGS_MAX)
		return host->refuse(r, "SparkPost takes at most 10 tags");
	if (metadata_size(json_object_get(*out, "metadata")) > METADATA_MAX)
		return host->refuse(
		    r, "SparkPost takes at most 10 KB of metadata");
	return 0;
}

void sparkpost_set_options(const json_t *api, json_t *options)
{
	static const char *const switches[] = { "open_tracking", "initial_open",
		"click_tracking", "transactional", "skip_suppression",
		"inline_css", NULL };
	static const char *const names[] = { "ip_pool", "dkim_key", NULL };
	json_t *from = json_object_get(api, "options"), *value;

	for (const char *const *name = switches; *name; name++) {
		value = json_object_get(from, *name);
		if (json_is_boolean(value))
			(void)json_object_set(options, *name, value);
	}
	for (const char *const *name = names; *name; name++) {
		value = json_object_get(from, *name);
		if (json_is_string(value))
			(void)json_object_set(options, *name, value);
	}
}
