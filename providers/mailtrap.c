/*
 * mailtrap: Mailtrap api/send, of its transactional and bulk streams and of
 * its sandboxes. Any of to, cc and bcc is enough. Answers: mailtrap_answer.c.
 */
#include <common/letter.h>
#include <common/str.h>
#include <common/text.h>
#include <mailtrap_answer.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>

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
	    .doc = "Category of every message; X-Postern-Tag goes before." },
	{ MAILTRAP_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the stream's own." },
	{ .name = NULL },
};

enum {
	CATEGORY_MAX = 255,
	VARIABLES_MAX = 1000 /* bytes of JSON */
};

static const struct letter_style style = {
	.email = "email",
	.name = "name",
	.content = "content",
	.filename = "filename",
	.type = "type",
	.disposition = "disposition",
	.content_id = "content_id",
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

/* As JSON, and with our own; what is escaped there counts once. */
static size_t count_variables(const struct letter *l)
{
	const struct postern_controls *c = l->mail->controls;
	size_t sum = strlen("{\"postern_id\":\"\"}") + strlen(l->mail->id);

	for (size_t i = 0; i < c->metadata_count; i++)
		sum += c->metadata[i].name.len + c->metadata[i].value.len +
		       strlen("\"\":\"\",");
	return sum;
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
	if (count_variables(l) > VARIABLES_MAX)
		return letter_refuse(
		    l, "Mailtrap takes at most 1000 bytes of metadata");
	if (l->mail->controls->tag_count > 1 ||
	    (l->mail->controls->tag_count == 1 &&
		l->mail->controls->tags[0].len > CATEGORY_MAX))
		return letter_refuse(
		    l, "Mailtrap takes one tag (a category) of 255 bytes");
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

/* The queue id comes back with the events, as does what the sender gave. */
static void add_labels(struct letter *l, const struct mailtrap_settings *s)
{
	const struct postern_controls *c = l->mail->controls;
	struct postern_str category =
	    c->tag_count > 0 ? c->tags[0] : str_of(s->category);

	writer_open(&l->w, "custom_variables", "{");
	for (size_t i = 0; i < c->metadata_count; i++) {
		if (!str_ieq(c->metadata[i].name, STR("postern_id")))
			writer_pair(
			    &l->w, c->metadata[i].name, c->metadata[i].value);
	}
	writer_text(&l->w, "postern_id", str_of(l->mail->id));
	(void)writer_close(&l->w, "}");
	if (category.len > 0)
		writer_text(&l->w, "category", category);
}

static int add_body(struct letter *l, const struct mailtrap_settings *s)
{
	const struct postern_content *c = l->mail->content;

	writer_open(&l->w, NULL, "{");
	letter_address(l, "from", &c->from[0]);
	letter_recipients(l, "to", "cc", "bcc");
	if (c->reply_to_count > 0)
		letter_address(l, "reply_to", &c->reply_to[0]);
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	letter_texts(l, "text", "html");
	letter_headers(l, "headers", NULL, NULL, 0);
	add_labels(l, s);
	letter_parts(l, "attachments", LETTER_ALL);
	return writer_close(&l->w, "}");
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
};
