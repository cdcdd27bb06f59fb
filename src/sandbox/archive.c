/*
 * See archive.h. Files are written on the loop and not synced: this is a
 * tool for trying things, and its users read them with other tools.
 */
#include <sandbox/archive.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/map.h>

int archive_open(struct archive *a, const char *dir, size_t max_count,
    uint64_t max_bytes, struct err *e)
{
	*a = (struct archive){
		.max_count = max_count, .max_bytes = max_bytes, .dir = -1
	};
	list_init(&a->letters);
	if (dir) {
		if (mkdir(dir, 0700) != 0 && errno != EEXIST)
			return err_errno(e, -errno, "cannot create %s", dir);
		a->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (a->dir < 0)
			return err_errno(e, -errno, "cannot open %s", dir);
	}
	a->by_id = map_new();
	if (!a->by_id) {
		archive_close(a);
		return err_set(e, -ENOMEM, "out of memory");
	}
	return 0;
}

static void forget(struct archive *a, struct letter *l)
{
	list_remove(&l->node);
	(void)map_remove(a->by_id, span_of(l->id));
	a->count--;
	a->bytes -= letter_bytes(l);
	letter_free(l);
}

void archive_clear(struct archive *a)
{
	list_for_each_safe (pos, next, &a->letters)
		forget(a, container_of(pos, struct letter, node));
}

void archive_close(struct archive *a)
{
	archive_clear(a);
	map_free(a->by_id);
	a->by_id = NULL;
	if (a->dir >= 0)
		(void)close(a->dir);
	a->dir = -1;
}

static int write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes = span_from(bytes, (size_t)n);
	}
	return 0;
}

/* ID-PROVIDER.eml or .json, so that names sort by time. */
static int write_file(int dir, const struct letter *l)
{
	static const char *const suffixes[] = { [LETTER_MIME] = "eml",
		[LETTER_JSON] = "json",
		[LETTER_OTHER] = "txt" };
	char name[128];

	(void)snprintf(name, sizeof(name), "%s-%s.%s", l->id, l->provider,
	    suffixes[l->kind]);
	int fd =
	    openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int rc = write_all(fd, buf_span(&l->raw));
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int archive_add(struct archive *a, struct letter *l)
{
	int rc = map_put(a->by_id, span_of(l->id), l);

	if (rc) {
		letter_free(l);
		return rc;
	}
	list_append(&a->letters, &l->node);
	a->count++;
	a->bytes += letter_bytes(l);
	if (a->dir >= 0)
		rc = write_file(a->dir, l);
	/* The newest stays even when it alone is above the limit. */
	while (a->count > 1 &&
	       (a->count > a->max_count || a->bytes > a->max_bytes))
		forget(a, container_of(a->letters.next, struct letter, node));
	return rc;
}

struct letter *archive_find(const struct archive *a, struct span id)
{
	return map_get(a->by_id, id);
}
