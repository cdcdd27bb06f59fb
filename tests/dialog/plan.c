/* See plan.h. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

enum {
	OWN_MAX = 16 /* steps of the runner */
};

static void add(struct plan *p, const struct step *step)
{
	unsigned here = 1U << p->settings->transport;

	if (step->transports == 0 || (step->transports & here))
		p->steps[p->count++] = *step;
}

static void add_own(struct plan *p, enum step_kind kind, char *data)
{
	struct step step = { .kind = kind, .data = data, .len = strlen(data) };

	add(p, &step);
}

static void add_starttls(struct plan *p)
{
	static char hello[] = "EHLO client.test\r\n", code[] = "250",
		    starttls[] = "STARTTLS\r\n",
		    ready[] = "220 2.0.0 Ready to start TLS", none[] = "";

	add_own(p, STEP_SEND, hello);
	add_own(p, STEP_EXPECT_REPLY, code);
	add_own(p, STEP_SEND, starttls);
	add_own(p, STEP_EXPECT, ready);
	add_own(p, STEP_TLS, none);
}

static void add_prefix(struct plan *p)
{
	static char hello[] = "EHLO client.test\r\n",
		    login[] = "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
		    code[] = "250",
		    done[] = "235 2.7.0 Authentication successful";

	if (p->settings->prefix == PREFIX_NONE)
		return;
	add_own(p, STEP_SEND, hello);
	add_own(p, STEP_EXPECT_REPLY, code);
	if (p->settings->prefix != PREFIX_AUTH)
		return;
	add_own(p, STEP_SEND, login);
	add_own(p, STEP_EXPECT, done);
}

/* The script's settings are not played. */
static size_t first_step(const struct script *s)
{
	size_t i = 0;

	while (i < s->count && s->steps[i].kind == STEP_SET)
		i++;
	return i;
}

static bool is_greeting(const struct script *s, size_t i)
{
	return i < s->count && s->steps[i].kind == STEP_EXPECT &&
	       !strncmp(s->steps[i].data, "220", 3);
}

/*
 * The runner's part stands behind the greeting, which is the script's own or
 * also the runner's. Without one, as for a client that is not let in, there
 * is no such part.
 */
void plan_make(
    struct plan *p, const struct script *s, const struct settings *settings)
{
	static char ready[] = "220 mx.test ESMTP Postern", none[] = "";
	size_t next = first_step(s);

	*p = (struct plan){ .settings = settings,
		.steps = calloc(s->count + OWN_MAX, sizeof(*p->steps)) };
	if (!p->steps)
		abort();
	if (settings->prefix != PREFIX_NONE)
		add_own(p, STEP_EXPECT, ready);
	else if (is_greeting(s, next))
		add(p, &s->steps[next++]);
	if (p->count > 0) {
		add_own(p, STEP_WAIT, none);
		if (settings->transport == TRANSPORT_STARTTLS &&
		    !settings->is_cleartext)
			add_starttls(p);
		add_prefix(p);
	}
	while (next < s->count)
		add(p, &s->steps[next++]);
}

void plan_free(struct plan *p)
{
	free(p->steps);
}
