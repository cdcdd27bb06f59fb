/*
 * Amazon SES v2, SendEmail with Content.Raw: signature, request shape and
 * limits; errors in the form of AWS's REST-JSON protocol.
 */
#include <sandbox/fake.h>

#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <base/b64.h>
#include <base/clock.h>
#include <base/err.h>
#include <base/hash.h>
#include <sandbox/addr.h>
#include <sandbox/addressed.h>
#include <sandbox/keyring.h>
#include <sandbox/mime_check.h>
#include <sandbox/ses_account.h>
#include <sandbox/sigv4_verify.h>

#define SES_PATH "/ses/v2/email/outbound-emails"
#define SES_ACCOUNT_PATH "/ses/v2/email/account"

enum {
	RECIPIENTS_MAX = 50,
	SIGNED_HEADERS_MAX = 64,
	MESSAGE_MAX = 40 * 1024 * 1024
};

/* -- answers -- */

static void add_request_id(struct fake_answer *a)
{
	uint8_t random[16];
	char hex[33];

	hash_random(random, sizeof(random));
	hex_encode(random, sizeof(random), hex);
	fake_answer_header(a, "x-amzn-RequestId: %.8s-%.4s-%.4s-%.4s-%.12s",
	    hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void answer_error(
    struct fake_answer *a, int status, const char *type, const char *text)
{
	add_request_id(a);
	fake_answer_header(a, "x-amzn-ErrorType: %s", type);
	/* It may quote the request, cut inside a character. */
	fake_answer_json(a, status,
	    json_pack("{s:o}", "message", reply_string(span_of(text))));
}

static void fail(struct fake_answer *a, int status)
{
	static const struct {
		int status;
		const char *type, *text;
	} errors[] = {
		{ 400, "BadRequestException", "The input is not valid." },
		{ 403, "AccessDeniedException",
		    "User is not authorized to perform: ses:SendRawEmail" },
		{ 404, "NotFoundException", "The resource does not exist." },
		{ 408, "RequestTimeoutException", "Request timed out." },
		{ 413, "RequestEntityTooLargeException",
		    "Request is too large." },
		{ 429, "TooManyRequestsException",
		    "Maximum sending rate exceeded." },
		{ 500, "InternalFailure", "An internal failure occurred." },
		{ 503, "ServiceUnavailable",
		    "The service is temporarily unavailable." },
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].status == status) {
			answer_error(a, status, errors[i].type, errors[i].text);
			return;
		}
	}
	answer_error(a, status, "Error", fake_status_text(status));
}

static void bad_request(struct fake_answer *a, const char *text)
{
	answer_error(a, 400, "BadRequestException", text);
}

/* -- signature -- */

struct header_list {
	struct sigv4_header items[SIGNED_HEADERS_MAX];
	size_t count;
};

static bool add_header(const char *name, const char *value, void *ctx)
{
	struct header_list *l = ctx;

	if (l->count == SIGNED_HEADERS_MAX)
		return false;
	l->items[l->count++] = (struct sigv4_header){ name, value };
	return true;
}

/* A temporary key is good with its token and until its end. */
static bool check_token(const struct keyring_key *key, struct httpd_request *r,
    struct fake_answer *out)
{
	const char *token = httpd_header(r, "X-Amz-Security-Token");

	if (!token || strcmp(token, key->token) != 0)
		answer_error(out, 403, "UnrecognizedClientException",
		    "The security token included in the request is invalid.");
	else if (clock_wall_ms() >= key->expires_ms)
		answer_error(out, 403, "ExpiredTokenException",
		    "The security token included in the request is expired");
	else
		return true;
	return false;
}

