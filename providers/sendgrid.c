/*
 * sendgrid: SendGrid v3 mail/send. The API knows no raw message, so the parts
 * of the parsed one are written as JSON; attachments are streamed as base64.
 * Answers: sendgrid_answer.c.
 */
#include <common/body.h>
#include <common/fields.h>
#include <common/split.h>
#include <common/str.h>
#include <common/text.h>
#include <common/url.h>
#include <postern/provider.h>
#include <sendgrid_answer.h>
#include <sendgrid_smtpapi.h>

#include <errno.h>
#include <stddef.h>

struct sendgrid_settings {
	const char *url;
	struct postern_secret api_key;
	int region; /* index into regions */
	bool sandbox;
};

static const char *const regions[] = { "global", "eu", NULL };
static const char *const bases[] = { "https://api.sendgrid.com",
	"https://api.eu.sendgrid.com" };

#define SENDGRID_FIELD(member)                                                 \
	.name = #member, .offset = offsetof(struct sendgrid_settings, member)

static const struct postern_field sendgrid_fields[] = {
	{ SENDGRID_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API key with the permission Mail Send." },
	{ SENDGRID_FIELD(region), .type = POSTERN_TYPE_ENUM, .preset = "global",
	    .names = regions, .doc = "Where the account lives: global or eu." },
	{ SENDGRID_FIELD(sandbox), .type = POSTERN_TYPE_BOOL, .preset = "false",
	    .doc = "Have messages checked but not sent." },
	{ SENDGRID_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the region's own." },
	{ .name = NULL },
};

/* What one build passes around. */
struct job {
	const struct sendgrid_settings *settings;
	const struct postern_mail *mail;
	const struct postern_host *host;
	struct postern_request *r;
};

static void add(const struct job *j, const char *json)
{
	(void)body_add(j->host, j->r, json);
}

static void add_member(
    const struct job *j, const char *prefix, struct postern_str s)
{
	(void)body_add_member(j->host, j->r, prefix, s);
}

/* SendGrid takes no comma, semicolon or quote in a display name. */
static bool is_forbidden(char c)
{
	return c == ',' || c == ';' || c == '"';
}

static void add_name(const struct job *j, struct postern_str name)
{
	while (name.len > 0) {
		size_t run = 0;
		while (run < name.len && !is_forbidden(name.ptr[run]))
			run++;
		(void)j->host->body_json(j->r, str_make(name.ptr, run));
		name = str_from(name, run + 1);
	}
}

static void add_address(
    const struct job *j, const struct postern_address *address)
{
	add_member(j, "{\"email\":", address->address);
	if (address->name.len > 0) {
		add(j, ",\"name\":\"");
		add_name(j, address->name);
		add(j, "\"");
	}
	add(j, "}");
}

/* prefix is the member's name with colon and bracket; nothing when empty. */
static void add_addresses(const struct job *j, const char *prefix,
    const struct postern_address *list, size_t count)
{
	if (count == 0)
		return;
	add(j, prefix);
	for (size_t i = 0; i < count; i++) {
		add(j, i > 0 ? "," : "");
		add_address(j, &list[i]);
	}
	add(j, "]");
}

static void add_custom_args(const struct job *j)
{
	add_member(j, ",\"custom_args\":{\"postern_id\":", str_of(j->mail->id));
	add(j, "}}");
}

/*
 * An address may be in the whole array once, and each element needs a To:
 * without a visible one every recipient gets an element of its own.
 */
static int add_personalizations(const struct job *j)
{
	struct split lists;
	int rc = split_recipients(j->mail, j->host, j->r, &lists);

	if (rc < 0)
		return rc;
	add(j, "{\"personalizations\":[");
	if (lists.to_count > 0) {
		add_addresses(j, "{\"to\":[", lists.to, lists.to_count);
		add_addresses(j, ",\"cc\":[", lists.cc, lists.cc_count);
		add_addresses(j, ",\"bcc\":[", lists.bcc, lists.bcc_count);
		add_custom_args(j);
	}
	for (size_t i = 0; lists.to_count == 0 && i < j->mail->recipient_count;
	     i++) {
		add_member(j,
		    i > 0 ? ",{\"to\":[{\"email\":" : "{\"to\":[{\"email\":",
		    j->mail->recipients[i]);
		add(j, "}]");
		add_custom_args(j);
	}
	add(j, "]");
	return 0;
}

/* At least one element, none of them empty. */
static void add_content(const struct job *j)
{
	const struct postern_content *c = j->mail->content;
	bool has_text = c->text.len > 0 || c->html.len == 0;

	add(j, ",\"content\":[");
	if (has_text) {
		add_member(j, "{\"type\":\"text/plain\",\"value\":",
		    c->text.len > 0 ? c->text : STR(" "));
		add(j, c->html.len > 0 ? "}," : "}");
	}
	if (c->html.len > 0) {
		add_member(j, "{\"type\":\"text/html\",\"value\":", c->html);
		add(j, "}");
	}
	add(j, "]");
}

static void add_attachments(const struct job *j)
{
	const struct postern_content *c = j->mail->content;

	if (c->part_count == 0)
		return;
	add(j, ",\"attachments\":[");
	for (size_t i = 0; i < c->part_count; i++) {
		const struct postern_part *part = &c->parts[i];
		add(j, i > 0 ? ",{\"content\":\"" : "{\"content\":\"");
		(void)j->host->body_part(j->r, i, POSTERN_BASE64);
		add_member(j, "\",\"type\":", part->type);
		add_member(j, ",\"filename\":", part->filename);
		add_member(j, ",\"disposition\":",
		    part->is_inline ? STR("inline") : STR("attachment"));
		if (part->is_inline)
			add_member(j, ",\"content_id\":", part->content_id);
		add(j, "}");
	}
	add(j, "]");
}

static bool is_passing(const struct postern_header *headers, size_t i)
{
	if (!field_may_pass(headers[i].name))
		return false;
	/* A name may be given once. */
	for (size_t k = 0; k < i; k++) {
		if (str_ieq(headers[k].name, headers[i].name))
			return false;
	}
	return true;
}

static void add_headers(const struct job *j)
{
	const struct postern_header *headers = j->mail->headers;
	bool is_first = true;

	for (size_t i = 0; i < j->mail->header_count; i++) {
		if (!is_passing(headers, i))
			continue;
		add_member(
		    j, is_first ? ",\"headers\":{" : ",", headers[i].name);
		add_member(j, ":", headers[i].value);
		is_first = false;
	}
	if (!is_first)
		add(j, "}");
}

/* Why the API cannot carry this message, or NULL. */
static const char *find_obstacle(const struct postern_mail *mail)
{
	const struct postern_content *c = mail->content;

	if (c->from_count != 1)
		return "SendGrid takes exactly one address in From";
	for (size_t i = 0; i < c->part_count; i++) {
		if (c->parts[i].size == 0)
			return "SendGrid takes no empty attachment";
	}
	return NULL;
}

static int add_body(const struct job *j)
{
	const struct postern_content *c = j->mail->content;
	int rc = add_personalizations(j);

	if (rc < 0)
		return rc;
	add(j, ",\"from\":");
	add_address(j, &c->from[0]);
	add_addresses(
	    j, ",\"reply_to_list\":[", c->reply_to, c->reply_to_count);
	add_member(
	    j, ",\"subject\":", c->subject.len > 0 ? c->subject : STR(" "));
	add_content(j);
	add_attachments(j);
	add_headers(j);
	rc = sendgrid_add_smtpapi(j->mail, j->host, j->r);
	if (rc < 0)
		return rc;
	if (j->settings->sandbox)
		add(j, ",\"mail_settings\":{\"sandbox_mode\":"
		       "{\"enable\":true}}");
	return body_add(j->host, j->r, "}");
}

static int add_head(const struct job *j)
{
	const struct sendgrid_settings *s = j->settings;
	const char *url = url_join(
	    j->host, j->r, s->url ? s->url : bases[s->region], "/v3/mail/send");
	struct text key;

	text_init(&key, j->host, j->r);
	text_add_cstr(&key, "Bearer ");
	text_add(&key, str_make(s->api_key.ptr, s->api_key.len));
	if (!url || !text_finish(&key))
		return -ENOMEM;
	(void)j->host->method(j->r, "POST");
	(void)j->host->url(j->r, url);
	(void)j->host->header(j->r, "Authorization", key.data);
	(void)j->host->header(j->r, "Content-Type", "application/json");
	return j->host->header(j->r, "Accept", "application/json");
}

static int sendgrid_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct job j = { settings, mail, host, r };
	const char *obstacle = find_obstacle(mail);
	int rc;

	if (obstacle)
		return host->refuse(r, obstacle);
	rc = add_head(&j);
	return rc < 0 ? rc : add_body(&j);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "sendgrid",
	.doc = "SendGrid v3 mail/send.",
	/* Parts become fields and files: a signature does not survive. */
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED,
	.limits = { .recipients = 1000, .message_size = 30000000 },
	.fields = sendgrid_fields,
	.settings_size = sizeof(struct sendgrid_settings),
	.build = sendgrid_build,
	.classify = sendgrid_classify,
};
