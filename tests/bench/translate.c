/*
 * What a message costs a provider's module and the core together: build the
 * request, then read its whole body as curl would, 64 KiB at a time. The
 * message lies in a file, as large ones do. The modules take turns, and of
 * several turns the best counts, so that what else the machine does is not in
 * it; each is compared with the first one. Prints a table, a row for each
 * module; the longest read is what a loop stands still for.
 *
 *   translate DIRECTORY NAME=SETTINGS...
 *
 * Directory of the modules; settings as JSON. Grants are stand-ins.
 */
#include "../provider/case.h"
#include "memory.h"

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
	LINE = 57, /* bytes of a line of base64 */
	TURNS = 3,
	MODULES_MAX = 64
};

#define TURN_NS UINT64_C(150000000) /* a turn takes that long */

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

enum {
	SIZES = sizeof(sizes) / sizeof(sizes[0])
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

/* --- modules --- */

struct module {
	const struct postern_provider *provider;
	json_t *json;
	void *settings;
	struct provider_grant *grant;
};

static struct provider_grant *prepare(
    const struct postern_provider *p, const void *settings)
{
	struct provider_preparation *prep;
	struct provider_grant *grant = NULL;

	if (!provider_prepares(p))
		return NULL;
	prep = provider_preparation_new(p, settings, &provider_world_real);
	if (prep)
		provider_preparation_rehearse(prep);
	if (prep && provider_preparation_step(prep, clock_wall_ms() / 1000) ==
			PROVIDER_STEP_GRANTED)
		grant = provider_preparation_grant(prep);
	provider_preparation_free(prep);
	if (!grant)
		die("%s: no keys", p->name);
	return grant;
}

static struct module load(char *argument)
{
	char *settings_text = strchr(argument, '=');
	struct module m = { .json = NULL };
	struct err e;

