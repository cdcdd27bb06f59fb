/*
 * What the files that look for keys share: ses_credentials.c has the chain
 * and what is near, ses_fetch.c what is asked for by HTTP.
 */
#pragma once

#include <common/prepare.h>
#include <common/str.h>
#include <postern/provider.h>
#include <ses_keys.h>
#include <ses_settings.h>

enum {
	QUEST_TOKEN_SIZE = 512
};

/* Kept from step to step. */
struct ses_state {
	enum ses_source source;
	unsigned step;                /* from 1 */
	char token[QUEST_TOKEN_SIZE]; /* of instance metadata */
};

/* One step. */
struct ses_quest {
	const struct ses_settings *settings;
	struct postern_preparation *p;
	const struct postern_host *host;
	struct postern_request *r;
	struct ses_state *state;
};

/* --- ses_quest.c --- */

static inline const char *quest_env(const struct ses_quest *q, const char *name)
{
	return q->host->env(q->r, name);
}

/* Where keys are looked for, for people; place may be "". */
void quest_source(
    const struct ses_quest *q, const char *kind, const char *place);
/* For `return quest_refuse(q, result, format, ...)`. */
#define quest_refuse(q, ...)                                                   \
	prepare_refuse(                                                        \
	    &(const struct prepare_step){ (q)->p, (q)->host, (q)->r },         \
	    __VA_ARGS__)
/* There is none, or rc is why path (or what the source names) is not read. */
int quest_refuse_region(const struct ses_quest *q);
int quest_refuse_file(const struct ses_quest *q, const char *path, int rc);
/* NULL when none is known. */
const char *quest_region(const struct ses_quest *q);
/* The end: these are the keys. Sets keys->region. */
int quest_give(const struct ses_quest *q, struct ses_keys *keys);

/* --- ses_fetch.c: each is called for every step, first with step 1 --- */

int fetch_web_identity(const struct ses_quest *q);
int fetch_container(const struct ses_quest *q);
int fetch_instance(const struct ses_quest *q);
/* Whether the environment or the settings speak of it. */
bool fetch_has_web_identity(const struct ses_quest *q);
bool fetch_has_container(const struct ses_quest *q);
bool fetch_has_instance(const struct ses_quest *q);
