/*
 * Asking a provider about the account: a module's inquire, step by step. What
 * it finds out is for people, for the gates and for `check --online`; whether
 * it can be asked at all changes nothing for mail.
 */
#include <provider/provider.h>

#include <provider/request_internal.h>

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	REQUESTS_MAX = 4,
	TIMEOUT_MS = 10000
};

struct provider_inquiry {
	const struct postern_provider *module;
	const void *settings;
	struct provider_grant *grant;
	struct postern_request request;
	struct arena answer;
	struct postern_response response;
	struct postern_inquiry shown;
};

bool provider_inquires(const struct postern_provider *p)
{
	return p->size >= offsetof(struct postern_provider, inquire) +
			      sizeof(p->inquire) &&
	       p->inquire;
}

struct provider_inquiry *provider_inquiry_new(const struct postern_provider *p,
    const void *settings, struct provider_grant *grant)
{
	struct provider_inquiry *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->module = p;
	q->settings = settings;
	q->grant = grant ? provider_grant_ref(grant) : NULL;
	q->shown.size = sizeof(q->shown);
	request_init(&q->request, NULL);
	arena_init(&q->answer, RESPONSE_KEPT_MAX);
	return q;
}

void provider_inquiry_free(struct provider_inquiry *q)
{
	if (!q)
		return;
	request_finish(&q->request);
	arena_finish(&q->answer);
	provider_grant_unref(q->grant);
	free(q);
}

/* It ends without an answer. */
static bool end(
    struct provider_inquiry *q, enum postern_class result, const char *reason)
{
	struct postern_inquiry *shown = &q->shown;

	*shown = (struct postern_inquiry){ .size = sizeof(*shown),
		.now = shown->now,
		.step = shown->step,
		.result = result };
	(void)snprintf(shown->reason, sizeof(shown->reason), "%s", reason);
	provider_clean_text(shown->reason, sizeof(shown->reason));
	return false;
}

/* A module may believe what it was told; the gates must not. */
static void make_sound(struct postern_inquiry *q)
{
	if (!isfinite(q->per_second) || q->per_second < 0)
		q->per_second = 0;
	if (q->quota_left > q->quota)
		q->quota_left = q->quota;
	provider_clean_text(q->reason, sizeof(q->reason));
}

static bool judge(struct provider_inquiry *q, int rc)
{
	const struct postern_request *r = &q->request;

	if (rc == 0)
		rc = r->rc;
	if (rc == -EINVAL && r->refusal.code < 0)
		return end(q, POSTERN_ACCOUNT, r->refusal.text);
	if (rc == -ENOMEM)
		return end(q, POSTERN_TRANSIENT, "out of memory");
	if (rc < 0)
		return end(q, POSTERN_ACCOUNT, "the module cannot ask");
	if (!r->method && q->shown.result >= POSTERN_ACCEPTED &&
	    q->shown.result <= POSTERN_UNKNOWN) {
		make_sound(&q->shown);
		return false;
	}
	if (!r->method || !r->url)
		return end(q, POSTERN_ACCOUNT,
		    "the module neither asks nor has an answer");
	if (q->shown.step >= REQUESTS_MAX)
		return end(q, POSTERN_ACCOUNT, "the module asks too often");
	return true;
}

bool provider_inquiry_step(struct provider_inquiry *q, int64_t now)
{
	struct postern_inquiry *shown = &q->shown;
	int rc;

	if (shown->step > 0 && !shown->response)
		return false; /* there was no answer; see below */
	request_finish(&q->request);
	request_init(&q->request, NULL);
	if (q->grant)
		q->request.grant = q->grant->bytes;
	shown->now = q->response.now = now;
	rc = q->module->inquire(q->settings, shown, &request_host, &q->request);
	arena_finish(&q->answer);
	shown->response = NULL;
	return judge(q, rc);
}

static ptrdiff_t read_body(void *ctx, uint64_t offset, char *out, size_t len)
{
	struct provider_inquiry *q = ctx;

	return body_read(&q->request, offset, out, len);
}

void provider_inquiry_http(struct provider_inquiry *q, struct http_call *out)
{
	*out = (struct http_call){ .method = q->request.method,
		.url = q->request.url,
		.headers = request_headers(&q->request),
		.body_size = q->request.body_size,
		.body_read = read_body,
		.ctx = q,
		.timeout_ms = TIMEOUT_MS };
}

void provider_inquiry_answer(
    struct provider_inquiry *q, const struct http_response *response)
{
	char text[POSTERN_REASON_SIZE];

	q->shown.step++;
	if (response->fault == HTTP_FAULT_NONE && response->status != 0) {
		response_keep(&q->answer, response, &q->response);
		q->shown.response = &q->response;
		return;
	}
	(void)snprintf(text, sizeof(text), "%s%s%s",
	    provider_fault_text(response->fault),
	    response->error[0] ? ": " : "", response->error);
	(void)end(q, POSTERN_TRANSIENT, text);
}

const struct postern_inquiry *provider_inquiry_told(
    const struct provider_inquiry *q)
{
	return &q->shown;
}