static bool check_signature(const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	static const struct {
		int status;
		const char *type;
	} errors[] = {
		[SIGV4_MISSING] = { 403,
		    "MissingAuthenticationTokenException" },
		[SIGV4_INCOMPLETE] = { 403, "IncompleteSignatureException" },
		[SIGV4_UNKNOWN_KEY] = { 403, "UnrecognizedClientException" },
		[SIGV4_EXPIRED] = { 403, "InvalidSignatureException" },
		[SIGV4_MISMATCH] = { 403, "SignatureDoesNotMatch" },
	};
	struct sigv4_keys keys = { s->ses_key_id, s->ses_secret, "ses" };
	const struct keyring_key *key = NULL;
	struct header_list headers = { .count = 0 };
	struct span query = span_of(httpd_target(r));
	struct span path = span_cut(&query, '?');
	struct err why = { 0 };

	httpd_each_header(r, add_header, &headers);
	const struct sigv4_request request = { httpd_method(r), path, query,
		headers.items, headers.count, httpd_body(r) };
	enum sigv4_verdict verdict =
	    sigv4_verify(&request, &keys, clock_wall_ms() / 1000, &why);
	for (size_t i = 0; verdict == SIGV4_UNKNOWN_KEY; i++) {
		key = keyring_at(s->ses_keyring, i);
		if (!key)
			break;
		keys.key_id = key->key_id;
		keys.secret = key->secret;
		verdict =
		    sigv4_verify(&request, &keys, clock_wall_ms() / 1000, &why);
	}
	if (verdict == SIGV4_OK)
		return !key || check_token(key, r, out);
	answer_error(
	    out, errors[verdict].status, errors[verdict].type, why.text);
	return false;
}

/* -- request body -- */

enum member_type {
	MEMBER_STRING = 0,
	MEMBER_OBJECT,
	MEMBER_ADDRESSES,
	MEMBER_LIST
};

struct member {
	const char *name; /* NULL ends the table */
	enum member_type type;
};

static const struct member request_members[] = {
	{ "FromEmailAddress", MEMBER_STRING },
	{ "FromEmailAddressIdentityArn", MEMBER_STRING },
	{ "Destination", MEMBER_OBJECT },
	{ "ReplyToAddresses", MEMBER_ADDRESSES },
	{ "FeedbackForwardingEmailAddress", MEMBER_STRING },
	{ "FeedbackForwardingEmailAddressIdentityArn", MEMBER_STRING },
	{ "Content", MEMBER_OBJECT },
	{ "EmailTags", MEMBER_LIST },
	{ "ConfigurationSetName", MEMBER_STRING },
	{ "EndpointId", MEMBER_STRING },
	{ "TenantName", MEMBER_STRING },
	{ "ListManagementOptions", MEMBER_OBJECT },
	{ NULL, MEMBER_STRING },
};

static const struct member destination_members[] = {
	{ "ToAddresses", MEMBER_ADDRESSES },
	{ "CcAddresses", MEMBER_ADDRESSES },
	{ "BccAddresses", MEMBER_ADDRESSES },
	{ NULL, MEMBER_STRING },
};

static const struct member content_members[] = {
	{ "Raw", MEMBER_OBJECT },
	{ NULL, MEMBER_STRING },
};

static const struct member raw_members[] = {
	{ "Data", MEMBER_STRING },
	{ NULL, MEMBER_STRING },
};

static const struct member tag_members[] = {
	{ "Name", MEMBER_STRING },
	{ "Value", MEMBER_STRING },
	{ NULL, MEMBER_STRING },
};

static const struct member options_members[] = {
	{ "ContactListName", MEMBER_STRING },
	{ "TopicName", MEMBER_STRING },
	{ NULL, MEMBER_STRING },
};

static bool has_type(const json_t *value, enum member_type type)
{
	size_t i;
	const json_t *item;

	switch (type) {
	case MEMBER_STRING:
		return json_is_string(value);
	case MEMBER_OBJECT:
		return json_is_object(value);
	case MEMBER_LIST:
		return json_is_array(value);
	case MEMBER_ADDRESSES:
		break;
	}
	json_array_foreach(value, i, item)
	{
		if (!json_is_string(item))
			return false;
	}
	return json_is_array(value);
}

/* Only known members, of their types; or else out is the answer. */
static bool check_members(
    json_t *object, const struct member *table, struct fake_answer *out)
{
	const char *name;
	json_t *value;
	char text[256];

	json_object_foreach(object, name, value)
	{
		const struct member *m = table;

		while (m->name && strcmp(m->name, name) != 0)
			m++;
		if (m->name && has_type(value, m->type))
			continue;
		(void)snprintf(text, sizeof(text),
		    m->name ? "%.64s has the wrong type"
			    : "%.64s is not a member of this structure",
		    name);
		answer_error(out, 400,
		    m->name ? "SerializationException" : "BadRequestException",
		    text);
		return false;
	}
	return true;
}

