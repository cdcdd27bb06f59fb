/*
 * What a session does about what is nearly used up: see policy/pressure.h.
 */
#include <smtp/session_internal.h>

#include <policy/pressure.h>
#include <store/store.h>

enum {
	LOOK_MS = 100
};

/* What each message changes is read with each message. */
static void take_readings(const struct smtp_service *service)
{
	struct store_stats stats;

	store_stats(service->store, &stats);
	(void)pressure_note(
	    service->pressure, PRESSURE_QUEUE_MESSAGES, stats.messages);
	(void)pressure_note(
	    service->pressure, PRESSURE_QUEUE_BYTES, stats.bytes);
	(void)pressure_note(
	    service->pressure, PRESSURE_UNSYNCED, stats.unsynced_bytes);
	(void)pressure_note(service->pressure, PRESSURE_SYNC, stats.sync_ms);
}

const char *smtp_room_why_not(
    const struct smtp_session *s, const struct config_user *user)
{
	const struct smtp_service *service = s->service;
	struct span name = span_of(user->name);
	struct store_held held;

	take_readings(service);
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

/* One after the other, as long as nothing stands against it. */
static void on_look_again(struct loop_timer *t)
{
	struct smtp_service *service =
	    container_of(t, struct smtp_service, look_again);

	take_readings(service);
	while (!list_is_empty(&service->paused) &&
	       !pressure_asks(service->pressure, PRESSURE_PAUSE)) {
		struct smtp_session *s = container_of(
		    service->paused.next, struct smtp_session, paused);

		list_remove(&s->paused);
		smtp_content_go_on(s);
	}
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

	take_readings(service);
	if (!pressure_asks(service->pressure, PRESSURE_PAUSE))
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
