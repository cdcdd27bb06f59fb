/*
 * From any thread to stderr without waiting for it. Callers format on their
 * own stack and copy the line into a ring under a short lock; the writer takes
 * pieces of whole lines out and writes them. It is woken only when it sleeps,
 * so under load most lines cost no system call. A line that finds the ring full
 * is counted, and told about as soon as something could be written again.
 */
#include "log_internal.h"

#include <base/clock.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	RING_SIZE = 1 << 20,
	PIECE_SIZE = 16384,
	/* What a pipe takes at once without mixing in other writers' lines. */
	WRITE_SIZE = 4096,
	POLL_MS = 200,
	STOP_MS = 5000 /* how long a stuck reader may delay log_stop */
};

static atomic_int least_level = LOG_LEVEL_INFO;
static atomic_int line_format = LOG_FORMAT_TEXT;
static atomic_int line_addresses = LOG_ADDRESSES_FULL;
static atomic_uint_fast64_t dropped;
/* Monotonic ms when the writer gives up; 0 = it keeps trying. */
static atomic_uint_fast64_t give_up_at;

/* What the writer does in one go. */
struct piece {
	char data[PIECE_SIZE];
	size_t len;
	uint64_t lost; /* tell about these first */
};

_Static_assert((int)PIECE_SIZE >= (int)LOG_LINE_MAX, "a piece holds a line");

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t writer;
	char *data;        /* RING_SIZE bytes; NULL = no writer, write direct */
	size_t head, tail; /* counted up for ever; bytes in [tail, head) */
	uint64_t lost;     /* dropped and not told about yet */
	bool is_asleep;
	bool is_stopping;
} ring = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
};

static void ring_copy_in(const char *data, size_t len)
{
	size_t at = ring.head % RING_SIZE, first = RING_SIZE - at;

	if (first > len)
		first = len;
	memcpy(ring.data + at, data, first);
	memcpy(ring.data, data + first, len - first);
	ring.head += len;
}

/* Cut s to at most max bytes, after the last line that ends in them if any. */
static size_t whole_lines(struct span s, size_t max)
{
	s = span_first(s, max);
	ptrdiff_t end = span_rindex(s, '\n');
	return end < 0 ? s.len : (size_t)end + 1;
}

/* Take lines out of the ring: one at least, since the longest one fits. */
static void ring_take(struct piece *p)
{
	size_t at = ring.tail % RING_SIZE, first = RING_SIZE - at;
	size_t len = ring.head - ring.tail;

	if (len > PIECE_SIZE)
		len = PIECE_SIZE;
	if (first > len)
		first = len;
	memcpy(p->data, ring.data + at, first);
	memcpy(p->data + first, ring.data, len - first);
	p->len = whole_lines(span_make(p->data, len), len);
	ring.tail += p->len;
}

/* False when there is no writer, and the caller must write the line. */
static bool ring_push(const struct log_line *l)
{
	bool has_writer, must_wake = false;

	(void)pthread_mutex_lock(&ring.lock);
	has_writer = ring.data != NULL;
	if (has_writer && l->len > RING_SIZE - (ring.head - ring.tail)) {
		ring.lost++;
		atomic_fetch_add(&dropped, 1);
	} else if (has_writer) {
		ring_copy_in(l->data, l->len);
		must_wake = ring.is_asleep;
		ring.is_asleep = false;
	}
	(void)pthread_mutex_unlock(&ring.lock);
	if (must_wake)
		(void)pthread_cond_signal(&ring.wake);
	return has_writer;
}

/* Whether stderr takes bytes now; false when it does not and time is up. */
static bool wait_writable(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	for (;;) {
		uint64_t at = atomic_load(&give_up_at);
		bool is_late = at != 0 && clock_mono_ms() >= at;
		if (poll(&p, 1, is_late ? 0 : POLL_MS) > 0)
			return true;
		if (is_late)
			return false;
	}
}

/*
 * Write all of it. stderr may be blocking, non-blocking, or a pipe whose
 * reader has stopped; asking first keeps log_stop from waiting for ever.
 */
