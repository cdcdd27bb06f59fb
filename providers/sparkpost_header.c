/*
 * A run of two braces or more becomes macros that say two or three of them
 * each, and a line that grows too long for that is folded where it has a
 * space. The template language has no macro for a single brace, so one that
 * would stand against a macro cannot be said.
 */
#include <sparkpost_header.h>

#include <errno.h>

enum {
	LINE_MAX_OCTETS = 998 /* RFC 5322 2.1.1, without CRLF */
};

static bool is_brace(char c)
{
	return c == '{' || c == '}';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* How often its first byte stands there. */
static size_t run_length(struct postern_str s)
{
	size_t len = 0;

	while (len < s.len && s.ptr[len] == s.ptr[0])
		len++;
	return len;
}

static void add_macros(struct text *t, char brace, size_t count)
{
	while (count > 0) {
		bool is_double = count == 2 || count == 4;
		text_add_cstr(t, brace == '{' ? "{{opening_" : "{{closing_");
		text_add_cstr(
		    t, is_double ? "double_curly()}}" : "triple_curly()}}");
		count -= is_double ? 2 : 3;
	}
}

/* False: a macro would be followed by a single }, its end not to be told. */
static bool protect(struct text *t, struct postern_str word)
{
	bool is_after_single = false;

	while (word.len > 0) {
		size_t len = run_length(word);
		struct postern_str rest = str_from(word, len);
		char c = word.ptr[0];
		bool is_run = is_brace(c) && len > 1;
		/* }} that opens nothing; after { a macro would be one of {{{ */
		if (c == '}' && is_after_single)
			is_run = false;
		if (is_run && c == '{' && rest.len > 0 && rest.ptr[0] == '}' &&
		    run_length(rest) == 1)
			return false;
		if (is_run)
			add_macros(t, c, len);
		else
			text_add(t, str_make(word.ptr, len));
		is_after_single = c == '{' && len == 1;
		word = rest;
	}
	return true;
}

/* Spaces and what follows up to the next ones. */
static struct postern_str cut_word(struct postern_str *line)
{
	struct postern_str word = *line;
	size_t len = 0;

	while (len < word.len && is_blank(word.ptr[len]))
		len++;
	while (len < word.len && !is_blank(word.ptr[len]))
		len++;
	*line = str_from(*line, len);
	return str_make(word.ptr, len);
}

/* Without its end; word is a place for one, used again and again. */
static int add_line(struct text *t, struct text *word, struct postern_str line)
{
	size_t column = 0;

	while (line.len > 0) {
		word->len = 0;
		if (!protect(word, cut_word(&line)))
			return t->host->refuse(t->request,
			    "SparkPost would take {{} in a header field for "
			    "the end of a template");
		if (!text_finish(word))
			return -ENOMEM;
		if (column > 0 && column + word->len > LINE_MAX_OCTETS) {
			text_add_cstr(t, "\r\n");
			column = 0;
		}
		text_add(t, str_make(word->data, word->len));
		column += word->len;
		if (column > LINE_MAX_OCTETS)
			return t->host->refuse(t->request,
			    "a header field has more braces than a line for "
			    "SparkPost can hold");
	}
	return 0;
}

static bool has_run(struct postern_str line)
{
	return str_has(line, "{{") || str_has(line, "}}");
}

static struct postern_str cut_line(struct postern_str *rest)
{
	const char *end = memchr(rest->ptr, '\n', rest->len);
	size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
	struct postern_str line = str_make(rest->ptr, len);

	*rest = str_from(*rest, len + 1);
	if (len > 0 && line.ptr[len - 1] == '\r')
		line.len--;
	return line;
}

int sparkpost_add_header(struct text *t, struct postern_str header)
{
	struct text word;
	int rc = 0;

	text_init(&word, t->host, t->request);
	while (rc == 0 && header.len > 0) {
		struct postern_str line = cut_line(&header);
		if (has_run(line))
			rc = add_line(t, &word, line);
		else
			text_add(t, line);
		text_add_cstr(t, "\r\n");
	}
	return rc;
}
