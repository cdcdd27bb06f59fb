/*
 * What a session does about what is nearly used up: see policy/pressure.h.
 */
#include <smtp/session_internal.h>

#include <policy/pressure.h>
#include <store/store.h>

enum {
	LOOK_MS = 100
};

void smtp_note_store(struct pressure *p, struct store *store)
{
	struct store_stats stats;

	store_stats(store, &stats);
	(void)pressure_note(p, PRESSURE_QUEUE_MESSAGES, stats.messages);
	(void)pressure_note(p, PRESSURE_QUEUE_BYTES, stats.bytes);
	(void)pressure_note(p, PRESSURE_UNSYNCED, stats.unsynced_bytes);
	(void)pressure_note(p, PRESSURE_SYNC, stats.sync_ms);
}

const char *smtp_room_why_not(
    const struct smtp_session *s, const struct config_user *user)
{
	const struct smtp_service *service = s->service;
	struct span name = span_of(user->name);
	struct store_held held;

	smtp_note_store(service->pressure, service->store);
	if (pressure_asks(service->pressure, PRESSURE_NO_MAIL))
		return "Insufficient system storage";
	store_held(service->store, name, &held);
	if (pressure_note_user(
		service->pressure, name, held.messages, held.bytes))
		return "Too much of your mail waits to be sent";
	return NULL;
}

/* --- a pause --- */

static void look_later(struct smtp_service *service)
{
	loop_timer_start(service->loop, &service->look_again, LOOK_MS);
}

/* What stands against its going on. */
static enum pressure_effect obstacle(const struct smtp_session *s)
{
	return s->tx->body.is_ended ? PRESSURE_KEEP : PRESSURE_PAUSE;
}

/* Once through all, in order; who has to wait on is the last again. */
static void on_look_again(struct loop_timer *t)
{
	struct smtp_service *service =
	    container_of(t, struct smtp_service, look_again);
	struct list end;

	smtp_note_store(service->pressure, service->store);
	list_append(&service->paused, &end);
	while (service->paused.next != &end) {
		struct smtp_session *s = container_of(
		    service->paused.next, struct smtp_session, paused);

		list_remove(&s->paused);
		if (pressure_asks(service->pressure, obstacle(s)))
			list_append(&service->paused, &s->paused);
		else
			smtp_content_go_on(s);
	}
	list_remove(&end);
	if (!list_is_empty(&service->paused))
		look_later(service);
}

void smtp_room_init(struct smtp_service *service)
{
	list_init(&service->paused);
	loop_timer_init(&service->look_again, on_look_again);
}

bool smtp_room_must_pause(struct smtp_session *s)
{
	struct smtp_service *service = s->service;

	smtp_note_store(service->pressure, service->store);
	if (!pressure_asks(service->pressure, obstacle(s)))
		return false;
	if (list_is_empty(&service->paused))
		look_later(service);
	list_remove(&s->paused);
	list_append(&service->paused, &s->paused);
	return true;
}

void smtp_room_leave(struct smtp_session *s)
{
	struct smtp_service *service = s->service;

	list_remove(&s->paused);
	if (list_is_empty(&service->paused))
		loop_timer_stop(service->loop, &service->look_again);
}
