/*
 * What the store takes: a loop plays 64 sessions, each offers its next
 * message when the last one is answered, beside a raw append and fdatasync
 * of the same bytes in batches of the same size. Prints one JSON line.
 *
 *   store_bench [DIRECTORY [SECONDS [guard]]]
 *
 * guard: each message might be a duplicate, and is looked for.
 */
#include <store/store.h>

#include <base/clock.h>
#include <base/hash.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	SESSIONS = 64,
	MAX_BYTES = 1500 * 1000 * 1000 /* per phase */
};

struct bench;

/* One client: accepts, and with is_life also finishes, one at a time. */
struct session {
	struct store_accept accept;
	struct store_update update;
	struct store_entry entry;
	struct store_recipient recipient, sent;
	struct store_attempt attempt;
	size_t index;
	struct bench *bench;
};

struct bench {
	struct task task;
	struct loop *loop;
	struct store *store;
	struct message *message;
	size_t size;
	bool is_life;
	uint64_t deadline_ns;
	uint64_t done, failed, max_messages;
	size_t active;
	sem_t finished;
	struct session sessions[SESSIONS];
};

static bool is_guarded;

struct result {
	double per_second, cpu_us, batch, sync_ms;
	double reopen_ms; /* to open and list what is pending */
	size_t pending;
};

static void offer(struct session *s);

static void end_session(struct bench *b)
{
	if (--b->active == 0)
		(void)sem_post(&b->finished);
}

static void next(struct session *s)
{
	struct bench *b = s->bench;
	b->done++;
	if (clock_mono_ns() < b->deadline_ns && b->done < b->max_messages)
		offer(s);
	else
		end_session(b);
}

static void on_updated(struct store_request *r)
{
	struct store_update *u = container_of(r, struct store_update, request);
	struct session *s = container_of(u, struct session, update);
	s->bench->failed += r->result < 0;
	next(s);
}

static void on_accepted(struct store_request *r)
{
	struct store_accept *a = container_of(r, struct store_accept, request);
	struct session *s = container_of(a, struct session, accept);
	s->bench->failed += r->result < 0;
	if (!s->bench->is_life) {
		next(s);
		return;
	}
	s->update.id = s->entry.id;
	if (store_update(s->bench->store, &s->update) < 0)
		abort();
}

static void offer(struct session *s)
{
	s->entry.id = id_make();
	s->accept.guard = (struct store_guard){ .window_ms = 3600 * 1000 };
	if (is_guarded)
		hash_random(&s->accept.guard.key, sizeof(s->accept.guard.key));
	if (store_accept(s->bench->store, &s->accept) < 0)
		abort();
}

static void init_session(struct session *s, struct bench *b)
{
	s->bench = b;
	s->recipient =
	    (struct store_recipient){ .address =
					  SPAN("somebody.or.other@example.org"),
		    .state = STORE_STARTED,
		    .provider = "ses-eu-west-1" };
	s->sent = s->recipient;
	s->sent.state = STORE_SENT;
	s->entry = (struct store_entry){ .created_ms = clock_wall_ms(),
		.user = SPAN("shop"),
		.sender = SPAN("orders@shop.example.com"),
		.recipients = &s->recipient,
		.recipient_count = 1,
		.message = b->message };
	s->accept = (struct store_accept){ .request = { .loop = b->loop,
					       .done = on_accepted },
		.entry = &s->entry,
		.quota_day = 20000,
		.quota_messages = 1 };
	s->attempt = (struct store_attempt){ .at_ms = clock_wall_ms(),
		.provider = "ses-eu-west-1",
		.result = POSTERN_ACCEPTED,
		.status = 200,
		.provider_id = SPAN("010001890c1a2b3c-11112222-3333"),
		.reason = SPAN(""),
		.duration_ms = 80 };
	s->update = (struct store_update){ .request = { .loop = b->loop,
					       .done = on_updated },
		.attempts = &s->attempt,
		.attempt_count = 1,
		.indices = &s->index,
		.recipients = &s->sent,
		.recipient_count = 1 };
}

static void start(struct task *t)
{
	struct bench *b = container_of(t, struct bench, task);
	b->active = SESSIONS;
	for (int i = 0; i < SESSIONS; i++)
		offer(&b->sessions[i]);
}

static struct message *make_message(size_t size)
{
	struct buf header, body;
	buf_init(&header, 64);
	buf_init(&body, size);
	if (buf_add_str(&header, "Subject: bench\r\n\r\n") < 0 ||
	    buf_reserve(&body, size) < 0)
		abort();
	size_t rest = size - buf_len(&header);
	memset(buf_tail(&body), 'x', rest);
	buf_commit(&body, rest);
	return message_new(&header, &body, 0);
}

