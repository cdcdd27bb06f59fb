/*
 * What the files of `postern explain` share. A message goes the way it would
 * go through the server, by the server's own functions, up to the request that
 * is built and not sent:
 *
 *   explain_letter.c    what submission makes of it, or why it is refused
 *   explain_offer.c     what one provider would make of it
 *   explain.c           routes and providers in their order; the command
 *   explain_print.c     all that for people
 *   explain_json.c      and for programs
 *   curl.c              a request as a curl command
 */
#pragma once

#include <base/arena.h>
#include <base/buf.h>
#include <base/err.h>
#include <base/id.h>
#include <base/span.h>
#include <config/config.h>
#include <http/http.h>
#include <mail/envelope.h>
#include <mail/message.h>
#include <postern/provider.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct explain_options {
	const char *config, *file;
	const char *user, *sender, *provider; /* NULL: not said */
	const char **to;
	size_t to_count;
	bool is_all, is_json;
};

/* --- explain_letter.c --- */

/* A recipient the server would not take, and why. */
struct explain_shut {
	struct span address;
	const char *why;
};

struct explain_letter {
	const struct config_user *user;
	struct id id; /* as the server would give one */
	char id_text[ID_TEXT_SIZE];
	struct envelope envelope;
	struct explain_shut *shut; /* of the envelope's arena */
	size_t shut_count;
	struct buf raw;          /* header and body as they came, CRLF */
	struct span before;      /* the header in it, or a copy */
	struct message *message; /* NULL: refused before there is one */
	unsigned needs;          /* POSTERN_CARRIES_* for all recipients */
	char refusal[256];       /* why it is not taken; "" when it is */
	const char *kept;        /* a note of header_rewrite, or NULL */
};

/*
 * Read the file and take it through submission. 0, or a negative errno with e
 * filled when nothing can be said of it at all.
 */
int explain_letter_make(struct explain_letter *l, const struct config *c,
    const struct explain_options *o, struct err *e);
void explain_letter_finish(struct explain_letter *l);

/* --- explain_offer.c --- */

enum explain_verdict {
	EXPLAIN_BUILT = 0,
	EXPLAIN_LACKS,    /* it does not carry what the message holds */
	EXPLAIN_REFUSED,  /* its module, or a limit */
	EXPLAIN_NO_KEYS,  /* prepare says that there are none */
	EXPLAIN_NO_SIGHT, /* its module cannot show a request without keys */
	EXPLAIN_FAILED    /* a fault here */
};

/* One provider, and recipients who would go there together. */
struct explain_offer {
	const struct config_provider *provider;
	enum explain_verdict verdict;
	unsigned lacks;      /* of what is needed, with EXPLAIN_LACKS */
	unsigned altered;    /* damaged, as allow_altering has it */
	const char *why;     /* with the other verdicts but BUILT */
	const char *source;  /* of credentials that are fetched, or NULL */
	const char *singly;  /* why each recipient gets a call, or NULL */
	size_t calls, batch; /* how many, of how many recipients */
	bool is_fields;      /* not the message itself */
	bool is_recoded;     /* with leaves encoded for it */
	const char **gone;   /* header fields that do not go on */
	size_t gone_count;
	const char *method, *url; /* of the first call */
	const char **headers;     /* NULL-terminated; by SMTP the envelope */
	const struct http_smtp *smtp; /* NULL: by HTTP */
	uint64_t body_size;
	bool is_shortened;
	const char *body; /* for people: valid UTF-8, shortened */
};

/* All but p itself is of memory of a. */
void explain_offer_make(struct explain_offer *o, const struct explain_letter *l,
    const struct config_provider *p, const struct span *recipients,
    size_t count, struct arena *a);

/* --- explain.c --- */

/* Recipients that go the same way. */
struct explain_group {
	const struct config_route *route; /* NULL: none matches, or not asked */
	size_t index;                     /* of route, in config.routes */
	const char **misfits; /* of the routes before: keys of match */
	struct span *recipients;
	size_t count;
	unsigned needs;
	struct explain_offer *offers; /* in the order they would be tried */
	size_t offer_count;
	bool is_unnamed; /* X-Postern-Provider names none of the route's */
};

struct explain {
	struct explain_options options;
	const struct config *config;
	struct arena arena;
	struct explain_letter letter;
	struct explain_group *groups;
	size_t group_count;
};

/* --- explain_print.c, explain_json.c --- */

void explain_print(const struct explain *x);
/* One object. */
void explain_print_json(const struct explain *x);
/* Names of header fields in one block that the other does not have. */
size_t explain_only_in(
    struct span block, struct span other, struct span *names, size_t max);

/* --- curl.c --- */

/*
 * Text of a body for people: UTF-8, long things cut short. *out_is_short tells
 * that it is not all of it. NULL for memory.
 */
const char *curl_body_text(
    struct span body, struct arena *a, bool *out_is_short);
/* The command, ready for a shell. 0 or a negative errno. */
int curl_command(const struct explain_offer *o, struct buf *out);
