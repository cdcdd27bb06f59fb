/*
 * Faults to inject: a list, tried in order; a fault that fires is used up by
 * one. The loop's thread.
 */
#pragma once

#include <base/list.h>
#include <base/span.h>

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

enum fault_break {
	FAULT_ANSWER = 0,        /* an answer is given, perhaps late */
	FAULT_RESET_BEFORE_BODY, /* as soon as the head is there */
	FAULT_RESET_MID_BODY,
	FAULT_HANG_BEFORE_BODY,
	FAULT_RESET_AFTER_BODY,
	FAULT_HANG_AFTER_BODY,
	FAULT_CUT_ANSWER
};

struct fault {
	struct list node;
	uint64_t id;
	const char *provider; /* of a fake, or NULL: all */
	int64_t left;         /* -1: until it is removed */
	uint64_t fired;
	int status;       /* 0: the real answer */
	json_t *headers;  /* object of strings, or NULL */
	char *body;       /* NULL: the provider's own for this status */
	const char *type; /* of body */
	uint64_t delay_ms, byte_ms; /* before all, before each of its bytes */
	enum fault_break how;
	bool is_accepting; /* the message is taken although it fails */
	char *match;       /* in a recipient, or NULL */
	const char *at;    /* the command of SMTP it is for; NULL: none */
};

struct faults {
	struct list list;
	uint64_t last_id;
};

void faults_init(struct faults *f);
void faults_clear(struct faults *f);
static inline bool faults_is_empty(const struct faults *f)
{
	return list_is_empty(&f->list);
}
/*
 * Add what the JSON says. Returns NULL and sets *out_id, or says what is
 * wrong with it.
 */
const char *faults_add(struct faults *f, json_t *spec, uint64_t *out_id);
/* Those of one provider, or all for NULL. */
void faults_remove(struct faults *f, const char *provider);
/*
 * The fault for a complete request to this provider, counted as fired, or
 * NULL. recipients (one per line) is what match is looked for in. The pointer
 * holds until faults are added or removed.
 */
const struct fault *faults_take(
    struct faults *f, const char *provider, struct span recipients);
static inline bool fault_is_early(const struct fault *f)
{
	return f->how == FAULT_RESET_BEFORE_BODY ||
	       f->how == FAULT_RESET_MID_BODY ||
	       f->how == FAULT_HANG_BEFORE_BODY;
}
/*
 * The same when only the head is there: one that is early, if that is the
 * first in line of those without a match.
 */
const struct fault *faults_take_head(struct faults *f, const char *provider);
/* One that is for this command of SMTP alone; match is looked for in args. */
const struct fault *faults_take_command(struct faults *f, const char *provider,
    const char *command, struct span args);
/* As a JSON array; NULL for memory. */
json_t *faults_list(const struct faults *f);
