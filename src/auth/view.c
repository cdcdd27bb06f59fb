/*
 * One walk over the users per configuration. The decoy key must be the same
 * after a restart and on every replica, or the salts of made-up records would
 * change where real ones do not; yet nobody may be able to compute it. There
 * is no store below us, so it comes from secrets the configuration has
 * anyway: the three SCRAM records whose digests are smallest. That means:
 * with n users, a change of one record changes the key (and shows who was
 * made up, to somebody who asked before and after) with a chance of 3 in n,
 * and three users would have to work together to compute it.
 */
#include <auth/certificate.h>
#include <auth/keyring.h>
#include <auth/view.h>

#include <stdio.h>
#include <stdlib.h>

#define SCRAM "SCRAM-SHA-256"
#define ZEROS_16 "AAAAAAAAAAAAAAAAAAAAAA=="
#define ZEROS_32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

enum {
	DECOY_SOURCES = 3,
	KINDS_MAX = 16
};

static const char *const known_mechanisms[] = { "PLAIN", "LOGIN", SCRAM,
	"EXTERNAL", "OAUTHBEARER", "XOAUTH2" };

/* How many users have records of one method and cost. */
struct kind {
	struct span key;
	struct span record; /* of the first of them */
	size_t count;
};

struct survey {
	struct kind kinds[KINDS_MAX];
	size_t kind_count;
	size_t of_saslauthd; /* users */
	bool all_scram;
	uint8_t smallest[DECOY_SOURCES][HASH_SHA256_SIZE]; /* ascending */
};

/* The part of a record that decides how long hashing takes. */
static struct span kind_key(struct span record)
{
	struct span rest = password_without_label(record), part;
	bool has_label = rest.ptr != record.ptr;

	if (password_is_scram(record))
		return span_cut(&rest, has_label ? ',' : ':');
	record = rest;
	(void)span_cut(&rest, '$');
	part = span_cut(&rest, '$'); /* the method */
	/* Then parameters, unless the salt follows at once. */
	if (!span_eq(part, SPAN("7")) &&
	    (!(span_eq(part, SPAN("5")) || span_eq(part, SPAN("6"))) ||
		span_starts_with(rest, SPAN("rounds="))))
		part = span_cut(&rest, '$');
	if (!part.ptr)
		return record;
	return span_first(record, (size_t)(part.ptr + part.len - record.ptr));
}

static void count_kind(struct survey *s, struct span record)
{
	struct span key = kind_key(record);
	size_t i = 0;

	while (i < s->kind_count && !span_eq(s->kinds[i].key, key))
		i++;
	if (i == KINDS_MAX)
		return;
	if (i == s->kind_count)
		s->kinds[s->kind_count++] =
		    (struct kind){ .key = key, .record = record };
	s->kinds[i].count++;
}

static void keep_smallest(struct survey *s, struct span record)
{
	uint8_t digest[HASH_SHA256_SIZE];
	size_t at = DECOY_SOURCES;

	hash_hmac_sha256(SPAN("postern decoy source"), record, digest);
	while (
	    at > 0 && memcmp(digest, s->smallest[at - 1], sizeof(digest)) < 0)
		at--;
	if (at == DECOY_SOURCES)
		return;
	memmove(s->smallest + at + 1, s->smallest + at,
	    (DECOY_SOURCES - 1 - at) * sizeof(digest));
	memcpy(s->smallest[at], digest, sizeof(digest));
}

static void survey_users(struct survey *s, const struct config *config)
{
	*s = (struct survey){ .all_scram = true };
	memset(s->smallest, 0xff, sizeof(s->smallest));
	for (size_t i = 0; i < config->users.count; i++) {
		struct span record = view_record_of(
		    CONFIG_AT(config->users, struct config_user, i));
		if (!record.len && config->auth.saslauthd) {
			s->of_saslauthd++;
			s->all_scram = false;
		}
		if (!record.len)
			continue;
		count_kind(s, record);
		if (password_is_scram(record))
			keep_smallest(s, record);
		else
			s->all_scram = false;
	}
}

static const char *known_mechanism(struct span name)
{
	size_t n = sizeof(known_mechanisms) / sizeof(known_mechanisms[0]);

	for (size_t i = 0; i < n; i++)
		if (span_ieq(name, span_of(known_mechanisms[i])))
			return known_mechanisms[i];
	return NULL;
}

static void add_word(char list[VIEW_MECHANISMS_SIZE], const char *word)
{
	size_t len = strlen(list);

	(void)snprintf(list + len, VIEW_MECHANISMS_SIZE - len, "%s%s",
	    len ? " " : "", word);
}

static bool is_for_tokens(const char *mechanism)
{
	return !strcmp(mechanism, "OAUTHBEARER") ||
	       !strcmp(mechanism, "XOAUTH2");
}

