/* What both engines promise; every test runs against each. */
#include "fixture.h"

#include <base/clock.h>
#include <base/date.h>
#include <postern/provider.h>

#include <errno.h>
#include <stdio.h>

static struct fix f;

static void start(int engine)
{
	fix_init(&f, (enum store_engine)engine);
	fix_open(&f, NULL);
}

static void stop(void)
{
	fix_finish(&f);
}

START_TEST(accepts_and_loads_back)
{
	static const size_t sizes[] = { 64, 1000, 4095, 4096, 4097, 300000,
		9 * 1024 * 1024 };
	start(_i);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct id id = fix_add(&f, i, sizes[i], NULL);
		ck_assert_int_eq(fix_verify(&f, id, i, sizes[i]), 0);
	}
	ck_assert_uint_eq(fix_pending(&f), 7);
	stop();
}
END_TEST

static void check_terms(
    const struct envelope_terms *got, const struct envelope_terms *want)
{
	ck_assert_int_eq(got->body, want->body);
	ck_assert(got->is_utf8 == want->is_utf8);
	ck_assert_int_eq(got->ret, want->ret);
	ck_assert(span_eq(got->envid, want->envid));
	ck_assert_int_eq(got->priority, want->priority);
	ck_assert(got->has_priority == want->has_priority);
	ck_assert_int_eq(got->release_ms, want->release_ms);
}

START_TEST(keeps_every_field_of_an_entry)
{
	struct store_recipient to[5] = {
		{ .address = SPAN("a@example.org"),
		    .state = STORE_PENDING,
		    .attempts = 7,
		    .due_ms = 12345,
		    .notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_DELAY,
		    .orcpt = SPAN("rfc822;A@example.org") },
		{ .address = SPAN("b@example.org"),
		    .state = STORE_STARTED,
		    .attempts = 1,
		    .provider = "ses-eu",
		    .is_pinned = true },
		{ .address = SPAN(""),
		    .state = STORE_HELD,
		    .is_single = true,
		    .key_turn = 65535 },
		{ .address = SPAN("d"),
		    .state = STORE_FAILED_OWED,
		    .was_deferred = true },
		{ .address = SPAN("e"),
		    .state = STORE_SENT_OWED,
		    .is_told = true,
		    .owes_event = true },
	};
	struct store_entry e = { .id = id_make(),
		.created_ms = 99,
		.user = SPAN("\xc3\xa4pp"),
		.sender = SPAN(""),
		.message_id = SPAN("20201122.1@example.org"),
		.terms = { .body = ENVELOPE_BODY_8BITMIME,
		    .is_utf8 = true,
		    .ret = ENVELOPE_RET_HDRS,
		    .envid = SPAN("QQ+2B314159"),
		    .priority = -3,
		    .has_priority = true,
		    .release_ms = INT64_C(1800000000123) },
		.is_report = true,
		.traits = POSTERN_CARRIES_REPORTS | POSTERN_CARRIES_SIGNED,
		.is_event = true,
		.recipients = to,
		.recipient_count = 5,
		.message = fix_message(1, 500) };
	struct store_accept a = { .entry = &e };
	struct store_update u = { .id = e.id,
		.indices = &(size_t){ 0 },
		.recipients =
		    &(struct store_recipient){ .attempts = 7, .due_ms = 12345 },
		.recipient_count = 1 };
	struct store_load l = { .id = e.id };
	start(_i);
	ck_assert_int_eq(fix_accept(&f, &a), 0);
	/* An attempt changes only what is its own. */
	ck_assert_int_eq(fix_update(&f, &u), 0);
	ck_assert_int_eq(fix_load(&f, &l), 0);
	check_terms(&l.entry->terms, &e.terms);
	ck_assert_ptr_null(l.entry->message);
	ck_assert_int_eq(l.entry->created_ms, 99);
	ck_assert(span_eq(l.entry->user, e.user));
	ck_assert_uint_eq(l.entry->sender.len, 0);
	ck_assert(span_eq(l.entry->message_id, e.message_id));
	ck_assert(l.entry->is_report);
	ck_assert_uint_eq(l.entry->traits, e.traits);
	ck_assert(l.entry->is_event);
	ck_assert_uint_eq(l.entry->recipient_count, 5);
	for (size_t i = 0; i < 5; i++) {
		const struct store_recipient *r = &l.entry->recipients[i];
		ck_assert(span_eq(r->address, to[i].address));
		ck_assert_int_eq(r->state, to[i].state);
		ck_assert_uint_eq(r->attempts, to[i].attempts);
		ck_assert_int_eq(r->due_ms, to[i].due_ms);
		ck_assert_str_eq(r->provider, to[i].provider);
		ck_assert(r->is_pinned == to[i].is_pinned);
		ck_assert(r->is_single == to[i].is_single);
		ck_assert_uint_eq(r->key_turn, to[i].key_turn);
		ck_assert(r->is_told == to[i].is_told);
		ck_assert(r->owes_event == to[i].owes_event);
		ck_assert(r->was_deferred == to[i].was_deferred);
		ck_assert_uint_eq(r->notify, to[i].notify);
		ck_assert(span_eq(r->orcpt, to[i].orcpt));
	}
	store_entry_free(l.entry);
	message_unref(e.message);
	stop();
}
END_TEST

