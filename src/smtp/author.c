/*
 * A scanner for mailbox lists (RFC 5322 3.4). Each mailbox is gathered as the
 * text inside its angle brackets, if it has them, and as the text outside of
 * everything; comments go nowhere.
 */
#include <smtp/author.h>

#include <smtp/address.h>

#include <errno.h>

enum {
	ADDRESS_MAX = SMTP_PATH_MAX,
	COMMENT_DEPTH_MAX = 32
};

/* Text being gathered; len counts on past what fits. */
struct gather {
	char text[ADDRESS_MAX];
	size_t len;
};

struct scanner {
	struct span rest;
	struct gather outside, inside;
	bool has_angle; /* inside is the address */
	bool is_after;  /* ">" was seen: nothing but comments may follow */
	size_t found;
	bool (*is_allowed)(struct span address, void *ctx);
	void *ctx;
};

static void put(struct gather *g, char c)
{
	if (g->len < sizeof(g->text))
		g->text[g->len] = c;
	g->len++;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Bytes of a comment with its parentheses; 0 when it does not end. */
static size_t comment_length(struct span s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '(' && ++depth > COMMENT_DEPTH_MAX)
			return 0;
		else if (s.ptr[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static size_t quoted_length(struct span s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '"')
			return i + 1;
	}
	return 0;
}

static void next_mailbox(struct scanner *sc)
{
	sc->outside.len = sc->inside.len = 0;
	sc->has_angle = sc->is_after = false;
}

/* The end of a mailbox, or of an empty place in a list. */
static int finish_mailbox(struct scanner *sc)
{
	const struct gather *g = sc->has_angle ? &sc->inside : &sc->outside;
	struct span address;
	struct smtp_address parsed;

	if (g->len > sizeof(g->text))
		return -EINVAL;
	address = span_trim(span_make(g->text, g->len));
	if (address.len == 0 && !sc->has_angle) {
		next_mailbox(sc);
		return 0;
	}
	if (smtp_address_parse(address, &parsed) != SMTP_ADDRESS_OK)
		return -EINVAL;
	if (!sc->is_allowed(address, sc->ctx))
		return -EACCES;
	sc->found++;
	next_mailbox(sc);
	return 0;
}

static int take_quoted(struct scanner *sc, struct gather *g)
{
	size_t len = quoted_length(sc->rest);

	if (len == 0 || sc->is_after)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		put(g, sc->rest.ptr[i]);
	sc->rest = span_from(sc->rest, len);
	return 0;
}

static int skip_comment(struct scanner *sc)
{
	size_t len = comment_length(sc->rest);

	sc->rest = span_from(sc->rest, len);
	return len > 0 ? 0 : -EINVAL;
}

static int take_angle(struct scanner *sc)
{
	int rc = 0;

	if (sc->has_angle)
		return -EINVAL;
	sc->has_angle = true;
	sc->rest = span_from(sc->rest, 1);
	while (rc == 0 && sc->rest.len > 0) {
		char c = sc->rest.ptr[0];

		if (c == '"') {
			rc = take_quoted(sc, &sc->inside);
			continue;
		}
		if (c == '(') {
			rc = skip_comment(sc);
			continue;
		}
		sc->rest = span_from(sc->rest, 1);
		if (c == '>') {
			sc->is_after = true;
			return 0;
		}
		put(&sc->inside, c);
	}
	return -EINVAL;
}

static int take_plain(struct scanner *sc, char c)
{
	sc->rest = span_from(sc->rest, 1);
	switch (c) {
	case ',':
	case ';': /* the end of a group */
		return finish_mailbox(sc);
	case ':': /* what stood before was a group's name */
		if (sc->has_angle)
			return -EINVAL;
		next_mailbox(sc);
		return 0;
	case '>':
	case ')':
		return -EINVAL;
	default:
		if (sc->is_after && !is_space(c))
			return -EINVAL;
		put(&sc->outside, c);
		return 0;
	}
}

static int take_one(struct scanner *sc)
{
	char c = sc->rest.ptr[0];

	if (c == '"')
		return take_quoted(sc, &sc->outside);
	if (c == '(')
		return skip_comment(sc);
	if (c == '<')
		return take_angle(sc);
	return take_plain(sc, c);
}

int smtp_author_check(struct span value,
    bool (*is_allowed)(struct span address, void *ctx), void *ctx)
{
	struct scanner sc = {
		.rest = value, .is_allowed = is_allowed, .ctx = ctx
	};
	int rc = 0;

	while (rc == 0 && sc.rest.len > 0)
		rc = take_one(&sc);
	if (rc == 0)
		rc = finish_mailbox(&sc);
	if (rc == 0 && sc.found == 0)
		rc = -EINVAL;
	return rc;
}
