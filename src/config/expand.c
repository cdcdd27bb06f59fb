#include <config/expand.h>

#include <config/node.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

void expanded_init(struct expanded *x)
{
	buf_init(&x->text, NODE_FILE_MAX);
	x->exposed[0] = '\0';
	x->is_delivered = false;
	memset(&x->last, 0, sizeof(x->last));
}

void expanded_finish(struct expanded *x)
{
	buf_finish_secret(&x->text);
}

static int add(struct expanded *x, struct span s, struct err *e)
{
	int rc = buf_add_span(&x->text, s);

	if (rc == -EMSGSIZE)
		return err_set(e, rc, "is larger than 1 MiB when expanded");
	return rc ? err_errno(e, rc, "cannot be expanded") : 0;
}

/* --- files --- */

/* A newline that an editor or `echo` put at the end is no part of a value. */
static struct span without_newline(struct span s)
{
	if (s.len > 0 && s.ptr[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.ptr[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* Room is made for size at first: a buffer that grows leaves copies behind. */
static int read_regular(
    int fd, const char *path, size_t size, struct buf *out, struct err *e)
{
	int rc = buf_reserve(out, size < NODE_FILE_MAX ? size + 1024 : size);

	for (;;) {
		ssize_t n;

		if (rc == 0)
			rc = buf_reserve(out, 1024);

		if (rc)
			return err_set(e, rc, "%s is larger than 1 MiB", path);
		n = read(fd, buf_tail(out), 1024);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, -errno, "cannot read %s", path);
		if (n == 0)
			return 0;
		buf_commit(out, (size_t)n);
	}
}

static bool is_delivered(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ||
		   (fs.f_flags & ST_RDONLY));
}

/* Everybody may read the file: note the first of them. */
static void note_exposed(struct expanded *x, const char *path, int fd)
{
	if (x->exposed[0])
		return;
	(void)snprintf(x->exposed, sizeof(x->exposed), "%s", path);
	x->is_delivered = is_delivered(fd);
}

static int read_file(
    const char *path, struct buf *out, struct expanded *x, struct err *e)
{
	struct stat *st = &x->last;
	int rc;
	/* O_NONBLOCK: never wait for the other end of a named pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_errno(e, -errno, "cannot read %s", path);
	if (fstat(fd, st) != 0)
		rc = err_errno(e, -errno, "cannot read %s", path);
	else if (!S_ISREG(st->st_mode))
		rc = err_set(e, -EINVAL, "%s is not a regular file", path);
	else
		rc = read_regular(fd, path, (size_t)st->st_size, out, e);
	if (rc == 0 && (st->st_mode & S_IROTH))
		note_exposed(x, path, fd);
	(void)close(fd);
	return rc;
}

int expand_file(const char *path, struct expanded *x, struct err *e)
{
	struct span content;
	struct buf raw;
	int rc;

	buf_init(&raw, NODE_FILE_MAX + 2048);
	rc = read_file(path, &raw, x, e);
	if (rc)
		goto out;
	content = without_newline(buf_span(&raw));
	if (content.len == 0)
		rc = err_set(e, -ENODATA, "%s is empty", path);
	else if (content.len > NODE_FILE_MAX)
		rc = err_set(e, -EMSGSIZE, "%s is larger than 1 MiB", path);
	else if (memchr(content.ptr, '\0', content.len))
		rc = err_set(e, -EINVAL, "%s contains a NUL byte", path);
	else
		rc = add(x, content, e);
out:
	buf_finish_secret(&raw);
	return rc;
}

int expand_credential(const char *name, struct expanded *x, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];
	int n;

	if (!*name || *name == '.' || strchr(name, '/'))
		return err_set(
		    e, -EINVAL, "'%s' is no name of a credential", name);
	if (!dir || !*dir)
		return err_set(e, -ENOENT,
		    "credential '%s' is not available: "
		    "CREDENTIALS_DIRECTORY is not set",
		    name);
	n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(e, -ENAMETOOLONG,
		    "the path of credential '%s' is too long", name);
	return expand_file(path, x, e);
}

/* --- references --- */

static bool is_variable_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool is_letter = (c >= 'A' && c <= 'Z') ||
				 (c >= 'a' && c <= 'z') || c == '_';

		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return s.len > 0;
}

/* inner: NAME or NAME:-default */
static int expand_variable(struct span inner, struct expanded *x, struct err *e)
{
	const char *dash = memmem(inner.ptr, inner.len, ":-", 2);
	struct span name =
	    dash ? span_make(inner.ptr, (size_t)(dash - inner.ptr)) : inner;
	const char *value;
	char key[256];

	if (!is_variable_name(name) || name.len >= sizeof(key))
		return err_set(e, -EINVAL,
		    "'%.*s' is no name of an environment variable",
		    SPAN_FMT(span_first(name, 64)));
	(void)snprintf(key, sizeof(key), "%.*s", SPAN_FMT(name));
	value = getenv(key);
	if (value && *value)
		return add(x, span_of(value), e);
	if (dash)
		return add(x, span_from(inner, name.len + 2), e);
	return err_set(e, -ENOENT, "environment variable %s is %s", key,
	    value ? "empty" : "not set");
}

static int expand_path(struct span inner, struct expanded *x, struct err *e)
{
	char path[PATH_MAX];

	if (inner.len == 0)
		return err_set(e, -EINVAL, "${file:} names no file");
	if (inner.len >= sizeof(path))
		return err_set(e, -ENAMETOOLONG, "a path is too long");
	(void)snprintf(path, sizeof(path), "%.*s", SPAN_FMT(inner));
	return expand_file(path, x, e);
}

/* *rest begins after "${"; on success it begins after the "}". */
static int expand_reference(
    struct span *rest, struct expanded *x, struct err *e)
{
	ptrdiff_t end = span_index(*rest, '}');
	struct span inner;

	if (end < 0)
		return err_set(e, -EINVAL,
		    "has ${ without } (write $${ for the characters ${)");
	inner = span_first(*rest, (size_t)end);
	*rest = span_from(*rest, (size_t)end + 1);
	if (memmem(inner.ptr, inner.len, "${", 2))
		return err_set(
		    e, -EINVAL, "has a ${ inside another (not supported)");
	if (span_starts_with(inner, SPAN("env:")))
		return expand_variable(span_from(inner, 4), x, e);
	if (span_starts_with(inner, SPAN("file:")))
		return expand_path(span_from(inner, 5), x, e);
	return err_set(e, -EINVAL,
	    "has ${ that is followed by neither env: nor file: "
	    "(write $${ for the characters ${)");
}

int expand_text(struct span rest, struct expanded *x, struct err *e)
{
	while (rest.len > 0) {
		ptrdiff_t at = span_index(rest, '$');
		size_t plain = at < 0 ? rest.len : (size_t)at;
		int rc = add(x, span_first(rest, plain), e);

		if (rc)
			return rc;
		rest = span_from(rest, plain);
		if (span_starts_with(rest, SPAN("${"))) {
			rest = span_from(rest, 2);
			rc = expand_reference(&rest, x, e);
		} else if (rest.len > 0) {
			rest = span_from(
			    rest, span_starts_with(rest, SPAN("$$")) ? 2 : 1);
			rc = add(x, SPAN("$"), e);
		}
		if (rc)
			return rc;
	}
	return 0;
}