START_TEST(knows_an_id_only_once)
{
	struct fix_mail m[3];
	struct store_accept all[3];
	start(_i);
	for (unsigned i = 0; i < 3; i++)
		fix_mail_init(&m[i], i, 800);
	m[1].entry.id = m[0].entry.id;
	for (unsigned i = 0; i < 3; i++)
		all[i] = m[i].accept;
	fix_accept_all(&f, all, 3);
	ck_assert_int_eq(all[0].request.result, 0);
	ck_assert_int_eq(all[1].request.result, -EEXIST);
	ck_assert_int_eq(all[2].request.result, 0);
	ck_assert_int_eq(fix_verify(&f, m[0].entry.id, 0, 800), 0);
	/* Also when it is history. */
	ck_assert_int_eq(fix_set(&f, m[0].entry.id, STORE_SENT), 0);
	ck_assert_int_eq(fix_accept(&f, &m[0].accept), -EEXIST);
	ck_assert_uint_eq(fix_pending(&f), 1);
	for (unsigned i = 0; i < 3; i++)
		fix_mail_finish(&m[i]);
	stop();
}
END_TEST

START_TEST(answers_enoent_for_unknown_ids)
{
	struct id id = id_make();
	struct store_load l = { .id = id };
	struct store_find d = { .id = id };
	struct store_update u = { .id = id };
	start(_i);
	ck_assert_int_eq(fix_load(&f, &l), -ENOENT);
	ck_assert_ptr_null(l.entry);
	ck_assert_int_eq(fix_find(&f, &d), -ENOENT);
	ck_assert_ptr_null(d.entry);
	store_find_finish(&d);
	ck_assert_int_eq(fix_update(&f, &u), -ENOENT);
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), -ENOENT);
	stop();
}
END_TEST

START_TEST(releases_the_body_with_the_last_recipient)
{
	static const enum store_state finals[] = { STORE_SENT, STORE_FAILED,
		STORE_DROPPED, STORE_BOUNCED };
	struct store_stats stats;
	start(_i);
	for (unsigned i = 0; i < 4; i++) {
		struct id id = fix_add(&f, i, 5000, NULL);
		ck_assert_int_eq(fix_set(&f, id, STORE_STARTED), 0);
		ck_assert_int_eq(fix_set(&f, id, STORE_SENT_OWED), 0);
		ck_assert_int_eq(fix_set(&f, id, STORE_FAILED_OWED), 0);
		ck_assert_int_eq(fix_verify(&f, id, i, 5000), 0);
		store_stats(f.store, &stats);
		ck_assert_uint_eq(stats.messages, 1);
		ck_assert_uint_eq(stats.bytes, 5000);
		ck_assert_int_eq(fix_set(&f, id, finals[i]), 0);
		ck_assert_int_eq(fix_verify(&f, id, i, 5000), -ENOENT);
		struct store_load l = { .id = id };
		ck_assert_int_eq(fix_load(&f, &l), 0);
		ck_assert_int_eq(l.entry->recipients[0].state, finals[i]);
		store_entry_free(l.entry);
	}
	store_stats(f.store, &stats);
	ck_assert_uint_eq(stats.messages, 0);
	ck_assert_uint_eq(stats.bytes, 0);
	ck_assert(stats.is_writable);
	ck_assert_uint_gt(stats.commits, 0);
	ck_assert_int_eq(store_check(f.store), 0);
	stop();
}
END_TEST

