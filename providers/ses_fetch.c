/*
 * Keys that are asked for by HTTP: at STS with the token of a web identity
 * (EKS IRSA), at the agent of a task (ECS) or pod (EKS Pod Identity), and at
 * the metadata of an instance (IMDSv2 only). One request each, three for an
 * instance.
 */
#include <ses_quest.h>

#include <common/answer.h>
#include <common/text.h>
#include <common/url.h>

#include <errno.h>

enum {
	UNTOLD_SECONDS = 15 * 60, /* keys that do not say when they end */
	OVERDUE_SECONDS = 10 * 60 /* how long ended ones are used, see below */
};

/* --- answers --- */

/* Keys that were asked for: they always end. */
static int give_fetched(const struct ses_quest *q, struct ses_keys *keys)
{
	int64_t now = q->p->now;

	if (keys->expires == 0)
		keys->expires = now + UNTOLD_SECONDS;
	if (keys->expires > now)
		return quest_give(q, keys);
	/*
	 * An instance keeps its last keys when it cannot get new ones, and
	 * AWS goes on taking them.
	 */
	if (q->state->source == SES_INSTANCE) {
		keys->expires = now + OVERDUE_SECONDS;
		return quest_give(q, keys);
	}
	return quest_refuse(q, POSTERN_TRANSIENT,
	    "the keys it gave have expired already (is the clock right?)");
}

/* An answer that is no success; name and text may be empty. */
static int refuse_answer(
    const struct ses_quest *q, struct postern_str name, struct postern_str text)
{
	int status = q->p->response->status;
	enum postern_class result = POSTERN_ACCOUNT;

	if (status >= 500 || str_has(name, "IDPCommunicationError"))
		result = POSTERN_TRANSIENT;
	else if (status == 429 || str_has(name, "Throttl"))
		result = POSTERN_THROTTLED;
	return quest_refuse(q, result, "answered %d%s%.*s%s%.*s", status,
	    name.len > 0 ? " " : "", (int)(name.len < 80 ? name.len : 80),
	    name.ptr, text.len > 0 ? ": " : "",
	    (int)(text.len < 200 ? text.len : 200), text.ptr);
}

/* With the words of an agent or of instance metadata. */
static int refuse_json(const struct ses_quest *q)
{
	json_t *root = answer_json(q->p->response);
	struct postern_str name = answer_member(root, "Code");
	struct postern_str text = answer_member(root, "Message");
	int rc;

	if (name.len == 0)
		name = answer_member(root, "code");
	if (text.len == 0)
		text = answer_member(root, "message");
	if (name.len == 0 && q->p->response->status == 200)
		text = STR("these are no keys");
	rc = refuse_answer(q, name, text);
	json_decref(root);
	return rc;
}

static int take_json(const struct ses_quest *q)
{
	const struct postern_response *response = q->p->response;
	struct ses_keys keys;
	int rc = ses_keys_from_json(response->body, q->host, q->r, &keys);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0 || response->status != 200)
		return refuse_json(q);
	return give_fetched(q, &keys);
}

/* --- web identity --- */

static const char *role_arn(const struct ses_quest *q)
{
	const char *role = q->settings->role_arn;

	return role ? role : quest_env(q, "AWS_ROLE_ARN");
}

static const char *identity_path(const struct ses_quest *q)
{
	const char *path = q->settings->web_identity_token_file;

	return path ? path : quest_env(q, "AWS_WEB_IDENTITY_TOKEN_FILE");
}

bool fetch_has_web_identity(const struct ses_quest *q)
{
	return role_arn(q) && identity_path(q);
}

static void add_parameter(
    const struct ses_quest *q, const char *name, struct postern_str value)
{
	const char *encoded = q->host->percent(q->r, value);

	(void)q->host->body(q->r, name, strlen(name));
	if (encoded)
		(void)q->host->body(q->r, encoded, strlen(encoded));
}

static const char *sts_url(const struct ses_quest *q, const char *region)
{
	const char *base = quest_env(q, "AWS_ENDPOINT_URL_STS");
	struct text t;

	if (base)
		return url_join(q->host, q->r, base, "/");
	text_init(&t, q->host, q->r);
	text_add_cstr(&t, "https://sts.");
	text_add_cstr(&t, region);
	text_add_cstr(&t, ".amazonaws.com/");
	return text_finish(&t);
}

static int ask_sts(const struct ses_quest *q, const char *role,
    const char *region, struct postern_str token)
{
	const char *session = quest_env(q, "AWS_ROLE_SESSION_NAME");
	const char *url = sts_url(q, region);

	if (!url)
		return -ENOMEM;
	(void)q->host->method(q->r, "POST");
	(void)q->host->url(q->r, url);
	(void)q->host->header(
	    q->r, "Content-Type", "application/x-www-form-urlencoded");
	add_parameter(q,
	    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=",
	    str_of(role));
	add_parameter(
	    q, "&RoleSessionName=", str_of(session ? session : "postern"));
	add_parameter(q, "&WebIdentityToken=", token);
	return 0;
}

static int begin_web_identity(const struct ses_quest *q)
{
	const char *role = role_arn(q), *path = identity_path(q);
	const char *region = quest_region(q);
	struct postern_str token;
	int rc;

	quest_source(q, "web identity", role ? role : "");
	if (!role || !path)
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "set AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, as the "
		    "service account of the pod does, or role_arn and "
		    "web_identity_token_file");
	if (!region)
		return quest_refuse_region(q);
	rc = q->host->file(q->r, path, &token);
	if (rc < 0)
		return quest_refuse_file(q, path, rc);
	token = prepare_trim(token);
	if (token.len == 0)
		return quest_refuse(q, POSTERN_ACCOUNT, "%s is empty", path);
	return ask_sts(q, role, region, token);
}

