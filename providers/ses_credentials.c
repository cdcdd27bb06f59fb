/*
 * The keys that requests are signed with, and where they come from:
 *
 *   settings        access_key_id and secret_access_key
 *   environment     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and a token
 *   web identity    a token from a file, traded at STS (IRSA of EKS)
 *   file            a profile of the shared credentials file
 *   container       the agent of a task (ECS) or pod (EKS Pod Identity)
 *   instance        metadata of the machine (IMDSv2)
 *
 * With `credentials: auto` the first one that is there is taken, in this
 * order, which is that of AWS's own libraries, and as they do it stays with
 * that one when it fails.
 */
#include <ses_credentials.h>

#include <common/url.h>
#include <ses_quest.h>

enum {
	FILE_SECONDS = 15 * 60 /* then it is read again */
};

_Static_assert(sizeof(struct ses_state) <= SES_STATE_SIZE, "it must fit");

/* --- settings, environment --- */

static int from_settings(const struct ses_quest *q)
{
	const struct ses_settings *s = q->settings;
	struct ses_keys keys = { .id = str_of(s->access_key_id),
		.secret = str_make(
		    s->secret_access_key.ptr, s->secret_access_key.len),
		.token = str_make(s->session_token.ptr, s->session_token.len) };

	quest_source(q, "settings", "");
	return quest_give(q, &keys);
}

static int from_environment(const struct ses_quest *q)
{
	struct ses_keys keys = { .id =
				     str_of(quest_env(q, "AWS_ACCESS_KEY_ID")),
		.secret = str_of(quest_env(q, "AWS_SECRET_ACCESS_KEY")),
		.token = str_of(quest_env(q, "AWS_SESSION_TOKEN")) };

	quest_source(q, "environment", "");
	if (keys.id.len == 0 || keys.secret.len == 0)
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both "
		    "set");
	return quest_give(q, &keys);
}

/* --- shared file --- */

static const char *file_path(const struct ses_quest *q)
{
	const char *path = quest_env(q, "AWS_SHARED_CREDENTIALS_FILE");
	const char *home = quest_env(q, "HOME");

	if (path || !home)
		return path;
	return url_join(q->host, q->r, home, "/.aws/credentials");
}

static const char *profile_name(const struct ses_quest *q)
{
	const char *name = q->settings->profile;

	if (!name)
		name = quest_env(q, "AWS_PROFILE");
	return name ? name : "default";
}

static int from_file(const struct ses_quest *q)
{
	const char *path = file_path(q), *profile = profile_name(q);
	struct postern_str text;
	struct ses_keys keys;
	int rc;

	quest_source(q, "file", path ? path : "");
	if (!path)
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "set AWS_SHARED_CREDENTIALS_FILE, as there is no HOME");
	rc = q->host->file(q->r, path, &text);
	if (rc < 0)
		return quest_refuse_file(q, "", rc);
	if (!ses_keys_from_profile(text, str_of(profile), &keys))
		return quest_refuse(
		    q, POSTERN_ACCOUNT, "there is no profile [%s]", profile);
	if (keys.id.len == 0 || keys.secret.len == 0)
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "profile [%s] has no aws_access_key_id and "
		    "aws_secret_access_key (roles and processes of profiles "
		    "are not followed)",
		    profile);
	keys.expires = q->p->now + FILE_SECONDS;
	return quest_give(q, &keys);
}

static bool has_profile(const struct ses_quest *q)
{
	const char *path = file_path(q);
	struct postern_str text;
	struct ses_keys keys;

	return path && q->host->file(q->r, path, &text) == 0 &&
	       ses_keys_from_profile(text, str_of(profile_name(q)), &keys) &&
	       keys.id.len > 0;
}

/* --- the chain --- */

static enum ses_source find_source(const struct ses_quest *q)
{
	const struct ses_settings *s = q->settings;

	/* What is said in the configuration is meant. */
	if (s->access_key_id)
		return SES_STATIC;
	if (s->role_arn || s->web_identity_token_file)
		return SES_WEB_IDENTITY;
	if (s->profile)
		return SES_FILE;
	if (quest_env(q, "AWS_ACCESS_KEY_ID") &&
	    quest_env(q, "AWS_SECRET_ACCESS_KEY"))
		return SES_ENVIRONMENT;
	if (fetch_has_web_identity(q))
		return SES_WEB_IDENTITY;
	if (has_profile(q))
		return SES_FILE;
	if (fetch_has_container(q))
		return SES_CONTAINER;
	return fetch_has_instance(q) ? SES_INSTANCE : SES_AUTO;
}

