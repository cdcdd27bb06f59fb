/*
 * Calendar arithmetic by the civil-day count: years start in March, so that
 * the leap day is the last of its year.
 */
#include <common/date.h>

#include <common/str.h>

#include <stdio.h>

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
	int64_t shifted = month > 2 ? month - 3 : month + 9;
	int64_t y = month > 2 ? year : year - 1;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * shifted + 2) / 5 +
	       day - 719469;
}

static void skip_space(struct postern_str *s)
{
	while (s->len > 0 && (s->ptr[0] == ' ' || s->ptr[0] == ':'))
		*s = str_from(*s, 1);
}

static bool read_number(struct postern_str *s, size_t max_digits, int64_t *out)
{
	size_t n = 0;

	*out = 0;
	skip_space(s);
	while (n < s->len && n < max_digits && s->ptr[n] >= '0' &&
	       s->ptr[n] <= '9')
		*out = *out * 10 + (s->ptr[n++] - '0');
	*s = str_from(*s, n);
	return n > 0;
}

static bool read_month(struct postern_str *s, int64_t *out)
{
	skip_space(s);
	for (int64_t i = 0; s->len >= 3 && i < 12; i++) {
		if (str_ieq(str_make(s->ptr, 3), str_make(months + 3 * i, 3))) {
			*s = str_from(*s, 3);
			*out = i + 1;
			return true;
		}
	}
	return false;
}

/* Seconds east of Greenwich; 0 unless it is +hhmm or -hhmm. */
static int64_t read_zone(struct postern_str s)
{
	int64_t value;
	char sign;

	skip_space(&s);
	sign = s.len > 0 ? s.ptr[0] : '\0';
	if (sign != '+' && sign != '-')
		return 0;
	s = str_from(s, 1);
	if (!read_number(&s, 4, &value))
		return 0;
	value = (value / 100 * 60 + value % 100) * 60;
	return sign == '-' ? -value : value;
}

bool date_parse(struct postern_str s, int64_t *out)
{
	const char *comma = memchr(s.ptr, ',', s.len < 12 ? s.len : 12);
	int64_t day, month, year, hour, minute, second;

	if (comma)
		s = str_from(s, (size_t)(comma - s.ptr) + 1);
	if (!read_number(&s, 2, &day) || !read_month(&s, &month) ||
	    !read_number(&s, 4, &year) || !read_number(&s, 2, &hour) ||
	    !read_number(&s, 2, &minute) || !read_number(&s, 2, &second))
		return false;
	if (day < 1 || day > 31 || year < 1970 || hour > 23 || minute > 59 ||
	    second > 60)
		return false;
	*out = days_from_civil(year, month, day) * 86400 + hour * 3600 +
	       minute * 60 + second - read_zone(s);
	return true;
}

/* A fraction of a second, if there is one, and the zone. */
static bool is_iso_end(struct postern_str s)
{
	if (s.len > 0 && s.ptr[0] == '.') {
		s = str_from(s, 1);
		while (s.len > 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9')
			s = str_from(s, 1);
	}
	return str_ieq(s, STR("Z")) || str_ieq(s, STR("+00:00"));
}

bool date_parse_iso(struct postern_str s, int64_t *out)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	int64_t v[6] = { 0 };
	size_t field = 0;

	if (s.len < sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		bool is_digit = s.ptr[i] >= '0' && s.ptr[i] <= '9';

		if (form[i] != 'd')
			field++;
		if (form[i] == 'd' ? !is_digit : s.ptr[i] != form[i])
			return false;
		if (is_digit)
			v[field] = v[field] * 10 + (s.ptr[i] - '0');
	}
	if (v[0] < 1970 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 ||
	    v[3] > 23 || v[4] > 59 || v[5] > 60 ||
	    !is_iso_end(str_from(s, sizeof(form) - 1)))
		return false;
	*out = days_from_civil(v[0], v[1], v[2]) * 86400 + v[3] * 3600 +
	       v[4] * 60 + v[5];
	return true;
}

/* The reverse of days_from_civil. */
static void civil_from_days(
    int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = yoe + era * 400 + (*month <= 2 ? 1 : 0);
}

/* A moment by the calendar; nothing is before 1970. */
struct moment {
	int64_t days; /* since then */
	int year, month, day, hour, minute, second;
};

static struct moment split(int64_t seconds)
{
	int64_t days = seconds < 0 ? 0 : seconds / 86400;
	int64_t rest = seconds < 0 ? 0 : seconds % 86400;
	int64_t year, month, day;

	civil_from_days(days, &year, &month, &day);
	return (struct moment){ .days = days,
		.year = (int)(year % 10000),
		.month = (int)month,
		.day = (int)day,
		.hour = (int)(rest / 3600),
		.minute = (int)(rest / 60 % 60),
		.second = (int)(rest % 60) };
}

void date_format_amz(int64_t seconds, char out[DATE_AMZ_SIZE])
{
	struct moment m = split(seconds);
	char text[96];

	(void)snprintf(text, sizeof(text), "%04d%02d%02dT%02d%02d%02dZ", m.year,
	    m.month, m.day, m.hour, m.minute, m.second);
	memcpy(out, text, DATE_AMZ_SIZE - 1);
	out[DATE_AMZ_SIZE - 1] = '\0';
}

void date_format_http(int64_t seconds, char out[DATE_HTTP_SIZE])
{
	static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon",
		"Tue", "Wed" };
	struct moment m = split(seconds);
	char text[96];

	(void)snprintf(text, sizeof(text),
	    "%s, %02d %.3s %04d %02d:%02d:%02d GMT", days[m.days % 7], m.day,
	    months + 3 * (size_t)(m.month - 1), m.year, m.hour, m.minute,
	    m.second);
	memcpy(out, text, DATE_HTTP_SIZE - 1);
	out[DATE_HTTP_SIZE - 1] = '\0';
}
