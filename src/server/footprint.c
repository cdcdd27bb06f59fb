/* See footprint.h. */
#include <server/footprint.h>

#include <base/span.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
	PATH_SIZE = 1024,
	TEXT_SIZE = 4096
};

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

/* Where the group's files are: "0::/system.slice/postern.service". */
static void find_group(char path[PATH_SIZE])
{
	char text[TEXT_SIZE];
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	struct span rest = read_all(fd, text);

	path[0] = '\0';
	if (fd >= 0)
		(void)close(fd);
	while (rest.ptr) {
		struct span line = span_cut(&rest, '\n');

		if (span_starts_with(line, SPAN("0::/")))
			(void)snprintf(path, PATH_SIZE, "/sys/fs/cgroup%.*s",
			    SPAN_FMT(
				span_first(span_from(line, 3), PATH_SIZE / 2)));
	}
}

static int open_in(const char *group, const char *name)
{
	char path[PATH_SIZE + 32];

	(void)snprintf(path, sizeof(path), "%s/%s", group, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void footprint_open(struct footprint *m)
{
	char group[PATH_SIZE];

	find_group(group);
	*m = (struct footprint){ .max = open_in(group, "memory.max"),
		.current = open_in(group, "memory.current"),
		.stat = open_in(group, "memory.stat"),
		.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC) };
}

void footprint_close(struct footprint *m)
{
	const int fds[] = { m->max, m->current, m->stat, m->statm };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

uint64_t footprint_limit(const struct footprint *m, uint64_t configured)
{
	char text[TEXT_SIZE];

	/* Without a limit it says "max". */
	return configured ? configured
			  : number(read_all(m->max, text), UINT64_MAX);
}

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
static uint64_t cached(const struct footprint *m)
{
	char text[TEXT_SIZE];
	struct span rest = read_all(m->stat, text);
	uint64_t sum = 0;

	while (rest.ptr) {
		struct span value = span_cut(&rest, '\n');
		struct span name = span_cut(&value, ' ');

		if (span_eq(name, SPAN("inactive_file")) ||
		    span_eq(name, SPAN("active_file")))
			sum += number(value, 0);
	}
	return sum;
}

uint64_t footprint_used(const struct footprint *m, uint64_t configured)
{
	char text[TEXT_SIZE];

	if (configured)
		return resident(m);
	uint64_t used = number(read_all(m->current, text), 0);
	uint64_t files = cached(m);
	return used > files ? used - files : 0;
}
