/*
 * What a session does about what is nearly used up: see policy/pressure.h.
 */
#include <smtp/session_internal.h>

#include <policy/pressure.h>
#include <store/store.h>

enum {
	LOOK_MS = 100,
	/* Each may be a header to rewrite and a message to hand over. */
	SLICE = 16, /* sessions that go on in one turn of the loop */
	NEXT_MS = 1 /* to the next slice */
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

static const char *const full = "Insufficient system storage";

const char *smtp_room_why_not(
    const struct smtp_session *s, const struct config_user *user, uint64_t size)
{
	const struct smtp_service *service = s->service;
	struct span name = span_of(user->name);
	struct store_held held;

	if (smtp_tx_mode(s, user) == CONFIG_MODE_DIRECT)
		return size <= SMTP_BODY_MEMORY || smtp_room_has_files(s)
			   ? NULL
			   : full;
	smtp_note_store(service->pressure, service->store);
	if (pressure_asks(service->pressure, PRESSURE_NO_MAIL))
		return full;
	store_held(service->store, name, &held);
	if (pressure_note_user(
		service->pressure, name, held.messages, held.bytes))
		return "Too much of your mail waits to be sent, try again "
		       "later";
	return NULL;
}

bool smtp_room_has_files(const struct smtp_session *s)
{
	return !pressure_asks(s->service->pressure, PRESSURE_NO_FILES);
}

bool smtp_room_must_spill(const struct smtp_session *s)
{
	return pressure_asks(s->service->pressure, PRESSURE_SPILL) &&
	       store_check(s->service->store) == 0;
}

/* --- a pause --- */

static void look_in(struct smtp_service *service, uint64_t ms)
{
	loop_timer_start(service->loop, &service->look_again, ms);
}

/* What stands against its going on, as effects. */
static unsigned obstacles(const struct smtp_session *s)
{
	bool is_stored = s->tx->mode != CONFIG_MODE_DIRECT;

	if (s->tx->body.is_ended)
		return is_stored ? PRESSURE_KEEP_STORED : 0;
	return PRESSURE_PAUSE | (is_stored ? PRESSURE_PAUSE_STORED : 0);
}

/*
 * Once through all, in order, until a slice has gone on; who has to wait on is
 * the last again. Returns whether the slice was full.
 */
static bool go_on_with_some(struct smtp_service *service)
{
	unsigned count = 0;
	struct list end;

	list_append(&service->paused, &end);
	while (count < SLICE && service->paused.next != &end) {
		struct smtp_session *s = container_of(
		    service->paused.next, struct smtp_session, paused);

		list_remove(&s->paused);
		if (pressure_asks(service->pressure, obstacles(s))) {
			list_append(&service->paused, &s->paused);
			continue;
		}
		smtp_content_go_on(s);
		count++;
	}
	list_remove(&end);
	return count == SLICE;
}

static void on_look_again(struct loop_timer *t)
{
	struct smtp_service *service =
	    container_of(t, struct smtp_service, look_again);

	smtp_note_store(service->pressure, service->store);
	bool is_full = go_on_with_some(service);
	if (!list_is_empty(&service->paused))
		look_in(service, is_full ? NEXT_MS : LOOK_MS);
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
	if (!pressure_asks(service->pressure, obstacles(s)))
		return false;
	if (list_is_empty(&service->paused))
		look_in(service, LOOK_MS);
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
