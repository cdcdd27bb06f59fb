#include <config/words.h>

#include <base/hostport.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool is_label(struct span s)
{
	if (s.len == 0 || s.len > 63 || s.ptr[0] == '-' ||
	    s.ptr[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_letter_or_digit(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return true;
}

/* "10.0.0.300": meant as an address, and not one. */
static bool is_dotted_number(struct span s)
{
	ptrdiff_t dot = span_rindex(s, '.');
	unsigned long long number;

	return dot >= 0 &&
	       span_parse_u64(span_from(s, (size_t)dot + 1), ~0ULL, &number);
}

bool words_is_hostname(struct span s)
{
	if (s.len == 0 || s.len > WORDS_HOST_MAX)
		return false;
	for (struct span rest = s; rest.ptr;)
		if (!is_label(span_cut(&rest, '.')))
			return false;
	return !is_dotted_number(s);
}

/* One spelling for every way to write a numeric address or a name. */
static bool normalise_host(struct hostport *hp)
{
	struct span host = span_of(hp->host);
	struct in6_addr address;
	int family = hp->is_bracketed ? AF_INET6 : AF_INET;

	if (host.len > WORDS_HOST_MAX)
		return false;
	for (char *c = hp->host; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (inet_pton(family, hp->host, &address) == 1)
		return inet_ntop(family, &address, hp->host,
			   sizeof(hp->host)) != NULL;
	return !hp->is_bracketed && (host.len == 0 || words_is_hostname(host));
}

bool words_parse_address(
    struct span s, char out[WORDS_ADDRESS_SIZE], unsigned *port)
{
	struct hostport hp;

	if (!hostport_parse(s, &hp) || !normalise_host(&hp))
		return false;
	*port = hp.port;
	(void)snprintf(out, WORDS_ADDRESS_SIZE,
	    hp.is_bracketed ? "[%s]:%u" : "%s:%u", hp.host, *port);
	return true;
}

bool words_is_pattern(struct span s)
{
	ptrdiff_t at = span_rindex(s, '@');

	if (span_eq(s, SPAN("*")))
		return true;
	if (at < 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= 0x20 || s.ptr[i] == 0x7f ||
		    s.ptr[i] == '*')
			return false;
	return (size_t)at + 1 < s.len;
}

/* --- the nearest word --- */

enum {
	WORD_MAX = 48
};

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein distance; words are at most WORD_MAX long. */
static size_t distance(struct span a, struct span b)
{
	size_t row[WORD_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t above = row[j];

			row[j] = smallest(above + 1, row[j - 1] + 1,
			    diagonal + (a.ptr[i - 1] != b.ptr[j - 1]));
			diagonal = above;
		}
	}
	return row[b.len];
}

struct words_nearest words_nearest_to(struct span wanted)
{
	/* A third of the letters may be wrong: more is another word. */
	return (struct words_nearest){ .wanted = wanted,
		.distance = wanted.len / 3 + 1 + (wanted.len > 3) };
}

void words_nearest_offer(struct words_nearest *n, const char *candidate)
{
	struct span c = span_of(candidate);
	size_t d;

	if (n->wanted.len > WORD_MAX || c.len > WORD_MAX)
		return;
	d = distance(n->wanted, c);
	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
}
