/* `postern queue`: the queue of a running server. */
#include <cli/queue.h>

#include <cli/cli.h>

#include <base/buf.h>
#include <http/local.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	PATH_MAX_BYTES = 8192,
	PAGE_MAX = 500
};

static enum cli_exit worse(enum cli_exit a, enum cli_exit b)
{
	return a == CLI_OK ? b : a;
}

/* --- ls, find --- */

/* Whose it is; what has no sender says what it is. */
static const char *sender_of(const json_t *m)
{
	const char *sender = cli_admin_text(m, "sender");

	if (strcmp(cli_admin_text(m, "kind"), "event") == 0)
		return "(event)";
	return *sender ? sender : "<>";
}

static void print_entry(const json_t *m)
{
	const json_t *recipients = json_object_get(m, "recipients");
	const json_t *first = json_array_get(recipients, 0);
	long long count = cli_admin_number(m, "recipient_count");
	time_t at = (time_t)cli_admin_number(m, "arrival_time");
	struct tm tm;
	char when[32] = "", more[32] = "";

	if (localtime_r(&at, &tm))
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	if (count > 1)
		(void)snprintf(more, sizeof(more), " +%lld", count - 1);
	(void)printf("%s  %s  %9lld  %-8s %s -> %s%s\n",
	    cli_admin_text(m, "queue_id"), when,
	    cli_admin_number(m, "message_size"), cli_admin_text(first, "state"),
	    sender_of(m), cli_admin_text(first, "address"), more);
}

/* How many there were. */
static size_t print_page(const struct cli_queue *q, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "messages");
	size_t count = json_array_size(list);

	for (size_t i = 0; i < count; i++) {
		if (q->admin.is_json)
			cli_admin_print_json(json_array_get(list, i));
		else
			print_entry(json_array_get(list, i));
	}
	return count;
}

static int add_parameter(struct buf *path, const char *name, const char *value)
{
	int rc = 0;

	if (!value || !*value)
		return 0;
	rc = buf_printf(path, "&%s=", name);
	return rc ? rc : http_local_encode(span_of(value), path);
}

static int make_path(const struct cli_queue *q, size_t limit, const char *after,
    struct buf *path)
{
	int rc = buf_printf(path, "/api/v1/%s?limit=%zu",
	    q->verb == CLI_QUEUE_FIND ? "messages" : "queue", limit);

	for (size_t i = 0; rc == 0 && i < CLI_QUEUE_FILTERS; i++)
		rc = add_parameter(path, cli_queue_filters[i], q->filters[i]);
	if (rc == 0)
		rc = add_parameter(path, "after", after);
	return rc ? rc : buf_add(path, "", 1);
}

static enum cli_exit ask_page(
    struct cli_queue *q, size_t limit, const char *after, json_t **out)
{
	struct buf path;
	enum cli_exit code = CLI_USAGE;

	*out = NULL;
	buf_init(&path, PATH_MAX_BYTES);
	if (make_path(q, limit, after, &path) == 0)
		code = cli_admin_ask(
		    &q->admin, "GET", buf_span(&path).ptr, NULL, out);
	else
		(void)fprintf(stderr, "postern queue: that is too long\n");
	buf_finish(&path);
	return code;
}

static enum cli_exit list(struct cli_queue *q)
{
	size_t left = SIZE_MAX;
	char after[64] = "";
	enum cli_exit code;
	bool is_more;

	if (q->limit) {
		char *end = NULL;
		long n = strtol(q->limit, &end, 10);

		if (n <= 0 || *end) {
			(void)fprintf(stderr,
			    "postern queue: --limit is a number from 1 on\n");
			return CLI_USAGE;
		}
		left = (size_t)n;
	}
	do {
		json_t *answer = NULL;

		code = ask_page(
		    q, left < PAGE_MAX ? left : PAGE_MAX, after, &answer);
		if (code == CLI_OK)
			left -= print_page(q, answer);
		(void)snprintf(
		    after, sizeof(after), "%s", cli_admin_text(answer, "next"));
		is_more = *after && left > 0;
		json_decref(answer);
	} while (code == CLI_OK && is_more);
	return code;
}

/* --- show --- */

static void print_message(const json_t *m)
{
	const json_t *recipients = json_object_get(m, "recipients");
	const json_t *attempts = json_object_get(m, "attempts");

	(void)printf("%s  user %s  from <%s>  %s  %lld bytes\n",
	    cli_admin_text(m, "id"), cli_admin_text(m, "user"),
	    cli_admin_text(m, "sender"), cli_admin_text(m, "created"),
	    cli_admin_number(m, "size"));
	for (size_t i = 0; i < json_array_size(recipients); i++) {
		const json_t *r = json_array_get(recipients, i);

		(void)printf("  %-8s %s  %lld attempts%s%s%s%s%s\n",
		    cli_admin_text(r, "state"), cli_admin_text(r, "address"),
		    cli_admin_number(r, "attempts"),
		    json_is_true(json_object_get(r, "outcome_unknown"))
			? ", outcome unknown at"
			: "",
		    *cli_admin_text(r, "provider") ? "  " : "",
		    cli_admin_text(r, "provider"),
		    *cli_admin_text(r, "next_attempt") ? "  next " : "",
		    cli_admin_text(r, "next_attempt"));
	}
	for (size_t i = 0; i < json_array_size(attempts); i++) {
		const json_t *a = json_array_get(attempts, i);

		(void)printf("  %s  %s  %s %s %lld  %s%s\n",
		    cli_admin_text(a, "at"), cli_admin_text(a, "recipient"),
		    cli_admin_text(a, "provider"), cli_admin_text(a, "class"),
		    cli_admin_number(a, "status"),
		    cli_admin_text(a, "provider_id"),
		    cli_admin_text(a, "reason"));
	}
}

