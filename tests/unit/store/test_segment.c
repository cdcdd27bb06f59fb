/* Segment files by themselves. */
#include "fault.h"
#include "fixture.h"

#include <store/segment.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BIG = SEGMENT_LARGE, /* the largest that shares a segment: 8 of them */
	PER_SEGMENT = SEGMENT_SIZE / BIG
};

static struct fix f;
static struct segments *s;
static segment_turn turn;
static int dir;

static void open_again(void)
{
	struct err e;
	ck_assert_int_eq(segments_open(fault_io(), dir, &turn, &s, &e), 0);
}

static void start(void)
{
	fix_init(&f, STORE_SQLITE);
	fault_reset();
	turn = 0;
	ck_assert_int_eq(mkdir(f.path, 0700), 0);
	dir = open(f.path, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(dir, 0);
	open_again();
	ck_assert_int_eq(segments_resume(s), 0);
}

static void stop(void)
{
	segments_close(s);
	(void)close(dir);
	fix_finish(&f);
}

static struct place append(unsigned seed, size_t size)
{
	struct place p = { 0 };
	struct message *m = fix_message(seed, size);
	ck_assert_int_eq(segments_append(s, m, &p), 0);
	ck_assert_int_eq(segments_sync(s), 0);
	message_unref(m);
	return p;
}

static int read_back(const struct place *p, unsigned seed)
{
	char *bytes = malloc(p->size);
	int rc =
	    segment_read(fault_io(), dir, p, bytes, bytes + p->header_size);
	struct message *m = fix_message(seed, p->size);
	struct span header = message_header(m), body = message_body(m);
	if (rc == 0) {
		ck_assert_uint_eq(p->header_size, header.len);
		ck_assert_mem_eq(bytes, header.ptr, header.len);
		ck_assert_mem_eq(bytes + header.len, body.ptr, body.len);
	}
	message_unref(m);
	free(bytes);
	return rc;
}

static struct place fill_segment(void)
{
	struct place last = { 0 };
	for (unsigned i = 0; i < PER_SEGMENT; i++)
		last = append(1, BIG);
	return last;
}

static void release(uint32_t segment, unsigned count)
{
	struct place p = { .segment = segment, .size = BIG };
	for (unsigned i = 0; i < count; i++)
		segments_release(s, &p);
}

START_TEST(a_batch_lies_together_and_starts_on_a_page)
{
	struct message *m[3];
	struct place p[3];
	start();
	for (unsigned i = 0; i < 3; i++) {
		m[i] = fix_message(i, 100 + i);
		ck_assert_int_eq(segments_append(s, m[i], &p[i]), 0);
	}
	ck_assert_int_eq(segments_sync(s), 0);
	ck_assert_uint_eq(p[0].offset, 0);
	ck_assert_uint_eq(p[1].offset, 100);
	ck_assert_uint_eq(p[2].offset, 201);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(read_back(&p[i], i), 0);
		message_unref(m[i]);
	}
	ck_assert_uint_eq(append(9, 64).offset, SEGMENT_PAGE);
	stop();
}
END_TEST

START_TEST(gathers_more_pieces_than_one_write_takes)
{
	enum {
		COUNT = 1500
	};
	static struct message *m[COUNT];
	static struct place p[COUNT];
	start();
	for (unsigned i = 0; i < COUNT; i++) {
		m[i] = fix_message(i, 64 + i % 50);
		ck_assert_int_eq(segments_append(s, m[i], &p[i]), 0);
	}
	ck_assert_int_eq(segments_sync(s), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		ck_assert_int_eq(read_back(&p[i], i), 0);
		message_unref(m[i]);
	}
	stop();
}
END_TEST

START_TEST(an_emptied_segment_is_overwritten)
{
	start();
	struct place first = fill_segment();
	struct place second = fill_segment();
	ck_assert_uint_ne(second.segment, first.segment);
	release(first.segment, PER_SEGMENT);
	segments_reap(s, SEGMENT_SPARE);
	struct place third = fill_segment();
	ck_assert_uint_eq(third.segment, first.segment);
	ck_assert_int_eq(read_back(&third, 1), 0);
	ck_assert_uint_eq(fix_files(&f, "."), 2);
	stop();
}
END_TEST

START_TEST(one_live_body_keeps_its_segment)
{
	start();
	struct place first = fill_segment();
	release(first.segment, PER_SEGMENT - 1);
	struct place second = fill_segment();
	struct place third = fill_segment();
	ck_assert_uint_ne(second.segment, first.segment);
	ck_assert_uint_ne(third.segment, first.segment);
	ck_assert_int_eq(read_back(&first, 1), 0);
	stop();
}
END_TEST

