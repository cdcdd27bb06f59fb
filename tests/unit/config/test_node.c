#include <config/node.h>

#include <config/report.h>

#include <support/unit.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct config_report report;

static void setup(void)
{
	arena_init(&arena, 64 * 1024 * 1024);
	report = (struct config_report){ 0 };
}

static void teardown(void)
{
	config_report_finish(&report);
	arena_finish(&arena);
}

static struct node *parse(const char *text)
{
	return node_parse(span_of(text), NODE_MAP, &arena, &report);
}

static void assert_path(const struct node *n, const char *expected)
{
	struct buf b;

	buf_init(&b, 1024);
	node_path(n, &b);
	ck_assert_msg(span_eq(buf_span(&b), span_of(expected)), "is %.*s",
	    SPAN_FMT(buf_span(&b)));
	buf_finish(&b);
}

START_TEST(remembers_where_everything_is)
{
	struct node *root = parse("a: 1\n"
				  "b:\n"
				  "  - c: two\n"
				  "    d: [x, 'y']\n");
	struct node *b = node_get(root, "b");
	struct node *d = node_get(b->first, "d");
	struct node *y = d->first->next;

	ck_assert_uint_eq(report.errors, 0);
	ck_assert_uint_eq(b->key_line, 2);
	ck_assert_uint_eq(b->key_column, 1);
	ck_assert_uint_eq(b->line, 3);
	ck_assert_uint_eq(b->column, 3);
	ck_assert_uint_eq(d->key_line, 4);
	ck_assert_uint_eq(d->key_column, 5);
	ck_assert_uint_eq(d->column, 8);
	ck_assert_uint_eq(y->line, 4);
	ck_assert_uint_eq(y->column, 12);
	ck_assert_str_eq(y->text.ptr, "y");
	ck_assert(!y->is_plain);
	ck_assert(d->first->is_plain);
	assert_path(root, "");
	assert_path(b, "b");
	assert_path(y, "b[0].d[1]");
}
END_TEST

START_TEST(counts_columns_in_characters)
{
	struct node *root = parse("{\"\xc3\xa4\xc3\xb6\": 1, b: 2}");

	ck_assert_uint_eq(node_get(root, "b")->key_column, 11);
}
END_TEST

START_TEST(reads_json)
{
	struct node *root =
	    parse("{\"hostname\": \"a\", \"list\": [1, true], \"map\": {}}");

	ck_assert_uint_eq(report.errors, 0);
	ck_assert_str_eq(node_get(root, "hostname")->text.ptr, "a");
	ck_assert_uint_eq(node_get(root, "list")->count, 2);
	ck_assert_int_eq(node_get(root, "map")->type, NODE_MAP);
}
END_TEST

START_TEST(keeps_the_first_of_two_keys)
{
	struct node *root = parse("a: 1\nb: 2\na: 3\n");

	ck_assert_uint_eq(report.errors, 1);
	ck_assert_str_eq(node_get(root, "a")->text.ptr, "1");
	ck_assert(root->last->is_broken);
}
END_TEST

START_TEST(goes_on_after_what_it_refuses)
{
	struct node *root =
	    parse("a: &x 1\nb: *x\nc: !t 2\n<<: {d: 3}\n---\ne: 4\n");

	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(report.errors, 5);
	ck_assert(node_get(root, "b")->is_broken);
	ck_assert_str_eq(node_get(root, "c")->text.ptr, "2");
}
END_TEST

static const char *const no_trees[] = { "", "# only\n", "---\n", "word", "[a]",
	"a: [", "a: 'x", "\"", "*a", "? [a]\n: b\n", "{a: b}: c", "{{ x }}",
	": 1", "a: b: c", "a:\n\t- b", "\xff\xfe", "a: \x01", "a: @b", "a: `b",
	"a: %b", "a: *", "a: |\n\tx\n" };

START_TEST(says_why_there_is_no_tree)
{
	ck_assert_ptr_null(parse(no_trees[_i]));
	ck_assert_uint_ge(report.errors, 1);
	ck_assert_str_ne(report.problems[0].message, "");
}
END_TEST

START_TEST(allows_32_levels)
{
	char text[128] = "a: ";
	size_t levels = NODE_DEPTH_MAX - 1; /* and the map itself */

	memset(text + 3, '[', levels);
	memset(text + 3 + levels, ']', levels);
	ck_assert_ptr_nonnull(parse(text));
	memset(text + 3, '[', levels + 1);
	memset(text + 4 + levels, ']', levels + 1);
	ck_assert_ptr_null(parse(text));
	ck_assert_ptr_nonnull(strstr(
	    report.problems[0].message, "is nested deeper than 32 levels"));
}
END_TEST

START_TEST(allows_1000_keys)
{
	struct buf b;

	buf_init(&b, 1024 * 1024);
	for (int i = 0; i < NODE_KEYS_MAX; i++)
		ck_assert_int_eq(buf_printf(&b, "k%d: 1\n", i), 0);
	ck_assert_ptr_nonnull(
	    node_parse(buf_span(&b), NODE_MAP, &arena, &report));
	ck_assert_int_eq(buf_add_str(&b, "more: 1\n"), 0);
	ck_assert_ptr_null(node_parse(buf_span(&b), NODE_MAP, &arena, &report));
	buf_finish(&b);
}
END_TEST

