/*
 * A worker's deliveries: the active set, the set of messages that wait, and
 * the drain. What waits is only an id and a time; it is read from the store
 * again when due.
 */
#include <deliver/deliver_internal.h>
#include <deliver/operate.h>

#include <errno.h>
#include <stdlib.h>

#include <base/clock.h>
#include <base/log.h>

enum {
	/* 100,000 recipients need 50, and what ORCPT said of them. */
	ARENA_MAX = 128 * 1024 * 1024,
	/* While no provider may be called, and messages are due. */
	SHUT_LOOK_MS = 250
};

static struct span key_of(const struct id *id)
{
	return span_make(id->bytes, sizeof(id->bytes));
}

struct counter_provider *deliver_counter(
    const struct delivery *d, const struct config_provider *p)
{
	return &d->owner->services.counters->providers[p->slot];
}

void deliver_count_failover(
    const struct delivery *d, const struct config_provider *from, size_t i)
{
	struct counters *c = d->owner->services.counters;
	const struct config_provider *to =
	    delivery_provider(d, round_provider_index(d, i));

	counter_add(&c->failovers[from->slot][to->slot], 1);
}

/* --- one delivery --- */

struct delivery *delivery_new(
    struct deliver *owner, struct id id, struct config *config)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->owner = owner;
	d->id = id;
	id_format(id, d->id_text);
	arena_init(&d->arena, ARENA_MAX);
	gate_init(d);
	if (map_put(owner->active, key_of(&d->id), d) != 0) {
		free(d);
		return NULL;
	}
	d->config = config_ref(config);
	owner->active_count++;
	counter_set(&owner->services.counters->inflight, owner->active_count);
	return d;
}

int delivery_reserve(struct delivery *d, size_t count)
{
	struct arena *a = &d->arena;

	d->count = count;
	d->targets = arena_alloc(a, count * sizeof(*d->targets));
	d->batch = arena_alloc(a, count * sizeof(*d->batch));
	d->batch_addresses =
	    arena_alloc(a, count * sizeof(*d->batch_addresses));
	d->rejected_bits = arena_alloc(a, (count + 7) / 8);
	d->changed = arena_alloc(a, count * sizeof(*d->changed));
	d->values = arena_alloc(a, count * sizeof(*d->values));
	d->rows = arena_alloc(a, count * sizeof(*d->rows));
	if (!d->targets || !d->batch || !d->batch_addresses ||
	    !d->rejected_bits || !d->changed || !d->values || !d->rows)
		return -ENOMEM;
	return 0;
}

uint64_t *delivery_bytes(const struct delivery *d)
{
	return d->line ? &d->line->bytes : &d->owner->fresh_bytes;
}

void delivery_free(struct delivery *d)
{
	struct deliver *owner = d->owner;

	(void)map_remove(owner->active, key_of(&d->id));
	attempt_leave(d);
	gate_drop(d);
	event_finish(d);
	loop_timer_stop(owner->services.loop, &d->gate.timer);
	loop_timer_stop(owner->services.loop, &d->budget);
	loop_timer_stop(owner->services.loop, &d->record_again);
	owner->active_count--;
	if (d->line)
		d->line->taken--;
	if (d->message)
		*delivery_bytes(d) -= message_size(d->message);
	counter_set(&owner->services.counters->inflight, owner->active_count);
	if (!d->loaded)
		message_unref(d->message);
	store_entry_free(d->loaded);
	config_unref(d->config);
	arena_finish(&d->arena);
	free(d);
	deliver_end_turn_later(owner);
}

/* --- the end of a round --- */

/* Earliest due time of what waits; INT64_MAX when nothing does. */
static int64_t next_due_ms(const struct delivery *d)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < d->count; i++) {
		const struct store_recipient *r = &d->recipients[i];

		if (r->state == STORE_PENDING && r->due_ms < next)
			next = r->due_ms;
	}
	return next;
}

/* Mail and what is said about it have names of their own in the log. */
static const char *name_of(
    const struct delivery *d, const char *mail, const char *event)
{
	return d->is_event ? event : mail;
}

