/* See footprint.h. */
#include <server/footprint.h>

#include <base/span.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
	PATH_SIZE = 1024,
	TEXT_SIZE = 8192
};

/* Version 1 has no word for "no limit", but a number of pages near 2^63. */
#define NO_LIMIT (UINT64_C(1) << 60)

/* What a small file holds now; empty when it cannot be read. */
static struct span read_all(int fd, char text[TEXT_SIZE])
{
	ssize_t n = fd >= 0 ? pread(fd, text, TEXT_SIZE, 0) : -1;

	return span_make(text, n > 0 ? (size_t)n : 0);
}

static uint64_t number(struct span s, uint64_t otherwise)
{
	unsigned long long n;

	return span_parse_u64(span_trim(s), UINT64_MAX, &n) ? n : otherwise;
}

static uint64_t number_in(int fd, uint64_t otherwise)
{
	char text[TEXT_SIZE];

	return number(read_all(fd, text), otherwise);
}

static int open_in(const char *folder, const char *name)
{
	char path[PATH_SIZE + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* --- which groups --- */

static bool has_word(struct span list, struct span word)
{
	while (list.ptr)
		if (span_eq(span_cut(&list, ','), word))
			return true;
	return false;
}

/*
 * Lines are "number:controllers:path", "0::path" in version 2. Where version 1
 * has the controller of memory, version 2 has none.
 */
static struct span find_path(struct span text, bool *out_is_old)
{
	struct span found = { .ptr = NULL };

	*out_is_old = false;
	while (text.ptr) {
		struct span path = span_cut(&text, '\n');
		bool is_new = span_eq(span_cut(&path, ':'), SPAN("0"));
		struct span controllers = span_cut(&path, ':');

		if (has_word(controllers, SPAN("memory"))) {
			*out_is_old = true;
			return path;
		}
		if (is_new && controllers.len == 0)
			found = path;
	}
	return found;
}

static void close_group(const struct footprint_group *g)
{
	const int fds[] = { g->max, g->current, g->stat };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

/* The root of all groups, and what is not mounted here, has no such files. */
static void add_group(struct footprint *m, const char *folder)
{
	struct footprint_group g = {
		.max = open_in(
		    folder, m->is_old ? "memory.limit_in_bytes" : "memory.max"),
		.current = open_in(folder,
		    m->is_old ? "memory.usage_in_bytes" : "memory.current"),
		.stat = open_in(folder, "memory.stat"),
	};

	if (g.max >= 0 && g.current >= 0)
		m->groups[m->count++] = g;
	else
		close_group(&g);
}

/*
 * Of a container the path may be that on its host; then the groups seen here
 * begin somewhere inside, and the last of them is what is mounted.
 */
static void add_groups(struct footprint *m, const char *mount, struct span path)
{
	char folder[PATH_SIZE];

	while (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	while (m->count < FOOTPRINT_GROUPS) {
		int n = snprintf(
		    folder, sizeof(folder), "%s%.*s", mount, SPAN_FMT(path));

		if (n > 0 && n < (int)sizeof(folder))
			add_group(m, folder);
		if (path.len == 0)
			break;
		while (path.len > 0 && path.ptr[--path.len] != '/')
			;
	}
}

void footprint_open(struct footprint *m, const char *root)
{
	char text[TEXT_SIZE], folder[PATH_SIZE];
	int fd;

	(void)snprintf(folder, sizeof(folder), "%s/proc/self", root);
	*m = (struct footprint){ .statm = open_in(folder, "statm") };
	fd = open_in(folder, "cgroup");
	struct span path = find_path(read_all(fd, text), &m->is_old);
	if (fd >= 0)
		(void)close(fd);
	(void)snprintf(folder, sizeof(folder), "%s/sys/fs/cgroup%s", root,
	    m->is_old ? "/memory" : "");
	if (path.ptr)
		add_groups(m, folder, path);
}

void footprint_close(struct footprint *m)
{
	for (size_t i = 0; i < m->count; i++)
		close_group(&m->groups[i]);
	if (m->statm >= 0)
		(void)close(m->statm);
	*m = (struct footprint){ .statm = -1 };
}

/* --- readings --- */

/* The second number, in pages. */
static uint64_t resident(const struct footprint *m)
{
	char text[TEXT_SIZE];
	struct span rest = read_all(m->statm, text);

	(void)span_cut(&rest, ' ');
	return number(span_cut(&rest, ' '), 0) *
	       (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Pages of files, which the kernel drops when it needs them. */
static uint64_t cached(const struct footprint *m, int stat)
{
	const struct span inactive = m->is_old ? SPAN("total_inactive_file")
					       : SPAN("inactive_file"),
			  active = m->is_old ? SPAN("total_active_file")
					     : SPAN("active_file");
	char text[TEXT_SIZE];
	struct span rest = read_all(stat, text);
	uint64_t sum = 0;

	while (rest.ptr) {
		struct span value = span_cut(&rest, '\n');
		struct span name = span_cut(&value, ' ');

		if (span_eq(name, inactive) || span_eq(name, active))
			sum += number(value, 0);
	}
	return sum;
}

/* "max" is no number. */
static uint64_t limit_of(const struct footprint_group *g)
{
	uint64_t limit = number_in(g->max, UINT64_MAX);

	return limit < NO_LIMIT ? limit : UINT64_MAX;
}

static struct footprint_reading read_groups(const struct footprint *m)
{
	struct footprint_reading r = { .limit = UINT64_MAX };
	const struct footprint_group *least = NULL;

	for (size_t i = 0; i < m->count; i++) {
		uint64_t limit = limit_of(&m->groups[i]);

		if (limit >= r.limit)
			continue;
		r.limit = limit;
		least = &m->groups[i];
	}
	if (least) {
		uint64_t used = number_in(least->current, 0);
		uint64_t files = cached(m, least->stat);

		r.used = used > files ? used - files : 0;
	}
	return r;
}

struct footprint_reading footprint_read(
    const struct footprint *m, uint64_t configured)
{
	if (configured)
		return (struct footprint_reading){ .limit = configured,
			.used = resident(m) };
	return read_groups(m);
}