START_TEST(runs_out_of_memory_in_order)
{
	struct buf b;

	arena_finish(&arena);
	arena_init(&arena, 8192);
	buf_init(&b, 1024 * 1024);
	ck_assert_int_eq(buf_add_str(&b, "a: ["), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(buf_add_str(&b, "x,"), 0);
	ck_assert_int_eq(buf_add_str(&b, "]"), 0);
	ck_assert_ptr_null(node_parse(buf_span(&b), NODE_MAP, &arena, &report));
	ck_assert_ptr_nonnull(
	    strstr(report.problems[0].message, "out of memory"));
	buf_finish(&b);
}
END_TEST

START_TEST(adds_presets_in_the_place_of_their_map)
{
	struct node *root = parse("a: 1\nb:\n  c: 2\n");
	struct node *b = node_get(root, "b");
	struct node *list =
	    node_add_preset(b, "list", "[x, {y: z}]", &arena, &report);
	struct node *empty = node_add_preset(b, "e", "", &arena, &report);
	struct node *map = node_add_preset(b, "m", NULL, &arena, &report);

	ck_assert_ptr_eq(node_get(b, "list"), list);
	ck_assert(list->is_preset);
	ck_assert_uint_eq(list->last->first->line, 3);
	assert_path(list->last->first, "b.list[1].y");
	ck_assert_uint_eq(empty->text.len, 0);
	ck_assert(!empty->is_plain);
	ck_assert_int_eq(map->type, NODE_MAP);
	ck_assert_ptr_null(node_add_preset(b, "bad", "[", &arena, &report));
}
END_TEST

START_TEST(overwrites_all_text)
{
	struct node *root = parse("a: secret\nb: [secret]\n");
	struct span a = node_get(root, "a")->text;
	struct span b = node_get(root, "b")->first->text;

	node_cleanse(root);
	ck_assert_int_eq(memcmp(a.ptr, "\0\0\0\0\0\0", 6), 0);
	ck_assert_int_eq(memcmp(b.ptr, "\0\0\0\0\0\0", 6), 0);
	node_cleanse(NULL);
}
END_TEST

/* --- reading --- */

static char path[] = "/tmp/postern-node-XXXXXX";
static int fd;

static void setup_file(void)
{
	setup();
	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
}

static void teardown_file(void)
{
	(void)close(fd);
	(void)unlink(path);
	teardown();
}

static int read_length(off_t len)
{
	struct buf b;
	int rc;

	ck_assert_int_eq(ftruncate(fd, len), 0);
	buf_init(&b, NODE_FILE_MAX + 4096);
	rc = node_read(path, &b, &report);
	if (rc == 0)
		ck_assert_uint_eq(buf_len(&b), (size_t)len);
	buf_finish(&b);
	return rc;
}

START_TEST(reads_up_to_one_mebibyte)
{
	ck_assert_int_eq(read_length(0), 0);
	ck_assert_int_eq(read_length(NODE_FILE_MAX), 0);
	ck_assert_int_eq(read_length(NODE_FILE_MAX + 1), -EFBIG);
	ck_assert_int_eq(read_length(NODE_FILE_MAX * 10), -EFBIG);
	ck_assert_str_eq(report.problems[0].message, "is larger than 1 MiB");
}
END_TEST

START_TEST(refuses_a_file_everybody_may_write)
{
	ck_assert_int_eq(fchmod(fd, 0666), 0);
	ck_assert_int_eq(read_length(1), -EPERM);
}
END_TEST

START_TEST(refuses_a_file_another_group_may_write)
{
	ck_assert_int_eq(fchmod(fd, 0664), 0);
	ck_assert_int_eq(read_length(1), 0); /* our own */
	if (fchown(fd, (uid_t)-1, getegid() + 1) != 0)
		return; /* not root, no other group to try */
	ck_assert_int_eq(read_length(1), -EPERM);
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	ck_assert_int_eq(read_length(1), 0);
}
END_TEST

START_TEST(says_why_a_file_cannot_be_read)
{
	struct buf b;

	buf_init(&b, 8192);
	ck_assert_int_eq(node_read("/", &b, &report), -EISDIR);
	ck_assert_int_eq(node_read("/nonexistent", &b, &report), -ENOENT);
	ck_assert_str_eq(
	    report.problems[0].message, "cannot be read: Is a directory");
	ck_assert_str_eq(report.problems[1].message,
	    "cannot be read: No such file or directory");
	buf_finish(&b);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.node");
	TCase *t = tcase_create("parse");
	TCase *file = tcase_create("read");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, remembers_where_everything_is);
	tcase_add_test(t, counts_columns_in_characters);
	tcase_add_test(t, reads_json);
	tcase_add_test(t, keeps_the_first_of_two_keys);
	tcase_add_test(t, goes_on_after_what_it_refuses);
	tcase_add_loop_test(t, says_why_there_is_no_tree, 0,
	    sizeof(no_trees) / sizeof(no_trees[0]));
	tcase_add_test(t, allows_32_levels);
	tcase_add_test(t, allows_1000_keys);
	tcase_add_test(t, runs_out_of_memory_in_order);
	tcase_add_test(t, adds_presets_in_the_place_of_their_map);
	tcase_add_test(t, overwrites_all_text);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(file, setup_file, teardown_file);
	tcase_add_test(file, reads_up_to_one_mebibyte);
	tcase_add_test(file, refuses_a_file_everybody_may_write);
	tcase_add_test(file, refuses_a_file_another_group_may_write);
	tcase_add_test(file, says_why_a_file_cannot_be_read);
	suite_add_tcase(s, file);
	return s;
}

UNIT_MAIN(make_suite)
