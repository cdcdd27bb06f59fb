/*
 * A spool of which something is damaged becomes a new one: every message whose
 * rows and body are untouched is in it, and nothing that was over is open.
 */
#include "spoil.h"

#include <store/spool.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PAGE = SPOIL_PAGE,
	MESSAGES = 60,
	FULL = SPOIL_MAX, /* for trees of more than one level */
	SIZE = SPOIL_SIZE
};

static size_t lost;       /* messages that were not saved */
static bool may_be_older; /* the end of the log is gone, and nothing tells */

static bool is_over(enum store_state state)
{
	return state == STORE_SENT || state == STORE_FAILED;
}

/* 0: as it was; 1: held; -1: it is lost, or in part. */
static int look_at(unsigned i)
{
	const struct spoil_told *t = &spoil.told[i];
	struct store_load l = { .id = t->id };
	int rc = fix_load(&spoil.f, &l);
	if (rc == -ENOENT)
		return -1;
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(l.entry->recipient_count, 1);
	enum store_state state = l.entry->recipients[0].state;
	bool is_gap = state == STORE_DROPPED;
	if (!is_gap)
		ck_assert(span_eq(
		    l.entry->recipients[0].address, SPAN("you@example.org")));
	store_entry_free(l.entry);
	if (is_gap)
		return -1;
	if (may_be_older && state == STORE_PENDING)
		return 0;
	if (state != t->state) {
		ck_assert_msg(!is_over(t->state),
		    "message %u was over and is %d", i, (int)state);
		ck_assert_int_eq(state, STORE_HELD);
	}
	rc = is_over(t->state) ? 0 : fix_verify(&spoil.f, t->id, i, SIZE);
	if (rc == -EBADMSG)
		return -1;
	ck_assert_int_eq(rc, 0);
	return state != t->state;
}

struct seen {
	unsigned same, held, lost;
};

static struct seen look(void)
{
	struct seen s = { 0, 0, 0 };
	for (unsigned i = 0; i < spoil.count; i++) {
		int how = look_at(i);
		s.same += how == 0;
		s.held += how > 0;
		s.lost += how < 0;
	}
	/* And it is a store. */
	struct id id = fix_add(&spoil.f, 4711, SIZE, NULL);
	ck_assert_int_eq(fix_verify(&spoil.f, id, 4711, SIZE), 0);
	ck_assert_int_eq(fix_set(&spoil.f, id, STORE_SENT), 0);
	return s;
}

START_TEST(what_is_whole_is_taken_over_as_it_is)
{
	spoil_fill(MESSAGES);
	if (_i)
		spoil_end_killed();
	else
		spoil_end_closed();
	spoil_salvage();
	ck_assert(salvage_is_complete(&spoil.report));
	ck_assert_uint_eq(spoil.report.messages, MESSAGES);
	ck_assert_uint_eq(look().same, MESSAGES);
	for (unsigned i = 0; i < MESSAGES; i++)
		if (spoil.told[i].state == STORE_FAILED)
			ck_assert_int_eq(
			    fix_verify(&spoil.f, spoil.told[i].id, i, SIZE), 0);
	/* Also after its own end and start. */
	fix_close(&spoil.f);
	fix_open(&spoil.f, NULL);
	ck_assert_uint_eq(look().same, MESSAGES);
	fix_finish(&spoil.f);
}
END_TEST

/* Messages that have a row of some kind on a page, by a look at its bytes. */
static unsigned count_ids(const char *page)
{
	unsigned n = 0;
	for (unsigned i = 0; i < spoil.count; i++)
		n += memmem(page, PAGE, spoil.told[i].id.bytes,
			 sizeof(spoil.told[i].id.bytes)) != NULL;
	return n;
}

static void ruin(char *page, int how)
{
	switch (how) {
	case 0:
		memset(page, 0, PAGE);
		break;
	case 1:
		for (size_t i = 0; i < PAGE; i++)
			page[i] = (char)rand();
		break;
	default: /* a sector */
		for (size_t i = 0, at = 512 * ((size_t)rand() % 8); i < 512;
		     i++)
			page[at + i] = (char)rand();
	}
}

