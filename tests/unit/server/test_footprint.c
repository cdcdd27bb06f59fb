/* Memory as control groups tell it, in folders made up for it. */
#include <support/unit.h>

#include <server/footprint.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATH_SIZE = 512
};

static char root[] = "/tmp/postern-footprint.XXXXXX";
static struct footprint m;

static void put(const char *name, const char *text)
{
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
		*p = '/';
	}
	FILE *f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void set_up(void)
{
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(root));
	put("proc/self/statm", "5000 700 100 10 0 300 0\n");
}

static void tear_down(void)
{
	char command[PATH_SIZE];

	footprint_close(&m);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c) */
}

static void expect(uint64_t limit, uint64_t used)
{
	struct footprint_reading r = footprint_read(&m, 0);

	ck_assert_uint_eq(r.limit, limit);
	ck_assert_uint_eq(r.used, used);
}

static void group_is(const char *text)
{
	put("proc/self/cgroup", text);
}

START_TEST(takes_what_is_not_cached_from_files_of_its_group)
{
	group_is("0::/system.slice/postern.service\n");
	put("sys/fs/cgroup/system.slice/postern.service/memory.max", "1000\n");
	put("sys/fs/cgroup/system.slice/postern.service/memory.current",
	    "900\n");
	put("sys/fs/cgroup/system.slice/postern.service/memory.stat",
	    "anon 500\nfile 400\ninactive_anon 7\ninactive_file 250\n"
	    "active_file 50\nworkingset_refault_file 9\n");
	footprint_open(&m, root);
	expect(1000, 600);
	/* As it changes. */
	put("sys/fs/cgroup/system.slice/postern.service/memory.current",
	    "200\n");
	expect(1000, 0);
}
END_TEST

START_TEST(knows_no_limit_where_there_is_none)
{
	group_is("0::/a\n");
	put("sys/fs/cgroup/a/memory.max", "max\n");
	put("sys/fs/cgroup/a/memory.current", "900\n");
	put("sys/fs/cgroup/a/memory.stat", "inactive_file 1\n");
	footprint_open(&m, root);
	expect(UINT64_MAX, 0);
	put("sys/fs/cgroup/a/memory.max", "1000\n");
	expect(1000, 899);
	put("sys/fs/cgroup/a/memory.max", "");
	expect(UINT64_MAX, 0);
	put("sys/fs/cgroup/a/memory.max", "-5\n");
	expect(UINT64_MAX, 0);
}
END_TEST

START_TEST(takes_the_least_limit_of_those_around_it)
{
	group_is("0::/pod/app\n");
	put("sys/fs/cgroup/pod/app/memory.max", "max\n");
	put("sys/fs/cgroup/pod/app/memory.current", "100\n");
	put("sys/fs/cgroup/pod/app/memory.stat", "inactive_file 10\n");
	put("sys/fs/cgroup/pod/memory.max", "5000\n");
	put("sys/fs/cgroup/pod/memory.current", "4000\n");
	put("sys/fs/cgroup/pod/memory.stat", "inactive_file 1000\n");
	footprint_open(&m, root);
	expect(5000, 3000);
	put("sys/fs/cgroup/pod/app/memory.max", "4999\n");
	expect(4999, 90);
}
END_TEST

/* The path is that of the host, the files are what the container sees. */
START_TEST(finds_its_group_inside_a_container)
{
	group_is(_i ? "0::/kubepods/pod1/c1\n" : "0::/\n");
	put("sys/fs/cgroup/memory.max", "1000\n");
	put("sys/fs/cgroup/memory.current", "10\n");
	put("sys/fs/cgroup/memory.stat", "");
	footprint_open(&m, root);
	expect(1000, 10);
}
END_TEST

START_TEST(takes_the_controller_of_version_1_where_there_is_one)
{
	group_is("11:cpu,cpuacct:/x\n7:memory:/docker/c1\n0::/x\n");
	put("sys/fs/cgroup/memory/docker/c1/memory.limit_in_bytes",
	    "9223372036854771712\n");
	put("sys/fs/cgroup/memory/docker/c1/memory.usage_in_bytes", "300\n");
	put("sys/fs/cgroup/memory/docker/c1/memory.stat",
	    "inactive_file 1\ntotal_inactive_file 100\n"
	    "total_active_file 50\n");
	put("sys/fs/cgroup/x/memory.max", "5\n");
	put("sys/fs/cgroup/x/memory.current", "5\n");
	footprint_open(&m, root);
	expect(UINT64_MAX, 0);
	put("sys/fs/cgroup/memory/docker/c1/memory.limit_in_bytes", "400\n");
	expect(400, 150);
}
END_TEST

START_TEST(does_without_control_groups)
{
	static const char *const texts[] = { NULL, "", "0::", "nonsense\n::\n",
		"0::/gone\n", "3:memory\n" };

	if (texts[_i])
		group_is(texts[_i]);
	footprint_open(&m, root);
	expect(UINT64_MAX, 0);
}
END_TEST

START_TEST(holds_a_configured_limit_against_resident_memory)
{
	struct footprint_reading r;

	group_is("0::/a\n");
	put("sys/fs/cgroup/a/memory.max", "1\n");
	put("sys/fs/cgroup/a/memory.current", "1\n");
	footprint_open(&m, root);
	r = footprint_read(&m, 12345);
	ck_assert_uint_eq(r.limit, 12345);
	ck_assert_uint_eq(r.used, 700 * (uint64_t)sysconf(_SC_PAGESIZE));
}
END_TEST

/* This process: some of its memory is resident. */
START_TEST(reads_what_this_system_says)
{
	footprint_open(&m, "");
	ck_assert_uint_gt(footprint_read(&m, 1).used, 0);
	struct footprint_reading r = footprint_read(&m, 0);
	ck_assert(r.limit == UINT64_MAX || r.used > 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("server/footprint");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, takes_what_is_not_cached_from_files_of_its_group);
	tcase_add_test(tc, knows_no_limit_where_there_is_none);
	tcase_add_test(tc, takes_the_least_limit_of_those_around_it);
	tcase_add_loop_test(tc, finds_its_group_inside_a_container, 0, 2);
	tcase_add_test(
	    tc, takes_the_controller_of_version_1_where_there_is_one);
	tcase_add_loop_test(tc, does_without_control_groups, 0, 6);
	tcase_add_test(tc, holds_a_configured_limit_against_resident_memory);
	tcase_add_test(tc, reads_what_this_system_says);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(suite)
