/* See limits.h. */
#include <sandbox/limits.h>

#include <sandbox/sandbox_internal.h>

enum {
	CALLS_MAX = 1000000,
	PER_S_MAX = 24 * 60 * 60
};

static bool is_within(json_int_t value, json_int_t max)
{
	return value >= 1 && value <= max;
}

int limit_read(const json_t *spec, struct limit *out, const char **out_wrong)
{
	const char *name = json_string_value(json_object_get(spec, "provider"));
	json_int_t calls = json_integer_value(json_object_get(spec, "calls"));
	json_int_t per_s = json_integer_value(json_object_get(spec, "per_s"));

	if (!is_within(calls, CALLS_MAX) || !is_within(per_s, PER_S_MAX)) {
		*out_wrong = "calls and per_s are numbers above 0";
		return -1;
	}
	*out = (struct limit){ .calls = (uint64_t)calls,
		.per_s = (uint64_t)per_s };
	size_t i = fake_of_name(name);
	if (i < FAKES_ALL)
		return (int)i;
	*out_wrong = fakes_wrong;
	return -1;
}

bool limit_take(struct limit *l, uint64_t now_s)
{
	if (l->calls == 0)
		return true;
	if (now_s >= l->reset_s) {
		l->used = 0;
		l->reset_s = (now_s / l->per_s + 1) * l->per_s;
	}
	if (l->used == l->calls)
		return false;
	l->used++;
	return true;
}

uint64_t limit_left(const struct limit *l)
{
	return l->calls - l->used;
}