/* Each page of a database in turn: only who had rows there may be missing. */
START_TEST(a_damaged_page_takes_only_what_was_on_it)
{
	char page[PAGE], kept[PAGE], path[200];
	srand((unsigned)_i + 1);
	spoil_fill(MESSAGES);
	spoil_end_closed();
	spoil_name(path, "store.db");
	off_t end = spoil_size_of("store.db");
	for (off_t at = 0; at < end; at += PAGE) {
		int fd = open(path, O_RDONLY);
		ck_assert_int_eq(pread(fd, kept, PAGE, at), PAGE);
		(void)close(fd);
		memcpy(page, kept, PAGE);
		ruin(page, _i);
		spoil_overwrite("store.db", at, page, PAGE);
		spoil_salvage();
		struct seen s = look();
		ck_assert_uint_le(s.lost, count_ids(kept));
		ck_assert(!salvage_is_complete(&spoil.report) ||
			  s.same == spoil.count);
		lost += s.lost;
		spoil_drop_new();
		spoil_overwrite("store.db", at, kept, PAGE);
	}
	ck_assert_uint_gt(lost, 0);
	fix_finish(&spoil.f);
}
END_TEST

/* The roots of its trees have no rows worth mentioning. */
START_TEST(a_tree_without_its_root_is_read_all_the_same)
{
	char page[PAGE], path[200];
	unsigned roots = 0;
	spoil_fill(FULL);
	spoil_end_closed();
	spoil_name(path, "store.db");
	off_t end = spoil_size_of("store.db");
	int fd = open(path, O_RDWR);
	for (off_t at = PAGE; at < end; at += PAGE) {
		ck_assert_int_eq(pread(fd, page, PAGE, at), PAGE);
		/* An inner page; its own rows are few. */
		if (page[0] != 2)
			continue;
		char zero[PAGE] = { 0 };
		unsigned rows = count_ids(page);
		ck_assert_int_eq(pwrite(fd, zero, PAGE, at), PAGE);
		spoil_salvage();
		ck_assert_uint_le(look().lost, rows);
		ck_assert_uint_gt(look().same, FULL - rows - 1);
		spoil_drop_new();
		ck_assert_int_eq(pwrite(fd, page, PAGE, at), PAGE);
		roots++;
	}
	(void)close(fd);
	ck_assert_uint_ge(roots, 2);
	fix_finish(&spoil.f);
}
END_TEST

START_TEST(garbage_anywhere_crashes_nothing)
{
	enum {
		ROUNDS = 40
	};
	char kept[128];
	srand(4711);
	spoil_fill(MESSAGES);
	spoil_end_killed();
	(void)snprintf(kept, sizeof(kept), "%s/kept", spoil.f.dir);
	for (int i = 0; i < ROUNDS; i++) {
		spoil_copy(spoil.damaged, kept);
		const char *file = i % 3 ? "store.db-wal" : "store.db";
		for (int k = 0; k <= i % 7; k++) {
			char bytes[64];
			size_t n = 1 + (size_t)rand() % sizeof(bytes);
			for (size_t b = 0; b < n; b++)
				bytes[b] = (char)rand();
			spoil_overwrite(file,
			    rand() % (spoil_size_of(file) + 1 - (off_t)n),
			    bytes, n);
		}
		spoil_salvage();
		(void)look();
		spoil_drop_new();
		spoil_drop(spoil.damaged);
		ck_assert_int_eq(rename(kept, spoil.damaged), 0);
	}
	fix_finish(&spoil.f);
}
END_TEST

/* As a cut of the power may leave it, which is no damage; and worse. */
START_TEST(what_is_cut_off_is_not_invented)
{
	char path[200];
	static const char *const files[] = { "store.db-wal", "store.db" };
	spoil_fill(MESSAGES);
	spoil_end_killed();
	may_be_older = _i == 0;
	spoil_name(path, files[_i]);
	for (off_t n = spoil_size_of(files[_i]); n > 0; n -= n / 8 + 1) {
		ck_assert_int_eq(truncate(path, n), 0);
		spoil_salvage();
		(void)look();
		spoil_drop_new();
	}
	fix_finish(&spoil.f);
}
END_TEST

