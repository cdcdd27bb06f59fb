/*
 * ses: Amazon SES v2, SendEmail with the raw message. The envelope goes into
 * Destination, which does not touch the header; the message is streamed as
 * base64 and the whole body is signed (ses_sign.c). Answers: ses_answer.c; the
 * keys to sign with: ses_credentials.c; what the account may send:
 * ses_account.c.
 */
#include <common/header.h>
#include <common/labels.h>
#include <common/str.h>
#include <common/text.h>
#include <common/writer.h>
#include <postern/provider.h>
#include <ses_account.h>
#include <ses_answer.h>
#include <ses_credentials.h>
#include <ses_sign.h>

#include <errno.h>
#include <stddef.h>

/* In the order of enum ses_source. */
static const char *const credentials_names[] = { "auto", "static",
	"environment", "file", "web_identity", "container", "instance", NULL };

#define SES_FIELD(member)                                                      \
	.name = #member, .offset = offsetof(struct ses_settings, member)

static const struct postern_field ses_fields[] = {
	{ SES_FIELD(region), .type = POSTERN_TYPE_STRING,
	    .doc = "AWS region, such as eu-west-1; AWS_REGION when missing." },
	{ SES_FIELD(credentials), .type = POSTERN_TYPE_ENUM, .preset = "auto",
	    .names = credentials_names,
	    .doc = "Where keys come from: auto takes access_key_id when it is "
		   "given, else the first there is of environment, "
		   "web_identity, file, container, instance." },
	{ SES_FIELD(access_key_id), .type = POSTERN_TYPE_STRING,
	    .doc =
		"Id of an access key allowed ses:SendEmail and "
		"ses:SendRawEmail; with ses:GetAccount its limits are known, "
		"too." },
	{ SES_FIELD(secret_access_key), .type = POSTERN_TYPE_SECRET,
	    .doc = "The secret of that key." },
	{ SES_FIELD(session_token), .type = POSTERN_TYPE_SECRET,
	    .doc = "Token of that key when it is a temporary one." },
	{ SES_FIELD(profile), .type = POSTERN_TYPE_STRING,
	    .doc = "Profile of the shared credentials file; AWS_PROFILE, or "
		   "default, when missing." },
	{ SES_FIELD(role_arn), .type = POSTERN_TYPE_STRING,
	    .doc = "Role of a web identity; AWS_ROLE_ARN when missing." },
	{ SES_FIELD(web_identity_token_file), .type = POSTERN_TYPE_STRING,
	    .doc = "File with the token of a web identity; "
		   "AWS_WEB_IDENTITY_TOKEN_FILE when missing." },
	{ SES_FIELD(configuration_set), .type = POSTERN_TYPE_STRING,
	    .doc = "Configuration set for events and tracking." },
	{ SES_FIELD(tags), .type = POSTERN_TYPE_STRINGS,
	    .doc = "Tags for events, each name=value; those of a message go "
		   "before." },
	{ SES_FIELD(feedback_forwarding), .type = POSTERN_TYPE_BOOL,
	    .preset = "false",
	    .doc = "Have bounces mailed to the envelope sender, which must be "
		   "a verified identity." },
	{ SES_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the region's own." },
	{ .name = NULL },
};

static const char *tag_value(const char *tag)
{
	const char *equals = strchr(tag, '=');

	return equals && equals != tag && equals[1] ? equals + 1 : NULL;
}

static bool is_word(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] == '\0';
}

static const char *ses_check(const void *settings)
{
	const struct ses_settings *s = settings;
	const char *const *tags = s->tags.items;

	const char *why = ses_credentials_check(s);

	if (why)
		return why;
	if (s->region && (!s->region[0] || !is_word(s->region)))
		return "region must be a name such as eu-west-1";
	if (s->configuration_set && (!is_word(s->configuration_set) ||
					strlen(s->configuration_set) > 64))
		return "configuration_set is at most 64 letters, digits, - "
		       "and _";
	for (size_t i = 0; i < s->tags.count; i++) {
		if (!tag_value(tags[i]))
			return "tags must have the form name=value";
	}
	return NULL;
}

/* --- tags: with EmailTags SES reads none of X-SES-MESSAGE-TAGS --- */

/* "a=b"; false when it is none. */
static bool cut_tag(struct postern_str *rest, struct postern_str *name,
    struct postern_str *value)
{
	const char *end = memchr(rest->ptr, ',', rest->len);
	struct postern_str tag =
	    str_make(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
	const char *equals;

	*rest = str_from(*rest, tag.len + 1);
	tag = str_trim(tag);
	equals = tag.len > 0 ? memchr(tag.ptr, '=', tag.len) : NULL;
	if (!equals)
		return false;
	*name = str_trim(str_make(tag.ptr, (size_t)(equals - tag.ptr)));
	*value = str_trim(str_from(tag, (size_t)(equals - tag.ptr) + 1));
	return name->len > 0 && value->len > 0;
}

/* Whether a field that is a list of tags has one of this name. */
static bool is_in(struct postern_str list, struct postern_str wanted)
{
	struct postern_str name, value;

	while (list.len > 0) {
		if (cut_tag(&list, &name, &value) && str_ieq(name, wanted))
			return true;
	}
	return false;
}

static const char *const pair[2] = { "Name", "Value" };

/* False when the field is no list of tags. */
static bool add_from_field(const struct postern_controls *controls,
    struct postern_str list, struct writer *w)
{
	struct postern_str name, value;

