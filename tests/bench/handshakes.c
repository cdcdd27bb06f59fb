/*
 * What a new connection with TLS costs: connect, handshake, greeting, QUIT,
 * end. The client's side with threads and blocking sockets, and a floor to
 * compare with: OpenSSL on accepted sockets and nothing else.
 *
 * usage: handshakes load PORT PID COUNT full|resumed THREADS
 *        handshakes floor PORT CERT KEY THREADS
 * load prints one line of JSON; CPU is that of process PID.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum {
	THREADS_MAX = 64,
	BACKLOG = 4096
};

static uint16_t port;
static bool wants_resumption;
static atomic_long left, done, resumed, failed;
static SSL_CTX *ctx;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* --- load --- */

/* The newest ticket of this thread. */
static _Thread_local SSL_SESSION *ticket;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = session;
	return 1; /* kept */
}

static int dial(void)
{
	struct sockaddr_in sa = address();
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		die("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static bool talk(SSL *ssl)
{
	char reply[512];

	if (SSL_connect(ssl) != 1 || SSL_read(ssl, reply, sizeof(reply)) <= 0 ||
	    reply[0] != '2' || SSL_write(ssl, "QUIT\r\n", 6) != 6 ||
	    SSL_read(ssl, reply, sizeof(reply)) <= 0)
		return false;
	(void)SSL_shutdown(ssl);
	return true;
}

static void *load_thread(void *arg)
{
	(void)arg;
	while (atomic_fetch_sub(&left, 1) > 0) {
		SSL *ssl = SSL_new(ctx);
		int fd = dial();

		(void)SSL_set_fd(ssl, fd);
		if (wants_resumption && ticket)
			(void)SSL_set_session(ssl, ticket);
		if (talk(ssl)) {
			atomic_fetch_add(&done, 1);
			atomic_fetch_add(&resumed, SSL_session_reused(ssl));
		} else {
			atomic_fetch_add(&failed, 1);
		}
		SSL_free(ssl);
		(void)close(fd);
	}
	SSL_SESSION_free(ticket);
	ticket = NULL;
	return NULL;
}

/* User and system time of a process, seconds. */
static double cpu_seconds(int pid)
{
	char path[64], text[1024];
	unsigned long user = 0, sys = 0;
	const char *at;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "re");
	if (!f)
		die(path);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	at = strrchr(text, ')'); /* the name may hold anything */
	if (!at || sscanf(at + 1,
		       "%*s %*d %*d %*d %*d %*d %*u %*u %*u %*u "
		       "%*u %lu %lu",
		       &user, &sys) != 2)
		die("stat");
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_threads(unsigned count, void *(*main)(void *arg))
{
	pthread_t threads[THREADS_MAX];

	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, main, NULL) != 0)
			die("thread");
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
}

static void load(int pid, long count, const char *kind, unsigned threads)
{
	wants_resumption = strcmp(kind, "resumed") == 0;
	ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		die("context");
	(void)SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	atomic_store(&left, count);
	double cpu = cpu_seconds(pid), start = now();
	run_threads(threads, load_thread);
	double wall = now() - start;
	cpu = cpu_seconds(pid) - cpu;
	printf("{\"connections\": %ld, \"resumed\": %ld, \"failed\": %ld, "
	       "\"seconds\": %.3f, \"cpu_s\": %.2f, \"per_s\": %.0f, "
	       "\"per_cpu_s\": %.0f}\n",
	    atomic_load(&done), atomic_load(&resumed), atomic_load(&failed),
	    wall, cpu, (double)atomic_load(&done) / wall,
	    cpu > 0 ? (double)atomic_load(&done) / cpu : 0);
	SSL_CTX_free(ctx);
}

/* --- floor --- */

static void serve(int fd)
{
	SSL *ssl = SSL_new(ctx);
	char word[512];
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1 && SSL_write(ssl, "220 floor\r\n", 11) == 11 &&
	    SSL_read(ssl, word, sizeof(word)) > 0) {
		(void)SSL_write(ssl, "221 bye\r\n", 9);
		(void)SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	(void)close(fd);
}

static void *floor_thread(void *arg)
{
	struct sockaddr_in sa = address();
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(fd, BACKLOG) != 0)
		die("listen");
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0)
			serve(client);
		else if (errno != EINTR && errno != ECONNABORTED)
			die("accept");
	}
	return NULL;
}

static void serve_floor(const char *cert, const char *key, unsigned threads)
{
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die("certificate");
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	run_threads(threads, floor_thread);
}

static unsigned threads_from(const char *text)
{
	unsigned long n = strtoul(text, NULL, 10);

	return n == 0 ? 1 : n < THREADS_MAX ? (unsigned)n : THREADS_MAX;
}

int main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc > 2)
		port = (uint16_t)strtoul(argv[2], NULL, 10);
	if (argc == 7 && strcmp(argv[1], "load") == 0)
		load((int)strtol(argv[3], NULL, 10), strtol(argv[4], NULL, 10),
		    argv[5], threads_from(argv[6]));
	else if (argc == 6 && strcmp(argv[1], "floor") == 0)
		serve_floor(argv[3], argv[4], threads_from(argv[5]));
	else
		return fputs("usage: see the head of handshakes.c\n", stderr),
		       2;
	return 0;
}