START_TEST(a_frame_of_the_log_is_not_all_of_it)
{
	unsigned same = 0;
	spoil_fill(MESSAGES);
	spoil_end_killed();
	off_t frames = (spoil_size_of("store.db-wal") - 32) / (24 + PAGE);
	ck_assert_int_gt(frames, 200);
	for (off_t i = 0; i < frames; i += frames / 12) {
		char was[16], path[200];
		off_t at = 32 + i * (24 + PAGE) + 24 + 2000;
		spoil_name(path, "store.db-wal");
		int fd = open(path, O_RDONLY);
		ck_assert_int_eq(pread(fd, was, sizeof(was), at), sizeof(was));
		(void)close(fd);
		spoil_overwrite("store.db-wal", at, "????????????????", 16);
		spoil_salvage();
		struct seen s = look();
		same += s.same;
		ck_assert_uint_eq(s.lost, 0);
		spoil_drop_new();
		spoil_overwrite("store.db-wal", at, was, sizeof(was));
	}
	ck_assert_uint_gt(same, 0);
	fix_finish(&spoil.f);
}
END_TEST

START_TEST(a_lost_segment_leaves_its_messages_to_a_person)
{
	char path[200];
	spoil_fill(MESSAGES);
	spoil_end_closed();
	spoil_name(path, "bodies/00000001.seg");
	ck_assert_int_eq(unlink(path), 0);
	spoil_salvage();
	ck_assert_uint_gt(spoil.report.without_body, 0);
	ck_assert(!salvage_is_complete(&spoil.report));
	for (unsigned i = 0; i < MESSAGES; i++)
		if (!is_over(spoil.told[i].state))
			ck_assert_int_eq(
			    fix_verify(&spoil.f, spoil.told[i].id, i, SIZE),
			    spoil.told[i].is_spooled ? 0 : -EBADMSG);
	ck_assert_uint_eq(fix_files(&spoil.f, "lost+found"), 1);
	fix_finish(&spoil.f);
}
END_TEST

static void delete_row(const char *table, const char *column, struct id id)
{
	char path[200], text[128];
	sqlite3 *db;
	sqlite3_stmt *q;
	spoil_name(path, "store.db");
	(void)snprintf(
	    text, sizeof(text), "DELETE FROM %s WHERE %s = ?1", table, column);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, text, -1, &q, NULL), SQLITE_OK);
	(void)sqlite3_bind_blob(q, 1, id.bytes, sizeof(id.bytes), NULL);
	ck_assert_int_eq(sqlite3_step(q), SQLITE_DONE);
	ck_assert_int_eq(sqlite3_changes(db), 1);
	(void)sqlite3_finalize(q);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void read_list(char *out, size_t size)
{
	char path[200];
	(void)snprintf(
	    path, sizeof(path), "%s/lost+found/messages.txt", spoil.f.path);
	FILE *in = fopen(path, "r");
	ck_assert_ptr_nonnull(in);
	out[fread(out, 1, size - 1, in)] = '\0';
	(void)fclose(in);
}

static void check_text(unsigned i)
{
	char path[200], text[ID_TEXT_SIZE], bytes[SIZE + 1];
	id_format(spoil.told[i].id, text);
	(void)snprintf(
	    path, sizeof(path), "%s/lost+found/%s.eml", spoil.f.path, text);
	FILE *in = fopen(path, "r");
	ck_assert_msg(in != NULL, "%s", path);
	ck_assert_uint_eq(fread(bytes, 1, sizeof(bytes), in), SIZE);
	(void)fclose(in);
	struct message *want = fix_message(i, SIZE);
	struct span header = message_header(want), body = message_body(want);
	ck_assert_int_eq(memcmp(bytes, header.ptr, header.len), 0);
	ck_assert_int_eq(memcmp(bytes + header.len, body.ptr, body.len), 0);
	message_unref(want);
}

