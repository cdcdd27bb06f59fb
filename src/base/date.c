/*
 * Dates by arithmetic on the proleptic Gregorian calendar: the C library's
 * conversions take a lock and know about locales and time zones.
 */
#include <base/date.h>

#include <errno.h>

enum {
	MS_PER_DAY = 86400000,
	DAYS_PER_ERA = 146097, /* 400 years, after which the calendar repeats */
	EPOCH_DAY = 719468     /* 1970-01-01 counted from 0000-03-01 */
};

struct civil {
	int64_t year;
	int month, day; /* 1.. */
	int weekday;    /* 0 = Sunday */
	int hour, minute, second, ms;
};

static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
	"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t date_day(int64_t wall_ms)
{
	return floor_div(wall_ms, MS_PER_DAY);
}

/*
 * Years are taken to begin in March, which puts the leap day last and makes
 * the lengths of months a straight line: (153 m + 2) / 5 days before month m.
 */
static void set_date(struct civil *c, int64_t days)
{
	int64_t z = days + EPOCH_DAY;
	int64_t era = floor_div(z, DAYS_PER_ERA);
	int64_t doe = z - era * DAYS_PER_ERA;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t m = (5 * doy + 2) / 153;

	c->day = (int)(doy - (153 * m + 2) / 5 + 1);
	c->month = (int)(m < 10 ? m + 3 : m - 9);
	c->year = yoe + era * 400 + (c->month <= 2);
	c->weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7);
}

int64_t date_month(int64_t day)
{
	struct civil c;

	set_date(&c, day);
	return day - (c.day - 1);
}

static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = floor_div(y, 400);
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy - 1;

	return era * DAYS_PER_ERA + doe - EPOCH_DAY;
}

static struct civil civil_of(int64_t wall_ms)
{
	struct civil c;
	int64_t days = date_day(wall_ms);
	int ms = (int)(wall_ms % MS_PER_DAY);

	if (ms < 0)
		ms += MS_PER_DAY;
	set_date(&c, days);
	c.hour = ms / 3600000;
	c.minute = ms / 60000 % 60;
	c.second = ms / 1000 % 60;
	c.ms = ms % 1000;
	return c;
}

