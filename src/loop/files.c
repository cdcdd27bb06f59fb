/*
 * See files.h. Events only wake: what they say is not looked at, as the files
 * themselves tell more.
 */
#include <loop/files.h>

#include <base/list.h>
#include <base/span.h>
#include <loop/loop.h>
#include <loop/watch.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SETTLE_MS = 100, /* a deployment writes several files */
	LOOK_MS = 60 * 1000,
	EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
		 IN_MOVED_TO | IN_ATTRIB
};

/* All zero: there is no such file. */
struct identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec written, changed;
};

struct file {
	char *path;
	struct identity seen;
};

struct loop_files {
	struct loop *loop;
	int fd; /* inotify, or -1 */
	struct loop_watch *watch;
	struct loop_timer look;
	bool is_settling; /* an event came; look fires soon */
	struct file *files;
	size_t count;
	void (*on_change)(void *ctx);
	void *ctx;
};

static struct identity identity_of(const struct stat *st)
{
	return (struct identity){ .device = st->st_dev,
		.inode = st->st_ino,
		.size = st->st_size,
		.written = st->st_mtim,
		.changed = st->st_ctim };
}

/* What may not be looked at, by a server that is not root any more, stays. */
static struct identity identify(const char *path, const struct identity *before)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return identity_of(&st);
	return errno == EACCES ? *before : (struct identity){ 0 };
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && is_same_time(a->written, b->written) &&
	       is_same_time(a->changed, b->changed);
}

/* Also when it is watched already: a directory made anew is another one. */
static void watch_directory(struct loop_files *w, const char *path)
{
	struct span s = span_of(path);
	ptrdiff_t slash = span_rindex(s, '/');
	char *directory;

	if (w->fd < 0)
		return;
	if (slash < 0)
		directory = span_dup(SPAN("."));
	else
		directory =
		    span_dup(span_first(s, slash > 0 ? (size_t)slash : 1));
	if (directory)
		(void)inotify_add_watch(w->fd, directory, EVENTS);
	free(directory);
}

static void look(struct loop_files *w)
{
	bool is_changed = false;

	w->is_settling = false;
	for (size_t i = 0; i < w->count; i++) {
		struct identity now =
		    identify(w->files[i].path, &w->files[i].seen);

		if (!is_same(&now, &w->files[i].seen))
			is_changed = true;
		w->files[i].seen = now;
		watch_directory(w, w->files[i].path);
	}
	loop_timer_start(w->loop, &w->look, LOOK_MS);
	if (is_changed)
		w->on_change(w->ctx);
}

static void on_look(struct loop_timer *t)
{
	look(container_of(t, struct loop_files, look));
}

static void look_soon(struct loop_files *w)
{
	/* Where events never end one looks all the same. */
	if (!w->is_settling)
		loop_timer_start(w->loop, &w->look, SETTLE_MS);
	w->is_settling = true;
}

static void on_event(void *ctx)
{
	struct loop_files *w = ctx;
	char events[4096];

	while (read(w->fd, events, sizeof(events)) > 0)
		;
	look_soon(w);
}

struct loop_files *loop_files_new(
    struct loop *l, void (*on_change)(void *ctx), void *ctx)
{
	struct loop_files *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->loop = l;
	w->on_change = on_change;
	w->ctx = ctx;
	loop_timer_init(&w->look, on_look);
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd >= 0)
		w->watch = loop_watch_start(l, w->fd, on_event, w);
	return w;
}

/* What a change is a change from; *is_old: it may have happened already. */
static struct identity first_seen(
    const struct loop_files *w, const struct loop_file *file, bool *is_old)
{
	const struct identity none = { 0 };

	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->files[i].path, file->path) == 0)
			return w->files[i].seen;
	if (!file->as_read)
		return identify(file->path, &none);
	*is_old = true;
	return identity_of(file->as_read);
}

static void free_files(struct file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(files[i].path);
	free(files);
}

int loop_files_watch(
    struct loop_files *w, const struct loop_file *list, size_t count)
{
	struct file *files = calloc(count + 1, sizeof(*files));
	bool is_old = false;
	size_t made = 0;

	while (files && made < count) {
		files[made].path = span_dup(span_of(list[made].path));
		if (!files[made++].path) {
			free_files(files, made);
			files = NULL;
		}
	}
	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		watch_directory(w, files[i].path); /* first: none is missed */
		files[i].seen = first_seen(w, &list[i], &is_old);
	}
	free_files(w->files, w->count);
	w->files = files;
	w->count = count;
	if (is_old)
		look_soon(w);
	else if (!w->is_settling)
		loop_timer_start(w->loop, &w->look, LOOK_MS);
	return 0;
}

void loop_files_close(struct loop_files *w)
{
	if (!w)
		return;
	loop_timer_stop(w->loop, &w->look);
	loop_watch_close(w->watch);
	if (w->fd >= 0)
		(void)close(w->fd);
	free_files(w->files, w->count);
	free(w);
}