START_TEST(without_an_envelope_the_text_is_kept)
{
	char list[8192];
	spoil_fill(12);
	spoil_end_closed();
	/* 0, 3, 6 and 9 wait. */
	delete_row("recipient", "message", spoil.told[0].id);
	delete_row("message", "id", spoil.told[3].id);
	delete_row("body", "message", spoil.told[6].id);
	spoil_salvage();
	ck_assert_uint_eq(spoil.report.unreadable, 1);
	ck_assert_uint_eq(spoil.report.strangers, 1);
	ck_assert_uint_eq(spoil.report.without_body, 1);
	ck_assert_uint_eq(spoil.report.files, 2);
	check_text(0);
	check_text(3);
	read_list(list, sizeof(list));
	ck_assert_ptr_nonnull(strstr(list,
	    "from <me@example.org>, user app, Message-ID <>; to one that is "
	    "unreadable; "));
	ck_assert_ptr_nonnull(strstr(
	    list, "sender and user unknown; to <you@example.org> pending; "));
	ck_assert_ptr_nonnull(strstr(
	    list, "to <you@example.org> pending; its text cannot be read"));
	struct store_find find = { .id = spoil.told[0].id };
	ck_assert_int_eq(fix_find(&spoil.f, &find), 0);
	ck_assert_uint_eq(find.attempt_count, 1);
	ck_assert(find.attempts[0].is_operator);
	store_find_finish(&find);
	ck_assert_int_eq(
	    fix_verify(&spoil.f, spoil.told[6].id, 6, SIZE), -EBADMSG);
	ck_assert_int_eq(fix_verify(&spoil.f, spoil.told[9].id, 9, SIZE), 0);
	fix_finish(&spoil.f);
}
END_TEST

/* Each was a batch of its own, but for the last, which goes on for long. */
START_TEST(without_a_database_the_texts_are_kept)
{
	enum {
		LARGE = 20000
	};
	char path[200], bytes[LARGE + 1];
	static const char *const names[] = { "00000001-00001000",
		"00000001-00002000", "80000000-000fffeb" };
	static const size_t sizes[] = { SIZE, LARGE, SIZE };
	spoil_fill(1);
	(void)fix_add(&spoil.f, 1, SIZE, NULL);
	(void)fix_add(&spoil.f, 2, LARGE, NULL);
	(void)fix_add_spooled(&spoil.f, 3, SIZE, NULL);
	spoil_end_closed();
	spoil_name(path, "store.db");
	ck_assert_int_eq(unlink(path), 0);
	spoil_salvage();
	ck_assert_uint_eq(spoil.report.files, 4);
	ck_assert(!salvage_is_complete(&spoil.report));
	ck_assert_uint_eq(fix_pending(&spoil.f), 0);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/lost+found/%s.eml",
		    spoil.f.path, names[i]);
		FILE *in = fopen(path, "r");
		ck_assert_msg(in != NULL, "%s", path);
		ck_assert_uint_eq(fread(bytes, 1, sizeof(bytes), in), sizes[i]);
		(void)fclose(in);
		struct message *want = fix_message(i + 1, sizes[i]);
		struct span header = message_header(want);
		ck_assert_int_eq(memcmp(bytes, header.ptr, header.len), 0);
		ck_assert_int_eq(
		    memcmp(bytes + header.len, message_body(want).ptr,
			message_body(want).len),
		    0);
		message_unref(want);
	}
	fix_finish(&spoil.f);
}
END_TEST

/* It is stored as somebody's program wrote it. */
START_TEST(what_a_message_calls_itself_is_not_judged)
{
	char list[8192];
	struct fix_mail m;
	spoil_fill(6);
	fix_mail_init(&m, 6, SIZE);
	m.entry.message_id = SPAN("<\xe4\t\xc3@example.org>");
	ck_assert_int_eq(fix_accept(&spoil.f, &m.accept), 0);
	struct id id = m.entry.id;
	fix_mail_finish(&m);
	spoil_end_closed();
	spoil_salvage();
	ck_assert(salvage_is_complete(&spoil.report));
	ck_assert_uint_eq(spoil.report.messages, 7);
	ck_assert_int_eq(fix_verify(&spoil.f, id, 6, SIZE), 0);
	spoil_drop_new();
	delete_row("recipient", "message", id);
	spoil_salvage();
	read_list(list, sizeof(list));
	ck_assert_ptr_nonnull(strstr(list, "<<???@example.org>>"));
	fix_finish(&spoil.f);
}
END_TEST

