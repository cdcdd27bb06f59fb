/*
 * A backlog, made through the store's own interface: messages for one
 * recipient, of which some are due at once, evenly among the others, which
 * are due in LATER seconds, or at some time of the SPREAD seconds after that.
 * With --history they are sent already. --release makes none, but so many of
 * those that wait for longer, evenly among them, due in LATER seconds, which is
 * at once if not given.
 *
 *   fill --path SPOOL --messages N [--size BYTES] [--due N] [--later SECONDS]
 *        [--spread SECONDS] [--user U] [--history]
 *   fill --path SPOOL --release N [--later SECONDS]
 */
#include <store/store.h>

#include <base/clock.h>

#include <errno.h>
#include <getopt.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	IN_FLIGHT = 1024
};

struct options {
	const char *path, *user;
	unsigned long messages, due, size, later_s, spread_s, release;
	bool is_history;
};

struct slot {
	struct store_accept accept;
	struct store_update update;
	struct store_entry entry;
	struct store_recipient recipient, sent;
	struct store_attempt attempt;
	size_t index;
};

enum {
	DAY_S = 86400
};

static struct options opt = { .user = "bench", .size = 2048 };
static struct store *store;
static struct loop *loop;
static struct message *message;
static unsigned long begun, done;
static int64_t begun_ms;
static size_t active = IN_FLIGHT;
static sem_t finished;
static struct slot slots[IN_FLIGHT];

static void fail(const char *what, int rc)
{
	(void)fprintf(stderr, "fill: %s: %s\n", what, strerror(-rc));
	exit(1);
}

/* Whether the i-th is one of `some` that are spread evenly over all. */
static bool is_one_of(unsigned long i, unsigned long some, unsigned long all)
{
	return (i + 1) * some / all != i * some / all;
}

/* --release: those that wait, in order. */
static struct id *waiting;
static size_t waiting_count, released;

static int note_waiting(const struct store_pending *p, void *ctx)
{
	(void)ctx;
	if (waiting_count % IN_FLIGHT == 0)
		waiting = reallocarray(
		    waiting, waiting_count + IN_FLIGHT, sizeof(*waiting));
	if (!waiting)
		fail("list", -ENOMEM);
	/* What was made due before is left alone. */
	if (p->due_ms > clock_wall_ms() + DAY_S / 2 * 1000)
		waiting[waiting_count++] = p->id;
	return 0;
}

static void list_waiting(void)
{
	struct err e = { 0 };
	struct store_walk *w = store_walk_begin(store, &e);
	if (!w || store_walk(w, note_waiting, NULL) < 0)
		fail("list", -EIO);
	store_walk_end(w);
}

static void end_slot(void)
{
	if (--active == 0)
		(void)sem_post(&finished);
}

static void release_next(struct slot *s)
{
	while (released < waiting_count &&
	       !is_one_of(released, opt.release, waiting_count))
		released++;
	if (released == waiting_count) {
		end_slot();
		return;
	}
	s->sent = (struct store_recipient){
		.due_ms = clock_wall_ms() + (int64_t)opt.later_s * 1000
	};
	s->update.id = waiting[released++];
	s->update.attempt_count = 0;
	int rc = store_update(store, &s->update);
	if (rc < 0)
		fail("update", rc);
}

static int64_t due_ms(unsigned long i, struct id id, int64_t now_ms)
{
	if (opt.spread_s)
		return begun_ms + (int64_t)opt.later_s * 1000 +
		       (int64_t)(id_hash(id) % (opt.spread_s * 1000));
	return is_one_of(i, opt.due, opt.messages)
		   ? now_ms
		   : now_ms + (int64_t)opt.later_s * 1000;
}

static void offer(struct slot *s)
{
	if (opt.release) {
		release_next(s);
		return;
	}
	if (begun == opt.messages) {
		end_slot();
		return;
	}
	int64_t now = clock_wall_ms();
	unsigned long i = begun++;
	s->entry.id = id_make();
	s->entry.created_ms = now;
	s->recipient.due_ms = due_ms(i, s->entry.id, now);
	int rc = store_accept(store, &s->accept);
	if (rc < 0)
		fail("accept", rc);
}

static void on_updated(struct store_request *r)
{
	struct store_update *u = container_of(r, struct store_update, request);
	if (r->result < 0)
		fail("update", r->result);
	done++;
	offer(container_of(u, struct slot, update));
}

static void on_accepted(struct store_request *r)
{
	struct store_accept *a = container_of(r, struct store_accept, request);
	struct slot *s = container_of(a, struct slot, accept);
	if (r->result < 0)
		fail("accept", r->result);
	if (!opt.is_history) {
		done++;
		offer(s);
		return;
	}
	s->update.id = s->entry.id;
	s->attempt.at_ms = s->entry.created_ms;
	int rc = store_update(store, &s->update);
	if (rc < 0)
		fail("update", rc);
}

