/* See rule.h. */
#include <route/rule.h>

#include <base/buf.h>
#include <mail/header.h>
#include <mail/mime.h>

enum {
	/* Decoding makes up to three bytes of one, and nothing far longer. */
	DECODED_MAX = 4 * RULE_VALUE_MAX
};

bool rule_fits_text(struct span pattern, struct span text)
{
	struct span piece = span_cut(&pattern, '*');

	if (!pattern.ptr)
		return span_ieq(piece, text);
	if (!span_istarts_with(text, piece))
		return false;
	text = span_from(text, piece.len);
	for (;;) {
		piece = span_cut(&pattern, '*');
		if (!pattern.ptr)
			return span_iends_with(text, piece);
		/* The first place will do: what follows has the most room. */
		ptrdiff_t at = span_ifind(text, piece);
		if (at < 0)
			return false;
		text = span_from(text, (size_t)at + piece.len);
	}
}

static bool fits_value(struct span pattern, struct span value)
{
	struct buf decoded;

	buf_init(&decoded, DECODED_MAX);
	bool fits = mime_decode_text(value, &decoded) == 0 &&
		    rule_fits_text(pattern, span_trim(buf_span(&decoded)));
	buf_finish(&decoded);
	return fits;
}

bool rule_fits_header(struct span rule, struct span header)
{
	size_t left = RULE_VALUE_MAX;
	struct message_field field;
	struct span name = span_trim(span_cut(&rule, ':'));

	while (left > 0 && header_next(&header, &field)) {
		if (!span_ieq(field.name, name))
			continue;
		struct span value = span_first(field.value, left);
		if (!rule.ptr || fits_value(span_trim(rule), value))
			return true;
		left -= value.len;
	}
	return false;
}
