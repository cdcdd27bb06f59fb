/* One accepted message, as the provider got it. Owned by the archive. */
#pragma once

#include <base/buf.h>
#include <base/id.h>
#include <base/list.h>
#include <base/span.h>

#include <stdint.h>

enum letter_kind {
	LETTER_MIME = 0, /* a whole message */
	LETTER_JSON,     /* the provider's own fields */
	LETTER_OTHER
};

enum {
	LETTER_PROVIDER_ID_SIZE = 512
};

struct letter {
	struct list node; /* the archive's */
	char id[ID_TEXT_SIZE];
	char provider_id[LETTER_PROVIDER_ID_SIZE]; /* what was answered */
	const char *provider;                      /* static text */
	enum letter_kind kind;
	int64_t received_ms;
	struct buf recipients; /* one per line */
	char *sender;          /* NULL: the API has none or none was given */
	struct buf raw;
	/* As a list shows them, by decode_brief; NULL: not looked for yet. */
	char *from, *subject;
};

/* Copies raw. NULL for memory. */
struct letter *letter_new(
    const char *provider, enum letter_kind kind, struct span raw);
void letter_free(struct letter *l); /* accepts NULL */
/* 0 or -ENOMEM. */
int letter_add_recipient(struct letter *l, struct span address);
int letter_set_sender(struct letter *l, struct span address);
/* Memory it stands for. */
uint64_t letter_bytes(const struct letter *l);
