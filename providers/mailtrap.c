/*
 * mailtrap: Mailtrap api/send, of its transactional and bulk streams and of
 * its sandboxes. Any of to, cc and bcc is enough. Answers: mailtrap_answer.c.
 */
#include <common/letter.h>
#include <common/metadata.h>
#include <common/str.h>
#include <common/text.h>
#include <mailtrap_answer.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct mailtrap_settings {
	const char *url;
	struct postern_secret api_token;
	int stream; /* index into streams */
	const char *sandbox, *category;
};

static const char *const streams[] = { "transactional", "bulk", NULL };
static const char *const bases[] = { "https://send.api.mailtrap.io",
	"https://bulk.api.mailtrap.io" };

#define MAILTRAP_FIELD(member)                                                 \
	.name = #member, .offset = offsetof(struct mailtrap_settings, member)

static const struct postern_field mailtrap_fields[] = {
	{ MAILTRAP_FIELD(api_token), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API token that may send." },
	{ MAILTRAP_FIELD(stream), .type = POSTERN_TYPE_ENUM,
	    .preset = "transactional", .names = streams,
	    .doc = "The stream to send by: transactional or bulk." },
	{ MAILTRAP_FIELD(sandbox), .type = POSTERN_TYPE_STRING,
	    .doc = "Id of a sandbox that gets the messages, instead of their "
		   "recipients." },
	{ MAILTRAP_FIELD(category), .type = POSTERN_TYPE_STRING,
	    .doc = "Category of every message; X-Postern-Tag and X-MT-Category "
		   "go before." },
	{ MAILTRAP_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the stream's own." },
	{ .name = NULL },
};

enum {
	CATEGORY_MAX = 255,
	VARIABLES_MAX = 1000 /* bytes of JSON */
};

static const char *const control_fields[] = { "X-MT-", NULL };

static const struct letter_style style = {
	.email = "email",
	.name = "name",
	.content = "content",
	.filename = "filename",
	.type = "type",
	.disposition = "disposition",
	.content_id = "content_id",
	.control_fields = control_fields,
};

static const char *mailtrap_check(const void *settings)
{
	const struct mailtrap_settings *s = settings;

	if (s->sandbox &&
	    (!s->sandbox[0] || s->sandbox[strspn(s->sandbox, "0123456789")]))
		return "sandbox must be a number";
	if (s->category && strlen(s->category) > CATEGORY_MAX)
		return "category is at most 255 bytes";
	return NULL;
}

static int check(struct letter *l)
{
	const struct postern_content *c = l->mail->content;

	if (c->from_count != 1)
		return letter_refuse(
		    l, "Mailtrap takes exactly one address in From");
	if (c->reply_to_count > 1)
		return letter_refuse(
		    l, "Mailtrap takes one address in Reply-To");
	return 0;
}

static int add_head(struct letter *l, const struct mailtrap_settings *s)
{
	const char *base =
	    s->sandbox ? "https://sandbox.api.mailtrap.io" : bases[s->stream];
	struct text path;
	int rc = letter_key(l, "Api-Token", "", s->api_token);

	text_init(&path, l->w.host, l->w.r);
	text_add_cstr(&path, "/api/send");
	if (s->sandbox) {
		text_add_cstr(&path, "/");
		text_add_cstr(&path, s->sandbox);
	}
	if (rc == 0 && !text_finish(&path))
		rc = -ENOMEM;
	return rc < 0 ? rc : letter_head(l, s->url ? s->url : base, path.data);
}

/* --- what steers it: fields of its SMTP service, and mail->controls --- */

/* Values become strings, as the API wants them; false: one cannot. */
static bool take_variables(json_t *given, json_t *out)
{
	const char *name;
	json_t *value;

	json_object_foreach(given, name, value)
	{
		char *text = NULL;

		if (json_is_array(value) || json_is_object(value))
			return false;
		if (!json_is_string(value))
			text = json_dumps(value, JSON_ENCODE_ANY);
		(void)json_object_set_new(out, name,
		    json_string(text ? text : json_string_value(value)));
		free(text);
	}
	return json_is_object(given);
}

/* The queue id comes back with the events, as does what the sender gave. */
static int add_variables(struct letter *l)
{
	struct postern_str field =
	    letter_find(l->mail, "X-MT-Custom-Variables");
	json_t *out = json_object();
	json_t *given = field.ptr ? json_loadb(field.ptr, field.len, 0, NULL)
				  : json_object();
	int rc = 0;

	if (!take_variables(given, out))
		rc = letter_refuse(l,
		    "X-MT-Custom-Variables is no JSON object of names and "
		    "values");
	metadata_add(out, l->mail->controls);
	(void)json_object_set_new(out, "postern_id", json_string(l->mail->id));
	if (rc == 0 && metadata_size(out) > VARIABLES_MAX)
		rc = letter_refuse(
		    l, "Mailtrap takes at most 1000 bytes of metadata");
	if (rc == 0)
		rc = writer_value(&l->w, "custom_variables", out);
	json_decref(given);
	json_decref(out);
	return rc;
}

static int add_category(struct letter *l, const struct mailtrap_settings *s)
{
	const struct postern_controls *c = l->mail->controls;
	struct postern_str category = letter_find_text(l, "X-MT-Category");

	if (c->tag_count > 0)
		category = c->tags[0];
	if (category.len == 0)
		category = str_of(s->category);
	if (c->tag_count > 1 || category.len > CATEGORY_MAX)
		return letter_refuse(
		    l, "Mailtrap takes one tag (a category) of 255 bytes");
	if (category.len > 0)
		writer_text(&l->w, "category", category);
	return 0;
}

/* --- request --- */

static int add_body(struct letter *l, const struct mailtrap_settings *s)
{
	const struct postern_content *c = l->mail->content;
	int rc;

	writer_open(&l->w, NULL, "{");
	letter_address(l, "from", &c->from[0]);
	letter_recipients(l, "to", "cc", "bcc");
	if (c->reply_to_count > 0)
		letter_address(l, "reply_to", &c->reply_to[0]);
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	letter_texts(l, "text", "html");
	letter_headers(l, "headers", NULL, NULL, 0);
	rc = add_variables(l);
	if (rc == 0)
		rc = add_category(l, s);
	letter_parts(l, "attachments", LETTER_ALL);
	return rc < 0 ? rc : writer_close(&l->w, "}");
}

static int mailtrap_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct mailtrap_settings *s = settings;
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (rc == 0)
		rc = check(&l);
	if (rc == 0)
		rc = add_head(&l, s);
	return rc < 0 ? rc : add_body(&l, s);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "mailtrap",
	.doc = "Mailtrap api/send.",
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED | POSTERN_CARRIES_TAGS |
		 POSTERN_CARRIES_METADATA,
	.limits = { .recipients = 1000, .message_size = 10000000 },
	.fields = mailtrap_fields,
	.settings_size = sizeof(struct mailtrap_settings),
	.check = mailtrap_check,
	.build = mailtrap_build,
	.classify = mailtrap_classify,
	.control_fields = control_fields,
};
