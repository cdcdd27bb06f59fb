/*
 * Load on a submission server: many sessions from one thread (epoll, OpenSSL
 * on the sockets), each message timed from MAIL to the last reply. One line
 * of JSON at the end, with the server's CPU time and memory when its process
 * id is given. Bounded by --messages and by --seconds. With --rate messages
 * begin at their time, whatever became of those before, and are timed from
 * then; --trace writes a line for each: second of its beginning, ms, 1 = 250.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum {
	IN_MAX = 8192,
	ID_DIGITS = 16
};

enum step {
	STEP_GREETING = 0,
	STEP_EHLO,
	STEP_STARTTLS,
	STEP_HANDSHAKE,
	STEP_EHLO_TLS,
	STEP_AUTH,
	STEP_IDLE, /* until the next message is due */
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_BODY,
	STEP_QUIT
};

struct options {
	const char *tls, *user, *password, *from, *to;
	uint16_t port;
	unsigned connections, per_connection, size, seconds, rate;
	unsigned long messages;
	bool pipelining;
	int pid;
	const char *trace;
};

struct session {
	int fd;
	SSL *ssl;
	enum step step;
	unsigned sent_here; /* messages on this connection */
	unsigned replies_due;
	bool failed_group; /* a reply of the pipelined group was not 2xx/3xx */
	bool wants_write;
	char in[IN_MAX];
	size_t in_len;
	const char *out; /* what is left to write; not owned */
	size_t out_len;
	char line[1024];
	char *body; /* its own: each message has another Message-ID */
	uint64_t started_ns;
};

static struct options opt = { .tls = "starttls",
	.from = "bench@shop.example",
	.to = "sink@dest.example",
	.connections = 16,
	.per_connection = 20,
	.size = 2048,
	.seconds = 600,
	.messages = 10000 };
static SSL_CTX *tls;
static int ep;
static char *body, *auth_line, *group;
static size_t body_len, id_at;
static unsigned long begun, accepted, refused, broken, connects;
static double *latency_ms;
static uint64_t from_ns;
static FILE *trace;

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void open_session(struct session *s);

static void close_session(struct session *s)
{
	SSL_free(s->ssl);
	(void)close(s->fd);
	s->ssl = NULL;
	s->fd = -1;
	if (begun < opt.messages)
		open_session(s);
}

static void break_session(struct session *s)
{
	broken++;
	close_session(s);
}

static void watch(struct session *s, bool wants_write)
{
	struct epoll_event ev = { .data.ptr = s,
		.events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0) };

	if (wants_write != s->wants_write)
		(void)epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &ev);
	s->wants_write = wants_write;
}

/* Write what is due; false when the connection is broken. */
static bool flush(struct session *s)
{
	while (s->out_len > 0) {
		int chunk = s->out_len > 65536 ? 65536 : (int)s->out_len;
		ssize_t n;

		ERR_clear_error();
		n = s->ssl ? SSL_write(s->ssl, s->out, chunk)
			   : write(s->fd, s->out, (size_t)chunk);
		if (n <= 0) {
			bool again = s->ssl ? SSL_get_error(s->ssl, (int)n) ==
						  SSL_ERROR_WANT_WRITE
					    : errno == EAGAIN;
			watch(s, again);
			return again;
		}
		s->out += n;
		s->out_len -= (size_t)n;
	}
	watch(s, false);
	return true;
}

static bool put(struct session *s, const char *data, size_t len, enum step step,
    unsigned replies)
{
	s->out = data;
	s->out_len = len;
	s->step = step;
	s->replies_due = replies;
	return flush(s);
}

static bool put_text(struct session *s, const char *text, enum step step)
{
	return put(s, text, strlen(text), step, 1);
}

/* When the next message is to begin. */
static uint64_t due_ns(void)
{
	return from_ns + begun * UINT64_C(1000000000) / opt.rate;
}

static bool begin_message(struct session *s)
{
	if (begun >= opt.messages || s->sent_here >= opt.per_connection)
		return put_text(s, "QUIT\r\n", STEP_QUIT);
	s->started_ns = now_ns();
	if (opt.rate > 0 && due_ns() > s->started_ns) {
		s->step = STEP_IDLE;
		s->replies_due = 1;
		return true;
	}
	if (opt.rate > 0)
		s->started_ns = due_ns();
	begun++;
	s->sent_here++;
	s->failed_group = false;
	if (opt.pipelining)
		return put(s, group, strlen(group), STEP_DATA, 3);
	(void)snprintf(
	    s->line, sizeof(s->line), "MAIL FROM:<%s>\r\n", opt.from);
	return put_text(s, s->line, STEP_MAIL);
}