static bool check_tags(const json_t *tags, struct fake_answer *out)
{
	size_t i;
	json_t *tag;

	json_array_foreach(tags, i, tag)
	{
		const char *name = NULL, *value = NULL;

		if (!check_members(tag, tag_members, out))
			return false;
		if (json_unpack(tag, "{s:s, s:s}", "Name", &name, "Value",
			&value) != 0 ||
		    !fake_is_name(name, 256) || !fake_is_name(value, 256)) {
			bad_request(out,
			    "a tag needs a name and a value of "
			    "at most 256 characters A-Z a-z 0-9 _ -");
			return false;
		}
	}
	return true;
}

/* What stands beside content and destination. */
static bool check_options(json_t *root, struct fake_answer *out)
{
	static const char *const senders[] = { "FromEmailAddress",
		"FeedbackForwardingEmailAddress" };
	const char *set =
	    json_string_value(json_object_get(root, "ConfigurationSetName"));
	json_t *options = json_object_get(root, "ListManagementOptions");
	struct span address;

	for (size_t i = 0; i < 2; i++) {
		const char *text =
		    json_string_value(json_object_get(root, senders[i]));

		if (text && !addr_parse(span_of(text), &address)) {
			bad_request(out, "Missing final '@domain'");
			return false;
		}
	}
	if (set && !fake_is_name(set, 64)) {
		bad_request(out, "Invalid configuration set name");
		return false;
	}
	if (options && (!check_members(options, options_members, out) ||
			   !json_object_get(options, "ContactListName"))) {
		if (out->status == 0)
			bad_request(out, "ContactListName is missing");
		return false;
	}
	return check_tags(json_object_get(root, "EmailTags"), out);
}

/* The decoded message; a letter is made of it. */
static bool take_content(json_t *root, struct fake_answer *out)
{
	json_t *content = json_object_get(root, "Content");
	json_t *raw = json_object_get(content, "Raw");
	json_t *data = json_object_get(raw, "Data");
	struct buf message;
	const char *wrong = NULL;

	if (!raw) {
		bad_request(
		    out, "Content needs Raw; the sandbox takes no other form");
		return false;
	}
	if (!check_members(content, content_members, out) ||
	    !check_members(raw, raw_members, out))
		return false;
	struct span text =
	    span_make(json_string_value(data), json_string_length(data));
	buf_init(&message, text.len + 4);
	ptrdiff_t len = -1;
	if (text.len > 0 && buf_reserve(&message, text.len) == 0)
		len = b64_decode(text, buf_tail(&message));
	if (len < 0) {
		answer_error(out, 400, "SerializationException",
		    "Content.Raw.Data is not base64");
	} else if (len > MESSAGE_MAX) {
		bad_request(out, "Message length is more than 41943040 bytes");
	} else {
		buf_commit(&message, (size_t)len);
		wrong = mime_check(buf_span(&message));
		if (wrong)
			bad_request(out, wrong);
		else
			(void)fake_take(
			    out, &fake_ses, LETTER_MIME, buf_span(&message));
	}
	buf_finish(&message);
	return out->letter != NULL;
}

/* All recipients of one list into the letter. */
static bool take_addresses(
    const json_t *list, size_t *count, struct fake_answer *out)
{
	size_t i;
	json_t *item;
	struct span address;

	json_array_foreach(list, i, item)
	{
		if (!addr_parse(span_make(json_string_value(item),
				    json_string_length(item)),
			&address)) {
			bad_request(out, "Missing final '@domain'");
			return false;
		}
		if (letter_add_recipient(out->letter, address) != 0) {
			fail(out, 500);
			return false;
		}
		(*count)++;
	}
	return true;
}

/* Without a Destination, SES sends to whom the header names. */
static bool take_header_recipients(size_t *count, struct fake_answer *out)
{
	if (addressed_take(out->letter, count))
		return true;
	fail(out, 500);
	return false;
}

