#include <config/config.h>

#include <config/check.h>
#include <config/effective.h>
#include <config/field.h>
#include <config/report.h>
#include <config/slots.h>
#include <config/tables.h>
#include <config/user_files.h>

#include <base/hash.h>
#include <base/list.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	/* A file of 1 MiB cannot need more; users' files share it. */
	MEMORY_MAX = 256 * 1024 * 1024
};

/*
 * What a struct config lives in. Readers of any thread share it; only the
 * count changes after config_load, and who drops it to zero frees the rest.
 */
struct snapshot {
	struct config config;
	atomic_size_t refs;
	struct arena memory; /* everything config points to */
	struct field_secret *secrets;
	struct slots *slots; /* NULL until loaded: shared with its successors */
};

static struct snapshot *snapshot_new(void)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	atomic_init(&s->refs, 1);
	arena_init(&s->memory, MEMORY_MAX);
	s->config.user_by_name = map_new();
	if (!s->config.user_by_name) {
		free(s);
		return NULL;
	}
	return s;
}

static void snapshot_free(struct snapshot *s)
{
	if (s->config.on_free)
		s->config.on_free(&s->config);
	if (s->slots)
		slots_leave(s->slots, &s->config);
	map_free(s->config.user_by_name);
	for (struct field_secret *i = s->secrets; i; i = i->next)
		hash_cleanse(i->value, i->len);
	arena_finish(&s->memory);
	free(s);
}

struct config *config_ref(struct config *c)
{
	struct snapshot *s = container_of(c, struct snapshot, config);

	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return c;
}

void config_unref(struct config *c)
{
	struct snapshot *s;

	if (!c)
		return;
	s = container_of(c, struct snapshot, config);
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		snapshot_free(s);
}

bool config_is_shared(struct config *c)
{
	struct snapshot *s = container_of(c, struct snapshot, config);

	return atomic_load_explicit(&s->refs, memory_order_acquire) > 1;
}

static void fill(struct snapshot *s, struct span text,
    const struct config_helpers *helpers, struct config_report *report)
{
	struct arena nodes;
	struct field_decoder decoder = {
		.values = &s->memory,
		.nodes = &nodes,
		.report = report,
	};
	struct check check = {
		.config = &s->config,
		.helpers = helpers,
		.decoder = &decoder,
		.report = report,
	};

	arena_init(&nodes, MEMORY_MAX);
	check.root = node_parse(text, NODE_MAP, &nodes, report);
	if (check.root) {
		check.lacks_users = !user_files_read(&decoder, check.root);
		field_decode(
		    &decoder, check.root, tables_root, NULL, &s->config);
		check_config(&check);
	}
	s->secrets = decoder.secrets;
	node_cleanse(check.root);
	arena_finish(&nodes);
}

static int make_slots(struct snapshot *s)
{
	struct slots *slots = slots_new();

	if (!slots)
		return -ENOMEM;
	int rc = slots_take(slots, &s->config);
	if (rc)
		slots_free(slots);
	else
		s->slots = slots;
	return rc;
}

int config_keep_slots(struct config *c, struct config *old, struct err *e)
{
	struct snapshot *s = container_of(c, struct snapshot, config);
	struct slots *shared =
	    container_of(old, struct snapshot, config)->slots;
	struct slots *own = s->slots;

	if (own == shared)
		return 0;
	/* Left first: it knows the places by what c says. */
	slots_leave(own, c);
	s->slots = NULL;
	if (slots_take(shared, c) != 0)
		return err_set(e, -EBUSY,
		    "names of listeners or providers: sessions and mail under "
		    "way use so many former ones that there is no place to "
		    "count for new ones; try again later, or restart");
	s->slots = shared;
	return 0;
}

int config_keep_fixed(struct config *c, const struct config *old,
    void (*fn)(const char *key, void *ctx), void *ctx)
{
	struct snapshot *s = container_of(c, struct snapshot, config);
	int rc = effective_keep_fixed(c, old, &s->memory, fn, ctx);

	effective_hash(c, c->hash);
	return rc;
}

struct config *config_load(const char *path,
    const struct config_helpers *helpers, struct config_report *report)
{
	struct snapshot *s = snapshot_new();
	struct buf text;

	if (!s || report_begin_source(report, path) != 0) {
		report_place(report, 0, 0, "out of memory");
		if (s)
			snapshot_free(s);
		return NULL;
	}
	/* Over the limit by what one read adds: then it is told apart. */
	buf_init(&text, NODE_FILE_MAX + 4096);
	if (node_read(path, &text, report) == 0)
		fill(s, buf_span(&text), helpers, report);
	buf_finish_secret(&text);
	if (report->errors == 0 && make_slots(s) != 0)
		report_place(report, 0, 0, "out of memory");
	if (report->errors > 0) {
		snapshot_free(s);
		return NULL;
	}
	effective_hash(&s->config, s->config.hash);
	effective_hash_providers(&s->config);
	return &s->config;
}

/* --- users and patterns --- */

bool config_lower(struct span s, char key[CONFIG_USER_MAX], struct span *out)
{
	if (s.len > CONFIG_USER_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		key[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	*out = span_make(key, s.len);
	return true;
}

const struct config_user *config_find_user(
    const struct config *c, struct span name)
{
	char key[CONFIG_USER_MAX];
	struct span lower;

	if (!config_lower(name, key, &lower))
		return NULL;
	return map_get(c->user_by_name, lower);
}

int64_t config_budget_limit(
    int64_t recipients, int64_t cost, int64_t price_per_million)
{
	if (cost == 0 || price_per_million == 0)
		return recipients;
	/* Fits: CONFIG_BUDGET_MAX. */
	int64_t paid = cost * 1000000 / price_per_million;
	return recipients > 0 && recipients < paid ? recipients : paid;
}

unsigned config_socket_mode(const char *text)
{
	unsigned mode = 0;

	for (const char *c = text ? text : "0660"; *c; c++) {
		if (*c < '0' || *c > '7' || mode > 0777 / 8)
			return 0;
		mode = mode * 8 + (unsigned)(*c - '0');
	}
	return mode;
}

bool config_pattern_matches(const char *pattern, struct span address)
{
	struct span p = span_of(pattern);
	ptrdiff_t at = span_rindex(address, '@');

	if (span_eq(p, SPAN("*")))
		return true;
	if (at < 0)
		return false;
	if (p.ptr[0] == '@')
		return span_ieq(p, span_from(address, (size_t)at));
	return span_ieq(p, address);
}

bool config_patterns_match(
    const struct postern_list *patterns, struct span address)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (config_pattern_matches(
			CONFIG_STRING(*patterns, i), address))
			return true;
	return false;
}
