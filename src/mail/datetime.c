/*
 * A recogniser for date-time. The date is passed on as it came, so nothing is
 * converted: the question is only whether a reader will understand it.
 */
#include <mail/datetime.h>

struct cursor {
	struct span rest;
};

static bool is_space(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

static void skip_space(struct cursor *c)
{
	while (c->rest.len > 0 && is_space(c->rest.ptr[0]))
		c->rest = span_from(c->rest, 1);
}

static bool skip_char(struct cursor *c, char want)
{
	skip_space(c);
	if (c->rest.len == 0 || c->rest.ptr[0] != want)
		return false;
	c->rest = span_from(c->rest, 1);
	return true;
}

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

/* A number of least to most digits and at most max. */
static bool skip_number(
    struct cursor *c, size_t least, size_t most, unsigned max)
{
	unsigned value = 0;
	size_t n = 0;

	skip_space(c);
	while (n < c->rest.len && n < most && is_digit(c->rest.ptr[n]))
		value = value * 10 + (unsigned)(c->rest.ptr[n++] - '0');
	if (n < least || (n < c->rest.len && is_digit(c->rest.ptr[n])))
		return false;
	c->rest = span_from(c->rest, n);
	return value <= max;
}

/* One of the three-letter words of a table; anything after is left. */
static bool skip_word(struct cursor *c, const char *table)
{
	skip_space(c);
	if (c->rest.len < 3)
		return false;
	for (const char *word = table; *word; word += 3) {
		if (span_ieq(span_first(c->rest, 3), span_make(word, 3))) {
			c->rest = span_from(c->rest, 3);
			return true;
		}
	}
	return false;
}

static bool skip_time(struct cursor *c)
{
	if (!skip_number(c, 1, 2, 23) || !skip_char(c, ':') ||
	    !skip_number(c, 2, 2, 59))
		return false;
	return !skip_char(c, ':') || skip_number(c, 2, 2, 60);
}

static bool skip_zone(struct cursor *c)
{
	size_t n = 0;

	if (skip_char(c, '+') || skip_char(c, '-'))
		return skip_number(c, 4, 4, 9959);
	skip_space(c);
	while (n < c->rest.len && ((c->rest.ptr[n] | 0x20) >= 'a' &&
				      (c->rest.ptr[n] | 0x20) <= 'z'))
		n++;
	c->rest = span_from(c->rest, n);
	return n >= 1 && n <= 5;
}

bool datetime_is_valid(struct span value)
{
	struct cursor c = { .rest = value };

	if (skip_word(&c, "MonTueWedThuFriSatSun") && !skip_char(&c, ','))
		return false;
	if (!skip_number(&c, 1, 2, 31) ||
	    !skip_word(&c, "JanFebMarAprMayJunJulAugSepOctNovDec") ||
	    !skip_number(&c, 2, 4, 9999) || !skip_time(&c) || !skip_zone(&c))
		return false;
	skip_space(&c);
	return c.rest.len == 0 || c.rest.ptr[0] == '(';
}