static bool handshake(struct session *s)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(s->ssl);

	if (rc != 1) {
		int why = SSL_get_error(s->ssl, rc);

		watch(s, why == SSL_ERROR_WANT_WRITE);
		return why == SSL_ERROR_WANT_READ ||
		       why == SSL_ERROR_WANT_WRITE;
	}
	if (strcmp(opt.tls, "implicit") == 0) {
		s->step = STEP_GREETING;
		s->replies_due = 1;
		return true;
	}
	return put_text(s, "EHLO bench.example\r\n", STEP_EHLO_TLS);
}

static bool start_tls(struct session *s)
{
	s->ssl = SSL_new(tls);
	SSL_set_fd(s->ssl, s->fd);
	SSL_set_connect_state(s->ssl);
	s->step = STEP_HANDSHAKE;
	return handshake(s);
}

static bool after_hello(struct session *s)
{
	if (opt.user)
		return put_text(s, auth_line, STEP_AUTH);
	return begin_message(s);
}

static bool end_message(struct session *s, bool ok)
{
	double ms = (double)(now_ns() - s->started_ns) / 1e6;

	if (ok)
		latency_ms[accepted++] = ms;
	else
		refused++;
	if (trace)
		(void)fprintf(trace, "%.3f %.2f %d\n",
		    (double)(s->started_ns - from_ns) / 1e9, ms, ok);
	return begin_message(s);
}

/* Else each would be the first one again. */
static bool put_body(struct session *s)
{
	static uint64_t count; /* another run begins elsewhere */
	char digits[ID_DIGITS + 1];

	if (!s->body) {
		s->body = malloc(body_len);
		memcpy(s->body, body, body_len);
	}
	if (count == 0)
		count = now_ns();
	(void)snprintf(
	    digits, sizeof(digits), "%0*" PRIx64, ID_DIGITS, count++);
	memcpy(s->body + id_at, digits, ID_DIGITS);
	return put(s, s->body, body_len, STEP_BODY, 1);
}

/* The last reply of a step came; ok: it was 2xx or 3xx. */
static bool advance(struct session *s, bool ok)
{
	switch (s->step) {
	case STEP_GREETING:
		return ok &&
		       put_text(s, "EHLO bench.example\r\n",
			   strcmp(opt.tls, "starttls") == 0 ? STEP_EHLO
							    : STEP_EHLO_TLS);
	case STEP_EHLO:
		return ok && put_text(s, "STARTTLS\r\n", STEP_STARTTLS);
	case STEP_STARTTLS:
		return ok && start_tls(s);
	case STEP_HANDSHAKE:
	case STEP_IDLE:
		return false;
	case STEP_EHLO_TLS:
		return ok && after_hello(s);
	case STEP_AUTH:
		return ok && begin_message(s);
	case STEP_MAIL:
		if (!ok)
			return end_message(s, false);
		(void)snprintf(
		    s->line, sizeof(s->line), "RCPT TO:<%s>\r\n", opt.to);
		return put_text(s, s->line, STEP_RCPT);
	case STEP_RCPT:
		if (!ok)
			return end_message(s, false);
		return put_text(s, "DATA\r\n", STEP_DATA);
	case STEP_DATA:
		if (!ok)
			return end_message(s, false);
		return put_body(s);
	case STEP_BODY:
		return end_message(s, ok);
	case STEP_QUIT:
		close_session(s);
		return true;
	}
	return false;
}

static bool on_line(struct session *s, const char *line, size_t len)
{
	if (len < 4 || line[3] == '-')
		return true;
	bool ok = line[0] == '2' || line[0] == '3';
	s->failed_group = s->failed_group || !ok;
	if (s->replies_due > 1) {
		s->replies_due--;
		return true;
	}
	return advance(s, ok && !s->failed_group);
}

/* Lines in the buffer, until a handshake takes over; false = broken. */
static bool take_lines(struct session *s)
{
	int fd = s->fd;
	char *nl;

	while (s->fd == fd && s->step != STEP_HANDSHAKE &&
	       (nl = memchr(s->in, '\n', s->in_len))) {
		size_t len = (size_t)(nl - s->in) + 1;
		char line[IN_MAX];

		memcpy(line, s->in, len);
		memmove(s->in, s->in + len, s->in_len - len);
		s->in_len -= len;
		if (!on_line(s, line, len))
			return false;
	}
	return s->in_len < IN_MAX;
}

