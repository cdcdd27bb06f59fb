/* See certificate.h. */
#include <auth/certificate.h>

#include <base/span.h>

#define FINGERPRINT "sha256:"
#define COMMON_NAME "CN="

/* Groups of digits may be separated by colons, as openssl prints them. */
static bool is_same_fingerprint(struct span listed, struct span proven)
{
	size_t i = 0;

	for (size_t j = 0; j < listed.len; j++) {
		if (listed.ptr[j] == ':')
			continue;
		if (i == proven.len || !span_ieq(span_make(listed.ptr + j, 1),
					   span_make(proven.ptr + i, 1)))
			return false;
		i++;
	}
	return i == proven.len;
}

/* What follows "dns:", "email:" or "uri:"; else ptr NULL. */
static struct span value_of_san(struct span proven)
{
	ptrdiff_t colon = span_index(proven, ':');

	if (colon < 0 || span_starts_with(proven, SPAN(FINGERPRINT)) ||
	    span_starts_with(proven, SPAN(COMMON_NAME)))
		return (struct span){ .ptr = NULL };
	return span_from(proven, (size_t)colon + 1);
}

/* Else a URI that reads "dns:host" would pass for a host. */
static bool has_type(struct span listed)
{
	static const struct span types[] = { { "dns:", 4 }, { "email:", 6 },
		{ "uri:", 4 }, { COMMON_NAME, 3 }, { FINGERPRINT, 7 } };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_starts_with(listed, types[i]))
			return true;
	return false;
}

static bool is_listed_as(struct span listed, struct span proven)
{
	size_t len = sizeof(FINGERPRINT) - 1;

	if (!has_type(listed))
		return span_eq(listed, value_of_san(proven));
	if (span_starts_with(proven, SPAN(FINGERPRINT)))
		return span_starts_with(listed, SPAN(FINGERPRINT)) &&
		       is_same_fingerprint(
			   span_from(listed, len), span_from(proven, len));
	return span_eq(listed, proven);
}

static bool is_listed(const struct config_user *user, const char *const *proven)
{
	const struct postern_list *list = &user->certificates;

	for (size_t i = 0; i < list->count; i++)
		for (const char *const *p = proven; *p; p++)
			if (is_listed_as(
				span_of(CONFIG_STRING(*list, i)), span_of(*p)))
				return true;
	return false;
}

static const struct config_user *named_by(
    const struct config *config, struct span proven)
{
	const struct config_user *user;
	struct span value = value_of_san(proven);

	if (span_starts_with(proven, SPAN(COMMON_NAME)))
		value = span_from(proven, sizeof(COMMON_NAME) - 1);
	if (!value.ptr)
		return NULL;
	user = config_find_user(config, value);
	return user && user->certificates.count == 0 ? user : NULL;
}

const struct config_user *certificate_user(
    const struct config *config, const char *const *proven)
{
	const struct config_user *found = NULL;

	if (!proven)
		return NULL;
	for (size_t i = 0; i < config->users.count; i++) {
		const struct config_user *user =
		    CONFIG_AT(config->users, struct config_user, i);

		if (is_listed(user, proven))
			return user;
	}
	for (; *proven && !found; proven++)
		found = named_by(config, span_of(*proven));
	return found;
}