START_TEST(finished_messages_cannot_be_tried_again)
{
	start(_i);
	struct id id = fix_add(&f, 1, 100, NULL);
	ck_assert_int_eq(fix_set(&f, id, STORE_FAILED), 0);
	ck_assert_int_eq(fix_set(&f, id, STORE_PENDING), -ENOENT);
	/* A late answer still finds its place in the ledger. */
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), 0);
	struct store_find d = { .id = id };
	ck_assert_int_eq(fix_find(&f, &d), 0);
	ck_assert_uint_eq(d.attempt_count, 2);
	ck_assert_int_eq(d.entry->recipients[0].state, STORE_SENT);
	store_find_finish(&d);
	stop();
}
END_TEST

START_TEST(finds_the_ledger_in_order)
{
	static const char *const providers[] = { "one", "two", "three" };
	start(_i);
	struct id id = fix_add(&f, 1, 100, NULL);
	for (unsigned i = 0; i < 3; i++) {
		struct store_attempt a = { .at_ms = 30 - i,
			.result = (enum postern_class)(POSTERN_REJECTED + i),
			.is_operator = i == 1,
			.status = (int)(500 + i),
			.provider_id = SPAN("id"),
			.reason = span_of(providers[i]),
			.refusal = (enum postern_refusal)i,
			.duration_ms = i };
		strncpy(a.provider, providers[i], sizeof(a.provider) - 1);
		struct store_update u = {
			.id = id, .attempts = &a, .attempt_count = 1
		};
		ck_assert_int_eq(fix_update(&f, &u), 0);
	}
	struct store_find d = { .id = id };
	ck_assert_int_eq(fix_find(&f, &d), 0);
	ck_assert_ptr_null(d.entry->message);
	ck_assert_uint_eq(d.attempt_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		const struct store_attempt *a = &d.attempts[i];
		ck_assert_str_eq(a->provider, providers[i]);
		ck_assert(span_eq(a->reason, span_of(providers[i])));
		ck_assert(span_eq(a->provider_id, SPAN("id")));
		ck_assert_int_eq(a->status, (int)(500 + i));
		ck_assert(a->is_operator == (i == 1));
		if (i != 1)
			ck_assert_int_eq(a->result, POSTERN_REJECTED + (int)i);
		ck_assert_int_eq(a->at_ms, 30 - i);
		ck_assert_uint_eq(a->duration_ms, i);
		ck_assert_int_eq(a->refusal, (int)i);
	}
	store_find_finish(&d);
	stop();
}
END_TEST

enum {
	MANY = 1000
};

START_TEST(handles_many_recipients_piece_by_piece)
{
	static struct store_recipient to[MANY];
	static struct store_attempt attempts[MANY];
	static size_t indices[MANY];
	struct store_entry e = { .id = id_make(),
		.user = SPAN("u"),
		.sender = SPAN("s"),
		.recipients = to,
		.recipient_count = MANY,
		.message = fix_message(3, 2000) };
	struct store_accept a = { .entry = &e };
	start(_i);
	for (size_t i = 0; i < MANY; i++) {
		to[i] = (struct store_recipient){ .address = SPAN("x@y") };
		attempts[i] = (struct store_attempt){ .recipient = i,
			.provider = "p",
			.result = POSTERN_ACCEPTED,
			.provider_id = SPAN(""),
			.reason = SPAN("") };
		indices[i] = i;
	}
	ck_assert_int_eq(fix_accept(&f, &a), 0);
	for (size_t i = 0; i < MANY; i++)
		to[i].state = STORE_SENT;
	for (size_t at = 0; at < MANY; at += 250) {
		ck_assert_int_eq(fix_verify(&f, e.id, 3, 2000), 0);
		struct store_update u = { .id = e.id,
			.attempts = attempts + at,
			.attempt_count = 250,
			.indices = indices + at,
			.recipients = to + at,
			.recipient_count = 250 };
		ck_assert_int_eq(fix_update(&f, &u), 0);
	}
	ck_assert_int_eq(fix_verify(&f, e.id, 3, 2000), -ENOENT);
	struct store_find d = { .id = e.id };
	ck_assert_int_eq(fix_find(&f, &d), 0);
	ck_assert_uint_eq(d.attempt_count, MANY);
	for (size_t i = 0; i < MANY; i++)
		ck_assert_uint_eq(d.attempts[i].recipient, i);
	store_find_finish(&d);
	message_unref(e.message);
	stop();
}
END_TEST