	while (list.len > 0) {
		if (!cut_tag(&list, &name, &value))
			return false;
		if (!labels_have(controls, name) && !is_in(list, name))
			labels_pair(w, pair, name, value);
	}
	return true;
}

/* Of one name what mail->controls says goes before, then the field's. */
static int add_tags(const struct ses_settings *s,
    const struct postern_mail *mail, struct writer *w)
{
	const struct postern_controls *controls = mail->controls;
	struct postern_str field = header_value(mail, "X-SES-MESSAGE-TAGS");
	const char *const *tags = s->tags.items;

	if (s->tags.count + controls->tag_count + controls->metadata_count == 0)
		return 0;
	writer_open(w, "EmailTags", "[");
	for (size_t i = 0; i < s->tags.count; i++) {
		const char *value = tag_value(tags[i]);
		struct postern_str name =
		    str_make(tags[i], (size_t)(value - tags[i]) - 1);

		if (!labels_have(controls, name) && !is_in(field, name))
			labels_pair(w, pair, name, str_of(value));
	}
	if (!add_from_field(controls, field, w))
		return w->host->refuse(
		    w->r, "X-SES-MESSAGE-TAGS is no list of name=value");
	labels_add(w, controls, pair[0], pair[1]);
	return writer_close(w, "]");
}

static int add_body(const struct ses_settings *s,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r)
{
	struct writer w;
	int rc;

	writer_init(&w, host, r);
	writer_open(&w, NULL, "{");
	if (s->feedback_forwarding && mail->sender.len > 0)
		writer_text(&w, "FeedbackForwardingEmailAddress", mail->sender);
	writer_open(&w, "Destination", "{");
	writer_open(&w, "ToAddresses", "[");
	for (size_t i = 0; i < mail->recipient_count; i++)
		writer_text(&w, NULL, mail->recipients[i]);
	(void)writer_close(&w, "]");
	(void)writer_close(&w, "}");
	writer_open(&w, "Content", "{");
	writer_open(&w, "Raw", "{");
	writer_message(&w, "Data", POSTERN_BASE64);
	(void)writer_close(&w, "}");
	(void)writer_close(&w, "}");
	rc = add_tags(s, mail, &w);
	if (s->configuration_set)
		writer_text(
		    &w, "ConfigurationSetName", str_of(s->configuration_set));
	return rc < 0 ? rc : writer_close(&w, "}");
}

/* SES refuses a message that has one of these twice. */
static const char *find_repeated(const struct postern_mail *mail)
{
	static const char *const once[] = { "Sender", "Reply-To", "To", "Cc",
		"Subject", "In-Reply-To", "References", "MIME-Version",
		"Content-Type", "Content-Transfer-Encoding",
		"Content-Disposition", "DKIM-Signature", "Auto-Submitted",
		"Importance", "Priority", "Precedence", "Keywords", "Comments",
		"Organization", "User-Agent" };

	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		size_t seen = 0;
		for (size_t j = 0; j < mail->header_count; j++)
			seen += str_ieq(mail->headers[j].name, str_of(once[i]));
		if (seen > 1)
			return once[i];
	}
	return NULL;
}

static int ses_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct ses_settings *s = settings;
	const char *repeated = find_repeated(mail);
	const char *why = labels_check(mail->controls);
	struct ses_call call = { .method = "POST",
		.path = "/v2/email/outbound-emails",
		.now = mail->now };
	struct text reason;
	int rc;

	if (repeated) {
		text_init(&reason, host, r);
		text_add_cstr(
		    &reason, "Amazon SES takes only one field named ");
		text_add_cstr(&reason, repeated);
		return text_finish(&reason) ? host->refuse(r, reason.data)
					    : -ENOMEM;
	}
	if (why)
		return host->refuse(r, why);
	rc = ses_begin(s, &call, host, r);
	if (rc == 0)
		rc = add_body(s, mail, host, r);
	return rc < 0 ? rc : ses_sign(&call, host, r);
}

/* SES takes them out before delivery. */
static const char *const control_fields[] = { "X-SES-", NULL };

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "ses",
	.doc = "Amazon SES v2, raw message.",
	/* It writes its own Date and Message-ID. */
	.flags = (POSTERN_CARRIES_ALL_CONTENT & ~POSTERN_CARRIES_DATE_AND_ID) |
		 POSTERN_CARRIES_TAGS | POSTERN_CARRIES_METADATA |
		 POSTERN_SENDS_CONTROL_FIELDS | POSTERN_NEEDS_7BIT |
		 POSTERN_NEEDS_SHORT_LINES,
	.limits = { .recipients = 50, .message_size = 28ull * 1024 * 1024 },
	.fields = ses_fields,
	.settings_size = sizeof(struct ses_settings),
	.check = ses_check,
	.build = ses_build,
	.classify = ses_classify,
	.prepare = ses_prepare,
	.state_size = SES_STATE_SIZE,
	.inquire = ses_inquire,
	.control_fields = control_fields,
};
