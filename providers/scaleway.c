/*
 * scaleway: Scaleway Transactional Email, v1alpha1. It takes attachments of the
 * types it lists and no images in the text; Reply-To is one of the header
 * fields. Answers: scaleway_answer.c.
 */
#include <common/account.h>
#include <common/answer.h>
#include <common/letter.h>
#include <common/str.h>
#include <common/text.h>
#include <postern/provider.h>
#include <scaleway_answer.h>

#include <errno.h>
#include <stddef.h>

struct scaleway_settings {
	const char *url;
	struct postern_secret secret_key;
	const char *project_id, *region;
	int64_t max_attachments;
	bool allow_short;
};

#define SCALEWAY_FIELD(member)                                                 \
	.name = #member, .offset = offsetof(struct scaleway_settings, member)

static const struct postern_field scaleway_fields[] = {
	{ SCALEWAY_FIELD(secret_key), .type = POSTERN_TYPE_SECRET,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Secret key of an API key that may send e-mail "
		   "(TransactionalEmailEmailApiCreate)." },
	{ SCALEWAY_FIELD(project_id), .type = POSTERN_TYPE_STRING,
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Id of the project that the sending domain is in." },
	{ SCALEWAY_FIELD(region), .type = POSTERN_TYPE_STRING,
	    .preset = "fr-par", .doc = "Region that sends." },
	{ SCALEWAY_FIELD(max_attachments), .type = POSTERN_TYPE_INT,
	    .preset = "10", .max = 1000,
	    .doc = "How many attachments the quota of the account allows." },
	{ SCALEWAY_FIELD(allow_short), .type = POSTERN_TYPE_BOOL,
	    .preset = "false",
	    .doc = "Send also a Subject, text or HTML of less than 10 "
		   "characters, which Scaleway is known to refuse." },
	{ SCALEWAY_FIELD(url), .type = POSTERN_TYPE_URL,
	    .doc = "Base of the API instead of Scaleway's own." },
	{ .name = NULL },
};

enum {
	RECIPIENTS_MAX = 10, /* unless support has raised it */
	CHARACTERS_MIN = 10,
	UUID_LEN = 36
};

static const struct letter_style style = {
	.email = "email",
	.name = "name",
	.content = "content",
	.filename = "name",
	.type = "type",
	.header_name = "key",
	.header_value = "value",
};

static const char *const allowed[] = { "application/acad",
	"application/acad-template", "application/autocad_dwg",
	"application/autocad_dxf", "application/dwf", "application/dxf",
	"application/ics", "application/msword", "application/pdf",
	"application/pkcs10", "application/pkcs7-mime",
	"application/pkcs7-signature", "application/vnd.dwt",
	"application/vnd.ms-excel",
	"application/vnd.oasis.opendocument.spreadsheet",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.template",
	("application/"
	 "vnd.openxmlformats-officedocument.wordprocessingml.document"),
	"application/x-dwf", "application/x-dwg", "application/x-dwt",
	"application/x-dxf", "application/x-pkcs12",
	"application/x-pkcs7-certificates", "application/x-pkcs7-certreqresp",
	"application/x-pkcs7-crl", "application/x-pkcs7-mime",
	"application/x-pkcs7-signature", "application/xml", "application/zip",
	"audio/mpeg", "audio/wav", "image/gif", "image/jpeg", "image/jpg",
	"image/png", "image/svg+xml", "image/tiff", "image/vnd.dwg",
	"image/vnd.dxf", "image/webp", "model/vnd.dwf", "text/calendar",
	"text/csv", "text/html", "text/plain", "text/xml", NULL };

static bool is_word(const char *s)
{
	return s[0] &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static const char *scaleway_check(const void *settings)
{
	const struct scaleway_settings *s = settings;
	const char *id = s->project_id;

	if (strlen(id) != UUID_LEN ||
	    strspn(id, "0123456789abcdefABCDEF-") != UUID_LEN)
		return "project_id must be an id such as "
		       "6170692e-7363-616c-6577-61792e636f6d";
	return is_word(s->region) ? NULL
				  : "region must be a name such as fr-par";
}

/* --- what cannot be carried --- */

/* Fewer characters than are wanted, white space at the end not counted. */
static bool is_short(struct postern_str text)
{
	size_t count = 0;

	while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]))
		text.len--;
	for (size_t i = 0; i < text.len && count < CHARACTERS_MIN; i++)
		count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
	return count < CHARACTERS_MIN;
}

static bool has_short(const struct postern_content *c)
{
	return is_short(c->subject) || (c->text.len > 0 && is_short(c->text)) ||
	       (c->html.len > 0 && is_short(c->html)) ||
	       c->text.len + c->html.len == 0;
}

static bool is_allowed(struct postern_str type)
{
	const char *const *word = allowed;

	while (*word && !str_ieq(type, str_of(*word)))
		word++;
	return *word != NULL;
}