START_TEST(an_update_that_fails_changes_nothing)
{
	struct store_recipient to[2] = { { .address = SPAN("a@b") },
		{ .address = SPAN("c@d") } };
	struct store_entry e = { .id = id_make(),
		.recipients = to,
		.recipient_count = 2,
		.message = fix_message(3, 200) };
	struct store_accept a = { .entry = &e };
	size_t indices[2] = { 0, 2 };
	struct store_recipient sent[2] = { { .state = STORE_SENT },
		{ .state = STORE_SENT } };
	struct store_update u = { .id = e.id,
		.indices = indices,
		.recipients = sent,
		.recipient_count = 2 };
	struct store_load l = { .id = e.id };
	start(_i);
	ck_assert_int_eq(fix_accept(&f, &a), 0);
	ck_assert_int_eq(fix_update(&f, &u), -ENOENT);
	ck_assert_int_eq(fix_load(&f, &l), 0);
	ck_assert_int_eq(l.entry->recipients[0].state, STORE_PENDING);
	store_entry_free(l.entry);
	message_unref(e.message);
	stop();
}
END_TEST

struct seen {
	struct id ids[8];
	int64_t due[8];
	int priorities[8];
	size_t count;
};

static int see(const struct store_pending *p, void *ctx)
{
	struct seen *s = ctx;
	s->ids[s->count] = p->id;
	s->priorities[s->count] = p->priority;
	s->due[s->count++] = p->due_ms;
	return 0;
}

