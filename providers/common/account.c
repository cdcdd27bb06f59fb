/* See account.h. */
#include <common/account.h>

#include <common/answer.h>
#include <common/str.h>
#include <common/text.h>
#include <common/url.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

void account_say(struct postern_inquiry *q, const char *text)
{
	(void)snprintf(q->reason, sizeof(q->reason), "%s", text);
}

static int ask(const struct account *a, const struct postern_host *host,
    struct postern_request *r)
{
	const char *url = url_join(host, r, a->base, a->path);
	struct text key;

	text_init(&key, host, r);
	text_add_cstr(&key, a->scheme);
	text_add(&key, str_make(a->key.ptr, a->key.len));
	if (!url || !text_finish(&key))
		return -ENOMEM;
	(void)host->method(r, "GET");
	(void)host->url(r, url);
	(void)host->header(r, a->header, key.data);
	return host->header(r, "Accept", "application/json");
}

static void refuse(const struct account *a, const void *settings,
    const struct postern_response *response, struct postern_inquiry *q)
{
	uint8_t rejected[1] = { 0 };
	struct postern_outcome o = { .size = sizeof(o), .rejected = rejected };

	a->classify(settings, response, &o);
	q->result = o.result;
	memcpy(q->reason, o.reason, sizeof(q->reason));
}

int account_inquire(const struct account *a, const void *settings,
    struct postern_inquiry *q, const struct postern_host *host,
    struct postern_request *r)
{
	json_t *body;

	if (!q->response)
		return ask(a, host, r);
	body = answer_json(q->response);
	q->result = POSTERN_ACCEPTED;
	if (q->response->status != 200)
		refuse(a, settings, q->response, q);
	if (q->response->status != 200 && a->read_error)
		a->read_error(body, q);
	/* A success of somebody else is none. */
	if (q->result == POSTERN_ACCEPTED &&
	    (q->response->status != 200 || !a->read(body, q))) {
		q->result = POSTERN_ACCOUNT;
		account_say(q, "not an answer of this API: check url");
	}
	json_decref(body);
	return 0;
}
