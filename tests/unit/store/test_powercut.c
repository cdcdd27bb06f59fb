/*
 * Simulated power cuts. Every change of every file is recorded while a
 * scenario runs; then the disk is rebuilt as it may look when the power went
 * at some point: what was synced is there, of the rest any part may be,
 * writes torn at sectors. Whatever was acknowledged by then must be found.
 */
#include "fault.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	EVENTS_MAX = 200000,
	FILES_MAX = 48,
	MESSAGES = 900,
	CUTS = 100,
	SECTOR = 512
};

struct event {
	enum {
		EVENT_WRITE = 0,
		EVENT_GROW,
		EVENT_TRUNCATE,
		EVENT_SYNC,
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
	size_t unsynced[EVENTS_MAX / 8]; /* events since its last sync */
	size_t unsynced_count;
};

static struct event events[EVENTS_MAX];
static size_t event_count;
static char *names[FILES_MAX]; /* below the store's directory */
static unsigned name_count;
static struct image images[FILES_MAX];
static struct fix f;
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;

/* What the scenario was told, and when: the number of events before. */
static struct {
	struct id id;
	size_t size, accepted_at, finished_at;
} told[MESSAGES];

/* Some have their bodies in files of their own. */
static bool is_spooled(unsigned i)
{
	return i % 30 == 10;
}

static unsigned file_of(const char *path)
{
	const char *name = strstr(path, "/store/");
	ck_assert_ptr_nonnull(name);
	name += strlen("/store/");
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

/* Of directories only that of the bodies matters. */
static void on_sync(const char *path)
{
	if (strstr(path, "/store/"))
		record((struct event){ .type = EVENT_SYNC }, path, NULL);
}

static void on_unlink(const char *path)
{
	record((struct event){ .type = EVENT_UNLINK }, path, NULL);
}

static const struct fault_listener recorder = { .on_write = on_write,
	.on_size = on_size,
	.on_sync = on_sync,
	.on_unlink = on_unlink };

static size_t events_so_far(void)
{
	(void)pthread_mutex_lock(&events_lock);
	size_t n = event_count;
	(void)pthread_mutex_unlock(&events_lock);
	return n;
}

static void make_directories(void)
{
	char bodies[128];
	ck_assert_int_eq(mkdir(f.path, 0700), 0);
	(void)snprintf(bodies, sizeof(bodies), "%s/bodies", f.path);
	ck_assert_int_eq(mkdir(bodies, 0700), 0);
}

/* Long enough for the write-ahead log to be carried over and reused. */
static void run_scenario(void)
{
	fault_reset();
	fault_listen(&recorder);
	fix_open(&f, fault_io());
	for (unsigned i = 0; i < MESSAGES; i++) {
		told[i].size = 64 + i * 37 % 3000;
		told[i].id = is_spooled(i)
				 ? fix_add_spooled(&f, i, told[i].size, NULL)
				 : fix_add(&f, i, told[i].size, NULL);
		told[i].accepted_at = events_so_far();
		told[i].finished_at = SIZE_MAX;
		if (i % 3 == 2) {
			ck_assert_int_eq(
			    fix_set(&f, told[i - 1].id, STORE_SENT), 0);
			told[i - 1].finished_at = events_so_far();
		}
	}
	fault_listen(NULL);
	fix_close(&f);
}

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

/* As much of a write as len says. */
static void apply(struct image *m, const struct event *e, size_t len)
{
	switch (e->type) {
	case EVENT_WRITE:
		if (len == 0)
			break;
		ensure(m, e->offset + len);
		memcpy(m->bytes + e->offset, e->data, len);
		if (m->size < e->offset + len)
			m->size = e->offset + len;
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
	case EVENT_UNLINK:
		break;
	}
}

static void settle(struct image *m)
{
	for (size_t i = 0; i < m->unsynced_count; i++) {
		const struct event *e = &events[m->unsynced[i]];
		apply(m, e, e->len);
	}
	m->unsynced_count = 0;
}

/* Of what was not synced: all, nothing, or up to some sector. */
static void tear(struct image *m)
{
	for (size_t i = 0; i < m->unsynced_count; i++) {
		const struct event *e = &events[m->unsynced[i]];
		int luck = rand() % 3;
		if (luck == 0)
			continue;
		size_t len = e->len;
		if (luck == 1 && e->type == EVENT_WRITE)
			len = len ? (size_t)rand() % len / SECTOR * SECTOR : 0;
		apply(m, e, len);
	}
	m->unsynced_count = 0;
}

static bool is_bodies(unsigned i)
{
	return strcmp(names[i], "bodies") == 0;
}

static bool is_in_bodies(unsigned i)
{
	return strncmp(names[i], "bodies/", 7) == 0;
}

static void list_bodies(void)
{
	for (unsigned i = 0; i < name_count; i++)
		images[i].is_listed = images[i].exists;
}

static bool is_segment(unsigned i)
{
	size_t len = strlen(names[i]);
	return len > 4 && strcmp(names[i] + len - 4, ".seg") == 0;
}

static bool is_log(unsigned i)
{
	return strcmp(names[i], "store.db-wal") == 0;
}

/* Syncs of segments from event `late` on have not happened yet. */
static void rebuild(size_t cut, size_t late)
{
	for (unsigned i = 0; i < FILES_MAX; i++) {
		images[i].size = 0;
		images[i].exists = images[i].is_listed = false;
		images[i].unsynced_count = 0;
		if (images[i].bytes)
			memset(images[i].bytes, 0, images[i].cap);
	}
	for (size_t i = 0; i < cut; i++) {
		const struct event *e = &events[i];
		struct image *m = &images[e->file];
		m->exists = e->type != EVENT_UNLINK;
		m->is_listed &= m->exists;
		if (e->type == EVENT_SYNC && is_bodies(e->file)) {
			list_bodies();
		} else if (e->type == EVENT_SYNC) {
			if (i < late || !is_segment(e->file))
				settle(m);
		} else if (e->type == EVENT_UNLINK) {
			m->unsynced_count = 0;
			m->size = 0;
		} else {
			ck_assert_uint_lt(m->unsynced_count, EVENTS_MAX / 8);
			m->unsynced[m->unsynced_count++] = i;
		}
	}
	for (unsigned i = 0; i < name_count; i++)
		tear(&images[i]);
}

static void write_image(unsigned i)
{
	char path[200];
	const struct image *m = &images[i];
	/* A name that was not synced may be there or not. */
	bool is_found =
	    m->exists && (m->is_listed || !is_in_bodies(i) || rand() % 2);
	if (is_bodies(i))
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", f.path, names[i]);
	(void)unlink(path);
	if (!is_found)
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

static void remove_file(const char *name)
{
	char path[200];
	(void)snprintf(path, sizeof(path), "%s/%s", f.path, name);
	(void)unlink(path);
}

/* Load all messages; the results, and the bytes of those that are there. */
static void load_all(bool wants_message, int out[MESSAGES])
{
	static struct store_load loads[MESSAGES];
	for (unsigned i = 0; i < MESSAGES; i++)
		loads[i] = (struct store_load){ .id = told[i].id,
			.wants_message = wants_message };
	fix_load_all(&f, loads, MESSAGES);
	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct store_entry *e = loads[i].entry;
		out[i] = loads[i].request.result;
		ck_assert((out[i] == 0) == (e != NULL));
		if (e && wants_message)
			fix_check_message(e->message, i, told[i].size);
		store_entry_free(loads[i].entry);
	}
}

static void check_cut(size_t cut)
{
	static int rows[MESSAGES], bodies[MESSAGES];
	size_t pending = 0;
	load_all(false, rows);
	load_all(true, bodies);
	for (unsigned i = 0; i < MESSAGES; i++) {
		bool is_known = rows[i] == 0;
		int body = bodies[i];
		ck_assert_msg(
		    body == 0 || body == -ENOENT, "message %u: %d", i, body);
		if (told[i].finished_at <= cut)
			ck_assert_int_eq(body, -ENOENT);
		else if (told[i].accepted_at <= cut && i % 3 != 1)
			ck_assert_int_eq(body, 0);
		if (told[i].accepted_at <= cut)
			ck_assert(is_known);
		/* Later ones cannot be there before this was offered. */
		if (i > 0 && told[i - 1].accepted_at > cut)
			ck_assert(!is_known);
		pending += body == 0;
	}
	ck_assert_uint_eq(fix_pending(&f), pending);
}

/* What was acknowledged by `told_at` must be there. */
static void cut_power(size_t cut, size_t late, size_t told_at)
{
	rebuild(cut, late);
	for (unsigned i = 0; i < name_count; i++)
		write_image(i);
	/* Memory of a process, not of the disk. */
	remove_file("store.db-shm");
	fix_open(&f, NULL);
	check_cut(told_at);
	/* Twice is once, and the store works. */
	if (cut % 16 == 0) {
		fix_close(&f);
		fix_open(&f, NULL);
		check_cut(told_at);
	}
	struct id id = fix_add(&f, 5000, 500, NULL);
	ck_assert_int_eq(fix_verify(&f, id, 5000, 500), 0);
	fix_close(&f);
}

/* The log was carried into the database while messages came in. */
static bool was_checkpointed(void)
{
	unsigned n = 0;
	for (size_t i = told[0].accepted_at; i < event_count; i++)
		n += events[i].type == EVENT_SYNC &&
		     strcmp(names[events[i].file], "store.db") == 0;
	return n > 0;
}

START_TEST(nothing_acknowledged_is_lost_when_the_power_goes)
{
	fix_init(&f, STORE_SQLITE);
	run_scenario();
	ck_assert(was_checkpointed());
	/* The tables are there before the first message is. */
	size_t first = told[0].accepted_at;
	for (int i = 0; i < CUTS; i++) {
		size_t cut = first + (size_t)rand() % (event_count - first + 1);
		cut_power(cut, cut, cut);
	}
	fix_finish(&f);
}
END_TEST

/* The last sync of the log between two events: where rows became durable. */
static size_t last_log_sync(size_t from, size_t to)
{
	while (to-- > from)
		if (events[to].type == EVENT_SYNC && is_log(events[to].file))
			return to;
	ck_abort_msg("no sync of the log");
	return 0;
}

/*
 * Rows and bodies of a batch are synced at the same time: had the power gone
 * when only the rows were.
 */
START_TEST(rows_may_be_there_before_their_bodies)
{
	fix_init(&f, STORE_SQLITE);
	make_directories();
	for (unsigned i = 1; i < MESSAGES; i++) {
		size_t from = told[i - 1].accepted_at;
		size_t to = told[i].accepted_at;
		if (rand() % (2 * MESSAGES / CUTS) == 0)
			cut_power(last_log_sync(from, to) + 1, from, to - 1);
	}
	fix_finish(&f);
}
END_TEST

START_TEST(the_tables_appear_whole_or_not_at_all)
{
	for (size_t cut = 0; cut < told[0].accepted_at; cut++) {
		fix_init(&f, STORE_SQLITE);
		make_directories();
		cut_power(cut, cut, cut);
		fix_finish(&f);
	}
	for (size_t i = 0; i < event_count; i++)
		free(events[i].data);
	for (unsigned i = 0; i < FILES_MAX; i++) {
		free(names[i]);
		free(images[i].bytes);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.powercut");
	TCase *tc = tcase_create("powercut");
	tcase_set_timeout(tc, 600);
	/* In this order: the others cut the same recording. */
	tcase_add_test(tc, nothing_acknowledged_is_lost_when_the_power_goes);
	tcase_add_test(tc, rows_may_be_there_before_their_bodies);
	tcase_add_test(tc, the_tables_appear_whole_or_not_at_all);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
