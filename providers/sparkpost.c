/*
 * sparkpost: SparkPost transmissions with content.email_rfc822, the raw
 * message as text of JSON. The envelope is the list of recipients. SparkPost
 * takes content for a template: of the body that is turned off, of the header
 * it is worked around (sparkpost_header.c). Answers: sparkpost_answer.c.
 */
#include <common/letter.h>
#include <common/str.h>
#include <postern/provider.h>
#include <sparkpost_answer.h>
#include <sparkpost_header.h>
#include <sparkpost_msys.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct sparkpost_settings {
	const char *url;
	struct postern_secret api_key;
	int region; /* index into regions */
	const char *subaccount, *campaign, *ip_pool;
	bool transactional, return_path;
};

static const char *const regions[] = { "us", "eu", NULL };
static const char *const bases[] = { "https://api.sparkpost.com",
	"https://api.eu.sparkpost.com" };

#define SPARKPOST_FIELD(member)                                                \
	.name = #member, .offset = offsetof(struct sparkpost_settings, member)

static const struct postern_field sparkpost_fields[] = {
	{ SPARKPOST_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API key with the permission Transmissions: Read/Write." },
	{ SPARKPOST_FIELD(region), .type = POSTERN_TYPE_ENUM, .preset = "us",
	    .names = regions, .doc = "Where the account lives: us or eu." },
	{ SPARKPOST_FIELD(subaccount), .type = POSTERN_TYPE_STRING,
	    .doc = "Id of the subaccount to send as." },
	{ SPARKPOST_FIELD(campaign), .type = POSTERN_TYPE_STRING,
	    .doc = "Campaign of every message; that of X-MSYS-API goes "
		   "before." },
	{ SPARKPOST_FIELD(ip_pool), .type = POSTERN_TYPE_STRING,
	    .doc = "Pool of addresses to send from; that of X-MSYS-API goes "
		   "before." },
	{ SPARKPOST_FIELD(transactional), .type = POSTERN_TYPE_BOOL,
	    .preset = "true",
	    .doc = "Messages are no marketing: none gets a List-Unsubscribe, "
		   "and only that list of suppressed addresses counts." },
	{ SPARKPOST_FIELD(return_path), .type = POSTERN_TYPE_BOOL,
	    .preset = "false",
	    .doc = "Send with the envelope sender, whose domain must be a "
		   "verified bounce domain." },
	{ SPARKPOST_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the region's own." },
	{ .name = NULL },
};

static const char *sparkpost_check(const void *settings)
{
	const struct sparkpost_settings *s = settings;

	if (s->subaccount &&
	    (!s->subaccount[0] ||
		s->subaccount[strspn(s->subaccount, "0123456789")] != '\0'))
		return "subaccount must be a number";
	if (s->campaign && strlen(s->campaign) > 64)
		return "campaign is at most 64 bytes";
	return NULL;
}

/* --- request --- */

static int add_recipients(struct letter *l, const json_t *api)
{
	const json_t *tags = json_object_get(api, "tags");
	char *text = tags ? json_dumps(tags, JSON_COMPACT) : NULL;

	if (tags && !text)
		return -ENOMEM;
	writer_open(&l->w, "recipients", "[");
	for (size_t i = 0; i < l->mail->recipient_count; i++) {
		writer_open(&l->w, NULL, "{");
		writer_open(&l->w, "address", "{");
		writer_text(&l->w, "email", l->mail->recipients[i]);
		(void)writer_close(&l->w, "}");
		if (text)
			writer_json(&l->w, "tags", str_of(text));
		(void)writer_close(&l->w, "}");
	}
	free(text);
	return writer_close(&l->w, "]");
}

static int add_content(struct letter *l)
{
	const struct postern_host *host = l->w.host;
	struct text header;
	int rc;

	text_init(&header, host, l->w.r);
	rc = sparkpost_add_header(&header, host->message_header(l->w.r));
	if (rc == 0 && !text_finish(&header))
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	writer_open(&l->w, "content", "{");
	writer_begin(&l->w, "email_rfc822");
	rc = host->body_changed(l->w.r, str_make(header.data, header.len), NULL,
	    POSTERN_JSON_STRING);
	writer_end(&l->w);
	(void)writer_close(&l->w, "}");
	return rc;
}

/* Tracking, which rewrites the message, is for who asks for it. */
static int add_options(
    struct letter *l, const struct sparkpost_settings *s, const json_t *api)
{
	json_t *options =
	    json_pack("{s:b, s:b, s:b, s:b, s:s*}", "transactional",
		s->transactional, "open_tracking", false, "click_tracking",
		false, "perform_substitutions", false, "ip_pool", s->ip_pool);
	int rc = -ENOMEM;

	if (options) {
		sparkpost_set_options(api, options);
		rc = writer_value(&l->w, "options", options);
	}
	json_decref(options);
	return rc;
}

/* The queue id comes back with the events, as does what the sender gave. */
static int add_metadata(struct letter *l, const json_t *api)
{
	json_t *given = json_object_get(api, "metadata");
	json_t *metadata = given ? json_copy(given) : json_object();
	int rc = -ENOMEM;

	if (json_object_set_new(
		metadata, "postern_id", json_string(l->mail->id)) == 0)
		rc = writer_value(&l->w, "metadata", metadata);
	json_decref(metadata);
	return rc;
}

static int add_body(
    struct letter *l, const struct sparkpost_settings *s, const json_t *api)
{
	const json_t *campaign = json_object_get(api, "campaign_id");
	int rc;

	writer_open(&l->w, NULL, "{");
	rc = add_recipients(l, api);
	if (rc == 0)
		rc = add_content(l);
	if (s->return_path && l->mail->sender.len > 0)
		writer_text(&l->w, "return_path", l->mail->sender);
	if (campaign && rc == 0)
		rc = writer_value(&l->w, "campaign_id", campaign);
	else if (s->campaign)
		writer_text(&l->w, "campaign_id", str_of(s->campaign));
	if (rc == 0)
		rc = add_metadata(l, api);
	if (rc == 0)
		rc = add_options(l, s, api);
	return rc < 0 ? rc : writer_close(&l->w, "}");
}

/* A comma that is in no name and no comment (RFC 5322 3.4). */
static bool has_several(struct postern_str from)
{
	bool is_quoted = false;
	int depth = 0;

	for (size_t i = 0; i < from.len; i++) {
		char c = from.ptr[i];
		if (c == '\\')
			i++;
		else if (c == '"' && depth == 0)
			is_quoted = !is_quoted;
		else if (!is_quoted && (c == '(' || c == ')'))
			depth += c == '(' ? 1 : -1;
		else if (c == ',' && !is_quoted && depth == 0)
			return true;
	}
	return false;
}

static int sparkpost_build(const void *settings,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r)
{
	const struct sparkpost_settings *s = settings;
	struct letter l;
	json_t *api = NULL;
	int rc;

	if (has_several(letter_find(mail, "From")))
		return host->refuse(
		    r, "SparkPost takes exactly one address in From");
	rc = sparkpost_read_msys(mail, host, r, &api);
	letter_begin(&l, mail, host, r);
	if (rc == 0)
		rc = letter_key(&l, "Authorization", "", s->api_key);
	if (rc == 0 && s->subaccount)
		rc = host->header(r, "X-MSYS-SUBACCOUNT", s->subaccount);
	if (rc == 0)
		rc = letter_head(&l, s->url ? s->url : bases[s->region],
		    "/api/v1/transmissions");
	if (rc == 0)
		rc = add_body(&l, s, api);
	json_decref(api);
	return rc;
}

static const char *const control_fields[] = { "X-MSYS-", NULL };

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "sparkpost",
	.doc = "SparkPost transmissions, raw message.",
	.flags = POSTERN_CARRIES_ALL_CONTENT | POSTERN_CARRIES_CONTROLS |
		 POSTERN_NEEDS_7BIT | POSTERN_NEEDS_SHORT_LINES,
	/* No maximum of recipients is told; less than 2000 is advised. */
	.limits = { .recipients = 1000, .message_size = 20000000 },
	.fields = sparkpost_fields,
	.settings_size = sizeof(struct sparkpost_settings),
	.check = sparkpost_check,
	.build = sparkpost_build,
	.classify = sparkpost_classify,
	.control_fields = control_fields,
};
