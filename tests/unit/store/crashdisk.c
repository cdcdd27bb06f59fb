/* See crashdisk.h. */
#include "crashdisk.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum {
	EVENTS_MAX = 200000,
	UNSYNCED_MAX = EVENTS_MAX / 8,
	FILES_MAX = 48
};

struct event {
	enum {
		EVENT_WRITE = 0,
		EVENT_GROW,
		EVENT_TRUNCATE,
		EVENT_SYNC,
		EVENT_FAILED_SYNC,
		EVENT_UNLINK
	} type;
	unsigned file;
	uint64_t offset; /* or size */
	size_t len;
	char *data;
};

/* A file as rebuilt. */
struct image {
	char *bytes;
	uint64_t size, cap; /* size of the file; bytes known */
	bool exists;
	bool is_listed; /* its directory was synced since it was made */
	size_t unsynced[UNSYNCED_MAX]; /* events since its last sync */
	size_t unsynced_count;
};

static struct event events[EVENTS_MAX];
static size_t event_count;
static char *names[FILES_MAX]; /* below the store's directory; "" itself */
static unsigned name_count;
static struct image images[FILES_MAX];
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- recording --- */

static unsigned file_of(const char *path)
{
	const char *name = strstr(path, "/store");
	ck_assert_ptr_nonnull(name);
	name += strlen("/store");
	name += *name == '/';
	for (unsigned i = 0; i < name_count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	ck_assert_uint_lt(name_count, FILES_MAX);
	names[name_count] = strdup(name);
	return name_count++;
}

static void record(struct event e, const char *path, const void *data)
{
	(void)pthread_mutex_lock(&events_lock);
	ck_assert_uint_lt(event_count, EVENTS_MAX);
	e.file = file_of(path);
	if (e.len) {
		e.data = malloc(e.len);
		ck_assert_ptr_nonnull(e.data);
		memcpy(e.data, data, e.len);
	}
	events[event_count++] = e;
	(void)pthread_mutex_unlock(&events_lock);
}

static void on_write(
    const char *path, uint64_t offset, const void *data, size_t len)
{
	record(
	    (struct event){ .type = EVENT_WRITE, .offset = offset, .len = len },
	    path, data);
}

static void on_size(const char *path, uint64_t size, bool is_growth)
{
	record((struct event){ .type = is_growth ? EVENT_GROW : EVENT_TRUNCATE,
		   .offset = size },
	    path, NULL);
}

/* Not of the directory above. */
static void on_sync(const char *path)
{
	if (strstr(path, "/store"))
		record((struct event){ .type = EVENT_SYNC }, path, NULL);
}

static void on_failed_sync(const char *path)
{
	if (strstr(path, "/store"))
		record((struct event){ .type = EVENT_FAILED_SYNC }, path, NULL);
}

static void on_unlink(const char *path)
{
	record((struct event){ .type = EVENT_UNLINK }, path, NULL);
}

void crashdisk_free(void)
{
	for (size_t i = 0; i < event_count; i++)
		free(events[i].data);
	for (unsigned i = 0; i < FILES_MAX; i++) {
		free(names[i]);
		names[i] = NULL;
		free(images[i].bytes);
		images[i].bytes = NULL;
		images[i].cap = 0;
	}
	event_count = 0;
	name_count = 0;
}

void crashdisk_record(void)
{
	static const struct fault_listener recorder = { .on_write = on_write,
		.on_size = on_size,
		.on_sync = on_sync,
		.on_failed_sync = on_failed_sync,
		.on_unlink = on_unlink };
	crashdisk_free();
	fault_reset();
	fault_listen(&recorder);
}

void crashdisk_stop(void)
{
	fault_listen(NULL);
}

size_t crashdisk_events(void)
{
	(void)pthread_mutex_lock(&events_lock);
	size_t n = event_count;
	(void)pthread_mutex_unlock(&events_lock);
	return n;
}

size_t crashdisk_syncs(size_t from, const char *name)
{
	size_t n = 0;
	for (size_t i = from; i < event_count; i++)
		n += events[i].type == EVENT_SYNC &&
		     strcmp(names[events[i].file], name) == 0;
	return n;
}

/* --- rebuilding --- */

static void ensure(struct image *m, uint64_t end)
{
	if (end <= m->cap)
		return;
	uint64_t cap = end * 2;
	m->bytes = realloc(m->bytes, cap);
	ck_assert_ptr_nonnull(m->bytes);
	memset(m->bytes + m->cap, 0, cap - m->cap);
	m->cap = cap;
}

/* Bytes from..to of a write, or all of another change. */
static void apply(
    struct image *m, const struct event *e, size_t from, size_t to)
{
	switch (e->type) {
	case EVENT_WRITE:
		if (from >= to)
			break;
		ensure(m, e->offset + to);
		memcpy(m->bytes + e->offset + from, e->data + from, to - from);
		if (m->size < e->offset + to)
			m->size = e->offset + to;
		break;
	case EVENT_GROW:
		if (m->size < e->offset)
			m->size = e->offset;
		break;
	case EVENT_TRUNCATE:
		m->size = e->offset;
		if (m->cap > m->size)
			memset(m->bytes + m->size, 0, m->cap - m->size);
		break;
	case EVENT_SYNC:
	case EVENT_FAILED_SYNC:
	case EVENT_UNLINK:
		break;
	}
}

/*
 * Sectors are those of the file: a write that begins within one tears there.
 * Which part survives is drawn by lot: its beginning or its end.
 */
static void apply_torn(struct image *m, const struct event *e, size_t sector)
{
	size_t ahead = sector - e->offset % sector; /* of the first boundary */
	size_t at = e->len;
	if (e->len > ahead) {
		size_t boundaries = (e->len - ahead - 1) / sector + 1;
		at = ahead + (size_t)rand() % boundaries * sector;
	}
	if (at >= e->len)
		at = rand() % 2 ? e->len : 0; /* one sector: all or nothing */
	if (rand() % 2)
		apply(m, e, 0, at);
	else
		apply(m, e, at, e->len);
}

static void apply_by_lot(struct image *m, const struct event *e)
{
	switch (rand() % 4) {
	case 0:
		break;
	case 1:
		apply_torn(m, e, 512);
		break;
	case 2:
		apply_torn(m, e, 4096);
		break;
	default:
		apply(m, e, 0, e->len);
	}
}

/* What was not synced. */
static void settle(struct image *m, enum crash_mode mode)
{
	for (size_t i = 0; i < m->unsynced_count; i++) {
		const struct event *e = &events[m->unsynced[i]];
		bool is_last = i + 1 == m->unsynced_count;
		if (mode == CRASH_MIXED || mode == CRASH_LATE)
			apply_by_lot(m, e);
		else if (is_last && e->type == EVENT_WRITE &&
			 mode == CRASH_TORN_512)
			apply_torn(m, e, 512);
		else if (is_last && e->type == EVENT_WRITE &&
			 mode == CRASH_TORN_4096)
			apply_torn(m, e, 4096);
		else if (mode != CRASH_DROPPED)
			apply(m, e, 0, e->len);
	}
	m->unsynced_count = 0;
}

static bool is_directory(unsigned i)
{
	return names[i][0] == '\0' || strcmp(names[i], "bodies") == 0;
}

static bool is_segment(unsigned i)
{
	size_t len = strlen(names[i]);
	return len > 4 && strcmp(names[i] + len - 4, ".seg") == 0;
}

static bool is_in_bodies(unsigned i)
{
	return strncmp(names[i], "bodies/", 7) == 0;
}

static void list_directory(bool are_bodies)
{
	for (unsigned i = 0; i < name_count; i++)
		if (is_in_bodies(i) == are_bodies)
			images[i].is_listed = images[i].exists;
}

/* SQLite syncs the directory with the first sync of a new log. */
static void sync_file(unsigned i)
{
	if (is_directory(i) || strcmp(names[i], "store.db-wal") == 0)
		list_directory(strcmp(names[i], "bodies") == 0);
	settle(&images[i], CRASH_KEPT);
}

/* Event i may be over only after `cut`: no later batch has begun. */
static bool is_last_sync(size_t i, size_t cut)
{
	unsigned file = events[i].file;
	if (!is_segment(file))
		return false;
	while (++i < cut)
		if (events[i].file == file && events[i].type == EVENT_WRITE)
			return false;
	return true;
}

static void take_event(size_t i, size_t cut, size_t late, enum crash_mode mode)
{
	const struct event *e = &events[i];
	struct image *m = &images[e->file];
	m->exists = e->type != EVENT_UNLINK;
	if (e->type == EVENT_SYNC) {
		if (i < late || !is_last_sync(i, cut))
			sync_file(e->file);
	} else if (e->type == EVENT_FAILED_SYNC) {
		/* Only memory has it: the next sync will not write it. */
		if (mode != CRASH_KEPT)
			m->unsynced_count = 0;
	} else if (e->type == EVENT_UNLINK) {
		m->is_listed = false;
		m->unsynced_count = 0;
		m->size = 0;
	} else {
		ck_assert_uint_lt(m->unsynced_count, UNSYNCED_MAX);
		m->unsynced[m->unsynced_count++] = i;
	}
}

static bool is_found(unsigned i, enum crash_mode mode)
{
	const struct image *m = &images[i];
	if (!m->exists || m->is_listed || mode == CRASH_KEPT)
		return m->exists;
	return mode == CRASH_DROPPED ? false : rand() % 2;
}

static void write_image(const struct fix *f, unsigned i, enum crash_mode mode)
{
	char path[200];
	const struct image *m = &images[i];
	if (is_directory(i))
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", f->path, names[i]);
	(void)unlink(path);
	if (!is_found(i, mode))
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	uint64_t known = m->size < m->cap ? m->size : m->cap;
	if (known)
		ck_assert_int_eq(
		    pwrite(fd, m->bytes, known, 0), (ssize_t)known);
	ck_assert_int_eq(ftruncate(fd, (off_t)m->size), 0);
	(void)close(fd);
}

void crashdisk_rebuild(
    const struct fix *f, size_t cut, size_t told, enum crash_mode mode)
{
	size_t late = mode == CRASH_LATE ? told : SIZE_MAX;
	char path[200];
	for (unsigned i = 0; i < FILES_MAX; i++) {
		images[i].size = 0;
		images[i].exists = images[i].is_listed = false;
		images[i].unsynced_count = 0;
		if (images[i].bytes)
			memset(images[i].bytes, 0, images[i].cap);
	}
	for (size_t i = 0; i < cut; i++)
		take_event(i, cut, late, mode);
	for (unsigned i = 0; i < name_count; i++) {
		settle(&images[i], mode);
		write_image(f, i, mode);
	}
	/* Memory of a process, not of the disk. */
	(void)snprintf(path, sizeof(path), "%s/store.db-shm", f->path);
	(void)unlink(path);
}
