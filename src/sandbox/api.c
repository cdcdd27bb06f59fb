/* See api.h. One error is reported, the first found. */
#include <sandbox/api.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <base/b64.h>
#include <base/hash.h>
#include <sandbox/addr.h>

enum {
	TEXT_MAX = 512
};

bool api_wrong(struct api_exam *x, const char *code, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	x->api->refuse(x->out, x->api->bad_status, code, text);
	return false;
}

void api_uuid(char out[API_UUID_SIZE])
{
	uint8_t bytes[16];
	char digits[33];

	hash_random(bytes, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	hex_encode(bytes, sizeof(bytes), digits);
	(void)snprintf(out, API_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", digits,
	    digits + 8, digits + 12, digits + 16, digits + 20);
}

bool api_is_inactive(struct span address)
{
	return span_istarts_with(address, SPAN("inactive"));
}

/* -- members -- */

static struct span text_of(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

static bool wrong(struct api_exam *x, const struct api_field *f)
{
	return api_wrong(x, f->wrong, "%s is not valid", f->name);
}

static bool check_fields(
    struct api_exam *x, const struct api_field *fields, json_t *object);

static bool is_in(struct span word, const char *const *words)
{
	while (*words && !span_ieq(word, span_of(*words)))
		words++;
	return *words != NULL;
}

static bool check_filename(
    struct api_exam *x, const struct api_field *f, struct span name)
{
	ptrdiff_t dot = span_rindex(name, '.');
	struct span kind =
	    span_from(name, dot < 0 ? name.len : (size_t)dot + 1);
	bool is_listed = f->words && is_in(kind, f->words);

	if (name.len == 0 ||
	    (f->words && is_listed == ((f->flags & API_NOT_WORDS) != 0)))
		return wrong(x, f);
	return true;
}

static bool check_string(
    struct api_exam *x, const struct api_field *f, json_t *value)
{
	struct span text = text_of(value);

	if (!json_is_string(value) || (f->max > 0 && text.len > f->max))
		return wrong(x, f);
	switch (f->kind) {
	case API_TEXT:
		return text.len > 0 || wrong(x, f);
	case API_NAME:
		return fake_is_name(text.ptr, TEXT_MAX) || wrong(x, f);
	case API_WORD:
		return is_in(text, f->words) || wrong(x, f);
	case API_BASE64:
		return fake_is_base64(text) || wrong(x, f);
	case API_FILENAME:
		return check_filename(x, f, text);
	default:
		return true;
	}
}

static bool take_address(
    struct api_exam *x, const struct api_field *f, struct span text)
{
	struct span address;
	int rc = 0;

	if (!addr_parse(text, &address))
		return api_wrong(x, f->wrong, "%s%s%s'%.*s'.",
		    x->api->bad_address, f->name, x->api->bad_address_end,
		    SPAN_FMT(span_trim(text)));
	if (f->flags & API_SENDER)
		rc = letter_set_sender(x->out->letter, address);
	if (f->flags & API_RECIPIENT) {
		rc = letter_add_recipient(x->out->letter, address);
		x->recipients++;
	}
	if (rc < 0)
		x->fake->fail(x->out, 500);
	return rc == 0;
}

static bool check_address(
    struct api_exam *x, const struct api_field *f, json_t *value)
{
	const json_t *name = json_object_get(value, x->api->name);
	const json_t *email = json_object_get(value, x->api->email);
	size_t known = 1 + (name != NULL);

	if (!json_is_string(email) || (name && !json_is_string(name)) ||
	    json_object_size(value) != known)
		return wrong(x, f);
	return take_address(x, f, text_of(email));
}

static bool check_line(
    struct api_exam *x, const struct api_field *f, json_t *value)
{
	struct span rest = text_of(value);
	size_t count = 0;

	if (!json_is_string(value))
		return wrong(x, f);
	for (; rest.ptr; count++) {
		if (!take_address(x, f, addr_next(&rest)))
			return false;
	}
	return !(f->flags & API_ONE) || count == 1 || wrong(x, f);
}

static bool check_map(
    struct api_exam *x, const struct api_field *f, json_t *value)
{
	void *at = json_object_iter(value);

	if (!json_is_object(value) ||
	    (f->max > 0 && json_object_size(value) > f->max))
		return wrong(x, f);
	for (; at; at = json_object_iter_next(value, at)) {
		if (!json_is_string(json_object_iter_value(at)))
			return wrong(x, f);
	}
	return true;
}

static bool check_object(
    struct api_exam *x, const struct api_field *f, json_t *value)
{
	if (!json_is_object(value))
		return wrong(x, f);
	return check_fields(x, f->fields, value);
}

static bool check_items(
    struct api_exam *x, const struct api_field *f, json_t *list)
{
	size_t i;
	json_t *item;

	if (!json_is_array(list) ||
	    (f->max > 0 && json_array_size(list) > f->max))
		return wrong(x, f);
	json_array_foreach(list, i, item)
	{
		bool is_good = false;

		if (f->kind == API_ADDRESSES)
			is_good = check_address(x, f, item);
		else if (f->kind == API_MAILBOXES)
			is_good = json_is_string(item)
				      ? take_address(x, f, text_of(item))
				      : wrong(x, f);
		else if (f->kind == API_OBJECTS)
			is_good = check_object(x, f, item);
		else
			is_good = json_is_string(item) || wrong(x, f);
		if (!is_good)
			return false;
	}
	return true;
}

static bool check_value(
    struct api_exam *x, const struct api_field *f, json_t *value)
{
	switch (f->kind) {
	case API_BOOL:
		return json_is_boolean(value) || wrong(x, f);
	case API_NUMBER:
		return json_is_integer(value) || wrong(x, f);
	case API_MAP:
		return check_map(x, f, value);
	case API_VALUES:
		return json_is_object(value) || wrong(x, f);
	case API_OBJECT:
		return check_object(x, f, value);
	case API_ADDRESS:
		return check_address(x, f, value);
	case API_LINE:
		return check_line(x, f, value);
	case API_STRINGS:
	case API_OBJECTS:
	case API_ADDRESSES:
	case API_MAILBOXES:
		return check_items(x, f, value);
	default:
		return check_string(x, f, value);
	}
}

static bool is_missing(json_t *value)
{
	return !value || json_is_null(value) ||
	       (json_is_array(value) && json_array_size(value) == 0);
}

static bool check_known(
    struct api_exam *x, const struct api_field *fields, json_t *object)
{
	void *at = json_object_iter(object);

	for (; at; at = json_object_iter_next(object, at)) {
		const char *name = json_object_iter_key(at);
		const struct api_field *f = fields;

		while (f->name && strcmp(f->name, name) != 0)
			f++;
		if (!f->name)
			return api_wrong(x, x->api->unknown,
			    "%.64s is no known field", name);
	}
	return true;
}

static bool check_fields(
    struct api_exam *x, const struct api_field *fields, json_t *object)
{
	if (!check_known(x, fields, object))
		return false;
	for (const struct api_field *f = fields; f->name; f++) {
		json_t *value = json_object_get(object, f->name);

		if (!is_missing(value)) {
			if (!check_value(x, f, value))
				return false;
		} else if (f->flags & API_REQUIRED) {
			return api_wrong(x, f->missing ? f->missing : f->wrong,
			    "%s is missing", f->name);
		}
	}
	return true;
}

/* -- requests -- */

static bool is_key(struct span key, struct span begin)
{
	return span_starts_with(key, begin) && key.len > begin.len;
}

static bool has_key(const struct api_exam *x)
{
	const struct api *api = x->api;
	const char *key =
	    api->key_header ? httpd_header(x->r, api->key_header) : NULL;

	return !api->key_header ||
	       (key && is_key(span_of(key), span_of(api->key_begin)));
}

static bool check_head(const struct api_exam *x)
{
	const struct api *api = x->api;
	const char *type = httpd_header(x->r, "Content-Type");
	const char *path = httpd_path(x->r) + 1 + strlen(x->fake->name);
	int status = 0;

	if (strcmp(path, api->path) != 0)
		status = 404;
	else if (strcmp(httpd_method(x->r), "POST") != 0)
		status = 405;
	else if (!has_key(x))
		status = 401;
	else if (!type ||
		 !span_istarts_with(span_of(type), SPAN("application/json")))
		status = 415;
	else if (httpd_body(x->r).len > api->max_request)
		status = 413;
	if (status)
		x->fake->fail(x->out, status);
	return status == 0;
}

static void check_body(struct api_exam *x)
{
	if (!fake_take(x->out, x->fake, LETTER_JSON, httpd_body(x->r)))
		return;
	if (check_fields(x, x->api->fields, x->root) &&
	    (!x->api->more || x->api->more(x)))
		x->api->accept(x);
	if (x->out->status >= 200 && x->out->status < 300 && !x->is_dry)
		return;
	letter_free(x->out->letter);
	x->out->letter = NULL;
}

void api_check(const struct fake *fake, const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out)
{
	struct span body = httpd_body(r);
	struct api_exam x = {
		.fake = fake, .api = fake->api, .r = r, .out = out
	};

	(void)s;
	if (fake_is_account(fake, r)) {
		if (has_key(&x))
			fake->account(r, out);
		else
			fake->fail(out, 401);
		return;
	}
	if (!check_head(&x))
		return;
	json_t *root =
	    json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	x.root = root;
	if (json_is_object(root))
		check_body(&x);
	else
		fake->fail(out, 400);
	json_decref(root);
}
