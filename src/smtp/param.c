/*
 * esmtp-param of RFC 5321 4.1.2, one row per keyword we know. A row counts
 * only where its extension is offered; elsewhere its keyword is as unknown as
 * any other.
 */
#include <smtp/param_internal.h>

bool smtp_param_is_keyword(struct span s)
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
static bool next_param(struct span *rest, struct smtp_param *out)
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

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

bool smtp_param_is_xtext(struct span s)
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

/* --- values --- */

static bool take_size(struct smtp_param_taker *t, const struct smtp_param *p)
{
	unsigned long long n;

	if (p->value.len > 20 || !span_parse_u64(p->value, INT64_MAX, &n))
		return false;
	t->mail->has_size = true;
	t->mail->size = n;
	return true;
}

static bool take_body(struct smtp_param_taker *t, const struct smtp_param *p)
{
	if (span_ieq(p->value, SPAN("8BITMIME")))
		t->mail->terms.body = ENVELOPE_BODY_8BITMIME;
	else if (!span_ieq(p->value, SPAN("7BIT")))
		return false;
	return true;
}

static bool take_auth(struct smtp_param_taker *t, const struct smtp_param *p)
{
	t->mail->auth = p->value;
	return smtp_param_is_xtext(p->value);
}

static bool take_utf8(struct smtp_param_taker *t, const struct smtp_param *p)
{
	t->mail->terms.is_utf8 = true;
	return !p->has_value;
}

/* 0, 1 to 9, -1 to -9. */
static bool take_priority(
    struct smtp_param_taker *t, const struct smtp_param *p)
{
	bool is_negative = span_starts_with(p->value, SPAN("-"));
	struct span digit = span_from(p->value, is_negative ? 1 : 0);

	if (digit.len != 1 || digit.ptr[0] < '0' || digit.ptr[0] > '9' ||
	    (is_negative && digit.ptr[0] == '0'))
		return false;
	t->mail->terms.priority = digit.ptr[0] - '0';
	if (is_negative)
		t->mail->terms.priority = -t->mail->terms.priority;
	t->mail->terms.has_priority = true;
	return true;
}

/* --- rows --- */

struct row {
	struct span keyword;
	unsigned extension;
	smtp_param_take *take;
	enum smtp_param_result if_bad;
};

static const struct row mail_rows[] = {
	{ { "AUTH", 4 }, SMTP_EXT_ESMTP, take_auth, SMTP_PARAM_BAD },
	{ { "BODY", 4 }, SMTP_EXT_ESMTP, take_body, SMTP_PARAM_BAD },
	{ { "ENVID", 5 }, SMTP_EXT_DSN, smtp_param_take_envid, SMTP_PARAM_BAD },
	{ { "HOLDFOR", 7 }, SMTP_EXT_RELEASE, smtp_param_take_holdfor,
	    SMTP_PARAM_BAD },
	{ { "HOLDUNTIL", 9 }, SMTP_EXT_RELEASE, smtp_param_take_holduntil,
	    SMTP_PARAM_BAD },
	{ { "MT-PRIORITY", 11 }, SMTP_EXT_PRIORITY, take_priority,
	    SMTP_PARAM_MALFORMED },
	{ { "RET", 3 }, SMTP_EXT_DSN, smtp_param_take_ret, SMTP_PARAM_BAD },
	{ { "SIZE", 4 }, SMTP_EXT_ESMTP, take_size, SMTP_PARAM_BAD },
	{ { "SMTPUTF8", 8 }, SMTP_EXT_UTF8, take_utf8, SMTP_PARAM_BAD },
};

static const struct row rcpt_rows[] = {
	{ { "NOTIFY", 6 }, SMTP_EXT_DSN, smtp_param_take_notify,
	    SMTP_PARAM_BAD },
	{ { "ORCPT", 5 }, SMTP_EXT_DSN, smtp_param_take_orcpt, SMTP_PARAM_BAD },
};

struct rows {
	const struct row *row;
	size_t count;
};

/* The one of that name that is offered, or NULL. */
static const struct row *find_row(
    const struct rows *rows, unsigned offered, struct span keyword)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->row[i];

		if (span_ieq(keyword, r->keyword))
			return offered & r->extension ? r : NULL;
	}
	return NULL;
}

/* Every parameter of args into what t fills. */
static enum smtp_param_result parse(struct span args, const struct rows *rows,
    struct smtp_param_taker *t, struct smtp_param_fault *out_fault)
{
	struct smtp_param p;
	unsigned seen = 0; /* bits by row */

	*out_fault = (struct smtp_param_fault){ .keyword = SPAN("") };
	while (next_param(&args, &p)) {
		if (!smtp_param_is_keyword(p.keyword))
			return SMTP_PARAM_SYNTAX;
		const struct row *row =
		    find_row(rows, t->rules->offered, p.keyword);
		out_fault->keyword = p.keyword;
		if (!row)
			return SMTP_PARAM_UNKNOWN;
		unsigned bit = 1U << (row - rows->row);
		if ((seen & bit) || !row->take(t, &p)) {
			out_fault->why = t->why;
			return row->if_bad;
		}
		seen |= bit;
	}
	return SMTP_PARAM_OK;
}

enum smtp_param_result smtp_param_parse_mail(struct span args,
    const struct smtp_param_rules *rules, struct smtp_mail_params *out,
    struct smtp_param_fault *out_fault)
{
	static const struct rows rows = { mail_rows,
		sizeof(mail_rows) / sizeof(mail_rows[0]) };
	struct smtp_param_taker t = { .rules = rules, .mail = out };

	*out = (struct smtp_mail_params){ .terms = { .envid = SPAN("") } };
	return parse(args, &rows, &t, out_fault);
}

enum smtp_param_result smtp_param_parse_rcpt(struct span args,
    const struct smtp_param_rules *rules, struct smtp_rcpt_params *out,
    struct smtp_param_fault *out_fault)
{
	static const struct rows rows = { rcpt_rows,
		sizeof(rcpt_rows) / sizeof(rcpt_rows[0]) };
	struct smtp_param_taker t = { .rules = rules, .rcpt = out };

	*out = (struct smtp_rcpt_params){ .orcpt = SPAN("") };
	return parse(args, &rows, &t, out_fault);
}
