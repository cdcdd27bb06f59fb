/*
 * Mandrill messages/send-raw: the key and the message as text in JSON, an
 * answer per recipient; errors with a name, most with status 500.
 */
#include <sandbox/api.h>

#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <base/b64.h>
#include <base/hash.h>
#include <sandbox/mime_check.h>

enum {
	REQUEST_MAX = 60 * 1000 * 1000,
	MESSAGE_MAX = 25 * 1000 * 1000,
	SYNCHRONOUS_MAX = 10,
	ID_BYTES = 16
};

#define WRONG .wrong = "ValidationError"

static const struct api_field fields[] = {
	{ "key", API_TEXT, API_REQUIRED, .wrong = "Invalid_Key" },
	{ "raw_message", API_TEXT, API_REQUIRED, WRONG },
	{ "from_email", API_STRING, WRONG },
	{ "from_name", API_STRING, WRONG },
	{ "to", API_MAILBOXES, API_REQUIRED | API_RECIPIENT, WRONG },
	{ "async", API_BOOL, WRONG },
	{ "ip_pool", API_STRING, WRONG },
	{ "send_at", API_STRING, WRONG },
	{ "return_path_domain", API_TEXT, WRONG },
	{ .name = NULL },
};

static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	fake_answer_json(out, status,
	    json_pack("{s:s, s:i, s:s, s:o}", "status", "error", "code",
		strcmp(code, "Invalid_Key") == 0 ? -1 : -2, "name", code,
		"message", reply_string(span_of(text))));
}

static void fail(struct fake_answer *out, int status)
{
	const char *code = "GeneralError";

	if (status == 400)
		code = "ValidationError";
	else if (status == 401)
		code = "Invalid_Key";
	else if (status == 402)
		code = "PaymentRequired";
	else if (status == 503)
		code = "ServiceUnavailable";
	refuse(out, status, code, fake_status_text(status));
}

static struct span member(const struct api_exam *x, const char *name)
{
	const json_t *value = json_object_get(x->root, name);

	return span_make(json_string_value(value), json_string_length(value));
}

/* The letter is the message itself. */
static bool more(struct api_exam *x)
{
	struct span message = member(x, "raw_message");
	struct buf *raw = &x->out->letter->raw;
	const char *why = mime_check(message);

	if (!span_starts_with(member(x, "key"), SPAN("md-")))
		return api_wrong(x, "Invalid_Key", "Invalid API key");
	if (why)
		return api_wrong(x, "ValidationError", "%s", why);
	if (message.len > MESSAGE_MAX)
		return api_wrong(x, "ValidationError", "raw_message too large");
	if (mime_check_field(message, SPAN("X-MC-BccAddress")).ptr)
		return api_wrong(x, "ValidationError",
		    "the sandbox takes no copies beside the recipients");
	buf_clear(raw);
	if (buf_add_span(raw, message) != 0)
		return api_wrong(x, "GeneralError", "out of memory");
	x->out->letter->kind = LETTER_MIME;
	return true;
}

static json_t *row(struct span address, const char *id, bool is_queued)
{
	bool is_inactive = api_is_inactive(address) && !is_queued;
	const char *taken = is_queued ? "queued" : "sent";

	return json_pack("{s:o, s:s, s:s, s:s?}", "email",
	    reply_string(address), "status", is_inactive ? "rejected" : taken,
	    "_id", id, "reject_reason", is_inactive ? "hard-bounce" : NULL);
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	struct span rest = buf_span(&l->recipients);
	bool is_queued = x->recipients > SYNCHRONOUS_MAX ||
			 json_is_true(json_object_get(x->root, "async"));
	json_t *rows = json_array();
	uint8_t bytes[ID_BYTES];
	char id[2 * ID_BYTES + 1];
	size_t taken = 0;

	hash_random(bytes, sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), id);
	(void)snprintf(l->provider_id, sizeof(l->provider_id), "%s", id);
	while (rest.len > 0) {
		struct span address = span_cut(&rest, '\n');

		taken += is_queued || !api_is_inactive(address);
		(void)json_array_append_new(rows, row(address, id, is_queued));
	}
	x->is_dry = taken == 0;
	fake_answer_json(x->out, 200, rows);
}

static const struct api api = {
	.path = "/api/1.0/messages/send-raw.json",
	.max_request = REQUEST_MAX,
	.bad_status = 500,
	.unknown = "ValidationError",
	.bad_address = "Invalid ",
	.bad_address_end = ": ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

const struct fake fake_mandrill = {
	.name = "mandrill",
	.check = api_check,
	.fail = fail,
	.api = &api,
};
