/* Verb and arguments of a command line (RFC 5321 4.1.1). */
#include <smtp/command.h>

#include <errno.h>

static struct span trim_spaces(struct span s)
{
	while (s.len > 0 && s.ptr[0] == ' ')
		s = span_from(s, 1);
	while (s.len > 0 && s.ptr[s.len - 1] == ' ')
		s.len--;
	return s;
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

int smtp_command_parse(struct span line, struct smtp_command *out)
{
	ptrdiff_t space;

	if (has_control(line) || !span_is_utf8(line))
		return -EILSEQ;
	space = span_index(line, ' ');
	if (space < 0) {
		out->verb = line;
		out->args = span_from(line, line.len);
		return 0;
	}
	out->verb = span_first(line, (size_t)space);
	out->args = trim_spaces(span_from(line, (size_t)space));
	return 0;
}

bool smtp_command_is_foreign(const struct smtp_command *cmd)
{
	static const struct span methods[] = {
		{ "CONNECT", 7 },
		{ "DELETE", 6 },
		{ "GET", 3 },
		{ "HEAD", 4 },
		{ "OPTIONS", 7 },
		{ "PATCH", 5 },
		{ "POST", 4 },
		{ "PRI", 3 }, /* HTTP/2 without TLS */
		{ "PUT", 3 },
		{ "TRACE", 5 },
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (span_eq(cmd->verb, methods[i]))
			return true;
	return cmd->verb.len > 1 && cmd->verb.ptr[cmd->verb.len - 1] == ':';
}