static void init_slot(struct slot *s)
{
	s->recipient =
	    (struct store_recipient){ .address = SPAN("sink@dest.example"),
		    .state = opt.is_history ? STORE_STARTED : STORE_PENDING,
		    .provider = "sink" };
	s->sent = s->recipient;
	s->sent.state = STORE_SENT;
	s->entry = (struct store_entry){ .user = span_of(opt.user),
		.sender = SPAN("bench@shop.example"),
		.message_id = SPAN("bench@shop.example"),
		.recipients = &s->recipient,
		.recipient_count = 1,
		.message = message };
	s->accept = (struct store_accept){ .request = { .loop = loop,
					       .done = on_accepted },
		.entry = &s->entry };
	s->attempt = (struct store_attempt){ .provider = "sink",
		.result = POSTERN_ACCEPTED,
		.status = 202,
		.provider_id = SPAN("0100018f2d5e9f3a-sink-1"),
		.duration_ms = 80 };
	s->update = (struct store_update){ .request = { .loop = loop,
					       .done = on_updated },
		.attempts = &s->attempt,
		.attempt_count = 1,
		.indices = &s->index,
		.recipients = &s->sent,
		.recipient_count = 1 };
}

static void start(struct task *t)
{
	(void)t;
	for (size_t i = 0; i < IN_FLIGHT; i++)
		offer(&slots[i]);
}

static struct message *make_message(void)
{
	struct buf header, body;
	buf_init(&header, 512);
	buf_init(&body, opt.size);
	if (buf_add_str(&header,
		"From: <bench@shop.example>\r\n"
		"To: <sink@dest.example>\r\n"
		"Subject: backlog\r\n"
		"Message-ID: <bench@shop.example>\r\n\r\n") < 0 ||
	    opt.size <= buf_len(&header) || buf_reserve(&body, opt.size) < 0)
		return NULL;
	size_t rest = opt.size - buf_len(&header);
	for (size_t i = 0; i < rest; i++)
		buf_tail(&body)[i] = i % 80 == 78   ? '\r'
				     : i % 80 == 79 ? '\n'
						    : 'x';
	buf_commit(&body, rest);
	return message_new(&header, &body, 0);
}

static const struct option long_options[] = {
	{ "path", required_argument, NULL, 'p' },
	{ "messages", required_argument, NULL, 'm' },
	{ "size", required_argument, NULL, 's' },
	{ "due", required_argument, NULL, 'd' },
	{ "release", required_argument, NULL, 'r' },
	{ "later", required_argument, NULL, 'l' },
	{ "spread", required_argument, NULL, 'g' },
	{ "user", required_argument, NULL, 'u' },
	{ "history", no_argument, NULL, 'h' },
	{ 0 },
};

static bool parse(int argc, char **argv)
{
	int c;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		unsigned long n = optarg ? strtoul(optarg, NULL, 10) : 0;
		switch (c) {
		case 'p':
			opt.path = optarg;
			break;
		case 'm':
			opt.messages = n;
			break;
		case 's':
			opt.size = n;
			break;
		case 'd':
			opt.due = n;
			break;
		case 'r':
			opt.release = n;
			break;
		case 'l':
			opt.later_s = n;
			break;
		case 'g':
			opt.spread_s = n;
			break;
		case 'u':
			opt.user = optarg;
			break;
		case 'h':
			opt.is_history = true;
			break;
		default:
			return false;
		}
	}
	if (opt.later_s == 0 && opt.release == 0)
		opt.later_s = DAY_S;
	return opt.path && (opt.messages > 0) != (opt.release > 0);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	if (!parse(argc, argv)) {
		(void)fputs(
		    "usage: fill --path SPOOL --messages N [--size B] "
		    "[--due N] [--later S] [--spread S] [--user U] "
		    "[--history]\n"
		    "       fill --path SPOOL --release N [--later S]\n",
		    stderr);
		return 2;
	}
	struct store_settings settings = { .path = opt.path,
		.history_ms = UINT64_C(7) * 86400 * 1000 };
	store = store_open(&settings, &e);
	loop = loop_new(0);
	message = make_message();
	if (!store || !loop || !message || loop_start(loop) < 0 ||
	    sem_init(&finished, 0, 0) < 0) {
		(void)fprintf(stderr, "fill: %s\n", e.text);
		return 1;
	}
	for (size_t i = 0; i < IN_FLIGHT; i++)
		init_slot(&slots[i]);
	if (opt.release)
		list_waiting();
	begun_ms = clock_wall_ms();
	uint64_t begin = clock_mono_ns();
	struct task task = { .run = start };
	loop_post(loop, &task);
	while (sem_wait(&finished) < 0)
		;
	double s = (double)(clock_mono_ns() - begin) / 1e9;
	store_close(store);
	loop_stop(loop);
	loop_join(loop);
	loop_free(loop);
	message_unref(message);
	free(waiting);
	(void)printf(
	    "{\"messages\":%lu,\"per_s\":%.0f}\n", done, (double)done / s);
	return 0;
}
