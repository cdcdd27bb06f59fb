/*
 * mailjet: Mailjet v3.1/send. A call is a list of messages, here always of
 * one; what X-Mailjet-* and X-MJ-* fields ask for becomes members of it.
 * Answers: mailjet_answer.c.
 */
#include <common/basic.h>
#include <common/letter.h>
#include <common/str.h>
#include <mailjet_answer.h>
#include <postern/provider.h>

#include <stddef.h>

struct mailjet_settings {
	const char *url;
	struct postern_secret api_key, secret_key;
	int region; /* index into regions */
	const char *campaign;
	bool sandbox;
};

static const char *const regions[] = { "eu", "us", NULL };
static const char *const bases[] = { "https://api.mailjet.com",
	"https://api.us.mailjet.com" };

#define MAILJET_FIELD(member)                                                  \
	.name = #member, .offset = offsetof(struct mailjet_settings, member)

static const struct postern_field mailjet_fields[] = {
	{ MAILJET_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED, .doc = "API key." },
	{ MAILJET_FIELD(secret_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED, .doc = "The secret of that key." },
	{ MAILJET_FIELD(region), .type = POSTERN_TYPE_ENUM, .preset = "eu",
	    .names = regions,
	    .doc = "Where the account lives: eu, or us when it was moved "
		   "there." },
	{ MAILJET_FIELD(campaign), .type = POSTERN_TYPE_STRING,
	    .doc = "Campaign of every message; X-Mailjet-Campaign of a "
		   "message goes before." },
	{ MAILJET_FIELD(sandbox), .type = POSTERN_TYPE_BOOL, .preset = "false",
	    .doc = "Have messages checked but not sent." },
	{ MAILJET_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the region's own." },
	{ .name = NULL },
};

enum {
	RECIPIENTS_MAX = 50, /* in each list */
	SUBJECT_MAX = 255,   /* characters */
	/* 15 MB of attachments are that much of base64. */
	SIZE_MAX_BYTES = 20500000
};

static const char *const control_fields[] = { "X-Mailjet-", "X-MJ-", NULL };

static const struct letter_style style = {
	.email = "Email",
	.name = "Name",
	.content = "Base64Content",
	.filename = "Filename",
	.type = "ContentType",
	.content_id = "ContentID",
	.control_fields = control_fields,
};

/* --- what cannot be carried --- */

static int check(struct letter *l)
{
	static const char *const unsupported[] = { "X-MJ-TemplateID",
		"X-MJ-TemplateLanguage", "X-MJ-TemplateErrorReporting",
		"X-MJ-TemplateErrorDeliver", "X-MJ-Vars",
		"X-MJ-StatisticsContactsListID", "X-Mailjet-Segmentation",
		NULL };
	const struct postern_content *c = l->mail->content;
	int rc = letter_refuse_fields(l, unsupported,
	    "Mailjet's templates, lists and segments are not supported");

	if (rc < 0)
		return rc;
	if (c->from_count != 1)
		return letter_refuse(
		    l, "Mailjet takes exactly one address in From");
	if (c->reply_to_count > 1)
		return letter_refuse(
		    l, "Mailjet takes one address in Reply-To");
	if (letter_length(c->subject) > SUBJECT_MAX)
		return letter_refuse(
		    l, "Mailjet takes a Subject of at most 255 characters");
	if (l->mail->controls->tag_count > 1)
		return letter_refuse(l, "Mailjet takes one tag (a campaign)");
	return letter_want_to(l, "Mailjet wants a To");
}

/*
 * One of these would have the whole message refused; the others on Mailjet's
 * list never pass.
 */
static bool may_pass(const struct postern_header *h)
{
	return !str_ieq(h->name, STR("List-Id")) &&
	       !str_ieq(h->name, STR("X-Feedback-Id")) &&
	       !str_ieq(h->name, STR("X-CSA-Complaints"));
}

/* --- fields that steer Mailjet's SMTP service --- */

/* Nothing is tracked for whom does not ask for it. */
static void add_tracking(struct letter *l, const char *name, const char *field,
    enum postern_choice choice)
{
	bool is_on = str_ieq(letter_find(l->mail, field), STR("1"));

	if (choice != POSTERN_UNSAID)
		is_on = choice == POSTERN_YES;
	writer_text(&l->w, name, is_on ? STR("enabled") : STR("disabled"));
}

static void add_text_of(struct letter *l, const char *name, const char *field)
{
	struct postern_str text = letter_find_text(l, field);

	if (text.len > 0)
		writer_text(&l->w, name, text);
}

static bool is_yes(struct postern_str value)
{
	return str_ieq(value, STR("1")) || str_ieq(value, STR("true"));
}

/* The queue id comes back with the events, unless the sender gave another. */
static void add_steering(struct letter *l, const struct mailjet_settings *s)
{
	struct postern_str id = letter_find_text(l, "X-MJ-CustomID");
	struct postern_str campaign = letter_find_text(l, "X-Mailjet-Campaign");
	struct postern_str once =
	    letter_find(l->mail, "X-Mailjet-DeduplicateCampaign");
	struct postern_str priority = letter_find(l->mail, "X-Mailjet-Prio");
	const struct postern_controls *c = l->mail->controls;

	writer_text(&l->w, "CustomID", id.len > 0 ? id : str_of(l->mail->id));
	add_text_of(l, "EventPayload", "X-MJ-EventPayload");
	add_text_of(l, "MonitoringCategory", "X-MJ-MonitoringCategory");
	if (c->tag_count > 0)
		campaign = c->tags[0];
	if (campaign.len == 0)
		campaign = str_of(s->campaign);
	if (campaign.len > 0)
		writer_text(&l->w, "CustomCampaign", campaign);
	if (once.len > 0)
		writer_bool(&l->w, "DeduplicateCampaign", is_yes(once));
	if (priority.len == 1 && priority.ptr[0] >= '0' &&
	    priority.ptr[0] <= '3')
		writer_json(&l->w, "Priority", priority);
	add_tracking(l, "TrackOpens", "X-Mailjet-TrackOpen", c->track_opens);
	add_tracking(l, "TrackClicks", "X-Mailjet-TrackClick", c->track_clicks);
}

/* --- request --- */

static void add_message(struct letter *l, const struct mailjet_settings *s)
{
	const struct postern_content *c = l->mail->content;

	writer_open(&l->w, NULL, "{");
	letter_address(l, "From", &c->from[0]);
	letter_recipients(l, "To", "Cc", "Bcc");
	if (c->reply_to_count > 0)
		letter_address(l, "ReplyTo", &c->reply_to[0]);
	writer_text(&l->w, "Subject", letter_or_space(c->subject));
	letter_texts(l, "TextPart", "HTMLPart");
	letter_headers(l, "Headers", may_pass, NULL, 0);
	add_steering(l, s);
	letter_parts(l, "InlinedAttachments", LETTER_INLINE);
	letter_parts(l, "Attachments", LETTER_FILES);
	(void)writer_close(&l->w, "}");
}

static int add_body(struct letter *l, const struct mailjet_settings *s)
{
	writer_open(&l->w, NULL, "{");
	writer_open(&l->w, "Messages", "[");
	add_message(l, s);
	(void)writer_close(&l->w, "]");
	if (s->sandbox)
		writer_bool(&l->w, "SandboxMode", true);
	return writer_close(&l->w, "}");
}

static int mailjet_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct mailjet_settings *s = settings;
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (rc == 0)
		rc = check(&l);
	if (rc == 0)
		rc = basic_authorize(host, r, s->api_key.ptr, s->secret_key);
	if (rc == 0)
		rc = letter_head(
		    &l, s->url ? s->url : bases[s->region], "/v3.1/send");
	return rc < 0 ? rc : add_body(&l, s);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "mailjet",
	.doc = "Mailjet v3.1/send.",
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED | POSTERN_CARRIES_TAGS |
		 POSTERN_CARRIES_TRACKING,
	.limits = { .recipients = RECIPIENTS_MAX,
	    .message_size = SIZE_MAX_BYTES },
	.fields = mailjet_fields,
	.settings_size = sizeof(struct mailjet_settings),
	.build = mailjet_build,
	.classify = mailjet_classify,
	.control_fields = control_fields,
};
