/* See process.h. */
#include <admin/process.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <base/span.h>

static uint64_t milliseconds(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000;
}

/* The second number of /proc/self/statm, in pages. */
static uint64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;
	char line[128];

	if (!f)
		return 0;
	struct span rest = span_of(fgets(line, sizeof(line), f));
	(void)fclose(f);
	(void)span_cut(&rest, ' ');
	(void)span_parse_u64(span_cut(&rest, ' '), UINT64_MAX, &pages);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t n = 0;

	if (!d)
		return 0;
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.')
			n++;
	}
	(void)closedir(d);
	return n > 0 ? n - 1 : 0; /* but for the one that reads */
}

void process_read(struct process_figures *out)
{
	struct rusage usage;
	struct rlimit files;

	memset(out, 0, sizeof(*out));
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		out->cpu_ms = milliseconds(&usage.ru_utime) +
			      milliseconds(&usage.ru_stime);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		out->max_fds = files.rlim_cur;
	out->resident_bytes = resident_bytes();
	out->open_fds = count_fds();
}
