/* A running sandbox and the requests tests send to it. */
#pragma once

#include <sandbox/sandbox.h>
#include <support/web.h>

#include <jansson.h>

struct rig {
	struct loop *loop;
	struct sandbox *sandbox;
	struct sandbox_settings settings;
	struct err e;
	int port;
};

/* settings of r may be filled before. */
void rig_start(struct rig *r);
void rig_stop(struct rig *r);
/* A request with a text body; the answer is the caller's to free. */
struct web_answer rig_ask(struct rig *r, const char *method, const char *target,
    const char *headers, const char *body);
/* As rig_ask, for its status. */
int rig_status(struct rig *r, const char *method, const char *target,
    const char *headers, const char *body);
/* Ask the sandbox's own paths; the JSON answer is a new reference. */
json_t *rig_control(
    struct rig *r, const char *method, const char *target, const char *body);
/* counts[provider][key] */
long rig_count(struct rig *r, const char *provider, const char *key);

/* A SendGrid request that is fine, to this recipient. */
struct web_answer rig_send(struct rig *r, const char *recipient);
/* Its body, static. */
const char *rig_sendgrid_body(const char *recipient);
extern const char rig_sendgrid_headers[];
