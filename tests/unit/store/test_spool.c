/* Bodies in files of their own: written, accepted, read back, and gone. */
#include "fault.h"
#include "fixture.h"

#include <base/clock.h>
#include <store/spool.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

enum {
	SIZE = 700000,
	DEADLINE_MS = 20000
};

static struct fix f;

static void setup(void)
{
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	fix_open(&f, fault_io());
}

static void teardown(void)
{
	fix_finish(&f);
}

/* Files of bodies; the name of one of them. */
static size_t count_files(char *out, size_t size)
{
	char path[128];
	size_t n = 0;
	(void)snprintf(path, sizeof(path), "%s/bodies", f.path);
	DIR *d = opendir(path);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (spool_parse_name(e->d_name) == 0)
			continue;
		n++;
		if (out)
			ck_assert_int_lt(
			    snprintf(out, size, "%s/%s", path, e->d_name),
			    (int)size);
	}
	(void)closedir(d);
	return n;
}

/* They are removed in the background. */
static void await_files(size_t n)
{
	uint64_t deadline = clock_mono_ms() + DEADLINE_MS;
	while (count_files(NULL, 0) != n)
		ck_assert_uint_lt(clock_mono_ms(), deadline);
}

static void reopen(void)
{
	fix_close(&f);
	fix_open(&f, fault_io());
}

START_TEST(accepts_a_body_where_it_lies_and_finds_it_again)
{
	static const size_t sizes[] = { 64, 4096, 5000, SIZE, 9 * 1024 * 1024 };
	size_t count = sizeof(sizes) / sizeof(sizes[0]);
	struct id ids[5];
	for (unsigned i = 0; i < count; i++) {
		ids[i] = fix_add_spooled(&f, i, sizes[i], NULL);
		ck_assert_int_eq(fix_verify(&f, ids[i], i, sizes[i]), 0);
	}
	ck_assert_uint_eq(count_files(NULL, 0), count);
	reopen();
	ck_assert_uint_eq(count_files(NULL, 0), count);
	for (unsigned i = 0; i < count; i++)
		ck_assert_int_eq(fix_verify(&f, ids[i], i, sizes[i]), 0);
	/* New ones do not get their names. */
	struct id more = fix_add_spooled(&f, 9, SIZE, NULL);
	ck_assert_int_eq(fix_verify(&f, more, 9, SIZE), 0);
	ck_assert_int_eq(fix_verify(&f, ids[4], 4, sizes[4]), 0);
}
END_TEST

START_TEST(removes_the_file_with_the_row)
{
	struct id id = fix_add_spooled(&f, 1, SIZE, NULL);
	struct id kept = fix_add_spooled(&f, 2, SIZE, NULL);
	ck_assert_int_eq(fix_set(&f, id, STORE_SENT), 0);
	await_files(1);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), -ENOENT);
	ck_assert_int_eq(fix_verify(&f, kept, 2, SIZE), 0);
}
END_TEST

START_TEST(takes_no_memory_for_what_is_in_a_file)
{
	uint64_t before = message_memory();
	struct message *m = fix_spooled(&f, 1, SIZE, false, NULL);
	ck_assert_uint_eq(message_size(m), SIZE);
	ck_assert_uint_lt(message_held(m), 4096);
	ck_assert_uint_lt(message_memory() - before, 4096);
	ck_assert_ptr_null(message_body(m).ptr);
	fix_check_message(m, 1, SIZE);
	message_unref(m);
	ck_assert_uint_eq(message_memory(), before);
}
END_TEST

START_TEST(reads_the_same_in_pieces_of_any_size)
{
	static char text[SIZE];
	struct message *m = fix_spooled(&f, 1, SIZE, false, NULL);
	struct message *want = fix_message(1, SIZE);
	for (size_t step = 1000; step <= SIZE; step *= 9) {
		size_t got = 0;
		ssize_t n;
		while ((n = message_read(m, got, text + got, step)) > 0)
			got += (size_t)n;
		ck_assert_uint_eq(got, SIZE);
		struct span body = message_body(want);
		ck_assert_mem_eq(text + SIZE - body.len, body.ptr, body.len);
		if (step > SIZE / 9)
			break;
	}
	ck_assert_uint_eq(message_crc(m), message_crc(want));
	message_unref(want);
	message_unref(m);
}
END_TEST

