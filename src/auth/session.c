/*
 * One AUTH command. Answers are always delivered from a task, so a caller is
 * never called back inside its own call. Three things may outlive a session
 * that ends: its task, when it has been posted (then the task frees it), the
 * task of its wait, likewise, and the hash itself, which owns what it needs.
 */
#include <auth/auth_internal.h>
#include <auth/certificate.h>
#include <auth/exchange.h>
#include <loop/loop.h>

#include <assert.h>
#include <stdlib.h>

enum state {
	STATE_IDLE = 0,  /* the client's turn, or all over */
	STATE_ANSWERING, /* task is posted */
	STATE_HASHING,   /* wait is listed, or its task posted */
	STATE_ENDED      /* freed by the task that is still to run */
};

/* Owned by its user; on the user's loop only. */
struct auth_session {
	enum state state;
	struct loop *loop;
	struct verifier *verifier;
	struct view *view;         /* a reference */
	struct exchange *exchange; /* NULL when the mechanism was refused */
	const char *mechanism;
	struct task task;
	struct verify_wait wait;
	struct auth_answer answer;
	void (*on_answer)(void *ctx, const struct auth_answer *answer);
	void *ctx;
};

/* The last thing a task does: the user may end the session. */
static void deliver(struct auth_session *s)
{
	struct auth_answer answer = s->answer;

	s->state = STATE_IDLE;
	s->on_answer(s->ctx, &answer);
}

static void on_task(struct task *t)
{
	struct auth_session *s = container_of(t, struct auth_session, task);

	if (s->state == STATE_ENDED)
		free(s);
	else
		deliver(s);
}

static void on_verdict(struct task *t)
{
	struct auth_session *s =
	    container_of(t, struct auth_session, wait.task);

	if (s->state == STATE_ENDED)
		free(s);
	else if (exchange_resume(s->exchange, &s->answer))
		deliver(s);
}

static void settle(struct auth_session *s, bool is_answered)
{
	s->state = is_answered ? STATE_ANSWERING : STATE_HASHING;
	if (is_answered)
		loop_post(s->loop, &s->task);
}

static bool refuse(
    struct auth_session *s, enum auth_result result, const char *detail)
{
	s->answer = (struct auth_answer){ .result = result, .detail = detail };
	return true;
}

static bool start_exchange(
    struct auth_session *s, const struct auth_start *start)
{
	struct exchange_setup setup = {
		.view = s->view,
		.verifier = s->verifier,
		.wait = &s->wait,
		.hostname = start->hostname,
		.channel = start->channel,
	};
	const char *mechanism = view_find_mechanism(s->view, start->mechanism);
	const struct config_user *owner =
	    certificate_user(start->config, start->channel.proven);

	if (!mechanism)
		return refuse(s, AUTH_NO_MECHANISM, "mechanism not offered");
	s->mechanism = mechanism;
	if (!view_offers(mechanism, s->view, &start->channel))
		return start->channel.tls_bits > 0
			   ? refuse(s, AUTH_NO_MECHANISM,
				 "no certificate of a user")
			   : refuse(s, AUTH_NEEDS_TLS, "no TLS");
	setup.certificate_user = owner ? owner->name : NULL;
	s->exchange = exchange_new(&setup);
	if (!s->exchange)
		return refuse(s, AUTH_UNAVAILABLE, "libsasl2 has no memory");
	return exchange_start(s->exchange, mechanism,
	    start->has_initial ? &start->initial : NULL, &s->answer);
}

struct auth_session *auth_begin(struct auth *a, const struct auth_start *start)
{
	struct auth_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->view = auth_view(a, start->config);
	if (!s->view) {
		free(s);
		return NULL;
	}
	s->verifier = auth_verifier(a);
	s->loop = s->wait.loop = start->loop;
	s->task.run = on_task;
	s->wait.task.run = on_verdict;
	list_init(&s->wait.link);
	s->mechanism = "unknown";
	s->on_answer = start->on_answer;
	s->ctx = start->ctx;
	settle(s, start_exchange(s, start));
	return s;
}

void auth_step(struct auth_session *s, struct span response)
{
	assert(s->state == STATE_IDLE && s->answer.result == AUTH_CONTINUE);
	settle(s, exchange_step(s->exchange, response, &s->answer));
}

void auth_end(struct auth_session *s)
{
	bool has_task;

	if (!s)
		return;
	has_task = s->state == STATE_ANSWERING ||
		   (s->state == STATE_HASHING &&
		       !verify_cancel(s->verifier, &s->wait));
	exchange_free(s->exchange);
	view_unref(s->view);
	if (has_task)
		s->state = STATE_ENDED;
	else
		free(s);
}

const char *auth_session_mechanism(const struct auth_session *s)
{
	return s->mechanism;
}
