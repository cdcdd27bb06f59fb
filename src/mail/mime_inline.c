/*
 * Looks for "cid:" wherever it stands; no HTML is parsed. A part that is named
 * nowhere is a file, whatever its Content-ID says.
 */
#include <mail/mime_inline.h>

#include <base/map.h>

#include <errno.h>
#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool ends_url(char c)
{
	return c == '\0' || strchr("\"'<> \t\r\n)", c);
}

/* The id of a cid: URL up to its end in html, percent-decoded. */
static struct span cut_content_id(struct span *html, char out[256])
{
	size_t n = 0, len = 0;

	while (n < html->len && len < 255 && !ends_url(html->ptr[n])) {
		int high = -1, low = -1;
		char c = html->ptr[n++];
		if (c == '%' && n + 2 <= html->len) {
			high = hex_value(html->ptr[n]);
			low = hex_value(html->ptr[n + 1]);
		}
		if (high >= 0 && low >= 0) {
			c = (char)(high * 16 + low);
			n += 2;
		}
		out[len++] = c;
	}
	*html = span_from(*html, n);
	return span_make(out, len);
}

static void mark_referenced(struct span html, const struct map *by_id)
{
	char id[256];

	while (html.len > 4) {
		const char *colon = memchr(html.ptr + 3, ':', html.len - 3);
		struct mime_part *part;
		if (!colon)
			return;
		if (!span_ieq(span_make(colon - 3, 3), SPAN("cid"))) {
			html = span_from(html, (size_t)(colon - html.ptr) - 2);
			continue;
		}
		html = span_from(html, (size_t)(colon - html.ptr) + 1);
		part = map_get(by_id, cut_content_id(&html, id));
		if (part)
			part->is_inline = true;
	}
}

int mime_inline_mark(struct span html, struct mime_part *parts,
    const bool *is_allowed, size_t count)
{
	struct map *by_id = map_new();
	int rc = by_id ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (!is_allowed[i] || parts[i].content_id.len == 0)
			continue;
		rc = map_put(by_id, parts[i].content_id, &parts[i]);
		if (rc == -EEXIST)
			rc = 0;
	}
	if (rc == 0)
		mark_referenced(html, by_id);
	map_free(by_id);
	return rc;
}