static bool write_all(const char *data, size_t len)
{
	while (len > 0) {
		if (!wait_writable())
			return false;
		size_t some = whole_lines(span_make(data, len), WRITE_SIZE);
		ssize_t n = write(STDERR_FILENO, data, some);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static struct log_style present_style(void)
{
	return (struct log_style){
		.format = (enum log_format)atomic_load(&line_format),
		.addresses = (enum log_addresses)atomic_load(&line_addresses),
	};
}

static uint64_t count_lines(const char *data, size_t len)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n';
	return lines;
}

static bool write_lost(uint64_t lost)
{
	struct log_line l;
	const struct log_field fields[] = { LOG_NUM("lines", lost),
		{ .name = NULL } };

	log_line_build(&l, present_style(), clock_wall_ms(), LOG_LEVEL_WARN,
	    "log_dropped", fields);
	return write_all(l.data, l.len);
}

/*
 * Wait for something to do; false to end. The ring goes under the same lock
 * that found it empty, so that no line is left in it. While stderr fails there
 * is no use in telling about losses.
 */
static bool next_piece(struct piece *p, bool can_tell)
{
	p->len = 0;
	(void)pthread_mutex_lock(&ring.lock);
	while (ring.head == ring.tail && !(can_tell && ring.lost > 0) &&
	       !ring.is_stopping) {
		ring.is_asleep = true;
		(void)pthread_cond_wait(&ring.wake, &ring.lock);
	}
	ring.is_asleep = false;
	p->lost = can_tell ? ring.lost : 0;
	ring.lost -= p->lost;
	if (ring.head != ring.tail)
		ring_take(p);
	bool is_end = p->len == 0 && p->lost == 0;
	if (is_end) {
		free(ring.data);
		ring.data = NULL;
	}
	(void)pthread_mutex_unlock(&ring.lock);
	return !is_end;
}

static void give_back_lost(uint64_t lost)
{
	(void)pthread_mutex_lock(&ring.lock);
	ring.lost += lost;
	(void)pthread_mutex_unlock(&ring.lock);
}

static void *write_lines(void *arg)
{
	struct piece p;
	bool can_tell = true;

	(void)arg;
	while (next_piece(&p, can_tell)) {
		uint64_t untold = p.lost;
		if (untold > 0 && write_lost(untold))
			untold = 0;
		can_tell = untold == 0 && write_all(p.data, p.len);
		if (!can_tell) {
			uint64_t lines = count_lines(p.data, p.len);
			atomic_fetch_add(&dropped, lines);
			give_back_lost(untold + lines);
		}
	}
	return NULL;
}

void log_show_addresses(enum log_addresses how)
{
	atomic_store(&line_addresses, (int)how);
}

void log_configure(enum log_level least, enum log_format format)
{
	atomic_store(&least_level, (int)least);
	atomic_store(&line_format, (int)format);
}

/* Signals are for the main loop: the writer blocks them all. */
static int start_writer(void)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	int r = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (r != 0)
		return -r;
	r = pthread_create(&ring.writer, NULL, write_lines, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return -r;
	(void)pthread_setname_np(ring.writer, "log");
	return 0;
}

int log_start(void)
{
	int r = 0;

	(void)pthread_mutex_lock(&ring.lock);
	if (ring.data)
		goto out;
	ring.data = malloc(RING_SIZE);
	if (!ring.data) {
		r = -ENOMEM;
		goto out;
	}
	ring.head = ring.tail = 0;
	ring.lost = 0;
	ring.is_stopping = false;
	atomic_store(&give_up_at, 0);
	r = start_writer();
	if (r < 0) {
		free(ring.data);
		ring.data = NULL;
	}
out:
	(void)pthread_mutex_unlock(&ring.lock);
	return r;
}

void log_stop(void)
{
	(void)pthread_mutex_lock(&ring.lock);
	bool is_running = ring.data != NULL && !ring.is_stopping;
	if (is_running) {
		ring.is_stopping = true;
		atomic_store(&give_up_at, clock_mono_ms() + STOP_MS);
	}
	(void)pthread_mutex_unlock(&ring.lock);
	if (!is_running)
		return;
	(void)pthread_cond_signal(&ring.wake);
	(void)pthread_join(ring.writer, NULL);
}

bool log_wants(enum log_level level)
{
	return (int)level >=
	       atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_write(
    enum log_level level, const char *event, const struct log_field *fields)
{
	struct log_line l;

	log_line_build(
	    &l, present_style(), clock_wall_ms(), level, event, fields);
	if (!ring_push(&l))
		(void)!write(STDERR_FILENO, l.data, l.len);
}

uint64_t log_dropped(void)
{
	return atomic_load(&dropped);
}
