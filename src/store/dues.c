/* See dues.h. */
#include <store/dues.h>

#include <store/rows.h>

#include <stdlib.h>
#include <string.h>

void dues_note(struct dues *d, struct span user, int64_t day, uint64_t messages)
{
	if (messages > 0)
		d->all[d->count++] = (struct due){ user, day, messages };
}

static int by_user(const void *a, const void *b)
{
	const struct due *x = a, *y = b;
	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	if (x->user.len != y->user.len)
		return x->user.len < y->user.len ? -1 : 1;
	return x->user.len ? memcmp(x->user.ptr, y->user.ptr, x->user.len) : 0;
}

int dues_store(struct dues *d, struct rows *rows)
{
	int rc = 0;
	if (d->count > 1)
		qsort(d->all, d->count, sizeof(d->all[0]), by_user);
	for (size_t i = 0; rc == 0 && i < d->count;) {
		const struct due *first = &d->all[i];
		uint64_t sum = 0;
		for (; i < d->count && by_user(first, &d->all[i]) == 0; i++)
			sum += d->all[i].messages;
		rc = rows_charge(rows, first->user, first->day, sum);
	}
	return rc;
}
