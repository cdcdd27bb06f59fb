/*
 * What a message costs a provider's module and the core together: build the
 * request, then read its whole body as curl would, 64 KiB at a time. The
 * message lies in a file, as large ones do. One row of a table for each
 * module and size; the longest read is what a loop stands still for.
 *
 *   translate DIRECTORY NAME=SETTINGS...
 *
 * Directory of the modules; settings as JSON.
 */
#include "../provider/case.h"

#include <base/b64.h>
#include <base/clock.h>
#include <base/list.h>
#include <mail/header.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	READ_SIZE = 64 * 1024,
	MESSAGE_MAX = 64 * 1024 * 1024,
	LINE = 57 /* bytes of a line of base64 */
};

#define LEAST_NS UINT64_C(500000000) /* a row takes that long */

struct body_file {
	struct message_source source;
	int fd;
};

static ssize_t read_file_body(
    struct message_source *s, uint64_t offset, void *out, size_t len)
{
	const struct body_file *f = container_of(s, struct body_file, source);
	ssize_t n = pread(f->fd, out, len, (off_t)offset);

	return n < 0 ? -errno : n;
}

static void release_file_body(struct message_source *s)
{
	(void)close(container_of(s, struct body_file, source)->fd);
}

static const struct message_source_ops body_ops = { .read = read_file_body,
	.release = release_file_body };

/* Of this thread, so that what else the machine does is not in it. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void add(struct buf *b, const char *text)
{
	if (buf_add_str(b, text) < 0)
		die("out of memory");
}

/* A file of about size bytes as it lies in the message. */
static void add_base64(struct buf *b, size_t size)
{
	char raw[LINE], line[LINE * 2];

	for (size_t i = 0; i < size; i += LINE / 3 * 4 + 2) {
		for (size_t k = 0; k < LINE; k++)
			raw[k] = (char)(i * 7 + k * 31);
		size_t n = b64_encode(raw, LINE, line);
		line[n] = '\0';
		add(b, line);
		add(b, "\r\n");
	}
}

static void add_text(struct buf *b, size_t size)
{
	for (size_t i = 0; i < size; i += 64)
		add(b, "Thank you for your order: it leaves our house at noon, "
		       "as ever.\r\n");
}

