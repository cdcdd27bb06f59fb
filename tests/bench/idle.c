/*
 * What an idle session costs: opens sessions one after the other, each with
 * TLS and a login, some after a message, leaves them open and tells how much
 * the server's memory has grown. One line of JSON per step.
 * usage: idle PORT PID SESSIONS MESSAGE_BYTES   (0 bytes: no message is sent)
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/ssl.h>

enum {
	REPLY_MAX = 4096,
	STEPS = 4,
	LOOPBACKS = 200 /* addresses of 127.0.0.0/8 the sessions come from */
};

static SSL_CTX *tls;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned long parse(const char *s)
{
	char *end;
	unsigned long value = strtoul(s, &end, 10);

	if (*s == '\0' || *end != '\0')
		die(s);
	return value;
}

/* Resident and anonymous KiB of a process. */
static void read_memory(unsigned long pid, unsigned long out[2])
{
	static const char *const names[] = { "VmRSS:", "RssAnon:" };
	char path[64], line[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%lu/status", pid);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		for (int i = 0; i < 2; i++) {
			size_t len = strlen(names[i]);

			if (strncmp(line, names[i], len) == 0)
				out[i] = strtoul(line + len, NULL, 10);
		}
	}
	(void)fclose(f);
}

/* The final line of a reply must start so. */
static void expect(SSL *s, const char *code)
{
	char in[REPLY_MAX];
	size_t len = 0;

	for (;;) {
		int n = SSL_read(s, in + len, (int)(sizeof(in) - len));
		char *last;

		if (n <= 0)
			die("the server left");
		len += (size_t)n;
		if (in[len - 1] != '\n')
			continue;
		for (last = in + len - 1; last > in && last[-1] != '\n';)
			last--;
		if (len - (size_t)(last - in) < 4 || last[3] != ' ')
			continue;
		if (strncmp(last, code, 3) == 0)
			return;
		(void)fprintf(
		    stderr, "wanted %s, got %.*s", code, (int)len, in);
		exit(1);
	}
}

static void say(SSL *s, const char *line, const char *code)
{
	if (SSL_write(s, line, (int)strlen(line)) <= 0)
		die("cannot write");
	expect(s, code);
}

static void send_message(SSL *s, size_t size)
{
	static const char head[] = "From: bench@shop.example\r\n\r\n";
	static const char row[] = "0123456789012345678901234567890123456789"
				  "0123456789012345678901234567\r\n";
	char *all = malloc(size + sizeof(head) + sizeof(row) + 8);
	size_t len = sizeof(head) - 1;

	if (!all)
		die("no memory");
	memcpy(all, head, len);
	for (; len < size; len += sizeof(row) - 1)
		memcpy(all + len, row, sizeof(row) - 1);
	memcpy(all + len, ".\r\n", 4);
	say(s, "MAIL FROM:<bench@shop.example>\r\n", "250");
	say(s, "RCPT TO:<sink@dest.example>\r\n", "250");
	say(s, "DATA\r\n", "354");
	say(s, all, "250");
	free(all);
}

static void open_session(unsigned long i, unsigned short port, size_t size)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *s = SSL_new(tls);

	from.sin_addr.s_addr =
	    htonl(INADDR_LOOPBACK + (unsigned)(i % LOOPBACKS));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || !s || bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    !SSL_set_fd(s, fd) || SSL_connect(s) != 1)
		die("cannot connect");
	expect(s, "220");
	say(s, "EHLO bench\r\n", "250");
	/* NUL bench NUL bench */
	say(s, "AUTH PLAIN AGJlbmNoAGJlbmNo\r\n", "235");
	if (size > 0)
		send_message(s, size);
	/* Left open: the end of the process closes all. */
}

int main(int argc, char **argv)
{
	struct rlimit files;
	unsigned long before[2] = { 0 }, now[2] = { 0 };

	if (argc != 5) {
		(void)fprintf(
		    stderr, "usage: idle PORT PID SESSIONS MESSAGE_BYTES\n");
		return 2;
	}
	unsigned short port = (unsigned short)parse(argv[1]);
	unsigned long pid = parse(argv[2]), sessions = parse(argv[3]);
	size_t size = parse(argv[4]);

	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	tls = SSL_CTX_new(TLS_client_method());
	if (!tls)
		die("no TLS");
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	open_session(0, port, size); /* what the first login needs once */
	read_memory(pid, before);
	for (unsigned long i = 1; i <= sessions; i++) {
		open_session(i, port, size);
		if (i % (sessions / STEPS > 0 ? sessions / STEPS : 1) != 0)
			continue;
		read_memory(pid, now);
		(void)printf("{\"sessions\":%lu,\"rss_kib\":%lu,"
			     "\"anon_kib\":%lu,\"kib_per_session\":%.1f}\n",
		    i, now[0], now[1],
		    ((double)now[0] - (double)before[0]) / (double)i);
		(void)fflush(stdout);
	}
	return 0;
}
