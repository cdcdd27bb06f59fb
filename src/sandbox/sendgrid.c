/*
 * SendGrid v3 mail/send: the rules of its published schema and of its
 * documentation, errors in its form. One error is reported, the first found.
 */
#include <sandbox/sendgrid_exam.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <base/map.h>
#include <sandbox/addr.h>
#include <sandbox/spelling.h>

#define SENDGRID_PATH "/sendgrid/v3/mail/send"

enum {
	REQUEST_MAX = 30 * 1024 * 1024,
	PERSONALIZATIONS_MAX = 1000,
	RECIPIENTS_MAX = 1000,
	REPLY_TO_MAX = 1000
};

/* -- who gets it -- */

static bool lower_once(struct exam *x, struct span address)
{
	char lower[400];

	if (address.len >= sizeof(lower))
		return false;
	for (size_t i = 0; i < address.len; i++) {
		char c = address.ptr[i];

		lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	return map_put(x->seen, span_make(lower, address.len), x) == 0;
}

static bool take_recipients(
    struct exam *x, const json_t *list, size_t index, const char *kind)
{
	size_t i;
	const json_t *item;
	struct span address;
	char where[64];

	if (!exam_is_null_or(list, JSON_ARRAY))
		return exam_bad(x);
	json_array_foreach(list, i, item)
	{
		(void)snprintf(where, sizeof(where),
		    "personalizations.%zu.%s.%zu", index, kind, i);
		if (!exam_address(x, item, where, &address))
			return false;
		if (!lower_once(x, address))
			return exam_wrong(x,
			    "Each email address in the personalization block "
			    "should be unique between to, cc, and bcc. We "
			    "found the first duplicate instance of "
			    "this address.",
			    "%s", where);
		if (letter_add_recipient(x->out->letter, address) != 0) {
			exam_fail(x->out, 500);
			return false;
		}
		x->recipients++;
	}
	return true;
}

static bool check_substitutions(struct exam *x, json_t *object)
{
	const char *name;
	json_t *value;

	if (!exam_is_null_or(object, JSON_OBJECT))
		return exam_bad(x);
	json_object_foreach(object, name, value)
	{
		if (!json_is_string(value))
			return exam_bad(x);
	}
	return true;
}

static bool check_personalization(struct exam *x, json_t *p, size_t i)
{
	static const char *const known[] = { "to", "cc", "bcc", "from",
		"subject", "headers", "substitutions", "dynamic_template_data",
		"custom_args", "send_at", NULL };
	const json_t *to = json_object_get(p, "to");
	const json_t *from = json_object_get(p, "from");
	const json_t *subject = json_object_get(p, "subject");
	struct span address;
	char where[64];

	if (!json_is_object(p) || !exam_is_null_or(subject, JSON_STRING))
		return exam_bad(x);
	if (!exam_keys(x, p, known))
		return false;
	if (json_array_size(to) == 0)
		return exam_wrong(x,
		    "The to array is required for all "
		    "personalization objects, and must have at "
		    "least one email object with a valid email "
		    "address.",
		    "personalizations.%zu.to", i);
	if (subject && !exam_is_text(subject))
		return exam_wrong(x,
		    "The subject must be at least one character.",
		    "personalizations.%zu.subject", i);
	(void)snprintf(where, sizeof(where), "personalizations.%zu", i);
	return take_recipients(x, to, i, "to") &&
	       take_recipients(x, json_object_get(p, "cc"), i, "cc") &&
	       take_recipients(x, json_object_get(p, "bcc"), i, "bcc") &&
	       (!from || exam_address(x, from, where, &address)) &&
	       exam_headers(x, json_object_get(p, "headers"), where) &&
	       exam_args(x, json_object_get(p, "custom_args"), where) &&
	       check_substitutions(x, json_object_get(p, "substitutions")) &&
	       exam_send_at(x, json_object_get(p, "send_at"), where);
}

static bool check_personalizations(struct exam *x)
{
	const json_t *list = json_object_get(x->root, "personalizations");
	size_t i;
	json_t *p;

	if (!exam_is_null_or(list, JSON_ARRAY))
		return exam_bad(x);
	if (json_array_size(list) == 0)
		return exam_wrong(x,
		    "The personalizations field is required and "
		    "must have at least one personalization.",
		    "personalizations");
	if (json_array_size(list) > PERSONALIZATIONS_MAX)
		return exam_wrong(x,
		    "There are more than 1000 personalizations.",
		    "personalizations");
	json_array_foreach(list, i, p)
	{
		if (!check_personalization(x, p, i))
			return false;
	}
	if (x->recipients > RECIPIENTS_MAX)
		return exam_wrong(x, "There are more than 1000 recipients.",
		    "personalizations");
	return true;
}

static bool check_senders(struct exam *x)
{
	const json_t *from = json_object_get(x->root, "from");
	const json_t *reply_to = json_object_get(x->root, "reply_to");
	json_t *list = json_object_get(x->root, "reply_to_list");
	struct span address;
	size_t i;
	const json_t *item;

	if (!from)
		return exam_wrong(x,
		    "The from object must be provided for every "
		    "email send.",
		    "from");
	if (!exam_address(x, from, "from", &address))
		return false;
	(void)letter_set_sender(x->out->letter, address);
	if (reply_to && list)
		return exam_wrong(x,
		    "Only one of reply_to and reply_to_list may "
		    "be used.",
		    "reply_to");
	if (reply_to && !exam_address(x, reply_to, "reply_to", &address))
		return false;
	if (!exam_is_null_or(list, JSON_ARRAY))
		return exam_bad(x);
	if (json_array_size(list) > REPLY_TO_MAX)
		return exam_wrong(
		    x, "There are more than 1000 addresses.", "reply_to_list");
	json_array_foreach(list, i, item)
	{
		if (!exam_address(x, item, "reply_to_list", &address))
			return false;
		for (size_t k = 0; k < i; k++) {
			if (json_equal(item, json_array_get(list, k)))
				return exam_wrong(x,
				    "The addresses must be unique.",
				    "reply_to_list");
		}
	}
	return true;
}

static bool is_sandboxed(const json_t *root)
{
	const json_t *settings = json_object_get(root, "mail_settings");
	const json_t *mode = json_object_get(settings, "sandbox_mode");

	return json_is_true(json_object_get(mode, "enable"));
}

static bool check_message(struct exam *x)
{
	static const char *const known[] = { "personalizations", "from",
		"reply_to", "reply_to_list", "subject", "content",
		"attachments", "template_id", "headers", "categories",
		"custom_args", "send_at", "batch_id", "asm", "ip_pool_name",
		"mail_settings", "tracking_settings", NULL };

	return exam_keys(x, x->root, known) && check_personalizations(x) &&
	       check_senders(x) && exam_content(x);
}

static void check_body(struct exam *x, struct span body)
{
	struct fake_answer *out = x->out;

	if (!fake_take(out, &fake_sendgrid, LETTER_JSON, body))
		return;
	bool is_valid = check_message(x);
	if (is_valid && !is_sandboxed(x->root)) {
		(void)snprintf(out->letter->provider_id,
		    sizeof(out->letter->provider_id), "%s", out->letter->id);
		fake_answer_header(out, "X-Message-Id: %s", out->letter->id);
		out->status = 202;
		return;
	}
	if (is_valid)
		out->status = 200; /* checked, and nothing is sent */
	letter_free(out->letter);
	out->letter = NULL;
}

static bool has_key(struct httpd_request *r)
{
	const char *key = httpd_header(r, "Authorization");

	return key && strncmp(key, "Bearer SG.", 10) == 0 && key[10];
}

/* A key that begins with SG.read has not the permission to send. */
static void account(struct httpd_request *r, struct fake_answer *out)
{
	struct span key = span_of(httpd_header(r, "Authorization"));
	bool may_send = !span_starts_with(key, SPAN("Bearer SG.read"));

	fake_answer_json(out, 200,
	    json_pack("{s:[s, s]}", "scopes", "user.profile.read",
		may_send ? "mail.send" : "mail.batch.read"));
}

static bool check_head(struct httpd_request *r, struct fake_answer *out)
{
	const char *type = httpd_header(r, "Content-Type");

	if (strcmp(httpd_path(r), SENDGRID_PATH) != 0)
		exam_fail(out, 404);
	else if (strcmp(httpd_method(r), "POST") != 0)
		exam_fail(out, 405);
	else if (!has_key(r))
		exam_fail(out, 401);
	else if (!type ||
		 !span_istarts_with(span_of(type), SPAN("application/json")))
		exam_answer_error(
		    out, 415, "Content-Type should be application/json.", NULL);
	else if (httpd_body(r).len > REQUEST_MAX)
		exam_answer_error(out, 413,
		    "The JSON payload is larger than "
		    "30 MB.",
		    NULL);
	return out->status == 0;
}

static void check(const struct fake *self, const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	struct span body = httpd_body(r);

	(void)s;
	if (fake_is_account(self, r)) {
		if (has_key(r))
			account(r, out);
		else
			exam_fail(out, 401);
		return;
	}
	if (!check_head(r, out))
		return;
	struct exam x = {
		.root = json_loadb(
		    body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL),
		.out = out,
		.seen = map_new(),
	};
	if (!x.seen)
		exam_fail(out, 500);
	else if (!json_is_object(x.root))
		(void)exam_bad(&x);
	else
		check_body(&x, body);
	map_free(x.seen);
	json_decref(x.root);
}

static void tell_limit(
    struct fake_answer *out, const struct limit *l, uint64_t now_s)
{
	(void)now_s;
	fake_answer_header(out, "X-RateLimit-Limit: %" PRIu64, l->calls);
	fake_answer_header(
	    out, "X-RateLimit-Remaining: %" PRIu64, limit_left(l));
	fake_answer_header(out, "X-RateLimit-Reset: %" PRIu64, l->reset_s);
}

static const struct spelling spelling = {
	.each = "personalizations",
	.from = "from",
	.reply_to = "reply_to_list reply_to",
	.to = "to",
	.cc = "cc",
	.bcc = "bcc",
	.subject = "subject",
	.texts = "content",
	.headers = "headers",
	.files = "attachments",
	.tags = "categories",
	.metadata = "custom_args",
};

const struct fake fake_sendgrid = {
	.name = "sendgrid",
	.account_path = "/v3/scopes",
	.account = account,
	.check = check,
	.fail = exam_fail,
	.tell_limit = tell_limit,
	.spelling = &spelling,
};
