/* What the two forms of an operation share. */
#pragma once

#include <admin/admin.h>
#include <base/err.h>
#include <base/span.h>

#include <stdbool.h>

struct httpd_request;

/* What is wanted of each message. */
struct action {
	enum deliver_action what;
	bool is_forced;
	char note[DELIVER_NOTE_SIZE]; /* for the ledger */
};

/*
 * name: "retry" and so on. reason may be NULL. 0, or -EINVAL with e filled;
 * -ENOENT when there is no such action.
 */
int action_parse(struct action *a, const struct httpd_request *r,
    struct span name, const char *reason, struct err *e);
const char *action_name(enum deliver_action what);