static bool on_readable(struct session *s)
{
	int fd = s->fd;

	for (;;) {
		ssize_t n;

		if (s->step == STEP_HANDSHAKE) {
			if (!handshake(s))
				return false;
			if (s->step == STEP_HANDSHAKE)
				return true;
		}
		char *at = s->in + s->in_len;
		size_t room = IN_MAX - s->in_len;
		ERR_clear_error();
		n = s->ssl ? SSL_read(s->ssl, at, (int)room)
			   : read(s->fd, at, room);
		if (n <= 0) {
			int why = s->ssl ? SSL_get_error(s->ssl, (int)n) : 0;

			return s->ssl ? why == SSL_ERROR_WANT_READ
				      : n < 0 && errno == EAGAIN;
		}
		s->in_len += (size_t)n;
		if (!take_lines(s))
			return false;
		if (s->fd != fd || s->fd < 0)
			return true;
	}
}

static void open_session(struct session *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int one = 1;

	char *kept = s->body;

	memset(s, 0, sizeof(*s));
	s->body = kept;
	connects++;
	to.sin_port = htons(opt.port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(s->fd, (const struct sockaddr *)(const void *)&to,
		sizeof(to)) != 0) {
		perror("loadgen: connect");
		exit(1);
	}
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)fcntl(s->fd, F_SETFL, O_NONBLOCK);
	struct epoll_event ev = { .data.ptr = s, .events = EPOLLIN };
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev);
	s->replies_due = 1;
	if (strcmp(opt.tls, "implicit") == 0 && !start_tls(s))
		break_session(s);
}

static void make_texts(void)
{
	const char *head = "From: Bench <bench@shop.example>\r\n"
			   "To: Sink <sink@dest.example>\r\n"
			   "Subject: benchmark\r\n"
			   "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
			   "Message-ID: <0000000000000000@shop.example>\r\n"
			   "MIME-Version: 1.0\r\n"
			   "Content-Type: text/plain; charset=utf-8\r\n\r\n";
	unsigned char plain[512];
	size_t at = strlen(head);

	body = malloc(at + opt.size + 128);
	memcpy(body, head, at);
	id_at = (size_t)(strstr(head, "<0000") + 1 - head);
	while (at < opt.size) {
		size_t room = opt.size - at, n = room < 78 ? room : 78;

		memset(body + at, 'a' + (int)(at % 26), n);
		at += n;
		memcpy(body + at, "\r\n", 2);
		at += 2;
	}
	memcpy(body + at, ".\r\n", 3);
	body_len = at + 3;
	group = malloc(2048);
	(void)snprintf(group, 2048,
	    "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", opt.from, opt.to);
	if (!opt.user)
		return;
	int n = snprintf((char *)plain, sizeof(plain), "%c%s%c%s", 0, opt.user,
	    0, opt.password);
	char token[1024];
	(void)EVP_EncodeBlock((unsigned char *)token, plain, n);
	auth_line = malloc(2048);
	(void)snprintf(auth_line, 2048, "AUTH PLAIN %s\r\n", token);
}

/* --- the server's cost --- */

struct usage {
	double cpu_s;
	long rss_kb, peak_kb;
};

static struct usage usage_of(int pid)
{
	struct usage u = { 0 };
	unsigned long user = 0, system = 0;
	char path[64], line[512];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	if (f && fgets(line, sizeof(line), f)) {
		const char *p = strrchr(line, ')');

		if (p)
			(void)sscanf(p + 2,
			    "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
			    "%lu %lu",
			    &user, &system);
	}
	if (f)
		(void)fclose(f);
	u.cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "VmRSS: %ld", &u.rss_kb);
		(void)sscanf(line, "VmHWM: %ld", &u.peak_kb);
	}
	if (f)
		(void)fclose(f);
	return u;
}

/*
 * A server that acknowledges first and delivers afterwards is not done at the
 * last 250: wait until its CPU time stands still, at most a minute.
 */
