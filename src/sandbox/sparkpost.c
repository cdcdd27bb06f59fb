/*
 * SparkPost transmissions with email_rfc822: the message is text in JSON, and
 * its header a template. Errors are a list, each with a code.
 */
#include <sandbox/api.h>

#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <mail/header.h>
#include <sandbox/addr.h>
#include <sandbox/mime_check.h>

enum {
	REQUEST_MAX = 28 * 1000 * 1000,
	MESSAGE_MAX = 20 * 1000 * 1000,
	CAMPAIGN_MAX = 64,
	TAGS_MAX = 10
};

static const struct api_field recipient_fields[] = {
	{ "address", API_ADDRESS, API_REQUIRED | API_RECIPIENT,
	    .wrong = "1300" },
	{ "tags", API_STRINGS, .max = TAGS_MAX, .wrong = "1300" },
	{ .name = NULL },
};

static const struct api_field content_fields[] = {
	{ "email_rfc822", API_TEXT, API_REQUIRED, .max = MESSAGE_MAX,
	    .wrong = "1300", .missing = "1400" },
	{ .name = NULL },
};

static const struct api_field option_fields[] = {
	{ "open_tracking", API_BOOL, .wrong = "1300" },
	{ "initial_open", API_BOOL, .wrong = "1300" },
	{ "click_tracking", API_BOOL, .wrong = "1300" },
	{ "transactional", API_BOOL, .wrong = "1300" },
	{ "perform_substitutions", API_BOOL, .wrong = "1300" },
	{ "skip_suppression", API_BOOL, .wrong = "1300" },
	{ "inline_css", API_BOOL, .wrong = "1300" },
	{ "ip_pool", API_TEXT, .wrong = "1300" },
	{ "dkim_key", API_TEXT, .wrong = "1300" },
	{ .name = NULL },
};

static const struct api_field fields[] = {
	{ "recipients", API_OBJECTS, API_REQUIRED, .wrong = "1300",
	    .missing = "1400", .fields = recipient_fields },
	{ "content", API_OBJECT, API_REQUIRED, .wrong = "1300",
	    .missing = "1400", .fields = content_fields },
	{ "return_path", API_LINE, API_SENDER | API_ONE, .wrong = "1300" },
	{ "campaign_id", API_STRING, .max = CAMPAIGN_MAX, .wrong = "1300" },
	{ "metadata", API_VALUES, .wrong = "1300" },
	{ "options", API_OBJECT, .wrong = "1300", .fields = option_fields },
	{ .name = NULL },
};

/* -- answers -- */

static json_t *error_of(const char *code, const char *text)
{
	return json_pack("{s:s, s:o, s:s}", "message", "invalid request",
	    "description", reply_string(span_of(text)), "code", code);
}

static void refuse(
    struct fake_answer *out, int status, const char *code, const char *text)
{
	fake_answer_json(
	    out, status, json_pack("{s:[o]}", "errors", error_of(code, text)));
}

static void fail(struct fake_answer *out, int status)
{
	static const struct {
		int status;
		const char *code;
	} codes[] = { { 400, "1200" }, { 401, "1303" }, { 403, "1100" },
		{ 404, "1600" }, { 405, "1102" }, { 415, "1700" },
		{ 420, "2101" }, { 500, "1500" }, { 503, "1900" } };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].status == status) {
			refuse(out, status, codes[i].code,
			    fake_status_text(status));
			return;
		}
	}
	fake_answer_json(out, status,
	    json_pack(
		"{s:[{s:s}]}", "errors", "message", fake_status_text(status)));
}

/* -- the template engine -- */

/* What a macro at the start of text says, cut off; "" when it is none. */
static const char *run_macro(struct span *text)
{
	static const struct {
		struct span macro;
		const char *says;
	} macros[] = {
		{ { "{{opening_double_curly()}}", 26 }, "{{" },
		{ { "{{closing_double_curly()}}", 26 }, "}}" },
		{ { "{{opening_triple_curly()}}", 26 }, "{{{" },
		{ { "{{closing_triple_curly()}}", 26 }, "}}}" },
	};

	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
		struct span macro = macros[i].macro;

		/* }}} would end something else. */
		if (span_starts_with(*text, macro) &&
		    (text->len == macro.len || text->ptr[macro.len] != '}')) {
			*text = span_from(*text, macro.len);
			return macros[i].says;
		}
	}
	return "";
}

