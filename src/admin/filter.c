/* See filter.h. */
#include <admin/filter.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <admin/lookup.h>

enum {
	STATES = 16 /* more than there are */
};

static const char *const words[FILTER_WORDS] = { "user", "sender", "recipient",
	"provider", "provider_id", "message_id" };

bool filter_knows(const char *word)
{
	for (size_t i = 0; i < FILTER_WORDS; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return strcmp(word, "state") == 0;
}

/* Several states may have one name. */
static unsigned states_of(const char *name)
{
	unsigned states = 0;

	for (unsigned i = 0; i < STATES; i++)
		if (strcmp(store_state_name((enum store_state)i), name) == 0)
			states |= 1u << i;
	return strcmp(name, "unknown") == 0 ? 0 : states;
}

/* People copy it either way. */
static struct span without_brackets(struct span id)
{
	if (id.len >= 2 && id.ptr[0] == '<' && id.ptr[id.len - 1] == '>')
		return span_make(id.ptr + 1, id.len - 2);
	return id;
}

int filter_parse(struct filter *f,
    const char *(*get)(void *ctx, const char *word), void *ctx, struct err *e)
{
	struct store_filter *w = &f->wanted;
	struct span *const to[FILTER_WORDS] = { &w->user, &w->sender,
		&w->recipient, &w->provider, &w->provider_id, &w->message_id };
	const char *state = get(ctx, "state");

	*f = (struct filter){ .wanted = { .is_open = false } };
	for (size_t i = 0; i < FILTER_WORDS; i++) {
		const char *value = get(ctx, words[i]);

		*to[i] = SPAN("");
		if (!value)
			continue;
		f->copies[i] = strdup(value);
		if (!f->copies[i])
			return err_set(e, -ENOMEM, "out of memory");
		*to[i] = span_of(f->copies[i]);
	}
	w->message_id = without_brackets(w->message_id);
	if (!state || !*state)
		return 0;
	w->is_dead = strcmp(state, "dead") == 0;
	w->states = states_of(state);
	return w->states || w->is_dead
		   ? 0
		   : err_set(e, -EINVAL, "there is no state \"%s\"", state);
}

void filter_finish(struct filter *f)
{
	for (size_t i = 0; i < FILTER_WORDS; i++) {
		free(f->copies[i]);
		f->copies[i] = NULL;
	}
}

bool filter_is_empty(const struct filter *f)
{
	const struct store_filter *w = &f->wanted;

	return !w->states && !w->is_dead && !w->user.len && !w->sender.len &&
	       !w->recipient.len && !w->provider.len && !w->provider_id.len &&
	       !w->message_id.len;
}
