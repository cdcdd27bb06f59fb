/*
 * What rows cannot say: names that must be unique, references that must
 * exist, files that must be readable, choices that need another.
 */
#pragma once

#include <config/config.h>
#include <config/content.h>
#include <config/node.h>

struct field_decoder;

struct check {
	struct config *config;
	const struct config_helpers *helpers;
	struct node *root; /* what config was decoded from */
	struct field_decoder *decoder;
	struct config_report *report;
	bool lacks_users; /* some could not be read: reported already */
};

/*
 * Complete and check a decoded configuration; problems go to the report.
 * Fine with one that has mistakes already: what is missing is left out.
 */
void check_config(struct check *c);

/* --- its parts, in this order --- */

void check_users(struct check *c); /* and makes user_by_name */
void check_listeners(struct check *c);
void check_tls(struct check *c);
void check_providers(struct check *c); /* and loads their modules */
void check_dsn(struct check *c);
void check_routes(struct check *c);  /* and resolves their providers */
void check_webhook(struct check *c); /* and adds its provider */
void check_auth(struct check *c);
/* Decode the keys of p's module, which stand in map beside ours. */
void check_settings(struct check *c, struct node *map,
    const struct postern_field *ours, struct config_provider *p);
void check_breaker(struct check *c, const struct node *map,
    const struct config_breaker *breaker);
/* How user, described by map, can log in. */
void check_credentials(
    struct check *c, const struct node *map, const struct config_user *user);

/* --- what the parts share --- */

/* First entry of the list under key, or NULL when it has none to check. */
struct node *check_first(
    const struct check *c, const char *key, const struct postern_list *list);
/* A name must be fit for labels, paths and command lines. */
void check_name(struct check *c, const struct node *entry, const char *name);
/* Whether a user of that name is there, or may be among those that lack. */
bool check_has_user(const struct check *c, const char *name);
/* Whether mail without a login comes as this user somewhere. */
bool check_is_fixed_identity(const struct check *c, const char *name);
/* Every pattern of the list under key. */
void check_patterns(struct check *c, const struct node *map, const char *key,
    const struct postern_list *list);
/* The bits of every word of the list under key, which table has. */
unsigned check_words(struct check *c, const struct node *map, const char *key,
    const struct postern_list *list, const struct content_word *table);
/* Whether a file of that name can be opened; the value is of key in map. */
bool check_readable(
    struct check *c, const struct node *map, const char *key, const char *path);