START_TEST(leaves_nothing_of_what_was_not_accepted)
{
	struct message *m = fix_spooled(&f, 1, SIZE, false, NULL);
	ck_assert_uint_eq(count_files(NULL, 0), 1);
	message_unref(m);
	await_files(0);
}
END_TEST

START_TEST(a_volatile_body_has_no_name)
{
	struct fix_mail mail;
	struct message *m = fix_spooled(&f, 1, SIZE, true, NULL);
	ck_assert_uint_eq(count_files(NULL, 0), 0);
	fix_check_message(m, 1, SIZE);
	/* Accepted all the same it is copied. */
	fix_mail_init(&mail, 1, 64);
	message_unref(mail.entry.message);
	mail.entry.message = m;
	ck_assert_int_eq(fix_accept(&f, &mail.accept), 0);
	ck_assert_int_eq(fix_verify(&f, mail.entry.id, 1, SIZE), 0);
	ck_assert_uint_eq(count_files(NULL, 0), 0);
	fix_mail_finish(&mail);
}
END_TEST

START_TEST(a_body_is_not_accepted_twice)
{
	struct fix_mail a, b;
	struct message *m = fix_spooled(&f, 1, SIZE, false, NULL);
	fix_mail_init(&a, 1, 64);
	fix_mail_init(&b, 1, 64);
	message_unref(a.entry.message);
	message_unref(b.entry.message);
	a.entry.message = m;
	b.entry.message = message_ref(m);
	ck_assert_int_eq(fix_accept(&f, &a.accept), 0);
	ck_assert_int_eq(fix_accept(&f, &b.accept), 0);
	ck_assert_int_eq(fix_set(&f, a.entry.id, STORE_SENT), 0);
	await_files(0);
	ck_assert_int_eq(fix_verify(&f, b.entry.id, 1, SIZE), 0);
	fix_mail_finish(&a);
	fix_mail_finish(&b);
}
END_TEST

START_TEST(a_known_id_leaves_the_first_body_alone)
{
	struct fix_mail again;
	struct id id = fix_add_spooled(&f, 1, SIZE, NULL);
	fix_mail_init(&again, 2, 64);
	message_unref(again.entry.message);
	again.entry.id = id;
	again.entry.message = fix_spooled(&f, 2, SIZE, false, NULL);
	ck_assert_int_eq(fix_accept(&f, &again.accept), -EEXIST);
	fix_mail_finish(&again);
	await_files(1);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), 0);
}
END_TEST

START_TEST(a_start_removes_what_no_row_tells_of)
{
	char path[160];
	struct id id = fix_add_spooled(&f, 1, SIZE, NULL);
	fix_close(&f);
	(void)snprintf(
	    path, sizeof(path), "%s/bodies/%08x.msg", f.path, SPOOL_FIRST + 7);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "half", 4), 4);
	(void)close(fd);
	fix_open(&f, fault_io());
	ck_assert_uint_eq(count_files(NULL, 0), 1);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), 0);
}
END_TEST

/* Or the end of the message that lost it would take the other one's. */
START_TEST(the_name_of_a_lost_file_is_not_given_away)
{
	char path[256];
	struct id lost = fix_add_spooled(&f, 1, SIZE, NULL);
	ck_assert_uint_eq(count_files(path, sizeof(path)), 1);
	fix_close(&f);
	ck_assert_int_eq(unlink(path), 0);
	fix_open(&f, fault_io());
	struct id id = fix_add_spooled(&f, 2, SIZE, NULL);
	ck_assert_int_eq(fix_verify(&f, lost, 1, SIZE), -EBADMSG);
	ck_assert_int_eq(fix_set(&f, lost, STORE_DROPPED), 0);
	reopen();
	ck_assert_int_eq(fix_verify(&f, id, 2, SIZE), 0);
}
END_TEST

