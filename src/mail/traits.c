/* The words are for who wrote the message, and may not know MIME. */
#include <mail/traits.h>

#include <mail/controls.h>
#include <mail/header.h>
#include <postern/provider.h>

#include <stdio.h>
#include <string.h>

static const struct {
	unsigned bit;
	const char *text;
} words[] = {
	{ POSTERN_CARRIES_SIGNED, "is signed (S/MIME or PGP)" },
	{ POSTERN_CARRIES_ENCRYPTED, "is encrypted (S/MIME or PGP)" },
	{ POSTERN_CARRIES_DKIM, "has a DKIM signature" },
	{ POSTERN_CARRIES_DATE_AND_ID,
	    "has a DKIM signature over Date or Message-ID" },
	{ POSTERN_CARRIES_CALENDAR, "holds a calendar invitation" },
	{ POSTERN_CARRIES_ALTERNATIVES, "has a form other than text and HTML" },
	{ POSTERN_CARRIES_INLINE, "shows images in its text" },
	{ POSTERN_CARRIES_NESTED, "holds another message" },
	{ POSTERN_CARRIES_REPORTS, "is a report for programs" },
	{ POSTERN_CARRIES_TAGS, "has tags (X-Postern-Tag)" },
	{ POSTERN_CARRIES_METADATA, "has metadata (X-Postern-Metadata-...)" },
	{ POSTERN_CARRIES_TRACKING, "says what to track (X-Postern-Track)" },
};

/* The value of the tag h in a signature: the names of signed fields. */
static struct span signed_names(struct span signature)
{
	while (signature.len > 0) {
		struct span value = span_cut(&signature, ';');
		struct span name = span_trim(span_cut(&value, '='));

		if (span_eq(name, SPAN("h")))
			return value;
	}
	return SPAN("");
}

static unsigned traits_of_signature(struct span signature)
{
	struct span names = signed_names(signature);

	while (names.len > 0) {
		struct span name = span_trim(span_cut(&names, ':'));

		if (span_ieq(name, SPAN("Date")) ||
		    span_ieq(name, SPAN("Message-ID")))
			return POSTERN_CARRIES_DKIM |
			       POSTERN_CARRIES_DATE_AND_ID;
	}
	return POSTERN_CARRIES_DKIM;
}

bool traits_sign_control(const struct message_field *field, struct span header)
{
	struct message_field signed_field;
	struct span names;

	if (!span_ieq(field->name, SPAN("DKIM-Signature")))
		return false;
	names = signed_names(field->value);
	while (names.len > 0) {
		struct span name = span_trim(span_cut(&names, ':'));

		if (control_kind(name) != CONTROL_NONE &&
		    header_find(header, name, &signed_field))
			return true;
	}
	return false;
}

static unsigned traits_of_control(enum control_kind kind)
{
	switch (kind) {
	case CONTROL_TAG:
		return POSTERN_CARRIES_TAGS;
	case CONTROL_METADATA:
		return POSTERN_CARRIES_METADATA;
	case CONTROL_TRACK:
		return POSTERN_CARRIES_TRACKING;
	case CONTROL_NONE:
	case CONTROL_SCHEDULE:
	case CONTROL_PROVIDER:
	case CONTROL_NATIVE:
	case CONTROL_UNKNOWN:
		break;
	}
	return 0;
}

unsigned traits_of_header(struct span header)
{
	struct message_field field;
	unsigned traits = 0;

	while (header_next(&header, &field)) {
		if (span_ieq(field.name, SPAN("DKIM-Signature")))
			traits |= traits_of_signature(field.value);
		else
			traits |= traits_of_control(control_kind(field.name));
	}
	return traits;
}

unsigned traits_needed(const struct envelope_terms *terms, struct span sender,
    const struct message *m)
{
	bool is_ascii =
	    !terms->is_utf8 ||
	    (span_is_ascii(sender) && span_is_ascii(message_header(m)));

	return message_traits(m) | (is_ascii ? 0 : POSTERN_CARRIES_UTF8);
}

unsigned traits_needed_for(
    unsigned all, const struct envelope_terms *terms, struct span recipient)
{
	bool is_ascii = !terms->is_utf8 || span_is_ascii(recipient);

	return is_ascii ? all : all | POSTERN_CARRIES_UTF8;
}

void traits_describe(unsigned traits, char out[TRAITS_TEXT_SIZE])
{
	size_t len = 0;

	out[0] = '\0';
	if (traits & POSTERN_CARRIES_DATE_AND_ID)
		traits &= ~(unsigned)POSTERN_CARRIES_DKIM; /* says it all */
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(traits & words[i].bit) || len >= TRAITS_TEXT_SIZE)
			continue;
		int n = snprintf(out + len, TRAITS_TEXT_SIZE - len, "%s%s",
		    len > 0 ? " and " : "", words[i].text);
		len += n > 0 ? (size_t)n : 0;
	}
}
