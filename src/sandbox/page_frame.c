/* See page.h: the HTML of a message, for a frame that may do nothing. */
#include <sandbox/page_internal.h>

#include <string.h>

#include <sandbox/decode.h>

/* In the frame: pictures of ours, its own style, nothing that acts. */
#define FRAME_POLICY                                                           \
	"Content-Security-Policy: default-src 'none'; img-src 'self' data:; "  \
	"style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "     \
	"frame-ancestors 'self'; sandbox"

enum {
	FRAME_PARTS_MAX = 256 /* are looked at for each address */
};

static struct span text_of(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

/* How long the address at the start of text is that begins with "cid:". */
static size_t cid_length(struct span text)
{
	size_t len = 4;

	while (len < text.len && !strchr("\"'<>() \t\r\n", text.ptr[len]))
		len++;
	return len;
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at =
	    c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Whether a part's Content-ID is what an address says, perhaps with %40. */
static bool is_id(struct span address, struct span id)
{
	size_t i = 0;

	for (; address.len > 0 && i < id.len; i++) {
		char c = address.ptr[0];
		bool is_coded = c == '%' && address.len > 2;
		int high = is_coded ? digit(address.ptr[1]) : -1;
		int low = is_coded ? digit(address.ptr[2]) : -1;
		size_t len = 1;

		if (high >= 0 && low >= 0) {
			c = (char)(high * 16 + low);
			len = 3;
		}
		if (c != id.ptr[i])
			return false;
		address = span_from(address, len);
	}
	return address.len == 0 && i == id.len;
}

/* Index of the part with this Content-ID among the first, or SIZE_MAX. */
static size_t part_of(const json_t *parts, struct span address)
{
	const json_t *part;
	size_t i;

	json_array_foreach(parts, i, part)
	{
		if (i == FRAME_PARTS_MAX)
			break;
		if (is_id(
			address, text_of(json_object_get(part, "content_id"))))
			return i;
	}
	return SIZE_MAX;
}

void page_frame(struct httpd_request *r, const struct letter *l)
{
	json_t *decoded = decode_letter(l);
	const json_t *parts = json_object_get(decoded, "parts");
	struct span text = span_first(
	    text_of(json_object_get(decoded, "html")), PAGE_FRAME_MAX);
	struct html h;

	html_init(&h);
	while (text.len > 0) {
		ptrdiff_t at = span_ifind(text, SPAN("cid:"));
		size_t len = at < 0 ? text.len : (size_t)at;
		size_t index = SIZE_MAX;

		html_foreign(&h, span_first(text, len));
		text = span_from(text, len);
		if (text.len == 0)
			break;
		len = cid_length(text);
		index = part_of(parts, span_from(span_first(text, len), 4));
		if (index < SIZE_MAX) {
			html_add(&h, "/_sandbox/messages/");
			html_text(&h, span_of(l->id));
			html_add(&h, "/parts/");
			html_number(&h, index);
		} else {
			html_foreign(&h, span_first(text, len));
		}
		text = span_from(text, len);
	}
	html_reply(&h, r, 200, FRAME_POLICY);
	json_decref(decoded);
}
