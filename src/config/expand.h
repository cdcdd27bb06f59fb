/*
 * Values that live elsewhere: ${env:NAME}, ${env:NAME:-default} and
 * ${file:/path} inside a scalar, and files and systemd credentials that hold
 * a secret. `$$` is one dollar sign. What comes from there is not looked at
 * again. One trailing newline of a file is dropped.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <base/span.h>

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct expanded {
	struct buf text; /* may be secret: overwritten by expanded_finish */
	/* A file that everybody may read and that text came from, or "". */
	char exposed[PATH_MAX];
	/* It lies in memory or on a read-only mount, as an orchestrator
	 * delivers secrets: its mode is not the administrator's choice. */
	bool is_delivered;
	struct stat last; /* the last file that was read */
};

void expanded_init(struct expanded *x);
void expanded_finish(struct expanded *x);

/*
 * Each appends to x->text. 0, or a negative errno with e saying what is
 * missing: never the content.
 */
int expand_text(struct span raw, struct expanded *x, struct err *e);
int expand_file(const char *path, struct expanded *x, struct err *e);
/* From $CREDENTIALS_DIRECTORY (systemd LoadCredential=). */
int expand_credential(const char *name, struct expanded *x, struct err *e);