/*
 * SCRAM is offered before the user is known, and clients that choose it do
 * not fall back: only when it works for all of them.
 */
static void choose_mechanisms(struct view *v, bool all_scram)
{
	bool has_tokens = v->keyring != NULL;
	const struct postern_list *list = &v->config->auth.mechanisms;

	for (size_t i = 0; i < list->count; i++) {
		const char *name =
		    known_mechanism(span_of(CONFIG_STRING(*list, i)));
		if (name && !view_find_mechanism(v, span_of(name)) &&
		    (all_scram || strcmp(name, SCRAM) != 0) &&
		    (has_tokens || !is_for_tokens(name)))
			add_word(v->mechanisms, name);
	}
}

static void choose_dummy(struct view *v, const struct survey *s)
{
	struct password_scram scram;
	size_t most = 0;

	v->dummy_record =
	    SPAN(SCRAM "$10000:" ZEROS_16 "$" ZEROS_32 ":" ZEROS_32);
	for (size_t i = 0; i < s->kind_count; i++)
		if (s->kinds[i].count > most) {
			most = s->kinds[i].count;
			v->dummy_record = s->kinds[i].record;
		}
	v->asks_about_strangers = s->of_saslauthd > most;
	v->decoy_iterations = PASSWORD_ITERATIONS;
	if (password_parse_scram(v->dummy_record, &scram, NULL) == 0)
		v->decoy_iterations = scram.iterations;
}

struct view *view_new(struct config *config, auth_fetch *fetch)
{
	struct view *v = calloc(1, sizeof(*v));
	struct survey survey;

	if (!v)
		return NULL;
	atomic_init(&v->refs, 1);
	v->config = config_ref(config);
	v->fetch = fetch;
	if (config->auth.oauth.issuer) {
		v->keyring = keyring_new(config);
		if (!v->keyring) {
			view_unref(v);
			return NULL;
		}
	}
	survey_users(&survey, config);
	choose_mechanisms(v, survey.all_scram);
	choose_dummy(v, &survey);
	hash_hmac_sha256(SPAN("postern decoy key"),
	    span_make(survey.smallest, sizeof(survey.smallest)), v->decoy_key);
	hash_cleanse(survey.smallest, sizeof(survey.smallest));
	return v;
}

struct view *view_ref(struct view *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void view_unref(struct view *v)
{
	if (!v ||
	    atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
		return;
	keyring_free(v->keyring);
	config_unref(v->config);
	hash_cleanse(v->decoy_key, sizeof(v->decoy_key));
	free(v);
}

const char *view_find_mechanism(const struct view *v, struct span name)
{
	struct span rest = span_of(v->mechanisms);

	while (rest.ptr) {
		struct span offered = span_cut(&rest, ' ');
		if (offered.len && span_ieq(offered, name))
			return known_mechanism(offered);
	}
	return NULL;
}

bool view_offers(const char *mechanism, const struct view *v,
    const struct auth_channel *channel)
{
	if (!strcmp(mechanism, "EXTERNAL"))
		return certificate_user(v->config, channel->proven) != NULL;
	if (is_for_tokens(mechanism))
		return channel->tls_bits > 0;
	return channel->tls_bits > 0 || channel->allow_plaintext;
}

void view_list_mechanisms(const struct view *v,
    const struct auth_channel *channel, char out[VIEW_MECHANISMS_SIZE])
{
	struct span rest = span_of(v->mechanisms);

	out[0] = '\0';
	while (rest.ptr) {
		const char *name = known_mechanism(span_cut(&rest, ' '));

		if (name && view_offers(name, v, channel))
			add_word(out, name);
	}
}

struct span view_record_of(const struct config_user *user)
{
	if (!user || !user->password_hash.ptr)
		return SPAN("");
	return span_make(user->password_hash.ptr, user->password_hash.len);
}

bool view_asks_saslauthd(const struct view *v, const struct config_user *user)
{
	if (!user)
		return v->asks_about_strangers;
	return v->config->auth.saslauthd && view_record_of(user).len == 0;
}

void view_decoy_record(
    const struct view *v, struct span name, char out[PASSWORD_RECORD_SIZE])
{
	struct password_scram s = { .iterations = v->decoy_iterations,
		.salt_len = 16 };
	uint8_t digest[HASH_SHA256_SIZE];

	hash_hmac_sha256(
	    span_make(v->decoy_key, sizeof(v->decoy_key)), name, digest);
	memcpy(s.salt, digest, s.salt_len);
	hash_random(s.stored_key, sizeof(s.stored_key));
	hash_random(s.server_key, sizeof(s.server_key));
	password_format_scram(&s, out);
}
