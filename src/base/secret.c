/* Values that are overwritten before their memory is given back. */
#include <base/secret.h>

#include <base/hash.h>

#include <errno.h>
#include <stdlib.h>

int secret_set(struct secret *s, struct span value)
{
	char *copy = span_dup(value); /* first: value may be the old one */
	if (!copy)
		return -ENOMEM;
	secret_clear(s);
	s->value = copy;
	s->len = value.len;
	return 0;
}

void secret_clear(struct secret *s)
{
	if (s->value)
		hash_cleanse(s->value, s->len);
	free(s->value);
	s->value = NULL;
	s->len = 0;
}
