/* See admin.h; and the commands `postern stats` and `postern reload`. */
#include <cli/admin.h>

#include <cli/cli.h>

#include <config/config.h>
#include <http/http.h>
#include <http/local.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ANSWER_MAX = 256 * 1024 * 1024 /* a page of the queue */
};

/* --- shared --- */

static int take_value(int argc, char **argv, int *i, const char **out)
{
	if (*i + 1 >= argc) {
		(void)fprintf(stderr, "postern: %s needs a value\n", argv[*i]);
		return -1;
	}
	*out = argv[++*i];
	return 1;
}

static int take_output(struct cli_admin *a, const char *format)
{
	a->is_json = strcmp(format, "json") == 0;
	if (a->is_json || strcmp(format, "text") == 0)
		return 1;
	(void)fprintf(stderr, "postern: -o is json or text\n");
	return -1;
}

int cli_admin_option(struct cli_admin *a, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *value = NULL;
	bool is_socket = strcmp(word, "--socket") == 0;
	bool is_output = strcmp(word, "-o") == 0;
	int rc;

	if (!is_socket && !is_output && strcmp(word, "-c") != 0)
		return 0;
	rc = take_value(argc, argv, i, &value);
	if (rc < 0)
		return rc;
	if (is_output)
		return take_output(a, value);
	if (!is_socket) {
		a->config = value;
		return 1;
	}
	free(a->socket);
	a->socket = strdup(value);
	return a->socket ? 1 : -1;
}

/* As the configuration says, when this account may read it. */
static char *find_socket(const char *path)
{
	struct config_report report = { 0 };
	struct config *c =
	    cli_load_config(path ? path : cli_config_path(), &report);
	char *found = strdup(c ? c->admin.socket : "/run/postern/admin.sock");

	if (!c && path)
		(void)fprintf(stderr,
		    "postern: %s cannot be used (see `postern check`), so "
		    "asking at %s\n",
		    path, found ? found : "");
	config_report_finish(&report);
	config_unref(c);
	return found;
}

static enum cli_exit judge(int status, const json_t *answer)
{
	if (status >= 200 && status < 300)
		return CLI_OK;
	(void)fprintf(stderr, "postern: %s\n",
	    *cli_admin_text(answer, "error") ? cli_admin_text(answer, "error")
					     : "the server answers nonsense");
	return status == 404 ? CLI_NOT_FOUND : CLI_FAILED;
}

static enum cli_exit ask(const struct http_local *h, json_t **out)
{
	struct err e = { 0 };
	struct buf answer;
	enum cli_exit code = CLI_FAILED;

	buf_init(&answer, ANSWER_MAX);
	int status = http_local_ask(h, &answer, &e);
	if (status < 0) {
		(void)fprintf(stderr, "postern: %s\n", e.text);
		if (status == -ECONNREFUSED)
			code = CLI_UNREACHABLE;
	} else {
		struct span text = buf_span(&answer);

		*out = json_loadb(text.ptr, text.len, 0, NULL);
		code = judge(status, *out);
	}
	buf_finish(&answer);
	return code;
}

enum cli_exit cli_admin_ask(struct cli_admin *a, const char *method,
    const char *path, json_t *body, json_t **out)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	enum cli_exit code = CLI_FAILED;

	*out = NULL;
	if (!a->socket)
		a->socket = find_socket(a->config);
	if (!a->socket || (body && !text) || http_library_init() != 0) {
		(void)fprintf(stderr, "postern: out of memory\n");
	} else if (!*a->socket) {
		(void)fprintf(stderr,
		    "postern: the configuration turns the admin socket off\n");
		code = CLI_UNREACHABLE;
	} else {
		const struct http_local h = { .socket = a->socket,
			.method = method,
			.path = path,
			.body = span_of(text ? text : "") };

		code = ask(&h, out);
		http_library_done();
	}
	json_decref(body);
	free(text);
	return code;
}

void cli_admin_finish(struct cli_admin *a)
{
	free(a->socket);
	a->socket = NULL;
}

void cli_admin_print_json(const json_t *value)
{
	(void)json_dumpf(value, stdout, JSON_COMPACT);
	(void)putchar('\n');
}

const char *cli_admin_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

long long cli_admin_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* --- stats --- */

static bool only_options(
    struct cli_admin *a, int argc, char **argv, const char *usage)
{
	for (int i = 1; i < argc; i++) {
		int rc = cli_admin_option(a, argc, argv, &i);

		if (rc > 0)
			continue;
		if (rc == 0)
			(void)fprintf(stderr,
			    "postern %s: unknown argument '%s'\n", argv[0],
			    argv[i]);
		(void)fprintf(stderr, "usage: postern %s\n", usage);
		return false;
	}
	return true;
}

static long long sum_of(json_t *object)
{
	long long sum = 0;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) sum +=
	    json_integer_value(value);
	return sum;
}

