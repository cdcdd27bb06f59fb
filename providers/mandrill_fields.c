/* Limits: Mandrill's articles on X-MC-* fields, tags and custom metadata. */
#include <mandrill_fields.h>

#include <common/header.h>
#include <common/metadata.h>
#include <common/text.h>

#include <errno.h>
#include <stdlib.h>

enum {
	TAG_MAX = 50,
	METADATA_MAX = 200 /* bytes of JSON */
};

/* --- what does not fit --- */

/* An encoded word may have held a comma. */
static bool is_tag(struct postern_str tag)
{
	for (size_t i = 0; i < tag.len; i++) {
		if (tag.ptr[i] < ' ' || tag.ptr[i] >= 0x7f || tag.ptr[i] == ',')
			return false;
	}
	return tag.len <= TAG_MAX && tag.len > 0 && tag.ptr[0] != '_';
}

static bool has(const struct postern_mail *mail, const char *name)
{
	return header_value(mail, name).ptr != NULL;
}

/* Why it cannot be said here, for who wrote it; or NULL. */
static const char *find_obstacle(const struct postern_mail *mail)
{
	const struct postern_controls *c = mail->controls;

	for (size_t i = 0; i < c->tag_count; i++) {
		if (!is_tag(c->tags[i]))
			return "Mandrill takes tags of at most 50 characters "
			       "of ASCII that do not begin with _";
	}
	for (size_t i = 0; i < c->metadata_count; i++) {
		if (c->metadata[i].name.ptr[0] == '_')
			return "Mandrill takes no metadata whose name begins "
			       "with _";
	}
	if (c->track_opens == POSTERN_NO || c->track_clicks == POSTERN_NO)
		return "Mandrill has no field that turns tracking off";
	if ((c->tag_count > 0 && has(mail, "X-MC-Tags")) ||
	    (c->metadata_count > 0 && has(mail, "X-MC-Metadata")) ||
	    ((c->track_opens || c->track_clicks) && has(mail, "X-MC-Track")))
		return "X-MC-Tags, -Metadata and -Track exclude X-Postern-Tag, "
		       "-Metadata and -Track";
	return NULL;
}

/* --- fields --- */

static void add_field(struct text *t, const struct postern_mail *mail,
    const char *name, const char *value)
{
	if (has(mail, name))
		return;
	text_add_cstr(t, name);
	text_add_cstr(t, ": ");
	text_add_cstr(t, value);
	text_add_cstr(t, "\r\n");
}

static void add_tags(struct text *t, const struct postern_controls *c)
{
	for (size_t i = 0; i < c->tag_count; i++) {
		text_add_cstr(t, i > 0 ? "," : "X-MC-Tags: ");
		text_add(t, c->tags[i]);
	}
	if (c->tag_count > 0)
		text_add_cstr(t, "\r\n");
}

/* It comes back with the events. */
static int add_metadata(struct text *t, const struct postern_mail *mail)
{
	json_t *object = json_object();
	char *dump;
	int rc = -ENOMEM;

	(void)json_object_set_new(object, "postern_id", json_string(mail->id));
	metadata_add(object, mail->controls);
	dump = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (dump && metadata_size(object) > METADATA_MAX) {
		rc = t->host->refuse(
		    t->request, "Mandrill takes at most 200 bytes of metadata");
	} else if (dump) {
		add_field(t, mail, "X-MC-Metadata", dump);
		rc = 0;
	}
	free(dump);
	json_decref(object);
	return rc;
}

static void add_tracking(struct text *t, const struct postern_mail *mail)
{
	bool opens = mail->controls->track_opens == POSTERN_YES;
	bool clicks = mail->controls->track_clicks == POSTERN_YES;

	if (opens && clicks)
		add_field(t, mail, "X-MC-Track", "opens, clicks_all");
	else if (opens || clicks)
		add_field(
		    t, mail, "X-MC-Track", opens ? "opens" : "clicks_all");
}

int mandrill_make_fields(const char *subaccount,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r, struct postern_str *out)
{
	const char *obstacle = find_obstacle(mail);
	struct text t;
	int rc;

	if (obstacle)
		return host->refuse(r, obstacle);
	text_init(&t, host, r);
	/* Else it depends on the account whether To and Cc arrive. */
	add_field(&t, mail, "X-MC-PreserveRecipients", "true");
	if (subaccount)
		add_field(&t, mail, "X-MC-Subaccount", subaccount);
	add_tags(&t, mail->controls);
	add_tracking(&t, mail);
	rc = add_metadata(&t, mail);
	if (rc == 0 && !text_finish(&t))
		rc = -ENOMEM;
	*out = str_make(t.data, t.len);
	return rc;
}
