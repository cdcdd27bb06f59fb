/* What `postern queue` is asked for. Pure, but for what it says on stderr. */
#pragma once

#include <cli/admin.h>

#include <stdbool.h>
#include <stddef.h>

enum cli_queue_verb {
	CLI_QUEUE_LS = 0,
	CLI_QUEUE_FIND, /* finished ones, too */
	CLI_QUEUE_SHOW,
	CLI_QUEUE_RETRY,
	CLI_QUEUE_HOLD,
	CLI_QUEUE_RELEASE,
	CLI_QUEUE_EXPIRE,
	CLI_QUEUE_RM,
	CLI_QUEUE_REQUEUE,
	CLI_QUEUE_VERBS
};

enum {
	CLI_QUEUE_FILTERS = 7
};

struct cli_queue {
	struct cli_admin admin;
	enum cli_queue_verb verb;
	char *const *ids; /* behind the options */
	size_t id_count;
	const char *filters[CLI_QUEUE_FILTERS]; /* by cli_queue_filters */
	const char *reason, *limit;
	bool is_all, is_forced, is_yes, is_dry;
};

/* Their names, as the server has them. */
extern const char *const cli_queue_filters[CLI_QUEUE_FILTERS];

/*
 * argv[0] is "queue". The words of argv are moved so that ids stand together.
 * False: wrong, and said; help was asked for: likewise.
 */
bool cli_queue_parse(struct cli_queue *q, int argc, char **argv);
bool cli_queue_has_filter(const struct cli_queue *q);
/* What it does cannot be taken back. */
bool cli_queue_is_destructive(const struct cli_queue *q);
/* As the server calls it; "" where nothing is done. */
const char *cli_queue_action(enum cli_queue_verb verb);
