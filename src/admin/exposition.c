/* See exposition.h. Numbers are written from integers: no locale. */
#include <admin/exposition.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	NUMBER_SIZE = 48
};

static const char *const type_names[] = { "counter", "gauge", "histogram",
	"summary" };

const char *exposition_content_type(bool is_openmetrics)
{
	return is_openmetrics ? "application/openmetrics-text; version=1.0.0; "
				"charset=utf-8"
			      : "text/plain; version=0.0.4; charset=utf-8";
}

bool exposition_wants_openmetrics(const char *accept)
{
	struct span rest = span_of(accept);

	while (rest.ptr) {
		struct span range = span_cut(&rest, ',');
		struct span type = span_trim(span_cut(&range, ';'));

		if (span_ieq(type, SPAN("application/openmetrics-text")))
			return true;
	}
	return false;
}

static void keep(struct exposition *x, int code)
{
	if (code && !x->code)
		x->code = code;
}

void exposition_family(struct exposition *x, const char *name,
    enum exposition_type type, const char *help)
{
	/* OpenMetrics names the family, the older format its samples. */
	const char *suffix =
	    type == EXPOSITION_COUNTER && !x->is_openmetrics ? "_total" : "";

	x->name = name;
	x->type = type;
	keep(x, buf_printf(x->out, "# HELP %s%s%s %s\n# TYPE %s%s%s %s\n",
		    x->prefix, name, suffix, help, x->prefix, name, suffix,
		    type_names[type]));
}

static void add_escaped(struct exposition *x, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			keep(x, buf_add_str(x->out, "\\n"));
		else if (*text == '\\' || *text == '"')
			keep(x, buf_printf(x->out, "\\%c", *text));
		else
			keep(x, buf_add(x->out, text, 1));
	}
}

/* name{labels,le="..."} value */
static void add_sample(struct exposition *x, const char *suffix,
    const char *const *labels, const char *le, const char *value)
{
	char separator = '{';

	keep(x, buf_printf(x->out, "%s%s%s", x->prefix, x->name, suffix));
	for (; labels[0]; labels += 2) {
		keep(x, buf_printf(x->out, "%c%s=\"", separator, labels[0]));
		add_escaped(x, labels[1]);
		keep(x, buf_add_str(x->out, "\""));
		separator = ',';
	}
	if (le) {
		keep(x, buf_printf(x->out, "%cle=\"%s\"", separator, le));
		separator = ',';
	}
	keep(x,
	    buf_printf(x->out, "%s %s\n", separator == ',' ? "}" : "", value));
}

static const char *plain_suffix(const struct exposition *x)
{
	return x->type == EXPOSITION_COUNTER ? "_total" : "";
}

static void format_u64(uint64_t value, char out[NUMBER_SIZE])
{
	(void)snprintf(out, NUMBER_SIZE, "%" PRIu64, value);
}

/* value / scale with the given number of decimals; scale = 10^decimals. */
static void format_fixed(
    uint64_t value, uint64_t scale, int decimals, char out[NUMBER_SIZE])
{
	(void)snprintf(out, NUMBER_SIZE, "%" PRIu64 ".%0*" PRIu64,
	    value / scale, decimals, value % scale);
	/* 2.500 is 2.5, and 1.000 is 1.0: OpenMetrics' canonical form. */
	size_t end = strlen(out);
	while (out[end - 1] == '0' && out[end - 2] != '.')
		end--;
	out[end] = '\0';
}

void exposition_u64(
    struct exposition *x, const char *const *labels, uint64_t value)
{
	char number[NUMBER_SIZE];

	format_u64(value, number);
	add_sample(x, plain_suffix(x), labels, NULL, number);
}

void exposition_level(
    struct exposition *x, const char *const *labels, uint64_t value)
{
	if (value == UINT64_MAX)
		add_sample(x, plain_suffix(x), labels, NULL, "+Inf");
	else
		exposition_u64(x, labels, value);
}

void exposition_milli(
    struct exposition *x, const char *const *labels, uint64_t value_milli)
{
	char number[NUMBER_SIZE];

	format_fixed(value_milli, 1000, 3, number);
	add_sample(x, plain_suffix(x), labels, NULL, number);
}

void exposition_histogram(struct exposition *x, const char *const *labels,
    const struct counter_histogram *h)
{
	char bound[NUMBER_SIZE], number[NUMBER_SIZE];
	uint64_t sum_us = counter_get(&h->sum_us);
	uint64_t n = 0;

	for (size_t i = 0; i < COUNTER_LATENCY_BUCKETS; i++) {
		n += counter_get(&h->buckets[i]);
		format_fixed(counter_latency_ms[i], 1000, 3, bound);
		format_u64(n, number);
		add_sample(x, "_bucket", labels, bound, number);
	}
	n += counter_get(&h->buckets[COUNTER_LATENCY_BUCKETS]);
	format_u64(n, number);
	add_sample(x, "_bucket", labels, "+Inf", number);
	add_sample(x, "_count", labels, NULL, number);
	format_fixed(sum_us, 1000000, 6, number);
	add_sample(x, "_sum", labels, NULL, number);
}

void exposition_summary(struct exposition *x, const char *const *labels,
    uint64_t sum_ns, uint64_t count)
{
	char number[NUMBER_SIZE];

	format_u64(count, number);
	add_sample(x, "_count", labels, NULL, number);
	format_fixed(sum_ns, 1000000000, 9, number);
	add_sample(x, "_sum", labels, NULL, number);
}

void exposition_end(struct exposition *x)
{
	if (x->is_openmetrics)
		keep(x, buf_add_str(x->out, "# EOF\n"));
}