static enum cli_exit ask_id(struct cli_queue *q, const char *method,
    const char *id, json_t *body, json_t **out)
{
	struct buf path;
	const char *action = cli_queue_action(q->verb);
	enum cli_exit code = CLI_USAGE;
	int rc;

	*out = NULL;
	buf_init(&path, PATH_MAX_BYTES);
	rc = buf_add_str(
	    &path, *action ? "/api/v1/queue/" : "/api/v1/messages/");
	if (rc == 0)
		rc = http_local_encode(span_of(id), &path);
	if (rc == 0)
		rc = buf_printf(&path, "%s%s", *action ? "/" : "", action);
	if (rc == 0)
		rc = buf_add(&path, "", 1);
	if (rc == 0)
		code = cli_admin_ask(
		    &q->admin, method, buf_span(&path).ptr, body, out);
	else
		json_decref(body);
	buf_finish(&path);
	return code;
}

static enum cli_exit show(struct cli_queue *q)
{
	enum cli_exit code = CLI_OK;

	for (size_t i = 0; i < q->id_count; i++) {
		json_t *answer = NULL;
		enum cli_exit one = ask_id(q, "GET", q->ids[i], NULL, &answer);

		if (one == CLI_OK && q->admin.is_json)
			cli_admin_print_json(answer);
		else if (one == CLI_OK)
			print_message(answer);
		json_decref(answer);
		code = worse(code, one);
	}
	return code;
}

/* --- what is done --- */

static bool confirm(const struct cli_queue *q)
{
	char line[16] = "";

	if (q->is_yes || q->is_dry || !cli_queue_is_destructive(q))
		return true;
	if (!isatty(STDIN_FILENO)) {
		(void)fprintf(stderr,
		    "postern queue: this cannot be taken back: say --yes\n");
		return false;
	}
	if (q->id_count > 0)
		(void)fprintf(stderr, "%s %zu messages? [y/N] ",
		    cli_queue_action(q->verb), q->id_count);
	else
		(void)fprintf(stderr, "%s all that match? [y/N] ",
		    cli_queue_action(q->verb));
	return fgets(line, sizeof(line), stdin) &&
	       (line[0] == 'y' || line[0] == 'Y');
}

static enum cli_exit act_on_ids(struct cli_queue *q)
{
	enum cli_exit code = CLI_OK;

	for (size_t i = 0; i < q->id_count; i++) {
		json_t *answer = NULL;
		json_t *body = json_pack("{s:b, s:s*}", "force",
		    (int)q->is_forced, "reason", q->reason);
		enum cli_exit one = ask_id(q, "POST", q->ids[i], body, &answer);

		if (one == CLI_OK && q->admin.is_json)
			cli_admin_print_json(answer);
		else if (one == CLI_OK)
			(void)printf("%s: %s, %lld recipients\n", q->ids[i],
			    cli_queue_action(q->verb),
			    cli_admin_number(answer, "changed"));
		else
			(void)fprintf(stderr, "  (%s)\n", q->ids[i]);
		json_decref(answer);
		code = worse(code, one);
	}
	return code;
}

static json_t *filter_of(const struct cli_queue *q)
{
	json_t *filter = json_object();

	for (size_t i = 0; i < CLI_QUEUE_FILTERS; i++)
		if (q->filters[i])
			(void)json_object_set_new(filter, cli_queue_filters[i],
			    json_string(q->filters[i]));
	return filter;
}

static json_t *part_of(const struct cli_queue *q, const char *after)
{
	return json_pack("{s:s, s:o, s:b, s:b, s:b, s:s*, s:s*}", "action",
	    cli_queue_action(q->verb), "filter", filter_of(q), "all",
	    (int)q->is_all, "force", (int)q->is_forced, "dry_run",
	    (int)q->is_dry, "reason", q->reason, "after",
	    *after ? after : NULL);
}

/* Part after part, until there is no more. */
static enum cli_exit act_on_filter(struct cli_queue *q)
{
	long long matched = 0, changed = 0, refused = 0;
	char after[64] = "";
	enum cli_exit code;

	do {
		json_t *answer = NULL;

		code = cli_admin_ask(&q->admin, "POST", "/api/v1/queue/actions",
		    part_of(q, after), &answer);
		if (code == CLI_OK && q->admin.is_json)
			cli_admin_print_json(answer);
		matched += cli_admin_number(answer, "matched");
		changed += cli_admin_number(answer, "changed");
		refused += cli_admin_number(answer, "refused");
		(void)snprintf(
		    after, sizeof(after), "%s", cli_admin_text(answer, "next"));
		json_decref(answer);
	} while (code == CLI_OK && *after);
	if (!q->admin.is_json)
		(void)printf("%s: %lld matched, %lld changed, %lld refused\n",
		    cli_queue_action(q->verb), matched, changed, refused);
	return code == CLI_OK && refused > 0 ? CLI_FAILED : code;
}

static enum cli_exit run(struct cli_queue *q)
{
	if (q->verb == CLI_QUEUE_SHOW)
		return show(q);
	if (!*cli_queue_action(q->verb))
		return list(q);
	if (!confirm(q))
		return CLI_USAGE;
	return q->id_count > 0 ? act_on_ids(q) : act_on_filter(q);
}

int cli_queue(int argc, char **argv)
{
	struct cli_queue q = { .ids = NULL };
	enum cli_exit code = CLI_USAGE;

	if (cli_queue_parse(&q, argc, argv))
		code = run(&q);
	cli_admin_finish(&q.admin);
	return (int)code;
}
