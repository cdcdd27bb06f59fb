/*
 * What a session does about what is nearly used up: see policy/pressure.h.
 */
#include <smtp/session_internal.h>

#include <policy/pressure.h>
#include <store/store.h>

/* What each message changes is read with each message. */
static void take_readings(const struct smtp_service *service)
{
	struct store_stats stats;

	store_stats(service->store, &stats);
	(void)pressure_note(
	    service->pressure, PRESSURE_QUEUE_MESSAGES, stats.messages);
	(void)pressure_note(
	    service->pressure, PRESSURE_QUEUE_BYTES, stats.bytes);
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