static void settle(void)
{
	const struct timespec step = { 0, 100 * 1000 * 1000 };
	double last = usage_of(opt.pid).cpu_s;

	for (int still = 0, turns = 0; still < 4 && turns < 600; turns++) {
		(void)nanosleep(&step, NULL);
		double cpu = usage_of(opt.pid).cpu_s;

		still = cpu - last < 0.005 ? still + 1 : 0;
		last = cpu;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(double p)
{
	if (accepted == 0)
		return 0;
	size_t i = (size_t)(p * (double)(accepted - 1));
	return latency_ms[i];
}

static void report(double seconds, struct usage before)
{
	qsort(latency_ms, accepted, sizeof(double), by_value);
	printf("{\"messages\":%lu,\"refused\":%lu,\"broken\":%lu,"
	       "\"connections\":%lu,\"size\":%u,\"seconds\":%.3f,"
	       "\"messages_per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
	       "\"max_ms\":%.2f",
	    accepted, refused, broken, connects, opt.size, seconds,
	    (double)accepted / seconds, percentile(0.5), percentile(0.99),
	    percentile(1));
	if (opt.pid) {
		settle();
		struct usage u = usage_of(opt.pid);

		printf(",\"cpu_s_per_1000\":%.4f,\"rss_mb\":%.1f,"
		       "\"peak_rss_mb\":%.1f",
		    accepted
			? (u.cpu_s - before.cpu_s) * 1000 / (double)accepted
			: 0,
		    (double)u.rss_kb / 1024, (double)u.peak_kb / 1024);
	}
	puts("}");
}

static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "tls", required_argument, NULL, 't' },
	{ "user", required_argument, NULL, 'u' },
	{ "password", required_argument, NULL, 'w' },
	{ "messages", required_argument, NULL, 'm' },
	{ "connections", required_argument, NULL, 'c' },
	{ "per-connection", required_argument, NULL, 'k' },
	{ "size", required_argument, NULL, 's' },
	{ "seconds", required_argument, NULL, 'S' },
	{ "pipelining", no_argument, NULL, 'P' },
	{ "pid", required_argument, NULL, 'i' },
	{ "rate", required_argument, NULL, 'r' },
	{ "trace", required_argument, NULL, 'T' },
	{ 0 },
};

static bool parse(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (c) {
		case 'p':
			opt.port = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 't':
			opt.tls = optarg;
			break;
		case 'u':
			opt.user = optarg;
			break;
		case 'w':
			opt.password = optarg;
			break;
		case 'm':
			opt.messages = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			opt.connections = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			opt.per_connection =
			    (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			opt.size = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'S':
			opt.seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'P':
			opt.pipelining = true;
			break;
		case 'i':
			opt.pid = (int)strtol(optarg, NULL, 10);
			break;
		case 'r':
			opt.rate = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'T':
			opt.trace = optarg;
			break;
		default:
			return false;
		}
	return opt.port != 0 && (!opt.user || opt.password);
}

/* Those whose time has come, in turn. */
static void wake_idle(struct session *sessions)
{
	static unsigned next;

	for (unsigned i = 0; i < opt.connections; i++) {
		struct session *s = &sessions[next++ % opt.connections];

		if (begun >= opt.messages || due_ns() > now_ns())
			return;
		if (s->fd >= 0 && s->step == STEP_IDLE && !begin_message(s))
			break_session(s);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];

	if (!parse(argc, argv)) {
		fputs("usage: loadgen --port N [--tls starttls|implicit|none] "
		      "[--user U --password P] [--messages N] "
		      "[--connections N] [--per-connection N] [--size BYTES] "
		      "[--seconds N] [--pipelining] [--pid SERVER] "
		      "[--rate N] [--trace FILE]\n",
		    stderr);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Each connection pays for a full handshake, as separate apps would. */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	latency_ms = calloc(opt.messages, sizeof(double));
	ep = epoll_create1(0);
	make_texts();
	struct session *sessions = calloc(opt.connections, sizeof(*sessions));
	struct usage before = usage_of(opt.pid);
	trace = opt.trace ? fopen(opt.trace, "w") : NULL;
	from_ns = now_ns();
	uint64_t until = from_ns + (uint64_t)opt.seconds * 1000000000u;
	for (unsigned i = 0; i < opt.connections; i++)
		open_session(&sessions[i]);
	while (accepted + refused + broken < opt.messages && now_ns() < until) {
		int n = epoll_wait(ep, events, 256, opt.rate ? 1 : 1000);

		for (int i = 0; i < n; i++) {
			struct session *s = events[i].data.ptr;
			bool ok = s->fd >= 0;

			if (ok && (events[i].events & EPOLLOUT) &&
			    s->step != STEP_HANDSHAKE)
				ok = flush(s);
			if (!ok || !on_readable(s))
				break_session(s);
		}
		if (opt.rate > 0)
			wake_idle(sessions);
	}
	if (trace)
		(void)fclose(trace);
	report((double)(now_ns() - from_ns) / 1e9, before);
	return refused || broken ? 1 : 0;
}