static void damage(const char *path, off_t at)
{
	int fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, "\x01", 1, at), 1);
	(void)close(fd);
}

START_TEST(a_damaged_body_is_found_out)
{
	char path[256];
	struct id id = fix_add_spooled(&f, 1, SIZE, NULL);
	ck_assert_uint_eq(count_files(path, sizeof(path)), 1);
	damage(path, SPOOL_BODY_START + SIZE / 2);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), -EBADMSG);
	ck_assert_int_eq(truncate(path, SPOOL_BODY_START + 100), 0);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), -EBADMSG);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), -EBADMSG);
	/* Of that one message only. */
	id = fix_add_spooled(&f, 2, SIZE, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 2, SIZE), 0);
	ck_assert_uint_eq(count_files(path, sizeof(path)), 1);
	damage(path, SPOOL_BODY_START - 5); /* the header */
	ck_assert_int_eq(fix_verify(&f, id, 2, SIZE), -EBADMSG);
}
END_TEST

/* Not the end of the process that a mapped page would be. */
START_TEST(a_body_cut_while_in_use_is_an_error)
{
	char path[256], last[16];
	struct message *m = fix_spooled(&f, 1, SIZE, false, NULL);
	ck_assert_uint_eq(count_files(path, sizeof(path)), 1);
	ck_assert_int_eq(truncate(path, SPOOL_BODY_START + SIZE / 2), 0);
	ck_assert_int_eq(message_read_all(m, message_size(m) - sizeof(last),
			     last, sizeof(last)),
	    -EBADMSG);
	message_unref(m);
}
END_TEST

START_TEST(a_full_disk_ends_a_body_and_nothing_else)
{
	int rc;
	fault_fail_next_write();
	ck_assert_ptr_null(fix_spooled(&f, 1, SIZE, false, &rc));
	ck_assert_int_eq(rc, -ENOSPC);
	await_files(0);
	ck_assert_int_eq(store_check(f.store), -ENOSPC);
	struct id id = fix_add_spooled(&f, 2, SIZE, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 2, SIZE), 0);
	ck_assert_int_eq(store_check(f.store), 0);
}
END_TEST

START_TEST(keeps_the_space_that_is_to_be_left)
{
	int rc;
	fix_close(&f);
	f.settings.min_free_bytes = UINT64_MAX / 2;
	fix_open(&f, fault_io());
	ck_assert_ptr_null(fix_spooled(&f, 1, SIZE, false, &rc));
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_eq(count_files(NULL, 0), 0);
}
END_TEST

START_TEST(without_a_descriptor_it_says_so_for_now)
{
	int rc;
	fault_fail_opens();
	ck_assert_ptr_null(fix_spooled(&f, 1, SIZE, false, &rc));
	ck_assert_int_eq(rc, -ENOMEM);
	fault_reset();
	ck_assert_int_eq(store_check(f.store), 0);
	(void)fix_add_spooled(&f, 1, SIZE, NULL);
}
END_TEST

START_TEST(a_failed_sync_of_a_body_ends_all_writing)
{
	int rc;
	struct id id = fix_add_spooled(&f, 1, SIZE, NULL);
	fault_fail_syncs();
	(void)fix_add_spooled(&f, 2, SIZE, &rc);
	ck_assert_int_eq(rc, -EIO);
	fault_reset();
	ck_assert_int_eq(store_check(f.store), -EIO);
	ck_assert_ptr_null(fix_spooled(&f, 3, SIZE, false, &rc));
	ck_assert_int_eq(rc, -EIO);
	reopen();
	ck_assert_uint_eq(count_files(NULL, 0), 1);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), 0);
}
END_TEST