START_TEST(tells_what_is_pending_oldest_first)
{
	struct fix_mail m[4];
	struct seen s = { .count = 0 };
	start(_i);
	for (unsigned i = 0; i < 4; i++) {
		fix_mail_init(&m[i], i, 100);
		m[i].entry.id =
		    (struct id){ { 0, 0, 0, 0, 0, 1, (uint8_t)(9 - i) } };
	}
	m[3].entry.terms.priority = -9;
	m[1].recipient.state = STORE_STARTED;
	m[2].recipient.state = STORE_HELD;
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(fix_accept(&f, &m[i].accept), 0);
	ck_assert_int_eq(fix_set(&f, m[0].entry.id, STORE_SENT), 0);
	int64_t before = clock_wall_ms();
	ck_assert_int_eq(fix_walk(&f, see, &s), 0);
	ck_assert_uint_eq(s.count, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(id_eq(s.ids[i], m[3 - i].entry.id));
	ck_assert_int_eq(s.due[0], 1003);
	ck_assert_int_eq(s.due[1], INT64_MAX);
	ck_assert_int_ge(s.due[2], before);
	ck_assert_int_le(s.due[2], clock_wall_ms());
	ck_assert_int_eq(s.priorities[0], -9);
	ck_assert_int_eq(s.priorities[1], 0);
	for (unsigned i = 0; i < 4; i++)
		fix_mail_finish(&m[i]);
	stop();
}
END_TEST

START_TEST(what_owes_a_report_is_due_at_once)
{
	static const enum store_state owed[] = { STORE_FAILED_OWED,
		STORE_SENT_OWED };
	start(_i);
	for (unsigned i = 0; i < 2; i++) {
		struct seen s = { .count = 0 };
		struct id id = fix_add(&f, i, 100, NULL);
		ck_assert_int_eq(fix_set(&f, id, owed[i]), 0);
		ck_assert_int_eq(fix_walk(&f, see, &s), 0);
		ck_assert_uint_eq(s.count, 1);
		ck_assert_int_ne(s.due[0], INT64_MAX);
		ck_assert_int_le(s.due[0], clock_wall_ms());
		ck_assert_int_eq(fix_set(&f, id, STORE_BOUNCED), 0);
	}
	stop();
}
END_TEST

static int set_owing(struct id id, enum store_state state, bool owes)
{
	struct store_recipient to = {
		.state = state, .attempts = 1, .owes_event = owes
	};
	struct store_update u = { .id = id,
		.indices = &(size_t){ 0 },
		.recipients = &to,
		.recipient_count = 1 };

	return fix_update(&f, &u);
}

START_TEST(what_owes_an_event_is_kept_and_due_at_once)
{
	static const enum store_state finals[] = { STORE_SENT, STORE_FAILED,
		STORE_BOUNCED };
	start(_i);
	for (unsigned i = 0; i < 3; i++) {
		struct seen s = { .count = 0 };
		struct id id = fix_add(&f, i, 100, NULL);
		ck_assert_int_eq(set_owing(id, finals[i], true), 0);
		ck_assert_int_eq(fix_verify(&f, id, i, 100), 0);
		ck_assert_int_eq(fix_walk(&f, see, &s), 0);
		ck_assert_uint_eq(s.count, 1);
		ck_assert_int_ne(s.due[0], INT64_MAX);
		ck_assert_int_le(s.due[0], clock_wall_ms());
		ck_assert_int_eq(set_owing(id, finals[i], false), 0);
		ck_assert_int_eq(fix_verify(&f, id, i, 100), -ENOENT);
		/* Too late: what it would be told from is gone. */
		ck_assert_int_eq(set_owing(id, finals[i], true), -ENOENT);
		ck_assert_uint_eq(fix_pending(&f), 0);
	}
	stop();
}
END_TEST

START_TEST(events_come_behind_all_mail)
{
	struct seen s = { .count = 0 };
	struct fix_mail m;
	start(_i);
	fix_mail_init(&m, 1, 100);
	m.entry.is_event = true;
	m.entry.terms.priority = STORE_EVENT_PRIORITY;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	ck_assert_int_eq(fix_walk(&f, see, &s), 0);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_int_eq(s.priorities[0], STORE_EVENT_PRIORITY);
	fix_mail_finish(&m);
	stop();
}
END_TEST

struct sums {
	uint64_t a, b, other;
};

static void sum(struct span user, int64_t day, uint64_t messages, void *ctx)
{
	struct sums *s = ctx;
	if (day != 20000)
		s->other += messages;
	else if (span_eq(user, SPAN("a")))
		s->a += messages;
	else
		s->b += messages;
}

static void check_held(struct span user, uint64_t messages, uint64_t bytes)
{
	struct store_held held;
	store_held(f.store, user, &held);
	ck_assert_uint_eq(held.messages, messages);
	ck_assert_uint_eq(held.bytes, bytes);
}

static struct id add_for(struct span user, size_t size)
{
	struct fix_mail m;
	fix_mail_init(&m, 1, size);
	m.entry.user = user;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	fix_mail_finish(&m);
	return m.entry.id;
}

/* Which is nobody's mail. */
static struct id add_event_for(struct span user, size_t size)
{
	struct fix_mail m;
	fix_mail_init(&m, 2, size);
	m.entry.user = user;
	m.entry.is_event = true;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	fix_mail_finish(&m);
	return m.entry.id;
}

START_TEST(knows_what_waits_of_each_user)
{
	start(_i);
	check_held(SPAN("a"), 0, 0);
	struct id first = add_for(SPAN("a"), 1000);
	struct id second = add_for(SPAN("a"), 300);
	(void)add_for(SPAN("b"), 64);
	struct id event = add_event_for(SPAN("a"), 500);
	check_held(SPAN("a"), 2, 1300);
	check_held(SPAN("b"), 1, 64);
	check_held(SPAN("A"), 0, 0);
	ck_assert_int_eq(fix_set(&f, first, STORE_PENDING), 0);
	check_held(SPAN("a"), 2, 1300);
	ck_assert_int_eq(fix_set(&f, first, STORE_SENT), 0);
	ck_assert_int_eq(fix_set(&f, first, STORE_SENT), 0);
	check_held(SPAN("a"), 1, 300);
	if (_i == STORE_SQLITE) { /* and over a restart */
		fix_close(&f);
		fix_open(&f, NULL);
	}
	check_held(SPAN("a"), 1, 300);
	check_held(SPAN("b"), 1, 64);
	ck_assert_int_eq(fix_set(&f, event, STORE_SENT), 0);
	check_held(SPAN("a"), 1, 300);
	ck_assert_int_eq(fix_set(&f, second, STORE_FAILED), 0);
	check_held(SPAN("a"), 0, 0);
	stop();
}
END_TEST

START_TEST(counts_quotas_with_the_accept)
{
	struct fix_mail m[5];
	struct store_accept all[5];
	struct sums s = { 0 };
	start(_i);
	for (unsigned i = 0; i < 5; i++) {
		fix_mail_init(&m[i], i, 100);
		m[i].entry.user = i % 2 ? SPAN("a") : SPAN("b");
		m[i].accept.quota_day = i == 4 ? 20001 : 20000;
		m[i].accept.quota_messages = i == 1 ? 0 : i + 1;
	}
	/* What is not accepted is not charged. */
	m[2].entry.id = m[0].entry.id;
	for (unsigned i = 0; i < 5; i++)
		all[i] = m[i].accept;
	fix_accept_all(&f, all, 5);
	ck_assert_int_eq(all[2].request.result, -EEXIST);
	fix_mail_finish(&m[3]);
	fix_mail_init(&m[3], 9, 100);
	m[3].entry.user = SPAN("a");
	m[3].accept.quota_day = 20000;
	m[3].accept.quota_messages = 5;
	ck_assert_int_eq(fix_accept(&f, &m[3].accept), 0);
	ck_assert_int_eq(store_each_quota(f.store, sum, &s), 0);
	ck_assert_uint_eq(s.a, 4 + 5);
	ck_assert_uint_eq(s.b, 1);
	ck_assert_uint_eq(s.other, 5);
	for (unsigned i = 0; i < 5; i++)
		fix_mail_finish(&m[i]);
	stop();
}
END_TEST

/* Today's, which no housekeeping forgets. */
static int64_t today;

static void sum_today(
    struct span user, int64_t day, uint64_t messages, void *ctx)
{
	sum(user, day == today ? 20000 : 0, messages, ctx);
}

START_TEST(counts_quotas_of_what_is_stored_nowhere)
{
	today = date_day(clock_wall_ms());
	struct store_charge charges[] = {
		{ .user = SPAN("a"), .day = today, .messages = 3 },
		{ .user = SPAN("b"), .day = today, .messages = 1 },
		{ .user = SPAN("a"), .day = today, .messages = 2 },
		{ .user = SPAN("a"), .day = today + 1, .messages = 7 },
	};
	struct fix_mail m;
	struct sums s = { 0 };
	start(_i);
	fix_mail_init(&m, 1, 100);
	m.entry.user = SPAN("a");
	m.accept.quota_day = today;
	m.accept.quota_messages = 1;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	for (size_t i = 0; i < sizeof(charges) / sizeof(charges[0]); i++)
		ck_assert_int_eq(fix_charge(&f, &charges[i]), 0);
	if (_i == STORE_SQLITE) { /* and over a restart */
		fix_close(&f);
		fix_open(&f, NULL);
	}
	ck_assert_int_eq(store_each_quota(f.store, sum_today, &s), 0);
	ck_assert_uint_eq(s.a, 1 + 3 + 2);
	ck_assert_uint_eq(s.b, 1);
	ck_assert_uint_eq(s.other, 7);
	fix_mail_finish(&m);
	stop();
}
END_TEST

struct spent {
	uint64_t today, before, other;
};

static void sum_spent(
    struct span provider, int64_t day, uint64_t recipients, void *ctx)
{
	struct spent *s = ctx;
	if (!span_eq(provider, SPAN("ses")))
		s->other += recipients;
	else if (day == 20001)
		s->today += recipients;
	else
		s->before += recipients;
}

START_TEST(counts_what_providers_took_with_the_ledger)
{
	static const enum postern_class results[] = { POSTERN_ACCEPTED,
		POSTERN_UNKNOWN, POSTERN_REJECTED, POSTERN_TRANSIENT,
		POSTERN_ACCEPTED, POSTERN_ACCEPTED, POSTERN_ACCEPTED };
	struct store_attempt rows[7];
	struct spent s = { 0 };
	start(_i);
	struct id id = fix_add(&f, 1, 100, NULL);
	for (unsigned i = 0; i < 7; i++)
		rows[i] = (struct store_attempt){ .at_ms = 20001 * 86400000LL,
			.provider = "ses",
			.result = results[i],
			.provider_id = SPAN(""),
			.reason = SPAN("") };
	rows[4].at_ms--;
	memcpy(rows[5].provider, "mail", 5);
	rows[6].is_operator = true;
	struct store_update u = {
		.id = id, .attempts = rows, .attempt_count = 7
	};
	ck_assert_int_eq(fix_update(&f, &u), 0);
	u.attempt_count = 1;
	ck_assert_int_eq(fix_update(&f, &u), 0);
	/* What is not recorded is not counted. */
	u.id.bytes[15] ^= 1;
	ck_assert_int_eq(fix_update(&f, &u), -ENOENT);
	ck_assert_int_eq(store_each_spent(f.store, 0, sum_spent, &s), 0);
	ck_assert_uint_eq(s.today, 3);
	ck_assert_uint_eq(s.before, 1);
	ck_assert_uint_eq(s.other, 1);
	s = (struct spent){ 0 };
	ck_assert_int_eq(store_each_spent(f.store, 20001, sum_spent, &s), 0);
	ck_assert_uint_eq(s.today, 3);
	ck_assert_uint_eq(s.before, 0);
	stop();
}
END_TEST

START_TEST(more_providers_than_one_turn_counts_are_counted)
{
	enum {
		ROWS = 150
	};
	static struct store_attempt rows[ROWS];
	struct spent s = { 0 };
	start(_i);
	struct id id = fix_add(&f, 1, 100, NULL);
	for (unsigned i = 0; i < ROWS; i++) {
		rows[i] = (struct store_attempt){ .at_ms = 1,
			.result = POSTERN_ACCEPTED,
			.provider_id = SPAN(""),
			.reason = SPAN("") };
		(void)snprintf(
		    rows[i].provider, sizeof(rows[i].provider), "p%u", i % 75);
	}
	struct store_update u = {
		.id = id, .attempts = rows, .attempt_count = ROWS
	};
	ck_assert_int_eq(fix_update(&f, &u), 0);
	ck_assert_int_eq(store_each_spent(f.store, 0, sum_spent, &s), 0);
	ck_assert_uint_eq(s.other, ROWS);
	stop();
}
END_TEST

static int note_started(const struct store_pending *p, void *ctx)
{
	struct store_pending *out = ctx;
	*out = *p;
	return 0;
}

START_TEST(tells_what_was_started_and_where)
{
	struct store_pending p = { .started = 7 };
	struct fix_mail m;
	start(_i);
	fix_mail_init(&m, 1, 100);
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	fix_mail_finish(&m);
	ck_assert_int_eq(fix_walk(&f, note_started, &p), 0);
	ck_assert_uint_eq(p.started, 0);
	ck_assert_int_eq(fix_set(&f, p.id, STORE_STARTED), 0);
	ck_assert_int_eq(fix_walk(&f, note_started, &p), 0);
	ck_assert_uint_eq(p.started, 1);
	ck_assert_uint_gt(strlen(p.provider), 0);
	stop();
}
END_TEST

START_TEST(accepts_what_is_final_already_as_history)
{
	struct fix_mail m;
	start(_i);
	fix_mail_init(&m, 1, 100);
	m.recipient.state = STORE_SENT;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	ck_assert_uint_eq(fix_pending(&f), 0);
	ck_assert_int_eq(fix_verify(&f, m.entry.id, 1, 100), -ENOENT);
	struct store_load l = { .id = m.entry.id };
	ck_assert_int_eq(fix_load(&f, &l), 0);
	store_entry_free(l.entry);
	fix_mail_finish(&m);
	stop();
}
END_TEST

START_TEST(refuses_open_recipients_without_a_message)
{
	struct fix_mail m;
	start(_i);
	fix_mail_init(&m, 1, 100);
	fix_mail_finish(&m);
	m.entry.message = NULL;
	ck_assert_int_eq(fix_accept(&f, &m.accept), -EINVAL);
	ck_assert_uint_eq(fix_pending(&f), 0);
	stop();
}
END_TEST

START_TEST(takes_forty_megabytes)
{
	size_t size = 40 * 1024 * 1024 + 17;
	start(_i);
	struct id id = fix_add(&f, 4, size, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 4, size), 0);
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), 0);
	stop();
}
END_TEST

