/* See rig.h. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include <mail/mime.h>
#include <support/onloop.h>
#include <support/unit.h>

const char rig_sendgrid_headers[] = "Authorization: Bearer SG.test\r\n"
				    "Content-Type: application/json\r\n";

static void start(void *ctx)
{
	struct rig *r = ctx;

	r->sandbox = sandbox_start(r->loop, &r->settings, &r->e);
}

static void stop(void *ctx, void (*done)(void *), void *done_ctx)
{
	struct rig *r = ctx;

	sandbox_close(r->sandbox, done, done_ctx);
}

void rig_start(struct rig *r)
{
	static bool is_ready;

	if (!is_ready)
		mime_library_init();
	is_ready = true;
	r->settings.address = "127.0.0.1:0";
	r->loop = onloop_start();
	onloop_call(r->loop, start, r);
	ck_assert_msg(r->sandbox != NULL, "%s", r->e.text);
	r->port = sandbox_port(r->sandbox);
}

void rig_stop(struct rig *r)
{
	onloop_await(r->loop, stop, r);
	onloop_stop(r->loop);
}

struct web_answer rig_ask(struct rig *r, const char *method, const char *target,
    const char *headers, const char *body)
{
	struct web_answer a;

	ck_assert(web_ask(r->port, method, target, headers, body,
	    body ? strlen(body) : 0, &a));
	return a;
}

int rig_status(struct rig *r, const char *method, const char *target,
    const char *headers, const char *body)
{
	struct web_answer a = rig_ask(r, method, target, headers, body);

	web_answer_free(&a);
	return a.status;
}

json_t *rig_control(
    struct rig *r, const char *method, const char *target, const char *body)
{
	struct web_answer a = rig_ask(r, method, target, "", body);
	json_t *value = json_loads(a.body, JSON_DECODE_ANY, NULL);

	ck_assert_msg(a.status < 300, "%s %s: %s", method, target, a.body);
	ck_assert_ptr_nonnull(value);
	web_answer_free(&a);
	return value;
}

long rig_count(struct rig *r, const char *provider, const char *key)
{
	json_t *all = rig_control(r, "GET", "/_sandbox/counts", NULL);
	json_t *value = json_object_get(json_object_get(all, provider), key);
	long n = (long)json_integer_value(value);

	ck_assert_ptr_nonnull(value);
	json_decref(all);
	return n;
}

const char *rig_sendgrid_body(const char *recipient)
{
	static char body[1024];

	(void)snprintf(body, sizeof(body),
	    "{\"personalizations\":[{\"to\":[{\"email\":\"%s\"}]}],"
	    "\"from\":{\"email\":\"orders@shop.example\"},"
	    "\"subject\":\"Order 42\",\"content\":[{\"type\":\"text/plain\","
	    "\"value\":\"Thanks.\"}]}",
	    recipient);
	return body;
}

struct web_answer rig_send(struct rig *r, const char *recipient)
{
	return rig_ask(r, "POST", "/sendgrid/v3/mail/send",
	    rig_sendgrid_headers, rig_sendgrid_body(recipient));
}
