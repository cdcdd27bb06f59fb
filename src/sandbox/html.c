/* See html.h. */
#include <sandbox/html.h>

#include <inttypes.h>

#include <admin/reply.h>
#include <base/date.h>
#include <base/utf8.h>

enum {
	PAGE_MAX = 16 * 1024 * 1024
};

void html_init(struct html *h)
{
	buf_init(&h->out, PAGE_MAX);
	h->is_bad = false;
}

static void add(struct html *h, struct span bytes)
{
	if (buf_add_span(&h->out, bytes) != 0)
		h->is_bad = true;
}

void html_add(struct html *h, const char *markup)
{
	add(h, span_of(markup));
}

void html_foreign(struct html *h, struct span markup)
{
	add(h, markup);
}

/* What stands for a character; NULL: itself. */
static const char *escape(uint32_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\t':
	case '\n':
	case '\r':
		return NULL;
	default:
		return c < ' ' || (c >= 0x7f && c < 0xa0) ? "\xef\xbf\xbd"
							  : NULL;
	}
}

void html_text(struct html *h, struct span text)
{
	while (text.len > 0) {
		uint32_t c = 0; /* of what is no character, as of a control */
		size_t len = utf8_decode(text, &c);
		const char *other = escape(c);

		if (len == 0)
			len = 1;
		if (other)
			html_add(h, other);
		else
			add(h, span_first(text, len));
		text = span_from(text, len);
	}
}

void html_string(struct html *h, const json_t *string)
{
	html_text(h,
	    span_make(json_string_value(string), json_string_length(string)));
}

void html_cut(struct html *h, struct span text, size_t max)
{
	size_t len = max;

	if (text.len <= max) {
		html_text(h, text);
		return;
	}
	/* Not within a character. */
	while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
		len--;
	html_text(h, span_first(text, len));
	html_add(h, "\n[the first ");
	html_size(h, len);
	html_add(h, " of ");
	html_size(h, text.len);
	html_add(h, " are shown]");
}

void html_number(struct html *h, uint64_t number)
{
	if (buf_printf(&h->out, "%" PRIu64, number) != 0)
		h->is_bad = true;
}

void html_size(struct html *h, uint64_t bytes)
{
	int rc;

	if (bytes < 1000)
		rc = buf_printf(&h->out, "%" PRIu64 " B", bytes);
	else if (bytes < 1000000)
		rc = buf_printf(&h->out, "%.1f kB", (double)bytes / 1e3);
	else
		rc = buf_printf(&h->out, "%.1f MB", (double)bytes / 1e6);
	if (rc != 0)
		h->is_bad = true;
}

void html_time(struct html *h, int64_t wall_ms)
{
	char text[DATE_RFC3339_SIZE];

	date_format_rfc3339_s(wall_ms, text);
	add(h, span_make(text, 10));
	html_add(h, " ");
	add(h, span_make(text + 11, 8));
}

void html_reply(
    struct html *h, struct httpd_request *r, int status, const char *policy)
{
	const char *const headers[] = { policy, HTML_HEADERS, NULL };
	const struct httpd_reply reply = {
		.status = status,
		.content_type = "text/html; charset=utf-8",
		.headers = headers,
		.body = buf_span(&h->out),
	};

	if (h->is_bad)
		reply_text(r, 500, SPAN("out of memory\n"));
	else
		httpd_reply(r, &reply);
	buf_finish(&h->out);
}
