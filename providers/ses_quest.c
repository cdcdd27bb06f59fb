/* See ses_quest.h. */
#include <ses_quest.h>

#include <errno.h>
#include <stdio.h>

enum {
	WORD_MAX = 64
};

void quest_source(
    const struct ses_quest *q, const char *kind, const char *place)
{
	(void)snprintf(q->p->source, sizeof(q->p->source), "%s%s%.*s", kind,
	    *place ? " " : "", POSTERN_SOURCE_SIZE - 32, place);
}

int quest_refuse_region(const struct ses_quest *q)
{
	return quest_refuse(q, POSTERN_ACCOUNT,
	    "there is no AWS region: set region, or AWS_REGION in the "
	    "environment");
}

int quest_refuse_file(const struct ses_quest *q, const char *path, int rc)
{
	if (rc == -ENOMEM)
		return rc;
	return quest_refuse(q, POSTERN_ACCOUNT, "%s%s%s", path,
	    *path ? ": " : "", strerror(-rc));
}

static bool is_word(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= WORD_MAX &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

const char *quest_region(const struct ses_quest *q)
{
	const char *region = q->settings->region;

	if (!region)
		region = quest_env(q, "AWS_REGION");
	if (!region)
		region = quest_env(q, "AWS_DEFAULT_REGION");
	return region && is_word(region) ? region : NULL;
}

int quest_give(const struct ses_quest *q, struct ses_keys *keys)
{
	const char *region = quest_region(q);

	if (!region)
		return quest_refuse_region(q);
	if (!ses_keys_are_sound(keys))
		return quest_refuse(q, POSTERN_ACCOUNT,
		    "these are no AWS keys: an id, a secret and perhaps a "
		    "token, without spaces");
	keys->region = str_of(region);
	q->p->grant = ses_keys_pack(keys, q->host, q->r);
	q->p->expires = keys->expires;
	return q->p->grant.ptr ? 0 : -ENOMEM;
}
