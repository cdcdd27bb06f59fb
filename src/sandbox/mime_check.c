/* See mime_check.h. */
#include <sandbox/mime_check.h>

#include <mail/header.h>

enum {
	LINE_MAX_OCTETS = 998 /* RFC 5322 2.1.1, without CRLF */
};

/* Fields that may stand once; a second one is refused by SES. */
static const char *const single_fields[] = { "From", "Sender", "Reply-To",
	"Subject", "Date", "Message-ID", "In-Reply-To", "References",
	"Return-Path", "MIME-Version", "Content-Type",
	"Content-Transfer-Encoding", "Content-Disposition", "Content-ID",
	"DKIM-Signature", "Auto-Submitted", "Importance", "Priority",
	"Precedence", "User-Agent", "To", "Cc" };

enum {
	SINGLES = sizeof(single_fields) / sizeof(single_fields[0])
};

static bool has_long_line(struct span text)
{
	while (text.ptr) {
		struct span line = span_cut(&text, '\n');
		size_t len = line.len;

		if (len && line.ptr[len - 1] == '\r')
			len--;
		if (len > LINE_MAX_OCTETS)
			return true;
	}
	return false;
}

static const char *check_fields(struct span block)
{
	unsigned seen = 0;
	struct message_field field;

	while (header_next(&block, &field)) {
		if (field.name.len == 0)
			return "a header line is not a field";
		for (unsigned i = 0; i < SINGLES; i++) {
			if (!span_ieq(field.name, span_of(single_fields[i])))
				continue;
			if (seen & 1u << i)
				return "a header field stands twice";
			seen |= 1u << i;
		}
	}
	return seen & 1u << 0 ? NULL : "the From header is missing";
}

const char *mime_check(struct span message)
{
	size_t header = header_length(message);

	if (header == 0)
		return "there is no empty line after the header";
	if (has_long_line(message))
		return "a line is longer than 998 octets";
	return check_fields(span_first(message, header));
}

struct span mime_check_field(struct span message, struct span name)
{
	struct span block = span_first(message, header_length(message));
	struct message_field field;

	if (!header_find(block, name, &field))
		return (struct span){ NULL, 0 };
	return span_trim(field.value);
}