static int check(struct letter *l, const struct scaleway_settings *s)
{
	const struct postern_content *c = l->mail->content;

	if (c->from_count != 1)
		return letter_refuse(
		    l, "Scaleway takes exactly one address in From");
	if (!s->allow_short && has_short(c))
		return letter_refuse(l,
		    "Scaleway takes a Subject, text and HTML of at least 10 "
		    "characters");
	if (c->part_count > (size_t)s->max_attachments)
		return letter_refuse(l,
		    "Scaleway takes no more attachments than max_attachments "
		    "says");
	for (size_t i = 0; i < c->part_count; i++) {
		if (!is_allowed(c->parts[i].type))
			return letter_refuse_part(
			    l, "Scaleway takes no such attachment", i);
	}
	return letter_want_to(l, "Scaleway wants a To");
}

/* --- request --- */

static void add_headers(struct letter *l)
{
	const struct postern_header reply = { STR("Reply-To"),
		letter_find(l->mail, "Reply-To") };

	letter_headers(
	    l, "additional_headers", NULL, &reply, reply.value.len > 0 ? 1 : 0);
}

static int add_body(struct letter *l, const struct scaleway_settings *s)
{
	const struct postern_content *c = l->mail->content;

	writer_open(&l->w, NULL, "{");
	writer_text(&l->w, "project_id", str_of(s->project_id));
	letter_address(l, "from", &c->from[0]);
	letter_recipients(l, "to", "cc", "bcc");
	writer_text(&l->w, "subject", letter_or_space(c->subject));
	letter_texts(l, "text", "html");
	add_headers(l);
	letter_parts(l, "attachments", LETTER_ALL);
	return writer_close(&l->w, "}");
}

/* The path of the region, and behind it what; NULL for memory. */
static const char *make_path(const struct scaleway_settings *s,
    const struct postern_host *host, struct postern_request *r,
    const char *what)
{
	struct text path;

	text_init(&path, host, r);
	text_add_cstr(&path, "/transactional-email/v1alpha1/regions/");
	text_add_cstr(&path, s->region);
	text_add_cstr(&path, what);
	return text_finish(&path);
}

static const char *base_of(const struct scaleway_settings *s)
{
	return s->url ? s->url : "https://api.scaleway.com";
}

static int scaleway_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct scaleway_settings *s = settings;
	const char *path = make_path(s, host, r, "/emails");
	struct letter l;
	int rc = letter_init(&l, &style, mail, host, r);

	if (!path)
		return -ENOMEM;
	if (rc == 0)
		rc = check(&l, s);
	if (rc == 0)
		rc = letter_key(&l, "X-Auth-Token", "", s->secret_key);
	if (rc == 0)
		rc = letter_head(&l, base_of(s), path);
	return rc < 0 ? rc : add_body(&l, s);
}

/* --- the account: whether the project has a domain to send from --- */

static bool read_domains(const json_t *body, struct postern_inquiry *q)
{
	const json_t *domains = json_object_get(body, "domains"), *domain;
	const json_t *total = json_object_get(body, "total_count");
	size_t i, checked = 0;

	if (!json_is_array(domains) || !json_is_integer(total))
		return false;
	json_array_foreach(domains, i, domain)
	{
		checked +=
		    str_ieq(answer_member(domain, "status"), STR("checked"));
	}
	/* Of a list that goes on nothing is said. */
	q->is_closed = checked == 0 && (size_t)json_integer_value(total) <= i;
	if (q->is_closed)
		account_say(q, "no domain of this project is checked: Scaleway "
			       "sends from none");
	return true;
}

static void read_error(const json_t *body, struct postern_inquiry *q)
{
	q->is_send_only =
	    str_ieq(answer_member(body, "type"), STR("permissions_denied"));
}

static int scaleway_inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r)
{
	const struct scaleway_settings *s = settings;
	struct text query;
	struct account a = {
		.base = base_of(s),
		.header = "X-Auth-Token",
		.scheme = "",
		.key = s->secret_key,
		.classify = scaleway_classify,
		.read = read_domains,
		.read_error = read_error,
	};

	text_init(&query, host, r);
	text_add_cstr(&query, "/domains?page_size=100&project_id=");
	text_add_cstr(&query, s->project_id);
	if (!text_finish(&query))
		return -ENOMEM;
	a.path = make_path(s, host, r, query.data);
	return a.path ? account_inquire(&a, settings, q, host, r) : -ENOMEM;
}

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "scaleway",
	.doc = "Scaleway Transactional Email.",
	/* No inline images, and no message among the types it takes. */
	.flags = POSTERN_NEEDS_CONTENT,
	.limits = { .recipients = RECIPIENTS_MAX, .message_size = 2000000 },
	.fields = scaleway_fields,
	.settings_size = sizeof(struct scaleway_settings),
	.check = scaleway_check,
	.build = scaleway_build,
	.classify = scaleway_classify,
	.inquire = scaleway_inquire,
};
