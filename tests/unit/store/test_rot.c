/*
 * Bytes change on the disk while nobody looks: each of them costs its own
 * message at most, and those before and behind it are what they were.
 *
 * POSTERN_EXHAUSTIVE=1 changes every byte, each time every bit of it.
 */
#include "fixture.h"

#include <store/segment.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
	MESSAGES = 20,
	SPOOLED = 2,
	STEP = 17, /* bytes, when not all */
	SEED = 4711
};

static struct fix f;
static struct id ids[MESSAGES];
static size_t sizes[MESSAGES], hits[MESSAGES];
static unsigned count;

static bool is_exhaustive(void)
{
	const char *all = getenv("POSTERN_EXHAUSTIVE");
	return all && *all;
}

/* In one turn of the loop, so that one follows right behind the other. */
static void accept_all(void)
{
	struct fix_mail mails[MESSAGES];
	struct store_accept accepts[MESSAGES];
	count = MESSAGES;
	for (unsigned i = 0; i < count; i++) {
		sizes[i] = 64 + i * 37 % 300;
		fix_mail_init(&mails[i], i, sizes[i]);
		ids[i] = mails[i].entry.id;
		accepts[i] = (struct store_accept){ .entry = &mails[i].entry };
	}
	fix_accept_all(&f, accepts, count);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_int_eq(accepts[i].request.result, 0);
		fix_mail_finish(&mails[i]);
	}
}

/* Which message is damaged, or MESSAGES; the others are whole. */
static unsigned find_damaged(void)
{
	struct store_load loads[MESSAGES];
	unsigned damaged = MESSAGES;
	for (unsigned i = 0; i < count; i++)
		loads[i] =
		    (struct store_load){ .id = ids[i], .wants_message = true };
	fix_load_all(&f, loads, count);
	for (unsigned i = 0; i < count; i++) {
		const struct store_entry *e = loads[i].entry;
		if (e) {
			fix_check_message(e->message, i, sizes[i]);
			store_entry_free(loads[i].entry);
			continue;
		}
		ck_assert_int_eq(loads[i].request.result, -EBADMSG);
		ck_assert_msg(damaged == MESSAGES, "two are damaged");
		damaged = i;
	}
	return damaged;
}

static void change(int fd, off_t at, unsigned char mask)
{
	unsigned char c;
	ck_assert_int_eq(pread(fd, &c, 1, at), 1);
	c ^= mask;
	ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
}

static unsigned spoil(int fd, off_t at, unsigned char mask)
{
	change(fd, at, mask);
	unsigned damaged = find_damaged();
	change(fd, at, mask);
	return damaged;
}

static void spoil_byte(int fd, off_t at)
{
	unsigned damaged = spoil(fd, at, (unsigned char)(1 + rand() % 255));
	if (damaged < MESSAGES)
		hits[damaged]++;
	for (int bit = 0; is_exhaustive() && bit < 8; bit++)
		ck_assert_uint_eq(
		    spoil(fd, at, (unsigned char)(1 << bit)), damaged);
}

static void spoil_file(const char *name, off_t from, off_t to)
{
	char path[160];
	(void)snprintf(path, sizeof(path), "%s/bodies/%s", f.path, name);
	int fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	int step = is_exhaustive() ? 1 : STEP;
	srand(SEED);
	memset(hits, 0, sizeof(hits));
	for (off_t at = from + rand() % step; at < to; at += step)
		spoil_byte(fd, at);
	ck_assert_uint_eq(find_damaged(), MESSAGES);
	(void)close(fd);
}

START_TEST(a_byte_of_a_segment_costs_its_message_only)
{
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	accept_all();
	/* They take less than two pages, in two batches at most. */
	spoil_file("00000001.seg", 0, (off_t)4 * SEGMENT_PAGE);
	for (unsigned i = 0; i < count; i++) {
		if (is_exhaustive())
			ck_assert_uint_eq(hits[i], sizes[i]);
		ck_assert_uint_ge(hits[i], sizes[i] / STEP);
		ck_assert_uint_le(hits[i], sizes[i]);
	}
	fix_finish(&f);
}
END_TEST

START_TEST(a_byte_of_a_file_of_its_own_costs_that_message)
{
	fix_init(&f, STORE_SQLITE);
	fix_open(&f, NULL);
	count = SPOOLED;
	for (unsigned i = 0; i < count; i++) {
		sizes[i] = 2000;
		ids[i] = fix_add_spooled(&f, i, sizes[i], NULL);
	}
	/* Behind a hole of up to 1 MiB. */
	off_t end = 1024 * 1024 + 2000;
	spoil_file("80000000.msg", end - 2100, end - 30);
	ck_assert_uint_ge(hits[0], 1900 / STEP);
	ck_assert_uint_eq(hits[1], 0);
	fix_finish(&f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.rot");
	TCase *tc = tcase_create("rot");
	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, a_byte_of_a_segment_costs_its_message_only);
	tcase_add_test(tc, a_byte_of_a_file_of_its_own_costs_that_message);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
