/*
 * What the classify functions of all modules share: reading an answer and
 * writing an outcome. Pure; no globals.
 */
#pragma once

#include <postern/mail.h>
#include <postern/outcome.h>

#include <jansson.h>

#include <stdbool.h>

/* The value of a header in any case of its name; empty when absent. */
struct postern_str answer_header(
    const struct postern_response *response, const char *name);
/* The body parsed, or NULL when it is no JSON; json_decref it. */
json_t *answer_json(const struct postern_response *response);
/* A JSON string; "" when it is none. Borrowed. */
struct postern_str answer_text(const json_t *value);
/* The same of a member of an object. */
struct postern_str answer_member(const json_t *object, const char *name);

/* Decimal digits as a number; false on anything else or beyond 15 digits. */
bool answer_number(struct postern_str s, uint64_t *out);

/*
 * Whether the answer broke off before the words that a status of its kind
 * needs to be understood: of a success that the request was taken by this
 * API, of a 400 or 422 whether the message or the account is to blame. body
 * is the parsed one; NULL when it is no JSON.
 */
bool answer_is_torn(
    const struct postern_response *response, const json_t *body);
/*
 * Fill out by the status alone: what a status means for a provider that says
 * nothing special about it; unknown when its words may be missing.
 * retry_after_ms comes from Retry-After.
 */
void answer_default(
    const struct postern_response *response, struct postern_outcome *out);
/* Retry-After in ms, from seconds or a date; 0 when absent. */
uint64_t answer_retry_after_ms(const struct postern_response *response);

/*
 * Take over what the provider counts, from fields named prefix with Limit,
 * Remaining and Reset behind it: seconds from now, or since 1970. Nothing
 * without the last two.
 */
void answer_allowance(const struct postern_response *response,
    const char *prefix, struct postern_outcome *out);

/*
 * Set the class and a reason "name: text", empty parts left out. Who answered
 * with which status is said by the core.
 */
void answer_set(struct postern_outcome *out, enum postern_class result,
    struct postern_str name, struct postern_str text);
/* Take over the provider's id without angle brackets, cut to its room. */
void answer_set_id(struct postern_outcome *out, struct postern_str id);
/* One more id behind those there are, where it fits as a whole. */
void answer_add_id(struct postern_outcome *out, struct postern_str id);
/*
 * Of a success without what this API says of one: a page of somebody else is
 * account, but JSON may be of the API all the same, so the mail may have been
 * taken and that is unknown. foreign is the sentence that is said.
 */
void answer_foreign(const struct postern_response *response,
    struct postern_str foreign, struct postern_outcome *out);
/* Of a success: accepted with the id in that member of body; else foreign. */
void answer_take(const struct postern_response *response, const json_t *body,
    const char *member, struct postern_str foreign,
    struct postern_outcome *out);
/*
 * Of a success that lists what became of each recipient: what is said of
 * recipient i, known by his address in that member; else the one in his place,
 * unless it is of another of them, as an address may be told in another form
 * than it was asked for. NULL when there is none.
 */
const json_t *answer_row(const struct postern_response *response,
    const json_t *rows, const char *member, size_t i);
/* Name recipient i as refused. */
void answer_reject(struct postern_outcome *out, size_t i);
/* Whether the addresses are there to be looked through; older cores have none.
 */
bool answer_names_recipients(const struct postern_response *response);