static void make_text(struct buf *b)
{
	add(b, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	add_text(b, 1700);
}

static void make_html(struct buf *b)
{
	add(b, "Content-Type: multipart/related; boundary=r\r\n\r\n"
	       "--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
	       "--a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
	add_text(b, 4000);
	add(b, "--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
	       "<p><img src=\"cid:logo\">\r\n");
	add_text(b, 16000);
	add(b, "--a--\r\n--r\r\nContent-Type: image/png\r\n"
	       "Content-ID: <logo>\r\nContent-Disposition: inline\r\n"
	       "Content-Transfer-Encoding: base64\r\n\r\n");
	add_base64(b, 30000);
	add(b, "--r--\r\n");
}

static void make_file(struct buf *b)
{
	add(b, "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
	       "--m\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
	add_text(b, 1000);
	add(b, "--m\r\nContent-Type: application/pdf; name=a.pdf\r\n"
	       "Content-Disposition: attachment; filename=a.pdf\r\n"
	       "Content-Transfer-Encoding: base64\r\n\r\n");
	add_base64(b, 10000000);
	add(b, "--m--\r\n");
}

static const struct {
	const char *name;
	void (*make)(struct buf *b);
} sizes[] = {
	{ "2 KB text", make_text },
	{ "50 KB, HTML and image", make_html },
	{ "10 MB attachment", make_file },
};

static struct message *make_message(
    void (*make)(struct buf *b), struct body_file *file)
{
	char path[] = "/tmp/postern-translate-XXXXXX";
	struct buf raw, header;
	struct message *m;

	buf_init(&raw, MESSAGE_MAX);
	buf_init(&header, MESSAGE_MAX);
	add(&raw, "From: Shop <orders@shop.example>\r\n"
		  "To: Ann <ann@dest.example>\r\nSubject: Your order\r\n"
		  "Date: Mon, 2 Nov 2026 10:00:00 +0000\r\n"
		  "Message-ID: <1@shop.example>\r\nMIME-Version: 1.0\r\n");
	make(&raw);
	struct span all = buf_span(&raw);
	size_t length = header_length(all);
	struct span body = span_from(all, length);
	*file = (struct body_file){ .source.ops = &body_ops };
	file->source.size = body.len;
	file->fd = mkstemp(path);
	if (file->fd < 0 || unlink(path) < 0 ||
	    write(file->fd, body.ptr, body.len) != (ssize_t)body.len)
		die("%s: %s", path, strerror(errno));
	if (buf_add_span(&header, span_first(all, length)) < 0)
		die("out of memory");
	m = message_new_from(&header, &file->source);
	buf_finish(&raw);
	if (!m)
		die("out of memory");
	return m;
}

/* In KiB; the highest since it was forgotten. */
static long highest_memory(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmHWM: %ld", &kib);
	if (f)
		(void)fclose(f);
	return kib;
}

static void forget_highest(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	if (fd < 0 || write(fd, "5", 1) != 1)
		die("clear_refs: %s", strerror(errno));
	(void)close(fd);
}

static struct provider_grant *prepare(
    const struct postern_provider *p, const void *settings)
{
	struct provider_preparation *prep;
	struct provider_grant *grant = NULL;

	if (!provider_prepares(p))
		return NULL;
	prep = provider_preparation_new(p, settings, &provider_world_real);
	if (prep && provider_preparation_step(prep, clock_wall_ms() / 1000) ==
			PROVIDER_STEP_GRANTED)
		grant = provider_preparation_grant(prep);
	provider_preparation_free(prep);
	if (!grant)
		die("%s: no keys", p->name);
	return grant;
}

struct row {
	uint64_t build_ns, read_ns, longest_ns, bytes, rounds;
};

static void read_body(struct http_call *http, struct row *row)
{
	static char piece[READ_SIZE];
	uint64_t begun = cpu_ns(), before = begun, at = 0;

	while (at < http->body_size) {
		ptrdiff_t n =
		    http->body_read(http->ctx, at, piece, sizeof(piece));
		uint64_t now = cpu_ns();
		if (n <= 0)
			die("the body ends early");
		at += (uint64_t)n;
		if (now - before > row->longest_ns)
			row->longest_ns = now - before;
		before = now;
	}
	row->read_ns += before - begun;
}

static void one_round(const struct postern_provider *p, const void *settings,
    const struct provider_input *input, struct row *row)
{
	struct provider_call *call = provider_call_new(input);
	uint64_t begun = cpu_ns();
	struct http_call http;
	struct err e;

	if (!call)
		die("out of memory");
	if (provider_call_build(call, p, settings, &e) < 0)
		die("%s: %s", p->name, e.text);
	row->build_ns += cpu_ns() - begun;
	provider_call_http(call, &http);
	read_body(&http, row);
	row->bytes += message_size(input->message);
	row->rounds++;
	provider_call_free(call);
}

static void measure(const struct postern_provider *p, const void *settings,
    const struct provider_grant *grant, size_t size)
{
	static const struct span to = { "ann@dest.example", 16 };
	struct body_file file;
	struct message *m = make_message(sizes[size].make, &file);
	struct row row = { .rounds = 0 };
	struct provider_input input = { .message = m,
		.id = "01HX5Z8QK3W9V7T2M4N6P8R0SD",
		.attempt_key = "01HX5Z8QK3W9V7T2M4N6P8R0SD-1",
		.now = clock_wall_ms() / 1000,
		.sender = SPAN("orders@shop.example"),
		.recipients = &to,
		.recipient_count = 1,
		.grant = grant };

	forget_highest();
	long before = highest_memory();
	do {
		one_round(p, settings, &input, &row);
	} while (row.build_ns + row.read_ns < LEAST_NS);
	double s = (double)(row.build_ns + row.read_ns) / 1e9;
	printf("| %s | %s | %.0f | %.0f | %.1f | %.2f | %ld |\n", p->name,
	    sizes[size].name, (double)row.rounds / s,
	    (double)row.bytes / 1e6 / s,
	    100.0 * (double)row.build_ns / (double)(row.build_ns + row.read_ns),
	    (double)row.longest_ns / 1e6, highest_memory() - before);
	message_unref(m);
}

static void measure_module(char *argument)
{
	char *settings_text = strchr(argument, '=');
	struct err e;

	if (!settings_text)
		die("%s: NAME=SETTINGS is wanted", argument);
	*settings_text++ = '\0';
	const struct postern_provider *p = provider_load(argument, &e);
	json_t *json = json_loads(settings_text, 0, NULL);
	if (!p)
		die("%s: %s", argument, e.text);
	if (!json)
		die("%s: the settings are no JSON", argument);
	void *settings = settings_make(p->fields, p->settings_size, json);
	struct provider_grant *grant = prepare(p, settings);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure(p, settings, grant, i);
	provider_grant_unref(grant);
	settings_free(settings, p->fields);
	json_decref(json);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		die("usage: %s DIRECTORY NAME=SETTINGS...", argv[0]);
	mime_library_init();
	provider_set_directory(argv[1]);
	printf(
	    "| module | message | messages/s | MB/s | build %% "
	    "| longest read ms | memory KB |\n|---|---|---|---|---|---|---|\n");
	for (int i = 2; i < argc; i++)
		measure_module(argv[i]);
	return 0;
}
