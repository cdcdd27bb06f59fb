/*
 * mailgun: Mailgun messages.mime. A multipart form: the envelope in `to`,
 * options from settings and from X-Mailgun-* fields, the raw message as a
 * file.
 */
#include <common/answer.h>
#include <common/basic.h>
#include <common/date.h>
#include <common/str.h>
#include <common/text.h>
#include <common/url.h>
#include <postern/provider.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

struct mailgun_settings {
	const char *url;
	struct postern_secret api_key;
	const char *domain;
	int region; /* index into regions */
	struct postern_list tags;
	bool test_mode;
};

static const char *const regions[] = { "us", "eu", NULL };
static const char *const bases[] = { "https://api.mailgun.net",
	"https://api.eu.mailgun.net" };

#define MAILGUN_FIELD(member)                                                  \
	.name = #member, .offset = offsetof(struct mailgun_settings, member)

static const struct postern_field mailgun_fields[] = {
	{ MAILGUN_FIELD(api_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Sending key of the domain, or the account's API key." },
	{ MAILGUN_FIELD(domain), .type = POSTERN_TYPE_STRING,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Sending domain as it is set up at Mailgun." },
	{ MAILGUN_FIELD(region), .type = POSTERN_TYPE_ENUM, .preset = "us",
	    .names = regions, .doc = "Where the domain lives: us or eu." },
	{ MAILGUN_FIELD(tags), .type = POSTERN_TYPE_STRINGS,
	    .doc = "Tags for every message." },
	{ MAILGUN_FIELD(test_mode), .type = POSTERN_TYPE_BOOL,
	    .preset = "false",
	    .doc = "Have messages accepted but not delivered; they are "
		   "billed." },
	{ MAILGUN_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of the region's own." },
	{ .name = NULL },
};

static const char *mailgun_check(const void *settings)
{
	const struct mailgun_settings *s = settings;

	if (!s->domain[0] ||
	    s->domain[strspn(s->domain, "abcdefghijklmnopqrstuvwxyz"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789.-_")] != '\0')
		return "domain must be a domain name in ASCII (xn--...)";
	return NULL;
}

/* --- request --- */

enum {
	BOUNDARY_DIGITS = 32
};

/* What one build passes around. */
struct job {
	const struct postern_host *host;
	struct postern_request *r;
	char boundary[8 + BOUNDARY_DIGITS + 1];
};

/*
 * Nobody who writes a message knows the id it will get, so nobody can put
 * this line into it.
 */
static void make_boundary(struct job *j, const char *id)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[32];

	j->host->sha256(str_of(id), digest);
	memcpy(j->boundary, "postern-", 8);
	for (size_t i = 0; i < BOUNDARY_DIGITS; i++) {
		uint8_t byte = digest[i / 2];
		j->boundary[8 + i] = digits[i % 2 ? byte & 15 : byte >> 4];
	}
	j->boundary[8 + BOUNDARY_DIGITS] = '\0';
}

static void add(const struct job *j, const char *text)
{
	(void)j->host->body(j->r, text, strlen(text));
}

static void begin_part(const struct job *j, const char *name)
{
	add(j, "--");
	add(j, j->boundary);
	add(j, "\r\nContent-Disposition: form-data; name=\"");
	add(j, name);
	add(j, "\"");
}

static void add_option(
    const struct job *j, const char *name, struct postern_str value)
{
	begin_part(j, name);
	add(j, "\r\n\r\n");
	(void)j->host->body(j->r, value.ptr, value.len);
	add(j, "\r\n");
}

static void add_recipients(const struct job *j, const struct postern_mail *mail)
{
	begin_part(j, "to");
	add(j, "\r\n\r\n");
	for (size_t i = 0; i < mail->recipient_count; i++) {
		add(j, i > 0 ? "," : "");
		(void)j->host->body(
		    j->r, mail->recipients[i].ptr, mail->recipients[i].len);
	}
	add(j, "\r\n");
}

/* The fields by which applications steer Mailgun's SMTP relay. */
static const char *option_of(struct postern_str field)
{
	static const char *const options[][2] = {
		{ "X-Mailgun-Tag", "o:tag" },
		{ "X-Mailgun-Dkim", "o:dkim" },
		{ "X-Mailgun-Deliver-By", "o:deliverytime" },
		{ "X-Mailgun-Drop-Message", "o:testmode" },
		{ "X-Mailgun-Track", "o:tracking" },
		{ "X-Mailgun-Track-Clicks", "o:tracking-clicks" },
		{ "X-Mailgun-Track-Opens", "o:tracking-opens" },
		{ "X-Mailgun-Sending-Ip", "o:sending-ip" },
		{ "X-Mailgun-Sending-Ip-Pool", "o:sending-ip-pool" },
		{ "X-Mailgun-Require-TLS", "o:require-tls" },
		{ "X-Mailgun-Skip-Verification", "o:skip-verification" },
		{ "X-Mailgun-Time-Zone-Localize", "o:time-zone-localize" },
		{ "X-Mailgun-Delivery-Time-Optimize-Period",
		    "o:deliverytime-optimize-period" },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (str_ieq(field, str_of(options[i][0])))
			return options[i][1];
	}
	return NULL;
}

static void add_options(const struct job *j, const struct mailgun_settings *s,
    const struct postern_mail *mail)
{
	const char *const *tags = s->tags.items;

	for (size_t i = 0; i < s->tags.count; i++)
		add_option(j, "o:tag", str_of(tags[i]));
	if (s->test_mode)
		add_option(j, "o:testmode", STR("yes"));
	for (size_t i = 0; i < mail->header_count; i++) {
		const char *option = option_of(mail->headers[i].name);
		if (option)
			add_option(j, option, mail->headers[i].value);
	}
	add_option(j, "v:postern_id", str_of(mail->id));
}

static int add_message(const struct job *j)
{
	begin_part(j, "message");
	add(j, "; filename=\"message.mime\"\r\n"
	       "Content-Type: application/octet-stream\r\n\r\n");
	(void)j->host->body_message(j->r, POSTERN_AS_IS);
	add(j, "\r\n--");
	add(j, j->boundary);
	return j->host->body(j->r, "--\r\n", 4);
}

static const char *make_url(const struct mailgun_settings *s,
    const struct postern_host *host, struct postern_request *r)
{
	const char *domain = host->percent(r, str_of(s->domain));
	struct text path;

	text_init(&path, host, r);
	text_add_cstr(&path, "/v3/");
	text_add_cstr(&path, domain ? domain : "");
	text_add_cstr(&path, "/messages.mime");
	if (!domain || !text_finish(&path))
		return NULL;
	return url_join(host, r, s->url ? s->url : bases[s->region], path.data);
}

static int add_head(const struct job *j, const struct mailgun_settings *s)
{
	const struct postern_host *host = j->host;
	const char *url = make_url(s, host, j->r);
	struct text type;

	text_init(&type, host, j->r);
	text_add_cstr(&type, "multipart/form-data; boundary=");
	text_add_cstr(&type, j->boundary);
	if (!url || !text_finish(&type))
		return -ENOMEM;
	(void)host->method(j->r, "POST");
	(void)host->url(j->r, url);
	(void)basic_authorize(host, j->r, "api", s->api_key);
	(void)host->header(j->r, "Accept", "application/json");
	return host->header(j->r, "Content-Type", type.data);
}

static int mailgun_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	struct job j = { .host = host, .r = r };
	int rc;

	make_boundary(&j, mail->id);
	rc = add_head(&j, settings);
	if (rc < 0)
		return rc;
	add_recipients(&j, mail);
	add_options(&j, settings, mail);
	return add_message(&j);
}

/* --- answer --- */

/* "... try again after 120 seconds", or after a date. */
static uint64_t wait_ms(
    const struct postern_response *response, struct postern_str text)
{
	struct postern_str after = str_ifind(text, STR("try again after "));
	uint64_t seconds = 0;
	int64_t date;
	size_t digits = 0;

	after = str_from(after, strlen("try again after "));
	while (digits < after.len && after.ptr[digits] >= '0' &&
	       after.ptr[digits] <= '9')
		digits++;
	if (str_istarts(str_from(after, digits), STR(" second")) &&
	    answer_number(str_make(after.ptr, digits), &seconds))
		return seconds * 1000;
	if (date_parse(after, &date) && date > response->now)
		return (uint64_t)(date - response->now) * 1000;
	return answer_retry_after_ms(response);
}

static void classify_bad_request(const struct postern_response *response,
    struct postern_str text, struct postern_outcome *out)
{
	bool is_address =
	    str_has(text, "parameter is not a valid address") &&
	    (str_istarts(text, STR("to ")) || str_istarts(text, STR("'to'")) ||
		str_istarts(text, STR("cc ")) ||
		str_istarts(text, STR("bcc ")));

	out->try_singly = is_address && response->recipient_count > 1;
	if (is_address)
		out->refusal = POSTERN_REFUSED_RECIPIENT;
	answer_set(out,
	    str_has(text, "not allowed to send") ? POSTERN_ACCOUNT
						 : POSTERN_REJECTED,
	    STR(""), text);
}

static void classify_success(const struct postern_response *response,
    const json_t *body, struct postern_str text, struct postern_outcome *out)
{
	if (str_istarts(text, STR("Queued"))) {
		answer_set(out, POSTERN_ACCEPTED, STR(""), text);
		answer_set_id(out, answer_member(body, "id"));
	} else {
		answer_foreign(response,
		    STR("not an answer to messages.mime: check url and "
			"domain"),
		    out);
	}
}

static void mailgun_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	struct postern_str text = answer_member(body, "message");
	int status = response->status;

	(void)settings;
	if (!body)
		text = response->body;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (status >= 200 && status < 300) {
		classify_success(response, body, text, out);
	} else if (status == 400) {
		classify_bad_request(response, text, out);
	} else {
		if (status >= 500)
			out->result = POSTERN_TRANSIENT;
		if (status == 429)
			out->retry_after_ms = wait_ms(response, text);
		answer_set(out, out->result, STR(""), text);
	}
	json_decref(body);
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "mailgun",
	.doc = "Mailgun messages.mime, raw message.",
	.flags = POSTERN_CARRIES_ALL_CONTENT,
	.limits = { .recipients = 1000, .message_size = 25ull * 1024 * 1024 },
	.fields = mailgun_fields,
	.settings_size = sizeof(struct mailgun_settings),
	.check = mailgun_check,
	.build = mailgun_build,
	.classify = mailgun_classify,
};
