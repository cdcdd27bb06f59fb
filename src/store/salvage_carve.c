/* See salvage_carve.h. */
#include <store/salvage_carve.h>

#include <store/segment_internal.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SUFFIX = 4 /* ".seg", ".msg" */
};

struct carving {
	const struct store_io *io;
	struct salvage_found *found;
	const char *name; /* of the file */
	int in, out;      /* -1: none is begun */
	uint64_t written;
	char page[SEGMENT_PAGE];
};

static bool is_ours(const char *name)
{
	size_t len = strlen(name);
	return len == SEGMENT_NAME_SIZE - 1 &&
	       (strcmp(name + len - SUFFIX, ".seg") == 0 ||
		   strcmp(name + len - SUFFIX, ".msg") == 0);
}

static int end_text(struct carving *c)
{
	int rc = c->out >= 0 ? salvage_found_end(c->found, c->out) : 0;
	c->out = -1;
	c->written = 0;
	return rc;
}

static int begin_text(struct carving *c, uint64_t offset)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "%.8s-%08llx", c->name,
	    (unsigned long long)offset);
	int rc = salvage_found_begin(c->found, name, &c->out);
	return rc == 0 ? salvage_found_note(c->found, name) : rc;
}

/* Text has no zero bytes; what fills the rest of a page has no others. */
static int take_page(struct carving *c, size_t len, uint64_t offset)
{
	size_t from = 0, to = len;
	int rc = 0;
	while (from < len && c->page[from] == '\0')
		from++;
	while (to > from && c->page[to - 1] == '\0')
		to--;
	if (from > 0)
		rc = end_text(c);
	if (rc == 0 && from < to && c->out < 0)
		rc = begin_text(c, offset + from);
	if (rc == 0 && from < to) {
		struct iovec iov = { c->page + from, to - from };
		rc = store_io_write(c->io, c->out, &iov, 1, c->written);
		c->written += to - from;
	}
	return rc == 0 && to < len ? end_text(c) : rc;
}

static int carve_file(struct carving *c)
{
	uint64_t offset = 0;
	ssize_t n = 0;
	int rc = 0;
	while (rc == 0 &&
	       (n = c->io->pread(c->in, c->page, SEGMENT_PAGE, offset)) > 0) {
		rc = take_page(c, (size_t)n, offset);
		offset += (uint64_t)n;
	}
	int ended = end_text(c);
	/* What cannot be read ends this file, and no other. */
	return rc < 0 ? rc : ended;
}

int salvage_carve(
    const struct store_io *io, int bodies, struct salvage_found *f)
{
	struct carving c = { .io = io, .found = f, .in = -1, .out = -1 };
	struct dirent *entry;
	int fd = io->open(bodies, ".", O_RDONLY | O_DIRECTORY), rc = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return fd < 0 ? fd : -errno;
	while (rc == 0 && (entry = readdir(d))) {
		if (!is_ours(entry->d_name))
			continue;
		c.name = entry->d_name;
		c.in = io->open(bodies, c.name, O_RDONLY);
		if (c.in < 0)
			continue;
		rc = carve_file(&c);
		(void)io->close(c.in);
	}
	(void)closedir(d);
	return rc;
}