START_TEST(what_was_handed_over_before_a_close_is_there_after_it)
{
	enum {
		N = 5
	};
	struct fix_mail m[N];
	for (unsigned i = 0; i < N; i++) {
		fix_mail_init(&m[i], i, 64);
		message_unref(m[i].entry.message);
		m[i].entry.message = fix_spooled(&f, i, SIZE, false, NULL);
	}
	fix_accept_and_close(&f, m, N);
	fix_open(&f, fault_io());
	for (unsigned i = 0; i < N; i++) {
		ck_assert_int_eq(m[i].accept.request.result, 0);
		ck_assert_int_eq(fix_verify(&f, m[i].entry.id, i, SIZE), 0);
		fix_mail_finish(&m[i]); /* later than its store */
	}
	ck_assert_uint_eq(count_files(NULL, 0), N);
}
END_TEST

/* --- a body that is dropped while it is written --- */

struct hasty {
	struct task task;
	sem_t over;
};

static void never(void *ctx, int rc)
{
	(void)ctx;
	ck_abort_msg("answered after the drop: %d", rc);
}

static void drop_during_write(struct task *t)
{
	struct hasty *h = container_of(t, struct hasty, task);
	struct buf data;
	for (int i = 0; i < 20; i++) {
		struct store_body *b =
		    store_body_new(f.store, f.loop, i % 2 == 0);
		buf_init(&data, 100000);
		ck_assert_int_eq(buf_reserve(&data, 100000), 0);
		memset(buf_tail(&data), 'x', 100000);
		buf_commit(&data, 100000);
		store_body_write(b, &data, never, NULL);
		store_body_drop(b);
	}
	store_body_drop(store_body_new(f.store, f.loop, false));
	store_body_drop(NULL);
	(void)sem_post(&h->over);
}

START_TEST(can_be_dropped_at_any_time)
{
	struct hasty h = { .task.run = drop_during_write };
	(void)sem_init(&h.over, 0, 0);
	loop_post(f.loop, &h.task);
	while (sem_wait(&h.over) < 0)
		;
	(void)sem_destroy(&h.over);
	/* Behind all the writes, and their answers. */
	struct id id = fix_add_spooled(&f, 1, SIZE, NULL);
	await_files(1);
	ck_assert_int_eq(fix_verify(&f, id, 1, SIZE), 0);
}
END_TEST

START_TEST(the_store_without_files_has_no_bodies)
{
	struct fix m;
	fix_init(&m, STORE_MEMORY);
	fix_open(&m, NULL);
	ck_assert_ptr_null(store_body_new(m.store, m.loop, true));
	fix_finish(&m);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.spool");
	TCase *tc = tcase_create("spool");
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, accepts_a_body_where_it_lies_and_finds_it_again);
	tcase_add_test(tc, removes_the_file_with_the_row);
	tcase_add_test(tc, takes_no_memory_for_what_is_in_a_file);
	tcase_add_test(tc, reads_the_same_in_pieces_of_any_size);
	tcase_add_test(tc, leaves_nothing_of_what_was_not_accepted);
	tcase_add_test(tc, a_volatile_body_has_no_name);
	tcase_add_test(tc, a_body_is_not_accepted_twice);
	tcase_add_test(tc, a_known_id_leaves_the_first_body_alone);
	tcase_add_test(tc, a_start_removes_what_no_row_tells_of);
	tcase_add_test(tc, the_name_of_a_lost_file_is_not_given_away);
	tcase_add_test(tc, a_damaged_body_is_found_out);
	tcase_add_test(tc, a_body_cut_while_in_use_is_an_error);
	tcase_add_test(tc, a_full_disk_ends_a_body_and_nothing_else);
	tcase_add_test(tc, keeps_the_space_that_is_to_be_left);
	tcase_add_test(tc, without_a_descriptor_it_says_so_for_now);
	tcase_add_test(tc, a_failed_sync_of_a_body_ends_all_writing);
	tcase_add_test(
	    tc, what_was_handed_over_before_a_close_is_there_after_it);
	tcase_add_test(tc, can_be_dropped_at_any_time);
	tcase_add_test(tc, the_store_without_files_has_no_bodies);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