/* False: it has a template that cannot be made sense of. */
static bool render(struct span text, struct buf *out)
{
	while (text.len > 0) {
		size_t plain = 0;

		while (plain < text.len &&
		       !span_starts_with(span_from(text, plain), SPAN("{{")))
			plain++;
		if (buf_add(out, text.ptr, plain) != 0)
			return false;
		text = span_from(text, plain);
		if (text.len == 0)
			break;
		const char *says = run_macro(&text);
		if (!*says || buf_add_str(out, says) != 0)
			return false;
	}
	return true;
}

/* The message as it goes out, in place of the request. */
static bool keep_message(struct api_exam *x, struct span message)
{
	const json_t *options = json_object_get(x->root, "options");
	struct letter *l = x->out->letter;
	size_t header = header_length(message);
	bool is_off =
	    json_is_false(json_object_get(options, "perform_substitutions"));
	struct span content = span_from(message, header);

	buf_clear(&l->raw);
	l->raw.max = message.len + 1;
	l->kind = LETTER_MIME;
	if (!render(span_first(message, header), &l->raw) ||
	    !(is_off ? buf_add_span(&l->raw, content) == 0
		     : render(content, &l->raw)))
		return api_wrong(x, "3000", "substitution language syntax");
	return true;
}

static bool more(struct api_exam *x)
{
	const json_t *text = json_object_get(
	    json_object_get(x->root, "content"), "email_rfc822");
	struct span message =
	    span_make(json_string_value(text), json_string_length(text));
	struct span from = mime_check_field(message, SPAN("from"));
	const char *why = mime_check(message);

	if (why)
		return api_wrong(x, "3020", "%s", why);
	(void)addr_next(&from);
	if (from.ptr) {
		refuse(x->out, 400, "7001", "Invalid domain: several From");
		return false;
	}
	return keep_message(x, message);
}

/* -- success -- */

/* Those whose address is played to be wrong, as a list. */
static json_t *list_refused(const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);
	json_t *list = json_array();

	while (rest.len > 0) {
		struct span address = span_cut(&rest, '\n');
		char text[256];

		if (!api_is_inactive(address))
			continue;
		(void)snprintf(text, sizeof(text),
		    "invalid recipient address.email: %.*s", SPAN_FMT(address));
		(void)json_array_append_new(list, error_of("1300", text));
	}
	return list;
}

static void accept(struct api_exam *x)
{
	struct letter *l = x->out->letter;
	json_t *refused = list_refused(l), *results, *errors = NULL;
	size_t count = json_array_size(refused);

	if (count == x->recipients) {
		json_decref(refused);
		refuse(x->out, 400, "5002", "No valid recipients in list");
		return;
	}
	(void)snprintf(l->provider_id, sizeof(l->provider_id), "%s", l->id);
	results = json_pack("{s:I, s:I, s:s}", "total_rejected_recipients",
	    (json_int_t)count, "total_accepted_recipients",
	    (json_int_t)(x->recipients - count), "id", l->provider_id);
	if (count > 0) {
		(void)json_object_set(results, "rcpt_to_errors", refused);
		errors = json_pack("[o]",
		    error_of("2000",
			"transmission created, but with validation errors"));
	}
	json_decref(refused);
	fake_answer_json(x->out, 200,
	    json_pack("{s:o, s:o*}", "results", results, "errors", errors));
}

static const struct api api = {
	.path = "/api/v1/transmissions",
	.key_header = "Authorization",
	.key_begin = "",
	.email = "email",
	.name = "name",
	.max_request = REQUEST_MAX,
	.bad_status = 422,
	.unknown = "1300",
	.bad_address = "invalid recipient ",
	.bad_address_end = ".email: ",
	.fields = fields,
	.refuse = refuse,
	.more = more,
	.accept = accept,
};

const struct fake fake_sparkpost = {
	.name = "sparkpost",
	.check = api_check,
	.fail = fail,
	.api = &api,
};