static void log_end(
    const struct delivery *d, int64_t next_ms, int64_t now, const char *class)
{
	if (d->news.waiting > 0)
		log_info(name_of(d, "deferred", "event_deferred"),
		    LOG_STR("queue_id", d->id_text), LOG_STR("class", class),
		    LOG_NUM("nrcpt", d->news.waiting),
		    LOG_NUM("next_ms", next_ms - now),
		    LOG_STR("reason", d->reason), LOG_SPAN("user", d->user));
	else if (d->news.sent > 0)
		log_info(name_of(d, "delivered", "event_delivered"),
		    LOG_STR("queue_id", d->id_text),
		    LOG_STR("provider", d->sent_by),
		    LOG_NUM("nrcpt", d->news.sent),
		    LOG_NUM("ms", now - delivery_begins_ms(d)),
		    LOG_SPAN("user", d->user));
}

static void log_round(const struct delivery *d, int64_t next_ms)
{
	const char *class = provider_class_name(d->last_class);

	if (d->news.failed > 0)
		log_warn(name_of(d, "failed", "event_dropped"),
		    LOG_STR("queue_id", d->id_text), LOG_STR("class", class),
		    LOG_NUM("nrcpt", d->news.failed),
		    LOG_STR("reason", d->reason), LOG_SPAN("user", d->user));
	if (d->news.held > 0)
		log_warn("held", LOG_STR("queue_id", d->id_text),
		    LOG_NUM("nrcpt", d->news.held),
		    LOG_STR("reason", d->reason), LOG_SPAN("user", d->user));
	if (d->news.withdrawn > 0)
		log_info("withdrawn", LOG_STR("queue_id", d->id_text),
		    LOG_STR("class", class),
		    LOG_NUM("nrcpt", d->news.withdrawn),
		    LOG_STR("reason", d->reason), LOG_SPAN("user", d->user));
	log_end(d, next_ms, clock_wall_ms(), class);
}

/* See deliver_wait; at_ms was reckoned when it was since_ms. */
static void wait_from(struct deliver *owner, struct id id, int64_t at_ms,
    int64_t since_ms, int priority);

void delivery_finish(struct delivery *d)
{
	struct deliver *owner = d->owner;
	/* What is not recorded is not true. */
	int64_t next_ms = d->is_unrecorded ? INT64_MAX : next_due_ms(d);
	struct id id = d->id;
	int64_t now_ms = d->now_ms;
	int priority = d->terms.priority;

	if (!d->is_unrecorded)
		log_round(d, next_ms);
	if (d->news.waiting + d->news.withdrawn > 0 && !d->is_event)
		counter_add(&owner->services.counters->deferred, 1);
	accept_review(d, true);
	if (d->has_again && d->again_ms < next_ms)
		next_ms = d->again_ms;
	delivery_free(d);
	if (next_ms != INT64_MAX)
		wait_from(owner, id, next_ms, now_ms, priority);
}

/* --- what waits --- */

static struct due *due_of(struct deliver *owner, int priority)
{
	return priority == STORE_EVENT_PRIORITY ? &owner->due_events
						: &owner->due;
}

static void count_scheduled(struct deliver *owner)
{
	counter_set(&owner->services.counters->scheduled,
	    owner->due.count + owner->due_events.count);
}

/*
 * How long it waits is decided now, whatever the wall clock is set to. It may
 * have been set back already since the time was reckoned.
 */
static int64_t mono_of(int64_t at_ms, int64_t since_ms)
{
	int64_t wall = clock_wall_ms();
	int64_t now = wall > since_ms ? wall : since_ms;

	return (int64_t)clock_mono_ms() + (at_ms > now ? at_ms - now : 0);
}

/* As deliver_wait; at_ms was reckoned when it was since_ms. */
static void wait_from(struct deliver *owner, struct id id, int64_t at_ms,
    int64_t since_ms, int priority)
{
	int64_t mono_ms = mono_of(at_ms, since_ms);
	char text[ID_TEXT_SIZE];

	if (due_put(due_of(owner, priority), id, mono_ms, priority) != 0) {
		/* It stays in the store and is found at the next start. */
		id_format(id, text);
		log_error("schedule_failed", LOG_STR("queue_id", text),
		    LOG_STR("reason", "out of memory"));
	}
	count_scheduled(owner);
	deliver_end_turn_later(owner);
}

void deliver_wait(
    struct deliver *owner, struct id id, int64_t at_ms, int priority)
{
	wait_from(owner, id, at_ms, INT64_MIN, priority);
}