int fetch_web_identity(const struct ses_quest *q)
{
	const struct postern_response *response = q->p->response;
	struct ses_keys keys;

	if (q->state->step == 1)
		return begin_web_identity(q);
	if (response->status != 200)
		return refuse_answer(q, ses_xml_text(response->body, "Code"),
		    ses_xml_text(response->body, "Message"));
	if (!ses_keys_from_xml(response->body, &keys))
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "what it answered is not of STS: check "
		    "AWS_ENDPOINT_URL_STS");
	return give_fetched(q, &keys);
}

/* --- container --- */

static const char *container_url(const struct ses_quest *q)
{
	const char *relative =
	    quest_env(q, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");

	if (relative)
		return url_join(
		    q->host, q->r, "http://169.254.170.2", relative);
	return quest_env(q, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

bool fetch_has_container(const struct ses_quest *q)
{
	return container_url(q) != NULL;
}

/* The file goes first: its content is replaced before it runs out. */
static int authorize(const struct ses_quest *q)
{
	const char *path =
	    quest_env(q, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *given = quest_env(q, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
	struct postern_str token = str_of(given);
	struct text t;
	int rc = 0;

	if (path)
		rc = q->host->file(q->r, path, &token);
	if (rc < 0)
		return quest_refuse_file(q, path, rc);
	token = prepare_trim(token);
	if (token.len == 0 && !path)
		return 0;
	if (!prepare_is_token(token))
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "its authorization token is not one line of text");
	text_init(&t, q->host, q->r);
	text_add(&t, token);
	return text_finish(&t) ? q->host->header(q->r, "Authorization", t.data)
			       : -ENOMEM;
}

int fetch_container(const struct ses_quest *q)
{
	const char *url = container_url(q);
	int rc;

	if (q->state->step > 1)
		return take_json(q);
	quest_source(q, "container", "");
	if (!url)
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI is "
		    "set where a task or a pod has a role");
	rc = authorize(q);
	if (rc < 0)
		return rc;
	(void)q->host->method(q->r, "GET");
	(void)q->host->header(q->r, "Accept", "application/json");
	return q->host->url(q->r, url);
}

/* --- instance --- */

#define ROLES "/latest/meta-data/iam/security-credentials/"

static bool is_disabled(const struct ses_quest *q)
{
	return str_ieq(
	    str_of(quest_env(q, "AWS_EC2_METADATA_DISABLED")), STR("true"));
}

bool fetch_has_instance(const struct ses_quest *q)
{
	return !is_disabled(q);
}

static int ask_metadata(const struct ses_quest *q, const char *path)
{
	const char *base = quest_env(q, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode =
	    quest_env(q, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	const char *url;

	if (!base)
		base = str_ieq(str_of(mode), STR("IPv6"))
			   ? "http://[fd00:ec2::254]"
			   : "http://169.254.169.254";
	url = url_join(q->host, q->r, base, path);
	if (q->state->token[0])
		(void)q->host->header(
		    q->r, "X-aws-ec2-metadata-token", q->state->token);
	return url ? q->host->url(q->r, url) : -ENOMEM;
}

static int ask_session(const struct ses_quest *q)
{
	quest_source(q, "instance metadata", "");
	if (is_disabled(q))
		return quest_refuse(
		    q, POSTERN_ACCOUNT, "AWS_EC2_METADATA_DISABLED is set");
	(void)q->host->method(q->r, "PUT");
	(void)q->host->header(
	    q->r, "X-aws-ec2-metadata-token-ttl-seconds", "300");
	return ask_metadata(q, "/latest/api/token");
}

static int ask_role(const struct ses_quest *q)
{
	struct postern_str token = prepare_trim(q->p->response->body);

	if (q->p->response->status != 200)
		return refuse_answer(
		    q, STR(""), STR("no token of IMDSv2 is to be had"));
	if (!prepare_is_token(token) || token.len >= sizeof(q->state->token))
		return quest_refuse(
		    q, POSTERN_ACCOUNT, "its token is no token of IMDSv2");
	memcpy(q->state->token, token.ptr, token.len);
	(void)q->host->method(q->r, "GET");
	return ask_metadata(q, ROLES);
}

/* The first line names the role. */
static int ask_keys(const struct ses_quest *q)
{
	struct postern_str role = q->p->response->body;
	const char *end = memchr(role.ptr, '\n', role.len);
	const char *name;
	struct text path;

	if (end)
		role.len = (size_t)(end - role.ptr);
	role = prepare_trim(role);
	if (q->p->response->status == 404 || role.len == 0)
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "this instance has no role: attach an instance profile");
	if (q->p->response->status != 200)
		return refuse_answer(q, STR(""), STR(""));
	name = q->host->percent(q->r, role);
	text_init(&path, q->host, q->r);
	text_add_cstr(&path, ROLES);
	text_add_cstr(&path, name ? name : "");
	if (!name || !text_finish(&path))
		return -ENOMEM;
	(void)q->host->method(q->r, "GET");
	return ask_metadata(q, path.data);
}

int fetch_instance(const struct ses_quest *q)
{
	switch (q->state->step) {
	case 1:
		return ask_session(q);
	case 2:
		return ask_role(q);
	case 3:
		return ask_keys(q);
	default:
		return take_json(q);
	}
}