/* Append value with leading zeros to at least width digits. */
static char *put_number(char *at, int64_t value, size_t width)
{
	char digits[20] = "";
	size_t n = 0;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	if (value < 0)
		*at++ = '-';
	for (; rest > 0 || n < width; rest /= 10)
		digits[n++] = (char)('0' + rest % 10);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

static char *put_str(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	return at;
}

static char *put_time(char *at, const struct civil *c)
{
	at = put_number(at, c->hour, 2);
	*at++ = ':';
	at = put_number(at, c->minute, 2);
	*at++ = ':';
	return put_number(at, c->second, 2);
}

void date_format_rfc5322(int64_t wall_ms, char out[DATE_RFC5322_SIZE])
{
	struct civil c = civil_of(wall_ms);
	char *at = put_str(out, day_names[c.weekday]);

	at = put_number(put_str(at, ", "), c.day, 2);
	at = put_str(put_str(at, " "), month_names[c.month - 1]);
	at = put_number(put_str(at, " "), c.year, 4);
	at = put_time(put_str(at, " "), &c);
	at = put_str(at, " +0000");
	*at = '\0';
}

static char *put_date_time(char *at, const struct civil *c)
{
	at = put_number(at, c->year, 4);
	at = put_number(put_str(at, "-"), c->month, 2);
	at = put_number(put_str(at, "-"), c->day, 2);
	return put_time(put_str(at, "T"), c);
}

void date_format_rfc3339(int64_t wall_ms, char out[DATE_RFC3339_SIZE])
{
	struct civil c = civil_of(wall_ms);
	char *at = put_date_time(out, &c);

	at = put_number(put_str(at, "."), c.ms, 3);
	at = put_str(at, "Z");
	*at = '\0';
}

void date_format_rfc3339_s(int64_t wall_ms, char out[DATE_RFC3339_SIZE])
{
	struct civil c = civil_of(wall_ms);
	char *at = put_str(put_date_time(out, &c), "Z");

	*at = '\0';
}

/* Take a fixed number of digits off the start of *s. */
static bool take_number(struct span *s, size_t digits, int *out)
{
	unsigned long long value;

	if (s->len < digits ||
	    !span_parse_u64(span_first(*s, digits), 9999, &value))
		return false;
	*out = (int)value;
	*s = span_from(*s, digits);
	return true;
}

static bool take(struct span *s, struct span literal)
{
	if (!span_starts_with(*s, literal))
		return false;
	*s = span_from(*s, literal.len);
	return true;
}

/* Take one of count names off the start of *s; *out_index counts from 0. */
static bool take_name(
    struct span *s, const char (*names)[4], int count, int *out_index)
{
	for (int i = 0; i < count; i++) {
		if (take(s, span_of(names[i]))) {
			*out_index = i;
			return true;
		}
	}
	return false;
}

static bool take_time(struct span *s, struct civil *c)
{
	return take_number(s, 2, &c->hour) && take(s, SPAN(":")) &&
	       take_number(s, 2, &c->minute) && take(s, SPAN(":")) &&
	       take_number(s, 2, &c->second) && c->hour < 24 &&
	       c->minute < 60 && c->second <= 60; /* a leap second */
}

/* Days of the epoch; false for a day the month does not have. */
static bool to_days(int year, int month, int day, int64_t *out)
{
	struct civil same;

	*out = days_of(year, month, day);
	/* Such a day comes back as another date. */
	set_date(&same, *out);
	return same.day == day && same.month == month;
}

static int64_t seconds_of(const struct civil *c)
{
	return (c->hour * 60 + c->minute) * 60 + c->second;
}

int date_parse_http(struct span s, int64_t *out_wall_ms)
{
	struct civil c;
	int year, month;
	int64_t days;

	if (!take_name(&s, day_names, 7, &c.weekday) || !take(&s, SPAN(", ")) ||
	    !take_number(&s, 2, &c.day) || !take(&s, SPAN(" ")) ||
	    !take_name(&s, month_names, 12, &month) || !take(&s, SPAN(" ")) ||
	    !take_number(&s, 4, &year) || !take(&s, SPAN(" ")) ||
	    !take_time(&s, &c) || !span_eq(s, SPAN(" GMT")))
		return -EINVAL;
	if (!to_days(year, month + 1, c.day, &days))
		return -EINVAL;
	*out_wall_ms = days * MS_PER_DAY + seconds_of(&c) * 1000;
	return 0;
}

/* "." and digits, of which the first three count; or nothing. */
static bool take_fraction(struct span *s, int *out_ms)
{
	size_t digits = 0;
	int scale = 100;

	*out_ms = 0;
	if (!take(s, SPAN(".")))
		return true;
	for (;
	     digits < s->len && s->ptr[digits] >= '0' && s->ptr[digits] <= '9';
	     digits++, scale /= 10)
		*out_ms += (s->ptr[digits] - '0') * scale;
	*s = span_from(*s, digits);
	return digits > 0;
}

/* The end of a date-time: minutes east of UTC. */
static bool take_zone(struct span s, int *out_minutes)
{
	int hour, minute, sign = span_starts_with(s, SPAN("-")) ? -1 : 1;

	*out_minutes = 0;
	if (span_ieq(s, SPAN("Z")))
		return true;
	if (!take(&s, SPAN("+")) && !take(&s, SPAN("-")))
		return false;
	if (!take_number(&s, 2, &hour) || !take(&s, SPAN(":")) ||
	    !take_number(&s, 2, &minute) || s.len > 0 || hour > 23 ||
	    minute > 59)
		return false;
	*out_minutes = sign * (hour * 60 + minute);
	return true;
}

int date_parse_rfc3339(struct span s, int64_t *out_wall_ms)
{
	struct civil c;
	int year, zone;
	int64_t days;

	if (!take_number(&s, 4, &year) || !take(&s, SPAN("-")) ||
	    !take_number(&s, 2, &c.month) || !take(&s, SPAN("-")) ||
	    !take_number(&s, 2, &c.day) ||
	    (!take(&s, SPAN("T")) && !take(&s, SPAN("t"))) ||
	    !take_time(&s, &c) || !take_fraction(&s, &c.ms) ||
	    !take_zone(s, &zone) || !to_days(year, c.month, c.day, &days))
		return -EINVAL;
	*out_wall_ms = days * MS_PER_DAY +
		       (seconds_of(&c) - INT64_C(60) * zone) * 1000 + c.ms;
	return 0;
}
