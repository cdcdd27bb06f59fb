/* See queue.h. */
#include <cli/queue.h>

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: postern queue ls [FILTER...] [--limit N]\n"
    "       postern queue find [FILTER...] [--limit N]\n"
    "       postern queue show ID...\n"
    "       postern queue retry|hold|release|expire|rm|requeue ID... | "
    "FILTER... | --all\n"
    "\n"
    "ls shows what waits, newest first; find looks at finished messages, too.\n"
    "retry makes messages due now (--force: held ones, too, at any provider,\n"
    "as new ones: they may arrive twice); hold keeps them until release; "
    "expire\n"
    "gives them up as too old, rm drops them and nobody is told. Messages "
    "that\n"
    "failed are kept for a while (ls --state dead): requeue sends them after\n"
    "all, to those who did not get them.\n"
    "\n"
    "FILTER is --state pending|started|held|sent|failed|dropped|dead, --user\n"
    "NAME, --sender ADDRESS, --recipient ADDRESS, --provider NAME,\n"
    "--provider-id ID or --message-id ID; messages must match all. Others:\n"
    "  --reason TEXT   kept in the ledger       --dry-run  only count\n"
    "  --yes           do not ask               -o json    one object per "
    "line\n"
    "  -c FILE, --socket PATH: where the server is\n";

static const struct {
	const char *name, *action;
} verbs[CLI_QUEUE_VERBS] = {
	[CLI_QUEUE_LS] = { "ls", "" },
	[CLI_QUEUE_FIND] = { "find", "" },
	[CLI_QUEUE_SHOW] = { "show", "" },
	[CLI_QUEUE_RETRY] = { "retry", "retry" },
	[CLI_QUEUE_HOLD] = { "hold", "hold" },
	[CLI_QUEUE_RELEASE] = { "release", "release" },
	[CLI_QUEUE_EXPIRE] = { "expire", "expire" },
	[CLI_QUEUE_RM] = { "rm", "drop" },
	[CLI_QUEUE_REQUEUE] = { "requeue", "requeue" },
};

const char *const cli_queue_filters[CLI_QUEUE_FILTERS] = { "state", "user",
	"sender", "recipient", "provider", "provider_id", "message_id" };

static const char *const filter_options[CLI_QUEUE_FILTERS] = { "--state",
	"--user", "--sender", "--recipient", "--provider", "--provider-id",
	"--message-id" };

const char *cli_queue_action(enum cli_queue_verb verb)
{
	return verbs[verb].action;
}

bool cli_queue_has_filter(const struct cli_queue *q)
{
	for (size_t i = 0; i < CLI_QUEUE_FILTERS; i++)
		if (q->filters[i])
			return true;
	return false;
}

bool cli_queue_is_destructive(const struct cli_queue *q)
{
	return q->verb == CLI_QUEUE_RM || q->verb == CLI_QUEUE_EXPIRE ||
	       q->is_forced;
}

static bool is_action(const struct cli_queue *q)
{
	return *cli_queue_action(q->verb) != '\0';
}

static bool parse_verb(struct cli_queue *q, const char *word)
{
	for (int i = 0; i < CLI_QUEUE_VERBS; i++) {
		if (strcmp(word, verbs[i].name) != 0)
			continue;
		q->verb = (enum cli_queue_verb)i;
		return true;
	}
	(void)fprintf(stderr, "postern queue: there is no '%s'\n", word);
	return false;
}

/* Where the value of an option goes; NULL: it is none of these. */
static const char **value_of(struct cli_queue *q, const char *word)
{
	for (size_t i = 0; i < CLI_QUEUE_FILTERS; i++)
		if (strcmp(word, filter_options[i]) == 0)
			return &q->filters[i];
	if (strcmp(word, "--reason") == 0)
		return &q->reason;
	return strcmp(word, "--limit") == 0 ? &q->limit : NULL;
}

static bool *flag_of(struct cli_queue *q, const char *word)
{
	if (strcmp(word, "--all") == 0)
		return &q->is_all;
	if (strcmp(word, "--force") == 0)
		return &q->is_forced;
	if (strcmp(word, "--dry-run") == 0)
		return &q->is_dry;
	return strcmp(word, "--yes") == 0 ? &q->is_yes : NULL;
}

/* One word and what belongs to it. 1: an id; 0: taken; -1: wrong. */
static int parse_word(struct cli_queue *q, int argc, char **argv, int *i)
{
	int rc = cli_admin_option(&q->admin, argc, argv, i);
	const char **value = rc == 0 ? value_of(q, argv[*i]) : NULL;
	bool *flag = rc == 0 ? flag_of(q, argv[*i]) : NULL;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (value && *i + 1 < argc)
		*value = argv[++*i];
	else if (flag)
		*flag = true;
	else if (argv[*i][0] != '-')
		return 1;
	else
		rc = -1;
	if (rc < 0)
		(void)fprintf(stderr, "postern queue: %s '%s'\n",
		    value ? "no value for" : "unknown option", argv[*i]);
	return rc;
}

static const char *complaint(const struct cli_queue *q)
{
	bool has_filter = cli_queue_has_filter(q);

	if (q->verb == CLI_QUEUE_SHOW && q->id_count == 0)
		return "show needs an id";
	if (q->id_count > 0 && (has_filter || q->is_all))
		return "ids, or a filter, or --all";
	if (!is_action(q) && q->verb != CLI_QUEUE_SHOW && q->id_count > 0)
		return "a list is of what a filter says: see `show`";
	if (q->verb == CLI_QUEUE_SHOW && has_filter)
		return "show is for ids: see `find`";
	if (is_action(q) && q->id_count == 0 && !has_filter && !q->is_all)
		return "which messages? ids, a filter, or --all";
	if (q->is_forced && q->verb != CLI_QUEUE_RETRY)
		return "--force is for retry";
	if (!is_action(q) && (q->reason || q->is_dry || q->is_all))
		return "--reason, --dry-run and --all are for what is done";
	if (q->is_dry && q->id_count > 0)
		return "--dry-run counts what a filter matches";
	return NULL;
}

bool cli_queue_parse(struct cli_queue *q, int argc, char **argv)
{
	int ids = 2;
	const char *wrong;

	if (argc < 2 || !parse_verb(q, argv[1])) {
		(void)fputs(usage, stderr);
		return false;
	}
	for (int i = 2; i < argc; i++) {
		int rc = parse_word(q, argc, argv, &i);

		if (rc < 0) {
			(void)fputs(usage, stderr);
			return false;
		}
		if (rc > 0)
			argv[ids++] = argv[i];
	}
	q->ids = argv + 2;
	q->id_count = (size_t)ids - 2;
	wrong = complaint(q);
	if (wrong)
		(void)fprintf(stderr, "postern queue: %s\n%s", wrong, usage);
	return !wrong;
}
