/*
 * What commands for a running server share: where its socket is, one request
 * and its answer, and the exit codes.
 */
#pragma once

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_UNREACHABLE = 4
};

/* Zeroed, then filled by options. */
struct cli_admin {
	const char *config; /* -c; NULL: the usual one */
	char *socket;       /* --socket, or found; cli_admin_finish */
	bool is_json;       /* -o json */
};

/*
 * If argv[*i] is an option of all these commands take it with its value, and
 * leave *i at the last word taken. 1: taken; 0: another; -1: wrong, and said.
 */
int cli_admin_option(struct cli_admin *a, int argc, char **argv, int *i);
/*
 * One request; body may be NULL, else its reference is taken. *out is the
 * answer or NULL, to be released in any case. What goes wrong is said on
 * stderr, but for the problems of a configuration.
 */
enum cli_exit cli_admin_ask(struct cli_admin *a, const char *method,
    const char *path, json_t *body, json_t **out);
void cli_admin_finish(struct cli_admin *a);

/* For programs: an object as one line. */
void cli_admin_print_json(const json_t *value);
/* A member as text; "" when it is missing or null. */
const char *cli_admin_text(const json_t *object, const char *key);
/* A member as a number; 0 when it is missing. */
long long cli_admin_number(const json_t *object, const char *key);