static bool take_destination(
    json_t *root, size_t *out_count, struct fake_answer *out)
{
	json_t *destination = json_object_get(root, "Destination");
	size_t count = 0;

	if (!destination) {
		if (!take_header_recipients(&count, out))
			return false;
	} else if (!check_members(destination, destination_members, out)) {
		return false;
	}
	for (const struct member *m = destination_members; m->name; m++) {
		if (!take_addresses(
			json_object_get(destination, m->name), &count, out))
			return false;
	}
	if (count == 0)
		bad_request(out, "There are no recipients");
	else if (count > RECIPIENTS_MAX)
		bad_request(out, "Recipient count exceeds 50.");
	*out_count = count;
	return count > 0 && count <= RECIPIENTS_MAX;
}

static void accept_letter(json_t *root, struct fake_answer *out)
{
	const char *from = json_string_value(
	    json_object_get(root, "FeedbackForwardingEmailAddress"));
	struct letter *l = out->letter;

	if (from)
		(void)letter_set_sender(l, span_of(from));
	(void)snprintf(
	    l->provider_id, sizeof(l->provider_id), "0100%s-000000", l->id);
	add_request_id(out);
	out->status = 200;
	out->content_type = "application/json";
	(void)buf_printf(&out->body, "{\"MessageId\":\"%s\"}", l->provider_id);
}

/* What the account may send; or else out is the answer. */
static bool take_share(
    struct ses_account *a, size_t recipients, struct fake_answer *out)
{
	switch (ses_account_take(a, recipients, clock_mono_ms())) {
	case SES_TAKEN:
		return true;
	case SES_TOO_FAST:
		answer_error(out, 429, "TooManyRequestsException",
		    "Maximum sending rate exceeded.");
		break;
	case SES_QUOTA_USED:
		answer_error(out, 429, "TooManyRequestsException",
		    "Daily message quota exceeded.");
		break;
	case SES_PAUSED:
		answer_error(out, 400, "SendingPausedException",
		    "Email sending is disabled for this account.");
		break;
	}
	return false;
}

static void check_body(
    struct ses_account *account, json_t *root, struct fake_answer *out)
{
	size_t recipients = 0;

	if (!check_members(root, request_members, out) ||
	    !check_options(root, out))
		return;
	if (take_content(root, out) &&
	    take_destination(root, &recipients, out) &&
	    take_share(account, recipients, out)) {
		accept_letter(root, out);
		return;
	}
	letter_free(out->letter);
	out->letter = NULL;
}

static bool is_question(struct httpd_request *r)
{
	return strcmp(httpd_path(r), SES_ACCOUNT_PATH) == 0 &&
	       strcmp(httpd_method(r), "GET") == 0;
}

static void answer_question(const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	struct ses_account *a = s->ses_account;

	a->asked++;
	if (a->fail) {
		fail(out, a->fail);
	} else if (check_signature(s, r, out)) {
		add_request_id(out);
		fake_answer_json(out, 200, ses_account_tell(a));
	}
}

static void check(const struct fake *self, const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	struct span body = httpd_body(r);
	const char *type = httpd_header(r, "Content-Type");

	(void)self;
	if (is_question(r)) {
		answer_question(s, r, out);
		return;
	}
	if (strcmp(httpd_path(r), SES_PATH) != 0 ||
	    strcmp(httpd_method(r), "POST") != 0) {
		answer_error(out, 404, "UnknownOperationException",
		    "There is no such operation");
		return;
	}
	if (!check_signature(s, r, out))
		return;
	if (!type ||
	    !span_istarts_with(span_of(type), SPAN("application/json"))) {
		answer_error(out, 415, "UnsupportedMediaTypeException",
		    "The body must be application/json");
		return;
	}
	json_t *root =
	    json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(root))
		check_body(s->ses_account, root, out);
	else
		answer_error(out, 400, "SerializationException",
		    "The body is not a JSON object");
	json_decref(root);
}

const struct fake fake_ses = {
	.name = "ses",
	.check = check,
	.is_question = is_question,
	.fail = fail,
};