/* One of the two, with what is different about it. */
struct line {
	struct deliver_line *l;
	struct due *due;
	size_t places;
	size_t (*room)(const struct deliver *owner, uint64_t now_ms);
};

/* How many may leave soon. */
static size_t room_for_mail(const struct deliver *owner, uint64_t now_ms)
{
	return health_room(owner->config, now_ms);
}

static size_t room_for_events(const struct deliver *owner, uint64_t now_ms)
{
	const struct config_provider *hook = config_webhook(owner->config);

	/* Without a webhook they are dropped. */
	return hook ? health_room_at(hook->account, now_ms) : SIZE_MAX;
}

static struct line line_of_mail(struct deliver *owner)
{
	return (struct line){ .l = &owner->mail,
		.due = &owner->due,
		.places = DELIVER_RESUMED_MAX,
		.room = room_for_mail };
}

static struct line line_of_events(struct deliver *owner)
{
	return (struct line){ .l = &owner->events,
		.due = &owner->due_events,
		.places = DELIVER_EVENTS_MAX,
		.room = room_for_events };
}

static bool has_place(const struct line *line)
{
	const struct deliver_line *l = line->l;

	return l->taken < line->places && l->loading < DELIVER_LOADING_MAX &&
	       l->bytes < DELIVER_LOADED_BYTES_MAX;
}

/*
 * No more are read at a time than may leave soon, or they would be put off
 * again. While all gates are shut one is read now and then: what is too old
 * comes to its end.
 */
static size_t wanted(const struct deliver *owner, const struct line *line)
{
	uint64_t now_ms = clock_mono_ms();
	size_t room = line->room(owner, now_ms);

	if (room == 0 && now_ms >= line->l->shut_look_ms + SHUT_LOOK_MS) {
		line->l->shut_look_ms = now_ms;
		room = 1;
	}
	return room;
}

/*
 * Begin with what is due. In how many ms there may be more: INT64_MAX when
 * nothing waits, or without a place, as the end of a delivery comes back here.
 */
static int64_t start_line(struct deliver *owner, const struct line *line)
{
	int64_t now = (int64_t)clock_mono_ms(), next = 0;
	struct id id;
	int priority;

	if (!due_next(line->due, &next))
		return INT64_MAX;
	if (next > now)
		return next - now;
	size_t room = wanted(owner, line);
	while (has_place(line) && line->l->loading < room &&
	       due_take(line->due, now, &id, &priority))
		resume_start(owner, id, priority);
	if (!has_place(line) || !due_next(line->due, &next))
		return INT64_MAX;
	if (next > now)
		return next - now;
	return line->l->loading < room ? 0 : SHUT_LOOK_MS;
}

static void start_due(struct deliver *owner)
{
	struct line mail = line_of_mail(owner);
	struct line events = line_of_events(owner);
	int64_t delay = INT64_MAX, other;

	if (!owner->is_draining) {
		delay = start_line(owner, &mail);
		other = start_line(owner, &events);
		if (other < delay)
			delay = other;
		count_scheduled(owner);
	}
	if (delay == INT64_MAX)
		loop_timer_stop(owner->services.loop, &owner->due_timer);
	else
		loop_timer_start(
		    owner->services.loop, &owner->due_timer, (uint64_t)delay);
}

static void on_due(struct loop_timer *t)
{
	start_due(container_of(t, struct deliver, due_timer));
}

/* --- the end of a turn: refusals, free places, the drain --- */

static void on_turn_end(struct task *t)
{
	struct deliver *owner = container_of(t, struct deliver, turn_end);

	owner->is_turn_end_queued = false;
	accept_answer_refused(owner);
	attempt_wake(owner);
	start_due(owner);
	/* Answers may have brought new work, and that a new end of turn. */
	if (owner->is_turn_end_queued || !owner->on_idle ||
	    owner->active_count > 0 || !grants_is_idle(owner->grants) ||
	    !inquiries_is_idle(owner->inquiries))
		return;
	void (*on_idle)(void *ctx) = owner->on_idle;
	owner->on_idle = NULL;
	on_idle(owner->idle_ctx);
}

void deliver_end_turn_later(struct deliver *owner)
{
	if (owner->is_turn_end_queued)
		return;
	owner->is_turn_end_queued = true;
	loop_defer(owner->services.loop, &owner->turn_end);
}