START_TEST(takes_one_that_is_larger_than_the_limit_but_no_second)
{
	struct fix_mail m[2];
	struct store_accept all[2];
	fix_init(&f, (enum store_engine)_i);
	f.settings.max_pending_bytes = 1000;
	fix_open(&f, NULL);
	for (unsigned i = 0; i < 2; i++) {
		fix_mail_init(&m[i], i, 4000000);
		all[i] = m[i].accept;
	}
	fix_accept_all(&f, all, 2);
	ck_assert_int_eq(all[0].request.result, 0);
	ck_assert_int_eq(all[1].request.result, -EBUSY);
	/* And again once nothing waits (or is held). */
	ck_assert_int_eq(fix_set(&f, m[0].entry.id, STORE_SENT), 0);
	ck_assert_int_eq(fix_accept(&f, &m[1].accept), 0);
	for (unsigned i = 0; i < 2; i++)
		fix_mail_finish(&m[i]);
	stop();
}
END_TEST

enum {
	CROWD = 3000
};

START_TEST(serves_a_crowd_in_few_batches)
{
	static struct fix_mail m[CROWD];
	static struct store_accept all[CROWD];
	start(_i);
	for (unsigned i = 0; i < CROWD; i++) {
		fix_mail_init(&m[i], i, 64 + i % 700);
		all[i] = m[i].accept;
	}
	fix_accept_all(&f, all, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		ck_assert_int_eq(all[i].request.result, 0);
	ck_assert_uint_eq(fix_pending(&f), CROWD);
	for (unsigned i = 0; i < CROWD; i += 97)
		ck_assert_int_eq(
		    fix_verify(&f, m[i].entry.id, i, 64 + i % 700), 0);
	for (unsigned i = 0; i < CROWD; i++)
		fix_mail_finish(&m[i]);
	stop();
}
END_TEST

START_TEST(closing_commits_what_waits)
{
	static struct fix_mail m[CROWD];
	start(_i);
	for (unsigned i = 0; i < CROWD; i++)
		fix_mail_init(&m[i], i, 500);
	fix_accept_and_close(&f, m, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		ck_assert_int_eq(m[i].accept.request.result, 0);
	if (_i == STORE_SQLITE) {
		fix_open(&f, NULL);
		ck_assert_uint_eq(fix_pending(&f), CROWD);
	}
	for (unsigned i = 0; i < CROWD; i++)
		fix_mail_finish(&m[i]);
	stop();
}
END_TEST

/* Only of the twin: its history is memory. */
START_TEST(memory_forgets_the_oldest_history)
{
	enum {
		KEPT = 10000
	};
	struct store_find d;
	struct fix_mail m;
	struct id first, second;
	start(STORE_MEMORY);
	fix_mail_init(&m, 1, 100);
	m.recipient.state = STORE_SENT;
	first = m.entry.id;
	ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	second = m.entry.id = id_make();
	for (int i = 0; i < KEPT; i++, m.entry.id = id_make())
		ck_assert_int_eq(fix_accept(&f, &m.accept), 0);
	d = (struct store_find){ .id = first };
	ck_assert_int_eq(fix_find(&f, &d), -ENOENT);
	d = (struct store_find){ .id = second };
	ck_assert_int_eq(fix_find(&f, &d), 0);
	store_find_finish(&d);
	fix_mail_finish(&m);
	stop();
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { accepts_and_loads_back,
		keeps_every_field_of_an_entry, knows_an_id_only_once,
		answers_enoent_for_unknown_ids,
		releases_the_body_with_the_last_recipient,
		finished_messages_cannot_be_tried_again,
		finds_the_ledger_in_order,
		handles_many_recipients_piece_by_piece,
		an_update_that_fails_changes_nothing,
		tells_what_is_pending_oldest_first,
		what_owes_a_report_is_due_at_once,
		knows_what_waits_of_each_user,
		what_owes_an_event_is_kept_and_due_at_once,
		events_come_behind_all_mail, counts_quotas_with_the_accept,
		counts_quotas_of_what_is_stored_nowhere,
		counts_what_providers_took_with_the_ledger,
		more_providers_than_one_turn_counts_are_counted,
		tells_what_was_started_and_where,
		accepts_what_is_final_already_as_history,
		refuses_open_recipients_without_a_message,
		takes_forty_megabytes,
		takes_one_that_is_larger_than_the_limit_but_no_second,
		serves_a_crowd_in_few_batches, closing_commits_what_waits };
	Suite *s = suite_create("store.conformance");
	TCase *tc = tcase_create("both engines");
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(
		    tc, tests[i], STORE_SQLITE, STORE_MEMORY + 1);
	tcase_add_test(tc, memory_forgets_the_oldest_history);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
