/*
 * What tests of grants and of inquiries share: a loop that goes through steps
 * under a clock of the test's, grants in it, and an http that answers when the
 * test says. http_cancel is the test's own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <base/counters.h>
#include <config/config.h>
#include <deliver/grants.h>
#include <http/http.h>
#include <loop/blocking.h>
#include <loop/loop.h>
#include <postern/provider.h>

struct fake_settings {
	const char *mark;
};

extern const struct postern_field fake_fields[];
extern uint64_t mono_ms;
extern unsigned ticks; /* of the loop since set_up, some 1 ms each */
extern struct loop *loop;
extern struct blocking *pool;
extern struct config *config;
extern struct counters counters;
extern struct grants *grants;
extern struct http_call *open_call; /* one at a time; NULL: none */
extern unsigned calls;

/* For modules that no mail comes to. */
int fake_build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r);
void fake_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out);

/* providers: the elements of the list, whose modules come from load. */
struct config *load_config(
    const struct postern_provider *(*load)(const char *type, struct err *e),
    const char *providers);
void set_up(
    const struct postern_provider *(*load)(const char *type, struct err *e),
    const char *providers);
void tear_down(void);
void on_settled(void *ctx); /* nothing */

/* True: done, the next one's turn. */
typedef bool (*step_fn)(void);

/* Until the last of steps, which ends with NULL, came true. */
void run(const step_fn *steps);
void answer_with(enum http_fault fault, int status);
/* Steps. */
bool is_asked(void);
bool say_yes(void);
bool say_no(void);
