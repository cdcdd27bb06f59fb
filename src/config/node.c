#include <config/node.h>

#include <config/report.h>

#include <base/err.h>
#include <base/hash.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	READ_SIZE = 4096
};

/* Room is made for size at first: a buffer that grows leaves copies behind. */
static int read_all(int fd, off_t size, struct buf *out)
{
	int rc = 0;

	if (size > 0 && size <= NODE_FILE_MAX)
		rc = buf_reserve(out, (size_t)size + READ_SIZE);
	for (;;) {
		ssize_t n;

		if (rc == 0)
			rc = buf_reserve(out, READ_SIZE);
		if (rc)
			return rc;
		n = read(fd, buf_tail(out), READ_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_commit(out, (size_t)n);
		if (buf_len(out) > NODE_FILE_MAX)
			return -EFBIG;
	}
}

int node_check_writers(const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return 0;
	if (st->st_mode & S_IWOTH)
		return err_set(
		    e, -EPERM, "may be written by everybody (chmod o-w)");
	if ((st->st_mode & S_IWGRP) && st->st_gid != getegid())
		return err_set(e, -EPERM,
		    "may be written by a group other than our own "
		    "(chmod g-w)");
	return 0;
}

int node_read(const char *path, struct buf *out, struct config_report *r)
{
	struct err e = { 0 };
	struct stat st = { 0 };
	int rc = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		rc = -errno;
	else if (S_ISDIR(st.st_mode))
		rc = -EISDIR;
	else
		rc = read_all(fd, st.st_size, out);
	report_as_read(r, &st);
	if (rc == -EFBIG)
		(void)err_set(&e, rc, "is larger than 1 MiB");
	else if (rc)
		(void)err_errno(&e, rc, "cannot be read");
	else
		rc = node_check_writers(&st, &e);
	if (fd >= 0)
		(void)close(fd);
	if (rc)
		report_place(r, 0, 0, "%s", e.text);
	return rc;
}

void node_cleanse(struct node *root)
{
	if (!root)
		return;
	if (root->bytes)
		hash_cleanse(root->bytes, root->text.len);
	for (struct node *n = root->first; n; n = n->next)
		node_cleanse(n);
}

void node_append(struct node *list, struct node *n)
{
	n->next = NULL;
	if (list->last)
		list->last->next = n;
	else
		list->first = n;
	list->last = n;
	list->count++;
}

struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->type != NODE_MAP)
		return NULL;
	for (struct node *n = map->first; n; n = n->next)
		if (span_eq(n->key, span_of(key)))
			return n;
	return NULL;
}

void node_path(const struct node *n, struct buf *out)
{
	if (!n->up)
		return;
	node_path(n->up, out);
	if (n->up->type == NODE_SEQUENCE) {
		(void)buf_printf(out, "[%zu]", n->index);
		return;
	}
	if (buf_len(out) > 0)
		(void)buf_add_str(out, ".");
	(void)buf_add_span(out, n->key);
}