static int from_nowhere(const struct ses_quest *q)
{
	return quest_refuse(q, POSTERN_ACCOUNT,
	    "there are no AWS keys: neither access_key_id, nor in the "
	    "environment, nor a web identity, nor a profile of a shared file, "
	    "nor an agent of a container, and instance metadata is disabled");
}

static int no_answer(const struct ses_quest *q)
{
	bool is_instance = q->state->source == SES_INSTANCE;
	bool is_guess = is_instance && q->settings->credentials == SES_AUTO;

	return quest_refuse(q, POSTERN_TRANSIENT, "no answer (%s)%s%s",
	    q->p->fault,
	    is_instance ? ", in a container the hop limit must be 2" : "",
	    is_guess ? "; no other source has AWS keys, see credentials" : "");
}

/* Whether the keys of that source are temporary. */
static bool has_token(const struct ses_quest *q)
{
	switch (q->state->source) {
	case SES_STATIC:
		return q->settings->session_token.ptr != NULL;
	case SES_ENVIRONMENT:
		return quest_env(q, "AWS_SESSION_TOKEN") != NULL;
	case SES_FILE:
		return false;
	default:
		return true;
	}
}

/* In place of what the source would give; an id in the settings is no secret.
 */
static int stand_in(const struct ses_quest *q)
{
	struct ses_keys keys = { .id = STR(POSTERN_MASK),
		.secret = STR(POSTERN_MASK),
		.token = has_token(q) ? STR(POSTERN_MASK) : STR("") };

	if (q->state->source == SES_STATIC)
		keys.id = str_of(q->settings->access_key_id);
	q->p->is_stand_in = true;
	return quest_give(q, &keys);
}

int ses_prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r)
{
	static int (*const sources[SES_SOURCES])(const struct ses_quest *q) = {
		[SES_AUTO] = from_nowhere,
		[SES_STATIC] = from_settings,
		[SES_ENVIRONMENT] = from_environment,
		[SES_FILE] = from_file,
		[SES_WEB_IDENTITY] = fetch_web_identity,
		[SES_CONTAINER] = fetch_container,
		[SES_INSTANCE] = fetch_instance,
	};
	const struct ses_quest q = { settings, p, host, r, p->state };

	if (q.state->step++ == 0) {
		q.state->source = (enum ses_source)q.settings->credentials;
		if (q.state->source == SES_AUTO)
			q.state->source = find_source(&q);
	}
	if (p->fault)
		return no_answer(&q);
	int rc = sources[q.state->source](&q);
	return rc == 0 && p->is_rehearsal ? stand_in(&q) : rc;
}

/* --- at configuration time --- */

static const char *check_static(const struct ses_settings *s)
{
	bool is_allowed =
	    s->credentials == SES_AUTO || s->credentials == SES_STATIC;

	if (!s->access_key_id && !s->secret_access_key.ptr &&
	    !s->session_token.ptr)
		return s->credentials == SES_STATIC
			   ? "credentials: static needs access_key_id and "
			     "secret_access_key"
			   : NULL;
	if (!s->access_key_id || !s->secret_access_key.ptr)
		return "access_key_id and secret_access_key need each other";
	return is_allowed ? NULL
			  : "access_key_id is for credentials: static, or auto";
}

const char *ses_credentials_check(const struct ses_settings *s)
{
	const char *why = check_static(s);
	bool is_role = s->role_arn || s->web_identity_token_file;

	if (why)
		return why;
	if (is_role && s->credentials != SES_WEB_IDENTITY &&
	    (s->credentials != SES_AUTO || s->access_key_id || s->profile))
		return "role_arn and web_identity_token_file are for "
		       "credentials: web_identity";
	if (s->profile && s->credentials != SES_FILE &&
	    (s->credentials != SES_AUTO || s->access_key_id))
		return "profile is for credentials: file";
	return NULL;
}