static double cpu_us(void)
{
	struct rusage u;
	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int remove_one(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static struct store *open_store(const char *path)
{
	struct err e;
	struct store_settings settings = { .engine = STORE_SQLITE,
		.path = path,
		.history_ms = UINT64_C(7) * 86400 * 1000 };
	struct store *s = store_open(&settings, &e);
	if (!s) {
		(void)fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	return s;
}

static int count_one(const struct store_pending *p, void *ctx)
{
	size_t *n = ctx;
	(void)p;
	(*n)++;
	return 0;
}

static void reopen(const char *path, struct result *out)
{
	uint64_t begin = clock_mono_ns();
	struct store *s = open_store(path);
	struct err e;
	struct store_walk *w = store_walk_begin(s, &e);
	if (!w || store_walk(w, count_one, &out->pending) < 0)
		abort();
	store_walk_end(w);
	out->reopen_ms = (double)(clock_mono_ns() - begin) / 1e6;
	store_close(s);
}

static struct result run(
    const char *path, size_t size, bool is_life, unsigned seconds)
{
	static struct bench b;
	struct store_stats stats;
	memset(&b, 0, sizeof(b));
	b.store = open_store(path);
	b.loop = loop_new(0);
	b.message = make_message(size);
	b.size = size;
	b.is_life = is_life;
	b.max_messages = MAX_BYTES / size;
	if (!b.loop || !b.message || loop_start(b.loop) < 0 ||
	    sem_init(&b.finished, 0, 0) < 0)
		abort();
	for (int i = 0; i < SESSIONS; i++)
		init_session(&b.sessions[i], &b);
	double cpu = cpu_us();
	uint64_t begin = clock_mono_ns();
	b.deadline_ns = begin + (uint64_t)seconds * 1000000000;
	b.task.run = start;
	loop_post(b.loop, &b.task);
	while (sem_wait(&b.finished) < 0)
		;
	double ns = (double)(clock_mono_ns() - begin);
	cpu = cpu_us() - cpu;
	store_stats(b.store, &stats);
	store_close(b.store);
	loop_stop(b.loop);
	loop_join(b.loop);
	loop_free(b.loop);
	message_unref(b.message);
	if (b.failed)
		(void)fprintf(stderr, "%llu requests failed\n",
		    (unsigned long long)b.failed);
	double commits = stats.commits ? (double)stats.commits : 1;
	struct result r = { .per_second = (double)b.done * 1e9 / ns,
		.cpu_us = cpu / (double)b.done,
		.batch = (double)stats.committed / commits,
		.sync_ms = (double)stats.sync_ns_total / commits / 1e6 };
	reopen(path, &r);
	(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return r;
}

/* The same bytes, count at a time, each batch appended and synced. */
static double run_raw(
    const char *path, size_t size, unsigned count, unsigned seconds)
{
	struct iovec iov[SESSIONS];
	char *bytes = malloc(size);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!bytes || fd < 0)
		abort();
	memset(bytes, 'x', size);
	for (unsigned i = 0; i < count; i++)
		iov[i] = (struct iovec){ .iov_base = bytes, .iov_len = size };
	uint64_t begin = clock_mono_ns(), done = 0;
	uint64_t end = begin + (uint64_t)seconds * 1000000000;
	while (clock_mono_ns() < end && done * size < MAX_BYTES) {
		ssize_t n = writev(fd, iov, (int)count);
		if (n != (ssize_t)(size * count) || fdatasync(fd) < 0) {
			(void)fprintf(stderr, "raw: %s\n", strerror(errno));
			exit(1);
		}
		done += count;
	}
	double ns = (double)(clock_mono_ns() - begin);
	(void)close(fd);
	(void)unlink(path);
	free(bytes);
	return (double)done * 1e9 / ns;
}

static unsigned whole_batch(double batch)
{
	unsigned n = (unsigned)(batch + 0.5);
	return n < 1 ? 1 : n > SESSIONS ? SESSIONS : n;
}

static void measure(
    const char *dir, const char *name, size_t size, unsigned seconds)
{
	char store[1024], raw[1024];
	(void)snprintf(store, sizeof(store), "%s/store-bench", dir);
	(void)snprintf(raw, sizeof(raw), "%s/store-bench.raw", dir);
	struct result accept = run(store, size, false, seconds);
	struct result life = run(store, size, true, seconds);
	double floor = run_raw(raw, size, whole_batch(accept.batch), seconds);
	(void)printf("\"%s\":{\"accepts_per_s\":%.0f,\"cpu_us\":%.1f,"
		     "\"batch\":%.1f,\"commit_ms\":%.2f,"
		     "\"pending\":%zu,\"reopen_ms\":%.1f,"
		     "\"lives_per_s\":%.0f,\"life_cpu_us\":%.1f,"
		     "\"raw_per_s\":%.0f,\"ratio\":%.2f,\"life_ratio\":%.2f}",
	    name, accept.per_second, accept.cpu_us, accept.batch,
	    accept.sync_ms, accept.pending, accept.reopen_ms, life.per_second,
	    life.cpu_us, floor, accept.per_second / floor,
	    life.per_second / floor);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2;
	is_guarded = argc > 3 && strcmp(argv[3], "guard") == 0;
	(void)printf("{\"in_flight\":%d,", SESSIONS);
	measure(dir, "1KB", 1024, seconds);
	(void)printf(",");
	measure(dir, "10KB", 10 * 1024, seconds);
	(void)printf(",");
	measure(dir, "100KB", 100 * 1024, seconds);
	(void)printf("}\n");
	return 0;
}
