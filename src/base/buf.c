/*
 * A bounded byte queue. Consumed bytes at the start are reclaimed by moving
 * the rest down only when at least half as many were consumed as must move,
 * so a slow reader cannot make appending quadratic; in exchange the memory of
 * a buffer in use as a queue may reach one and a half times its maximum. One
 * byte more than cap is always allocated, for the NUL of printf and C strings.
 */
#include <base/buf.h>

#include <base/hash.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	CAP_MIN = 256
};

void buf_init(struct buf *b, size_t max)
{
	assert(max <= SIZE_MAX / 4);
	*b = (struct buf){ .max = max };
}

static void release(struct buf *b)
{
	if (b->data && b->is_secret)
		hash_cleanse(b->data, b->cap + 1);
	free(b->data);
}

void buf_finish(struct buf *b)
{
	release(b);
	*b = (struct buf){ .max = b->max, .is_secret = b->is_secret };
}

void buf_finish_secret(struct buf *b)
{
	bool was_secret = b->is_secret;

	b->is_secret = true;
	buf_finish(b);
	b->is_secret = was_secret;
}

void buf_cleanse_consumed(struct buf *b)
{
	if (!b->data)
		return;
	hash_cleanse(b->data, b->start);
	hash_cleanse(b->data + b->end, b->cap + 1 - b->end);
}

static void compact(struct buf *b)
{
	size_t len = buf_len(b);

	memmove(b->data, b->data + b->start, len);
	b->start = 0;
	b->end = len;
}

/* A larger allocation holding only the live bytes; need <= max of them. */
static int grow(struct buf *b, size_t need)
{
	size_t len = buf_len(b);
	size_t limit = b->start ? b->max + b->max / 2 : b->max;
	size_t cap = b->cap < CAP_MIN / 2 ? CAP_MIN : b->cap * 2;

	if (cap < need)
		cap = need;
	if (cap > limit)
		cap = limit;
	char *data = malloc(cap + 1);
	if (!data)
		return -ENOMEM;
	if (len)
		memcpy(data, b->data + b->start, len);
	release(b);
	b->data = data;
	b->start = 0;
	b->end = len;
	b->cap = cap;
	return 0;
}

int buf_reserve(struct buf *b, size_t n)
{
	size_t len = buf_len(b);

	if (n > b->max - len)
		return -EMSGSIZE;
	if (n <= b->cap - b->end)
		return 0;
	if (b->start > 0 && b->start >= len / 2 && n <= b->cap - len) {
		compact(b);
		return 0;
	}
	return grow(b, len + n);
}

char *buf_tail(struct buf *b)
{
	return b->data ? b->data + b->end : NULL;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->end);
	b->end += n;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return 0;
	int r = buf_reserve(b, len);
	if (r < 0)
		return r;
	memcpy(buf_tail(b), data, len);
	buf_commit(b, len);
	return 0;
}

int buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.ptr, s.len);
}

int buf_add_str(struct buf *b, const char *cstr)
{
	return buf_add(b, cstr, strlen(cstr));
}

/* Print into the room there is; the length it takes or would take. */
static int print(struct buf *b, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
static int print(struct buf *b, const char *fmt, va_list args)
{
	size_t room = b->data ? b->cap - b->end + 1 : 0;
	return vsnprintf(buf_tail(b), room, fmt, args);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int r = 0, len = print(b, fmt, args);
	if (len < 0) {
		r = -EINVAL;
		goto out;
	}
	if (!b->data || (size_t)len > b->cap - b->end) {
		r = buf_reserve(b, (size_t)len);
		if (r < 0)
			goto out;
		(void)print(b, fmt, again);
	} else if ((size_t)len > b->max - buf_len(b)) {
		r = -EMSGSIZE; /* cap may exceed max */
		goto out;
	}
	if (len > 0)
		buf_commit(b, (size_t)len);
out:
	va_end(again);
	va_end(args);
	return r;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->start += n;
	if (b->start == b->end)
		buf_clear(b);
}

void buf_clear(struct buf *b)
{
	b->start = b->end = 0;
}

void buf_shrink(struct buf *b, size_t keep)
{
	if (buf_len(b) > 0 || b->cap <= keep)
		return;
	if (keep == 0) {
		buf_finish(b);
		return;
	}
	if (b->is_secret)
		hash_cleanse(b->data, b->cap + 1);
	char *data = realloc(b->data, keep + 1);
	if (data) {
		b->data = data;
		b->cap = keep;
	}
}

void buf_fit(struct buf *b)
{
	char *data = NULL;

	assert(!b->is_secret);
	if (buf_len(b) == 0) {
		buf_finish(b);
		return;
	}
	data = realloc(b->data, b->end + 1);
	if (data) {
		b->data = data;
		b->cap = b->end;
	}
}

char *buf_take_cstr(struct buf *b)
{
	if (!b->data)
		return calloc(1, 1);
	if (b->start > 0)
		compact(b);
	char *text = b->data;
	text[b->end] = '\0';
	b->data = NULL; /* the caller's now */
	buf_finish(b);
	return text;
}
