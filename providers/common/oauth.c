/* See oauth.h. */
#include <common/oauth.h>

#include <common/answer.h>
#include <common/text.h>
#include <common/url.h>

#include <errno.h>
#include <stdio.h>

enum {
	UNTOLD_SECONDS = 15 * 60, /* a token that does not say when it ends */
	LIFETIME_MAX = 24 * 3600,
	WHO_MAX = 64,
	HOST_MAX = 64
};

int oauth_ask(struct oauth *o, const char *url, const char *who)
{
	struct postern_str place = url_host(url);

	(void)snprintf(o->step.p->source, sizeof(o->step.p->source),
	    "token from %.*s for %.*s",
	    (int)(place.len < HOST_MAX ? place.len : HOST_MAX), place.ptr,
	    WHO_MAX, who);
	if (o->step.p->is_rehearsal) {
		o->step.p->grant = (struct postern_secret){ POSTERN_MASK,
			sizeof(POSTERN_MASK) - 1 };
		o->step.p->is_stand_in = true;
		return 0;
	}
	(void)o->step.host->method(o->step.r, "POST");
	(void)o->step.host->url(o->step.r, url);
	(void)o->step.host->header(o->step.r, "Accept", "application/json");
	return o->step.host->header(
	    o->step.r, "Content-Type", "application/x-www-form-urlencoded");
}

void oauth_field(struct oauth *o, const char *name, struct postern_str value)
{
	const char *encoded = o->step.host->percent(o->step.r, value);

	if (o->has_fields)
		(void)o->step.host->body(o->step.r, "&", 1);
	o->has_fields = true;
	(void)o->step.host->body(o->step.r, name, strlen(name));
	(void)o->step.host->body(o->step.r, "=", 1);
	if (encoded)
		(void)o->step.host->body(o->step.r, encoded, strlen(encoded));
}

/* A number, or a text with one. */
static int64_t lifetime_of(const json_t *body)
{
	const json_t *member = json_object_get(body, "expires_in");
	uint64_t seconds = UNTOLD_SECONDS;

	if (json_is_integer(member) && json_integer_value(member) >= 0)
		seconds = (uint64_t)json_integer_value(member);
	else if (json_is_string(member) &&
		 !answer_number(answer_member(body, "expires_in"), &seconds))
		seconds = UNTOLD_SECONDS;
	return seconds < LIFETIME_MAX ? (int64_t)seconds : LIFETIME_MAX;
}

static int give(struct oauth *o, const json_t *body)
{
	struct postern_str token = answer_member(body, "access_token");
	char *copy;

	if (!prepare_is_token(token))
		return prepare_refuse(&o->step, POSTERN_ACCOUNT,
		    "what it answered holds no access token: check the URL");
	copy = o->step.host->alloc(o->step.r, token.len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, token.ptr, token.len);
	o->step.p->grant = (struct postern_secret){ copy, token.len };
	o->step.p->expires = o->step.p->now + lifetime_of(body);
	return 0;
}

static enum postern_class class_of(int status, struct postern_str error)
{
	if (status == 429)
		return POSTERN_THROTTLED;
	if (status >= 500 || str_ieq(error, STR("temporarily_unavailable")) ||
	    str_ieq(error, STR("server_error")))
		return POSTERN_TRANSIENT;
	return POSTERN_ACCOUNT;
}

static int refuse_answer(struct oauth *o, const json_t *body)
{
	struct postern_str error = answer_member(body, "error");
	struct postern_str text = answer_member(body, "error_description");
	int status = o->step.p->response->status;

	return prepare_refuse(&o->step, class_of(status, error),
	    "answered %d%s%.*s%s%.*s", status, error.len > 0 ? " " : "",
	    (int)(error.len < 64 ? error.len : 64), error.ptr,
	    text.len > 0 ? ": " : "", (int)(text.len < 200 ? text.len : 200),
	    text.ptr);
}

int oauth_take(struct oauth *o)
{
	json_t *body;
	int rc;

	if (!o->step.p->response)
		return prepare_refuse(&o->step, POSTERN_TRANSIENT, "%s",
		    o->step.p->fault ? o->step.p->fault : "no answer");
	body = answer_json(o->step.p->response);
	if (o->step.p->response->status == 200)
		rc = give(o, body);
	else
		rc = refuse_answer(o, body);
	json_decref(body);
	return rc;
}

int oauth_authorize(const struct postern_host *host, struct postern_request *r)
{
	struct postern_secret token = host->grant(r);
	struct text value;

	text_init(&value, host, r);
	text_add_cstr(&value, "Bearer ");
	text_add(&value, str_make(token.ptr, token.len));
	if (!text_finish(&value))
		return -ENOMEM;
	return host->header(r, "Authorization", value.data);
}
