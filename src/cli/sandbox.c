/*
 * postern sandbox: run the fake providers until a signal comes, and say how
 * to point a configuration at them.
 */
#include <cli/cli.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/err.h>
#include <base/span.h>
#include <loop/loop.h>
#include <loop/signals.h>
#include <mail/mime.h>
#include <sandbox/sandbox.h>

static const char usage[] =
    "usage: postern sandbox [--address HOST:PORT] [--archive DIR]\n"
    "                       [--port-file FILE] [--ses-key-id ID]\n"
    "                       [--ses-secret SECRET] [--smtp-port PORT]\n"
    "                       [--smtp-user NAME --smtp-password PASSWORD]\n"
    "\n"
    "A fake of the HTTP APIs of e-mail providers, and of a mail server.\n"
    "Nothing it takes is sent anywhere. Default address: " SANDBOX_ADDRESS ";\n"
    "SMTP is on the port after that, or on any one (0) when that is 0.\n"
    "With --smtp-user mail by SMTP is taken after that login only.\n";

struct options {
	struct sandbox_settings settings;
	const char *port_file;
	const char *smtp_port;
	char smtp_address[512];
};

struct running {
	struct loop *loop;
	struct sandbox *sandbox;
	struct signals *on_term, *on_int;
};

/* 0; 1 when the answer was the help; or 2. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "archive", required_argument, NULL, 'd' },
		{ "port-file", required_argument, NULL, 'p' },
		{ "ses-key-id", required_argument, NULL, 'k' },
		{ "ses-secret", required_argument, NULL, 's' },
		{ "smtp-port", required_argument, NULL, 'P' },
		{ "smtp-user", required_argument, NULL, 'U' },
		{ "smtp-password", required_argument, NULL, 'W' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'a')
			o->settings.address = optarg;
		else if (c == 'd')
			o->settings.archive = optarg;
		else if (c == 'p')
			o->port_file = optarg;
		else if (c == 'k')
			o->settings.ses_key_id = optarg;
		else if (c == 's')
			o->settings.ses_secret = optarg;
		else if (c == 'P')
			o->smtp_port = optarg;
		else if (c == 'U')
			o->settings.smtp_user = optarg;
		else if (c == 'W')
			o->settings.smtp_password = optarg;
		else
			return c == 'h' ? 1 : 2;
	}
	if (!o->settings.smtp_user != !o->settings.smtp_password)
		return 2;
	return optind < argc ? 2 : 0;
}

/* The host of the other address, and the port after it unless one is given. */
static int set_smtp_address(struct options *o, struct err *e)
{
	const char *address =
	    o->settings.address ? o->settings.address : SANDBOX_ADDRESS;
	const char *colon = strrchr(address, ':');
	unsigned long long port = 0;

	if (!colon || !span_parse_u64(span_of(colon + 1), UINT16_MAX, &port))
		return err_set(e, -EINVAL, "%s is not HOST:PORT", address);
	port += port > 0;
	if (o->smtp_port &&
	    !span_parse_u64(span_of(o->smtp_port), UINT16_MAX, &port))
		return err_set(e, -EINVAL, "%s is no port", o->smtp_port);
	int n = snprintf(o->smtp_address, sizeof(o->smtp_address), "%.*s:%llu",
	    (int)(colon - address), address, port);
	if (n < 0 || (size_t)n >= sizeof(o->smtp_address))
		return err_set(e, -EINVAL, "%s is too long", address);
	o->settings.smtp_address = o->smtp_address;
	return 0;
}

/* Written beside and renamed, so that who waits for it finds it whole. */
static int write_port(const char *path, int port, struct err *e)
{
	char temporary[4096];
	int n = snprintf(temporary, sizeof(temporary), "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof(temporary))
		return err_set(e, -ENAMETOOLONG, "%s is too long", path);
	FILE *f = fopen(temporary, "we");
	if (!f)
		return err_errno(e, -errno, "cannot write %s", temporary);
	n = fprintf(f, "%d\n", port);
	if (fclose(f) != 0 || n < 0)
		return err_errno(e, -EIO, "cannot write %s", temporary);
	if (rename(temporary, path) != 0)
		return err_errno(e, -errno, "cannot write %s", path);
	return 0;
}

static void print_hints(const struct options *o, const struct sandbox *sandbox)
{
	int port = sandbox_port(sandbox);
	static const char *const own[][2] = { { "page", "" },
		{ "what came", "_sandbox/messages" },
		{ "faults", "_sandbox/faults" } };
	const char *address =
	    o->settings.address ? o->settings.address : SANDBOX_ADDRESS;
	const char *colon = strrchr(address, ':'), *name;
	int host = colon ? (int)(colon - address) : 0;

	for (size_t i = 0; (name = sandbox_provider(i)); i++)
		printf("%-10s http://%.*s:%d/%s\n", name, host, address, port,
		    name);
	printf("%-10s smtp://%.*s:%d\n", "smtp", host, address,
	    sandbox_smtp_port(sandbox));
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		printf("%-10s http://%.*s:%d/%s\n", own[i][0], host, address,
		    port, own[i][1]);
	if (!o->settings.ses_key_id && !o->settings.ses_secret)
		printf("%-10s %s %s\n", "SES keys", SANDBOX_SES_KEY_ID,
		    SANDBOX_SES_SECRET);
	(void)fflush(stdout);
}

static void on_closed(void *ctx)
{
	struct running *r = ctx;

	loop_stop(r->loop);
}

static void on_signal(int signum, void *ctx)
{
	struct running *r = ctx;

	(void)signum;
	if (!r->sandbox)
		return;
	signals_close(r->on_term);
	signals_close(r->on_int);
	sandbox_close(r->sandbox, on_closed, r);
	r->sandbox = NULL;
}

static int start(struct running *r, struct options *o, struct err *e)
{
	r->loop = loop_new(0);
	if (!r->loop)
		return err_set(e, -ENOMEM, "cannot make an event loop");
	r->on_term = signals_watch(r->loop, SIGTERM, on_signal, r);
	r->on_int = signals_watch(r->loop, SIGINT, on_signal, r);
	if (!r->on_term || !r->on_int)
		return err_set(e, -ENOMEM, "cannot watch signals");
	if (set_smtp_address(o, e) != 0)
		return e->code;
	r->sandbox = sandbox_start(r->loop, &o->settings, e);
	if (!r->sandbox)
		return e->code;
	int port = sandbox_port(r->sandbox);
	if (o->port_file && write_port(o->port_file, port, e) != 0)
		return e->code;
	print_hints(o, r->sandbox);
	return 0;
}

int cli_sandbox(int argc, char **argv)
{
	struct options o = { .port_file = NULL };
	struct running r = { .loop = NULL };
	struct err e = { 0 };
	int rc = read_options(argc, argv, &o);

	if (rc) {
		(void)fputs(usage, rc == 1 ? stdout : stderr);
		return rc == 1 ? EXIT_SUCCESS : 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	mime_library_init();
	/* What cannot be set up ends the process: nothing to unwind. */
	if (start(&r, &o, &e) != 0) {
		(void)fprintf(stderr, "postern sandbox: %s\n", e.text);
		return EXIT_FAILURE;
	}
	loop_run(r.loop);
	loop_free(r.loop);
	return EXIT_SUCCESS;
}
