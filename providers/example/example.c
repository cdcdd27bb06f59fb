/*
 * example: a whole provider module that needs nothing of Postern but its
 * installed headers. It speaks to a JSON API that takes
 *
 *   POST {url}/emails
 *   Authorization: Bearer {api_key}
 *   Idempotency-Key: {a key of at most 256 characters}
 *
 *   {"from": "Name <a@b>", "to": ["c@d"], "reply_to": ["e@f"],
 *    "subject": "...", "text": "...", "html": "...",
 *    "headers": {"In-Reply-To": "<1@b>", "References": "<1@b>"},
 *    "attachments": [{"filename": "...", "content": "base64",
 *    "content_id": "..."}]}
 *
 * and answers 200 {"id": "..."}, or an error with {"message": "..."}; 409 while
 * another call with the same key is under way. So does
 * Resend, which is why `postern sandbox` takes it; what a real module does for
 * that API is in providers/resend.c.
 *
 * Build and install it as CMakeLists.txt beside it says, then configure
 *
 *   providers:
 *     - {name: mine, type: example, url: "https://api.example.net",
 *        api_key_file: /etc/postern/secrets/mine}
 *
 * and look with `postern explain FILE.eml --provider mine` at what it makes of
 * a message. Copy this file, and change it from top to bottom: settings, build,
 * classify, the table.
 */
#include <postern/provider.h>

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- settings: a struct, and the rows that fill it --- */

struct settings {
	const char *url;
	struct postern_secret api_key;
};

static const struct postern_field fields[] = {
	{ .name = "url",
	    .type = POSTERN_TYPE_URL,
	    .offset = offsetof(struct settings, url),
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "Base of the API." },
	/* Also as api_key_file, and never in a log. */
	{ .name = "api_key",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct settings, api_key),
	    .flags = POSTERN_FIELD_REQUIRED,
	    .doc = "API key that may send." },
	{ .name = NULL },
};

/* --- build: the message into a request --- */

/* What every step below needs. */
struct job {
	const struct postern_mail *mail;
	const struct postern_host *host;
	struct postern_request *r;
};

/*
 * A failure of the host's functions sticks, so nothing is lost by not looking
 * at each of them: what the last one returns is the result.
 */
static int add(const struct job *j, const char *text)
{
	return j->host->body(j->r, text, strlen(text));
}

/* Text inside quotes, escaped as JSON wants it. */
static int add_text(const struct job *j, struct postern_str text)
{
	(void)add(j, "\"");
	(void)j->host->body_json(j->r, text);
	return add(j, "\"");
}

/* Memory goes with the request. */
static const char *join(
    const struct job *j, const char *a, const char *b, size_t b_len)
{
	size_t a_len = strlen(a);
	char *to = j->host->alloc(j->r, a_len + b_len + 1);

	if (to) {
		memcpy(to, a, a_len);
		memcpy(to + a_len, b, b_len);
	}
	return to;
}

static int add_head(const struct job *j, const struct settings *s)
{
	const char *url = join(j, s->url, "/emails", strlen("/emails"));
	const char *key = join(j, "Bearer ", s->api_key.ptr, s->api_key.len);

	if (!url || !key)
		return -ENOMEM;
	(void)j->host->method(j->r, "POST");
	(void)j->host->url(j->r, url);
	(void)j->host->header(j->r, "Authorization", key);
	(void)j->host->header(j->r, "Content-Type", "application/json");
	/* The same for each try of this call, another for any other. */
	return j->host->header(j->r, "Idempotency-Key", j->mail->attempt_key);
}

/* Without what would end the quotes of a name. */
static int add_without_quotes(const struct job *j, struct postern_str s)
{
	int rc = 0;

	while (s.len > 0) {
		size_t n = 0;

		while (n < s.len && s.ptr[n] != '"' && s.ptr[n] != '\\')
			n++;
		rc = j->host->body_json(j->r, (struct postern_str){ s.ptr, n });
		n += n < s.len;
		s.ptr += n;
		s.len -= n;
	}
	return rc;
}

/* Name and address are decoded: how to write them down is the API's affair. */
static int add_address(const struct job *j, const struct postern_address *a)
{
	(void)add(j, "\"");
	if (a->name.len > 0) {
		(void)add(j, "\\\"");
		(void)add_without_quotes(j, a->name);
		(void)add(j, "\\\" <");
	}
	(void)j->host->body_json(j->r, a->address);
	return add(j, a->name.len > 0 ? ">\"" : "\"");
}

static void add_replies(const struct job *j)
{
	const struct postern_content *c = j->mail->content;

	(void)add(j, ",\"reply_to\":[");
	for (size_t i = 0; i < c->reply_to_count; i++) {
		(void)add(j, i > 0 ? "," : "");
		(void)add_address(j, &c->reply_to[i]);
	}
	(void)add(j, "]");
}

static bool is_name(struct postern_str name, const char *wanted)
{
	return name.len == strlen(wanted) &&
	       strncasecmp(name.ptr, wanted, name.len) == 0;
}

/*
 * What the API has no member for, and readers would miss: without these two a
 * conversation falls apart. Any others are for you to choose; Date, Message-ID
 * and the like are the provider's own.
 */
static void add_threading(const struct job *j)
{
	static const char *const names[] = { "In-Reply-To", "References" };
	bool is_first = true;

	(void)add(j, ",\"headers\":{");
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < j->mail->header_count; i++) {
			const struct postern_header *h = &j->mail->headers[i];

			if (!is_name(h->name, names[k]))
				continue;
			(void)add(j, is_first ? "\"" : ",\"");
			(void)add(j, names[k]);
			(void)add(j, "\":");
			(void)add_text(j, h->value);
			is_first = false;
			break; /* of one name the first */
		}
	}
	(void)add(j, "}");
}