	if (!settings_text)
		die("%s: NAME=SETTINGS is wanted", argument);
	*settings_text++ = '\0';
	m.provider = provider_load(argument, &e);
	m.json = json_loads(settings_text, 0, NULL);
	if (!m.provider)
		die("%s: %s", argument, e.text);
	if (!m.json)
		die("%s: the settings are no JSON", argument);
	m.settings = settings_make(
	    m.provider->fields, m.provider->settings_size, m.json);
	m.grant = prepare(m.provider, m.settings);
	return m;
}

static void unload(struct module *m)
{
	provider_grant_unref(m->grant);
	settings_free(m->settings, m->provider->fields);
	json_decref(m->json);
}

/* --- measuring --- */

struct row {
	uint64_t ns, rounds, bytes; /* of the turn */
	uint64_t longest_ns; /* the shortest of all turns' longest reads */
	double best_ns;      /* for each message */
	size_t memory;       /* at the most, while one goes through */
	bool is_refused;     /* it is too large */
};

static uint64_t read_body(struct http_call *http)
{
	static char piece[READ_SIZE];
	uint64_t before = cpu_ns(), at = 0, longest = 0;

	while (at < http->body_size) {
		ptrdiff_t n =
		    http->body_read(http->ctx, at, piece, sizeof(piece));
		uint64_t now = cpu_ns();
		if (n <= 0)
			die("the body ends early");
		at += (uint64_t)n;
		if (now - before > longest)
			longest = now - before;
		before = now;
	}
	return longest;
}

/* The longest read; false when the module does not take it. */
static bool one_round(const struct module *m,
    const struct provider_input *input, uint64_t *longest)
{
	struct provider_call *call = provider_call_new(input);
	struct http_call http;
	struct err e;

	if (!call)
		die("out of memory");
	if (provider_call_build(call, m->provider, m->settings, &e) < 0) {
		provider_call_free(call);
		return false;
	}
	provider_call_http(call, &http);
	*longest = read_body(&http);
	provider_call_free(call);
	return true;
}

static void turn(
    const struct module *m, const struct provider_input *input, struct row *row)
{
	uint64_t begun = cpu_ns(), longest_of_all = 0, longest;

	row->rounds = 0;
	do {
		if (!one_round(m, input, &longest)) {
			row->is_refused = true;
			return;
		}
		if (longest > longest_of_all)
			longest_of_all = longest;
		row->rounds++;
		row->ns = cpu_ns() - begun;
	} while (row->ns < TURN_NS);
	double each = (double)row->ns / (double)row->rounds;
	if (row->best_ns == 0 || each < row->best_ns)
		row->best_ns = each;
	if (row->longest_ns == 0 || longest_of_all < row->longest_ns)
		row->longest_ns = longest_of_all;
}

static void weigh(
    const struct module *m, const struct provider_input *input, struct row *row)
{
	uint64_t longest;

	memory_begin();
	(void)one_round(m, input, &longest);
	row->memory = memory_peak();
}

static void measure(
    const struct module *modules, size_t count, size_t size, struct row *rows)
{
	static const struct span to = { "ann@dest.example", 16 };
	struct body_file file;
	struct message *m = make_message(sizes[size].make, &file);
	struct provider_input input = { .message = m,
		.id = "01HX5Z8QK3W9V7T2M4N6P8R0SD",
		.attempt_key = "01HX5Z8QK3W9V7T2M4N6P8R0SD-1",
		.now = clock_wall_ms() / 1000,
		.sender = SPAN("orders@shop.example"),
		.recipients = &to,
		.recipient_count = 1 };

	for (int n = 0; n < TURNS; n++) {
		for (size_t i = 0; i < count; i++) {
			input.grant = modules[i].grant;
			if (!rows[i].is_refused)
				turn(&modules[i], &input, &rows[i]);
			if (n == 0 && !rows[i].is_refused)
				weigh(&modules[i], &input, &rows[i]);
			rows[i].bytes = message_size(m);
		}
	}
	message_unref(m);
}

/* --- the table --- */

static void print_head(void)
{
	printf("| module |");
	for (size_t i = 0; i < SIZES; i++)
		printf(" %s: /s | MB/s | x | KB |", sizes[i].name);
	printf(" longest read ms |\n|---|");
	for (size_t i = 0; i < SIZES; i++)
		printf("---|---|---|---|");
	printf("---|\n");
}

static void print_cells(const struct row *row, const struct row *first)
{
	double per_s = 1e9 / row->best_ns;

	if (row->is_refused)
		printf(" too large | | | |");
	else
		printf(" %.*f | %.0f | %.2f | %zu |", per_s < 100 ? 1 : 0,
		    per_s, per_s * (double)row->bytes / 1e6,
		    row->best_ns / first->best_ns, row->memory / 1024);
}

static void print_row(
    const struct module *m, struct row (*rows)[MODULES_MAX], size_t i)
{
	uint64_t longest = 0;

	printf("| `%s` |", m->provider->name);
	for (size_t k = 0; k < SIZES; k++) {
		print_cells(&rows[k][i], &rows[k][0]);
		if (rows[k][i].longest_ns > longest)
			longest = rows[k][i].longest_ns;
	}
	printf(" %.2f |\n", (double)longest / 1e6);
}

int main(int argc, char **argv)
{
	static struct module modules[MODULES_MAX];
	static struct row rows[SIZES][MODULES_MAX];
	size_t count = (size_t)argc - 2;

	if (argc < 3 || count > MODULES_MAX)
		die("usage: %s DIRECTORY NAME=SETTINGS...", argv[0]);
	mime_library_init();
	provider_set_directory(argv[1]);
	for (size_t i = 0; i < count; i++)
		modules[i] = load(argv[i + 2]);
	for (size_t k = 0; k < SIZES; k++)
		measure(modules, count, k, rows[k]);
	print_head();
	for (size_t i = 0; i < count; i++) {
		print_row(&modules[i], rows, i);
		unload(&modules[i]);
	}
	return 0;
}