START_TEST(what_a_reader_may_read_is_not_overwritten)
{
	start();
	struct place first = fill_segment();
	struct place second = fill_segment();
	turn = 1;
	release(first.segment, PER_SEGMENT);
	struct place third = fill_segment();
	ck_assert_uint_ne(third.segment, first.segment);
	/* The next reader began after the release. */
	turn = 3;
	release(second.segment, PER_SEGMENT);
	struct place fourth = fill_segment();
	ck_assert_uint_eq(fourth.segment, first.segment);
	stop();
}
END_TEST

START_TEST(a_large_body_has_a_file_of_its_own_until_released)
{
	start();
	struct place small = append(1, 100);
	struct place large = append(2, SEGMENT_LARGE + 1);
	struct place next = append(3, 100);
	ck_assert_uint_ne(large.segment, small.segment);
	ck_assert_uint_eq(next.segment, small.segment);
	ck_assert_int_eq(read_back(&large, 2), 0);
	ck_assert_uint_eq(fix_files(&f, "."), 2);
	turn = 1;
	segments_release(s, &large);
	segments_reap(s, SEGMENT_SPARE);
	ck_assert_uint_eq(fix_files(&f, "."), 2);
	turn = 2;
	segments_reap(s, SEGMENT_SPARE);
	ck_assert_uint_eq(fix_files(&f, "."), 1);
	ck_assert_int_eq(read_back(&large, 2), -EBADMSG);
	stop();
}
END_TEST

START_TEST(keeps_only_some_empty_segments)
{
	start();
	segments_close(s);
	for (unsigned i = 0; i < SEGMENT_SPARE + 5; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "%08x.seg", 0xa0 + i);
		int fd = openat(dir, name, O_CREAT | O_WRONLY, 0600);
		ck_assert_int_eq(ftruncate(fd, SEGMENT_SIZE), 0);
		(void)close(fd);
	}
	/* A file that was being made, and one that is not ours. */
	(void)close(openat(dir, "000000ff.seg", O_CREAT | O_WRONLY, 0600));
	(void)close(openat(dir, "notes.txt", O_CREAT | O_WRONLY, 0600));
	open_again();
	ck_assert_int_eq(segments_resume(s), 0);
	ck_assert_uint_eq(fix_files(&f, "."), SEGMENT_SPARE + 1);
	(void)append(1, 100);
	ck_assert_uint_eq(fix_files(&f, "."), SEGMENT_SPARE + 1);
	stop();
}
END_TEST

START_TEST(goes_on_after_the_last_live_body)
{
	start();
	struct place first = append(1, 5000);
	struct place second = append(2, 5000);
	segments_close(s);
	open_again();
	ck_assert_int_eq(
	    segments_adopt(s, first.segment, 1, 5000, first.offset + 5000), 0);
	ck_assert_int_eq(segments_resume(s), 0);
	struct place third = append(3, 5000);
	ck_assert_uint_eq(third.segment, first.segment);
	ck_assert_uint_eq(third.offset, second.offset);
	ck_assert_int_eq(read_back(&first, 1), 0);
	ck_assert_int_eq(read_back(&third, 3), 0);
	stop();
}
END_TEST

START_TEST(a_body_that_finds_no_space_leaves_the_others_alone)
{
	struct message *big = fix_message(1, BIG);
	struct message *small = fix_message(2, 100);
	struct place p, q;
	start();
	for (unsigned i = 0; i < PER_SEGMENT - 1; i++)
		(void)append(1, BIG);
	(void)append(3, 200);
	/* Rotation: the open, then the fallocate. */
	ck_assert_int_eq(segments_append(s, small, &q), 0);
	fault_reset();
	fault_arm(3, FAULT_ENOSPC, true);
	ck_assert_int_lt(segments_append(s, big, &p), 0);
	fault_reset();
	ck_assert_int_eq(segments_sync(s), 0);
	ck_assert_int_eq(read_back(&q, 2), 0);
	/* And the segment it was in still takes what fits. */
	struct place r = append(4, 100);
	ck_assert_uint_eq(r.segment, q.segment);
	message_unref(big);
	message_unref(small);
	stop();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("store.segment");
	TCase *tc = tcase_create("segment");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_batch_lies_together_and_starts_on_a_page);
	tcase_add_test(tc, gathers_more_pieces_than_one_write_takes);
	tcase_add_test(tc, an_emptied_segment_is_overwritten);
	tcase_add_test(tc, one_live_body_keeps_its_segment);
	tcase_add_test(tc, what_a_reader_may_read_is_not_overwritten);
	tcase_add_test(tc, a_large_body_has_a_file_of_its_own_until_released);
	tcase_add_test(tc, keeps_only_some_empty_segments);
	tcase_add_test(tc, goes_on_after_the_last_live_body);
	tcase_add_test(tc, a_body_that_finds_no_space_leaves_the_others_alone);
	suite_add_tcase(suite, tc);
	return suite;
}

UNIT_MAIN(make_suite)
