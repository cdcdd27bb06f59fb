/* esmtp-param of RFC 5321 4.1.2, one row per keyword we know. */
#include <smtp/param.h>

struct param {
	struct span keyword, value;
	bool has_value;
};

static bool is_keyword(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool is_alnum = (c >= '0' && c <= '9') ||
				((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (!is_alnum && (c != '-' || i == 0))
			return false;
	}
	return s.len > 0;
}

/* The next parameter off *rest; false at the end. */
static bool next_param(struct span *rest, struct param *out)
{
	struct span word = { .ptr = NULL };

	while (rest->ptr && word.len == 0)
		word = span_cut(rest, ' ');
	if (word.len == 0)
		return false;
	out->keyword = span_cut(&word, '=');
	out->has_value = word.ptr != NULL;
	out->value = out->has_value ? word : span_make("", 0);
	return true;
}

static bool take_size(struct smtp_params *out, struct span value)
{
	unsigned long long n;

	if (out->has_size || value.len > 20 ||
	    !span_parse_u64(value, INT64_MAX, &n))
		return false;
	out->has_size = true;
	out->size = n;
	return true;
}

static bool take_body(struct smtp_params *out, struct span value)
{
	if (out->has_body)
		return false;
	if (span_ieq(value, SPAN("8BITMIME")))
		out->body = ENVELOPE_BODY_8BITMIME;
	else if (!span_ieq(value, SPAN("7BIT")))
		return false;
	out->has_body = true;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

/* RFC 3461 4. */
static bool is_xtext(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 33 || c > 126 || c == '=')
			return false;
		if (c != '+')
			continue;
		if (s.len - i < 3 || !is_hex(s.ptr[i + 1]) ||
		    !is_hex(s.ptr[i + 2]))
			return false;
		i += 2;
	}
	return s.len > 0;
}

static bool take_auth(struct smtp_params *out, struct span value)
{
	if (out->has_auth || !is_xtext(value))
		return false;
	out->has_auth = true;
	out->auth = value;
	return true;
}

static enum smtp_param_result take(
    struct smtp_params *out, const struct param *p)
{
	static const struct {
		struct span keyword;
		bool (*take)(struct smtp_params *out, struct span value);
	} rows[] = {
		{ { "AUTH", 4 }, take_auth },
		{ { "BODY", 4 }, take_body },
		{ { "SIZE", 4 }, take_size },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!span_ieq(p->keyword, rows[i].keyword))
			continue;
		return rows[i].take(out, p->value) ? SMTP_PARAM_OK
						   : SMTP_PARAM_BAD;
	}
	return SMTP_PARAM_UNKNOWN;
}

enum smtp_param_result smtp_param_parse_mail(
    struct span args, struct smtp_params *out, struct span *out_culprit)
{
	struct smtp_params params = { .has_size = false };
	struct param p;

	while (next_param(&args, &p)) {
		enum smtp_param_result result;

		if (!is_keyword(p.keyword))
			return SMTP_PARAM_SYNTAX;
		result = take(&params, &p);
		if (result != SMTP_PARAM_OK) {
			*out_culprit = p.keyword;
			return result;
		}
	}
	*out = params;
	return SMTP_PARAM_OK;
}

enum smtp_param_result smtp_param_parse_rcpt(
    struct span args, struct span *out_culprit)
{
	struct param p;

	if (!next_param(&args, &p))
		return SMTP_PARAM_OK;
	if (!is_keyword(p.keyword))
		return SMTP_PARAM_SYNTAX;
	*out_culprit = p.keyword;
	return SMTP_PARAM_UNKNOWN;
}