/* Its row is older than the file of that number. */
START_TEST(a_message_with_a_wrong_place_takes_no_other_with_it)
{
	spoil_fill(13);
	struct id wrong = spoil.told[0].id, other = spoil.told[12].id;
	ck_assert(spoil.told[12].is_spooled);
	spoil_end_closed();
	spoil_sql("UPDATE body SET (segment, offset, header) = (SELECT"
		  " segment, offset, header FROM body"
		  " WHERE segment > 0x7fffffff), crc = 1 WHERE message ="
		  " (SELECT min(message) FROM body)",
	    false);
	spoil_salvage();
	ck_assert_uint_eq(spoil.report.without_body, 1);
	ck_assert_int_eq(fix_verify(&spoil.f, wrong, 0, SIZE), -EBADMSG);
	ck_assert_int_eq(fix_set(&spoil.f, wrong, STORE_SENT), 0);
	fix_close(&spoil.f);
	fix_open(&spoil.f, NULL);
	ck_assert_int_eq(fix_verify(&spoil.f, other, 12, SIZE), 0);
	fix_finish(&spoil.f);
}
END_TEST

/* It is read once to see what it is, and once more: for either place. */
START_TEST(a_body_that_is_read_only_once_is_lost)
{
	char list[8192];
	spoil_fill(13);
	struct id id = spoil.told[12].id;
	ck_assert(spoil.told[12].is_spooled);
	spoil_end_closed();
	if (_i)
		delete_row("recipient", "message", id);
	spoil_sector("bodies/80000000.msg", SPOOL_BODY_START - 1, 1);
	spoil_salvage();
	ck_assert_uint_eq(spoil.report.messages, 13);
	ck_assert_uint_eq(spoil.report.without_body, _i ? 0 : 1);
	ck_assert_uint_eq(spoil.report.unreadable, _i ? 1 : 0);
	ck_assert_uint_eq(spoil.report.files, 0);
	read_list(list, sizeof(list));
	ck_assert_ptr_nonnull(strstr(list, "its text cannot be read"));
	if (!_i)
		ck_assert_int_eq(fix_verify(&spoil.f, id, 12, SIZE), -EBADMSG);
	fix_finish(&spoil.f);
}
END_TEST

START_TEST(what_is_in_use_or_in_the_way_is_left_alone)
{
	struct err e;
	char other[128];
	fix_init(&spoil.f, STORE_SQLITE);
	fix_open(&spoil.f, NULL);
	(void)fix_add(&spoil.f, 1, SIZE, NULL);
	(void)snprintf(other, sizeof(other), "%s/other", spoil.f.dir);
	ck_assert_int_eq(
	    salvage_run(spoil.f.path, other, &spoil.report, &e), -EBUSY);
	ck_assert_int_ne(access(other, F_OK), 0);
	fix_close(&spoil.f);
	ck_assert_int_eq(
	    salvage_run(spoil.f.path, spoil.f.path, &spoil.report, &e),
	    -ENOTEMPTY);
	ck_assert_int_eq(
	    salvage_run(other, spoil.f.dir, &spoil.report, &e), -ENOENT);
	ck_assert_int_eq(
	    salvage_run(spoil.f.path, other, &spoil.report, &e), 0);
	fix_finish(&spoil.f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.salvage");
	TCase *tc = tcase_create("salvage");
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, what_is_whole_is_taken_over_as_it_is, 0, 2);
	tcase_add_loop_test(tc, a_damaged_page_takes_only_what_was_on_it, 0, 3);
	tcase_add_test(tc, a_tree_without_its_root_is_read_all_the_same);
	tcase_add_test(tc, garbage_anywhere_crashes_nothing);
	tcase_add_loop_test(tc, what_is_cut_off_is_not_invented, 0, 2);
	tcase_add_test(tc, a_frame_of_the_log_is_not_all_of_it);
	tcase_add_test(tc, a_lost_segment_leaves_its_messages_to_a_person);
	tcase_add_test(tc, without_an_envelope_the_text_is_kept);
	tcase_add_test(tc, without_a_database_the_texts_are_kept);
	tcase_add_test(tc, what_a_message_calls_itself_is_not_judged);
	tcase_add_test(tc, a_message_with_a_wrong_place_takes_no_other_with_it);
	tcase_add_loop_test(tc, a_body_that_is_read_only_once_is_lost, 0, 2);
	tcase_add_test(tc, what_is_in_use_or_in_the_way_is_left_alone);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