/* --- the interface --- */

static void on_settled(void *ctx)
{
	deliver_end_turn_later(ctx);
}

static struct grants *make_grants(struct deliver *owner)
{
	const struct deliver_services *s = &owner->services;

	return grants_new(&(struct grants_services){ .loop = s->loop,
	    .http = s->http,
	    .pool = s->pool,
	    .counters = s->counters,
	    .world = &provider_world_real,
	    .on_settled = on_settled,
	    .ctx = owner });
}

static struct inquiries *make_inquiries(
    struct deliver *owner, struct config *config)
{
	const struct deliver_services *s = &owner->services;

	return inquiries_new(&(struct inquiries_services){ .loop = s->loop,
				 .http = s->http,
				 .grants = owner->grants,
				 .on_settled = on_settled,
				 .ctx = owner },
	    config);
}

struct deliver *deliver_new(
    const struct deliver_services *services, struct config *config)
{
	struct deliver *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return NULL;
	owner->services = *services;
	owner->active = map_new();
	owner->grants = make_grants(owner);
	owner->inquiries = make_inquiries(owner, config);
	if (!owner->active || !owner->grants || !owner->inquiries) {
		map_free(owner->active);
		inquiries_free(owner->inquiries);
		grants_free(owner->grants);
		free(owner);
		return NULL;
	}
	owner->config = config_ref(config);
	owner->turn_end.run = on_turn_end;
	owner->content_max = DELIVER_CONTENT_BYTES_MAX;
	list_init(&owner->content_queue);
	due_init(&owner->due);
	due_init(&owner->due_events);
	loop_timer_init(&owner->due_timer, on_due);
	return owner;
}

bool deliver_is_active(const struct deliver *owner, struct id id)
{
	return map_get(owner->active, key_of(&id)) != NULL;
}

bool deliver_has(const struct deliver *owner, struct id id)
{
	return owner->is_draining || deliver_is_active(owner, id) ||
	       due_has(&owner->due, id) || due_has(&owner->due_events, id);
}

void deliver_set_config(struct deliver *owner, struct config *config)
{
	struct config *old = owner->config;

	owner->config = config_ref(config);
	config_unref(old);
	grants_set_config(owner->grants, config);
	inquiries_set_config(owner->inquiries, config);
}

void deliver_schedule(
    struct deliver *owner, struct id id, int64_t due_wall_ms, int priority)
{
	struct delivery *d = map_get(owner->active, key_of(&id));

	if (due_wall_ms == INT64_MAX)
		return; /* a person decides first */
	if (!d) {
		deliver_wait(owner, id, due_wall_ms, priority);
		return;
	}
	/* At work: look at it again afterwards. */
	if (!d->has_again || due_wall_ms < d->again_ms)
		d->again_ms = due_wall_ms;
	d->has_again = true;
}

static void hurry(struct span key, void *value, void *ctx)
{
	(void)key;
	(void)ctx;
	round_hurry(value);
}

void deliver_drain(struct deliver *owner, void (*on_idle)(void *ctx), void *ctx)
{
	owner->is_draining = true;
	owner->on_idle = on_idle;
	owner->idle_ctx = ctx;
	loop_timer_stop(owner->services.loop, &owner->due_timer);
	inquiries_drain(owner->inquiries);
	grants_drain(owner->grants);
	map_each(owner->active, hurry, NULL);
	deliver_end_turn_later(owner);
}

bool deliver_is_empty(const struct deliver *owner)
{
	return owner->active_count == 0 && owner->due.count == 0 &&
	       owner->due_events.count == 0;
}

static void answer_durable(struct span key, void *value, void *ctx)
{
	(void)key;
	(void)ctx;
	accept_hurry(value);
}

void deliver_answer_durable(struct deliver *owner)
{
	map_each(owner->active, answer_durable, NULL);
}

size_t deliver_inflight(const struct deliver *owner)
{
	return owner->active_count;
}

void deliver_free(struct deliver *owner)
{
	if (!owner)
		return;
	loop_timer_stop(owner->services.loop, &owner->due_timer);
	due_finish(&owner->due);
	due_finish(&owner->due_events);
	map_free(owner->active);
	inquiries_free(owner->inquiries);
	grants_free(owner->grants);
	config_unref(owner->config);
	free(owner);
}