/* "120/500", or "120" without a limit: recipients of that window. */
static void print_window(const json_t *budget, const char *window)
{
	const json_t *w = json_object_get(budget, window);
	char text[48];

	if (json_is_integer(json_object_get(w, "limit")))
		(void)snprintf(text, sizeof(text), "%lld/%lld",
		    cli_admin_number(w, "used"), cli_admin_number(w, "limit"));
	else
		(void)snprintf(
		    text, sizeof(text), "%lld", cli_admin_number(w, "used"));
	(void)printf(" %13s", text);
}

/* What the account says of itself, on a line of its own. */
static void print_account(const json_t *account)
{
	const json_t *usable = json_object_get(account, "usable");
	const json_t *rate = json_object_get(account, "per_second");
	const json_t *quota = json_object_get(account, "quota");
	const char *reason = cli_admin_text(account, "reason");

	if (!json_is_object(account))
		return;
	if (!json_is_boolean(usable)) {
		(void)printf("    account: cannot be asked: %s\n",
		    cli_admin_text(account, "unknown"));
		return;
	}
	(void)printf(
	    "    account: %s", json_is_true(usable) ? "usable" : "closed");
	if (json_is_number(rate))
		(void)printf(", %g %s/s", json_number_value(rate),
		    cli_admin_text(account, "counts"));
	if (json_is_object(quota))
		(void)printf(", %lld of %lld recipients left",
		    cli_admin_number(quota, "left"),
		    cli_admin_number(quota, "limit"));
	(void)printf("%s%s\n", *reason ? ": " : "", reason);
}

static void print_provider(const json_t *p)
{
	const json_t *error = json_object_get(p, "last_error");
	const json_t *budget = json_object_get(p, "budget");

	(void)printf("  %-20s %-10s %8lld %8lld", cli_admin_text(p, "name"),
	    cli_admin_text(p, "type"), cli_admin_number(p, "inflight"),
	    sum_of(json_object_get(p, "attempts")));
	print_window(budget, "day");
	print_window(budget, "month");
	(void)printf("  %s %s\n",
	    *cli_admin_text(error, "class") ? cli_admin_text(error, "class")
					    : "-",
	    cli_admin_text(error, "at"));
	print_account(json_object_get(p, "account"));
}

static void print_stats(const json_t *s)
{
	const json_t *queue = json_object_get(s, "queue");
	const json_t *store = json_object_get(s, "store");
	const json_t *providers = json_object_get(s, "providers");

	(void)printf("postern %s on %s: %s, up %lld s\n",
	    cli_admin_text(s, "version"), cli_admin_text(s, "hostname"),
	    cli_admin_text(s, "state"), cli_admin_number(s, "uptime_s"));
	(void)printf("queue: %lld messages, %lld bytes; %lld scheduled, "
		     "%lld at work\n",
	    cli_admin_number(store, "messages"),
	    cli_admin_number(store, "bytes"),
	    cli_admin_number(queue, "scheduled"),
	    cli_admin_number(queue, "inflight"));
	(void)printf("  %-20s %-10s %8s %8s %13s %13s  %s\n", "PROVIDER",
	    "TYPE", "AT WORK", "CALLS", "TODAY", "MONTH", "LAST ERROR");
	for (size_t i = 0; i < json_array_size(providers); i++)
		print_provider(json_array_get(providers, i));
}

int cli_stats(int argc, char **argv)
{
	struct cli_admin a = { .config = NULL };
	json_t *answer = NULL;
	enum cli_exit code = CLI_USAGE;

	if (only_options(
		&a, argc, argv, "stats [-c FILE | --socket PATH] [-o json]"))
		code = cli_admin_ask(&a, "GET", "/api/v1/stats", NULL, &answer);
	if (code == CLI_OK && a.is_json)
		cli_admin_print_json(answer);
	else if (code == CLI_OK)
		print_stats(answer);
	json_decref(answer);
	cli_admin_finish(&a);
	return (int)code;
}

/* --- reload --- */

static void print_problems(const json_t *problems, bool is_json)
{
	for (size_t i = 0; i < json_array_size(problems); i++) {
		const json_t *p = json_array_get(problems, i);
		bool is_warning =
		    strcmp(cli_admin_text(p, "severity"), "warning") == 0;

		if (is_json)
			cli_admin_print_json(p);
		else
			(void)fprintf(stderr, "%s:%lld:%lld: %s%s: %s\n",
			    cli_admin_text(p, "file"),
			    cli_admin_number(p, "line"),
			    cli_admin_number(p, "column"),
			    is_warning ? "warning: " : "",
			    cli_admin_text(p, "path"),
			    cli_admin_text(p, "message"));
	}
}

int cli_reload(int argc, char **argv)
{
	struct cli_admin a = { .config = NULL };
	json_t *answer = NULL;
	enum cli_exit code = CLI_USAGE;

	if (only_options(
		&a, argc, argv, "reload [-c FILE | --socket PATH] [-o json]"))
		code =
		    cli_admin_ask(&a, "POST", "/api/v1/reload", NULL, &answer);
	print_problems(json_object_get(answer, "problems"), a.is_json);
	if (code == CLI_OK && !a.is_json)
		(void)printf("the configuration is in use (hash %s)\n",
		    cli_admin_text(answer, "hash"));
	json_decref(answer);
	cli_admin_finish(&a);
	return (int)code;
}