static int add_part(const struct job *j, size_t i)
{
	const struct postern_part *p = &j->mail->content->parts[i];

	(void)add(j, i > 0 ? ",{\"filename\":" : "{\"filename\":");
	(void)add_text(j, p->filename);
	if (p->is_inline) {
		(void)add(j, ",\"content_id\":");
		(void)add_text(j, p->content_id);
	}
	/* A reference: read and encoded while it is sent. */
	(void)add(j, ",\"content\":\"");
	(void)j->host->body_part(j->r, i, POSTERN_BASE64);
	return add(j, "\"}");
}

static int add_body(const struct job *j)
{
	const struct postern_content *c = j->mail->content;

	(void)add(j, "{\"from\":");
	(void)add_address(j, &c->from[0]);
	/* limits.recipients is 1: nobody learns who else got it. */
	(void)add(j, ",\"to\":[");
	(void)add_text(j, j->mail->recipients[0]);
	(void)add(j, "]");
	add_replies(j);
	(void)add(j, ",\"subject\":");
	(void)add_text(j, c->subject);
	if (c->text.len > 0 || c->html.len == 0) {
		(void)add(j, ",\"text\":");
		(void)add_text(j,
		    c->text.len > 0 ? c->text : (struct postern_str){ " ", 1 });
	}
	if (c->html.len > 0) {
		(void)add(j, ",\"html\":");
		(void)add_text(j, c->html);
	}
	add_threading(j);
	(void)add(j, ",\"attachments\":[");
	for (size_t i = 0; i < c->part_count; i++)
		(void)add_part(j, i);
	return add(j, "]}");
}

static int build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	const struct job j = { mail, host, r };
	int rc;

	/* The sentence is for who wrote the message. */
	if (mail->content->from_count != 1)
		return host->refuse(
		    r, "this API takes exactly one address in From");
	rc = add_head(&j, settings);
	return rc < 0 ? rc : add_body(&j);
}

/* --- classify: what an answer means --- */

/* The text of a member of the answer, cut to size, or "". */
static void read_member(const struct postern_response *response,
    const char *name, char *out, size_t size)
{
	json_t *root =
	    json_loadb(response->body.ptr, response->body.len, 0, NULL);
	const char *text = json_string_value(json_object_get(root, name));

	(void)snprintf(out, size, "%s", text ? text : "");
	json_decref(root);
}

/* A number of up to six digits; 0 for anything else, such as a date. */
static uint64_t read_seconds(struct postern_str value)
{
	uint64_t seconds = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9' || i == 6)
			return 0;
		seconds = seconds * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	return seconds;
}

/* Seconds, or 0: then the core decides how long to wait. */
static uint64_t retry_after(const struct postern_response *response)
{
	for (size_t i = 0; i < response->header_count; i++) {
		if (is_name(response->headers[i].name, "Retry-After"))
			return read_seconds(response->headers[i].value);
	}
	return 0;
}

/*
 * By the API's own words of what it has done. When in doubt between "not
 * taken" and "perhaps taken" it is UNKNOWN: only then the message may go
 * nowhere else.
 */
static enum postern_class class_of(int status)
{
	switch (status) {
	case 400:
	case 413:
	case 422:
		return POSTERN_REJECTED; /* this message, also elsewhere */
	case 429:
		return POSTERN_THROTTLED;
	case 408: /* it did not get all of the request, */
	case 421: /* or on a connection that is not for it, */
	case 425: /* or too early; all say: once more */
	case 503: /* not available */
		return POSTERN_TRANSIENT; /* nothing was taken */
	case 409: /* an earlier try of this call is under way */
		return POSTERN_UNKNOWN;
	default:
		/*
		 * Key, plan, path: no message of ours will do better. Of a
		 * success that is not the documented one, and of an error of
		 * theirs, nobody knows.
		 */
		return status >= 300 && status < 500 ? POSTERN_ACCOUNT
						     : POSTERN_UNKNOWN;
	}
}

static void classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	(void)settings;
	if (response->status == 200) {
		read_member(
		    response, "id", out->provider_id, sizeof(out->provider_id));
		/* A success without what it promises is none for certain. */
		out->result =
		    out->provider_id[0] ? POSTERN_ACCEPTED : POSTERN_UNKNOWN;
		return;
	}
	out->result = class_of(response->status);
	/* Of the other classes it means nothing. */
	if (out->result == POSTERN_THROTTLED ||
	    out->result == POSTERN_TRANSIENT)
		out->retry_after_ms = 1000 * retry_after(response);
	if (response->status == 413)
		out->refusal = POSTERN_REFUSED_SIZE;
	read_member(response, "message", out->reason, sizeof(out->reason));
}

/* --- the table: the only name this file exports --- */

POSTERN_EXPORT extern const struct postern_provider postern_provider_v1;
const struct postern_provider postern_provider_v1 = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "example", /* the `type`, and the file's name */
	.doc = "An example of a module.",
	/*
	 * It is shown the parsed message. Of what not every API can carry only
	 * this is promised; a message with anything else never gets here.
	 */
	.flags = POSTERN_NEEDS_CONTENT | POSTERN_CARRIES_INLINE |
		 POSTERN_CARRIES_NESTED,
	.limits = { .recipients = 1, .message_size = 40000000 },
	.fields = fields,
	.settings_size = sizeof(struct settings),
	.build = build,
	.classify = classify,
};
