/* See ses_keys.h. */
#include <ses_keys.h>

#include <common/answer.h>
#include <common/date.h>
#include <common/str.h>

#include <errno.h>
#include <stdio.h>

enum {
	ID_MAX = 128,
	SECRET_MAX = 256,
	TOKEN_MAX = 16 * 1024, /* AWS states no limit */
	XML_NAME_MAX = 64
};

/* --- profiles --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct postern_str trim(struct postern_str s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = str_from(s, 1);
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* The line at the start of *s, which goes behind it. */
static struct postern_str take_line(struct postern_str *s)
{
	const char *end = memchr(s->ptr, '\n', s->len);
	size_t len = end ? (size_t)(end - s->ptr) : s->len;
	struct postern_str line = str_make(s->ptr, len);

	*s = str_from(*s, end ? len + 1 : len);
	return trim(line);
}

static bool is_equal(struct postern_str a, struct postern_str b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static bool is_heading(struct postern_str line)
{
	return line.len >= 2 && line.ptr[0] == '[' &&
	       line.ptr[line.len - 1] == ']';
}

static void take_pair(struct postern_str line, struct ses_keys *out)
{
	const char *equals = memchr(line.ptr, '=', line.len);
	struct postern_str name, value;

	if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';' ||
	    !equals)
		return;
	name = trim(str_make(line.ptr, (size_t)(equals - line.ptr)));
	value = trim(str_from(
	    line, name.len ? (size_t)(equals - line.ptr) + 1 : line.len));
	if (str_ieq(name, STR("aws_access_key_id")))
		out->id = value;
	else if (str_ieq(name, STR("aws_secret_access_key")))
		out->secret = value;
	else if (str_ieq(name, STR("aws_session_token")))
		out->token = value;
}

bool ses_keys_from_profile(
    struct postern_str text, struct postern_str profile, struct ses_keys *out)
{
	bool is_here = false, is_found = false;

	*out = (struct ses_keys){
		.id = STR(""), .secret = STR(""), .token = STR("")
	};
	while (text.len > 0) {
		struct postern_str line = take_line(&text);

		if (is_heading(line)) {
			is_here =
			    is_equal(trim(str_make(line.ptr + 1, line.len - 2)),
				profile);
			is_found = is_found || is_here;
		} else if (is_here) {
			take_pair(line, out);
		}
	}
	return is_found;
}

/* --- JSON --- */

/* Jansson frees what it read as it is. */
static void wipe(const json_t *object, const char *name)
{
	struct postern_str s = answer_member(object, name);
	char *p;

	/* Nobody reads it any more; the library's type lacks the write. */
	memcpy(&p, &s.ptr, sizeof(p));
	if (s.len > 0)
		explicit_bzero(p, s.len);
}

static bool keep(struct postern_str s, const struct postern_host *host,
    struct postern_request *r, struct postern_str *out)
{
	char *copy = host->alloc(r, s.len + 1);

	if (copy && s.len > 0)
		memcpy(copy, s.ptr, s.len);
	*out = str_make(copy, s.len);
	return copy != NULL;
}

int ses_keys_from_json(struct postern_str text, const struct postern_host *host,
    struct postern_request *r, struct ses_keys *out)
{
	json_t *root = json_loadb(text.ptr, text.len, 0, NULL);
	struct postern_str expires = answer_member(root, "Expiration");
	int rc = 0;

	*out = (struct ses_keys){ .expires = 0 };
	if (!keep(answer_member(root, "AccessKeyId"), host, r, &out->id) ||
	    !keep(answer_member(root, "SecretAccessKey"), host, r,
		&out->secret) ||
	    !keep(answer_member(root, "Token"), host, r, &out->token))
		rc = -ENOMEM;
	else if (out->id.len == 0 || out->secret.len == 0 ||
		 (expires.len > 0 && !date_parse_iso(expires, &out->expires)))
		rc = -EINVAL;
	wipe(root, "SecretAccessKey");
	wipe(root, "Token");
	json_decref(root);
	return rc;
}

/* --- XML --- */

static struct postern_str find(struct postern_str in, const char *word)
{
	const char *at = memmem(in.ptr, in.len, word, strlen(word));

	return at ? str_from(in, (size_t)(at - in.ptr)) : str_make(in.ptr, 0);
}

/* Between the first <name> and </name>; elements of AWS bear no attributes. */
static struct postern_str element(struct postern_str xml, const char *name)
{
	char open[XML_NAME_MAX + 3], close[XML_NAME_MAX + 4];
	size_t len = strlen(name);
	struct postern_str inside, end;

	(void)snprintf(open, sizeof(open), "<%s>", name);
	(void)snprintf(close, sizeof(close), "</%s>", name);
	inside = find(xml, open);
	end = find(xml, close);
	if (inside.len == 0 || end.len + len + 2 > inside.len || end.len == 0)
		return STR("");
	return str_make(inside.ptr + len + 2, inside.len - end.len - len - 2);
}

struct postern_str ses_xml_text(struct postern_str xml, const char *name)
{
	struct postern_str text = element(xml, name);

	return memchr(text.ptr, '<', text.len) ? STR("") : trim(text);
}

bool ses_keys_from_xml(struct postern_str text, struct ses_keys *out)
{
	struct postern_str all = element(text, "Credentials");

	*out = (struct ses_keys){ .id = ses_xml_text(all, "AccessKeyId"),
		.secret = ses_xml_text(all, "SecretAccessKey"),
		.token = ses_xml_text(all, "SessionToken") };
	return out->id.len > 0 && out->secret.len > 0 && out->token.len > 0 &&
	       date_parse_iso(ses_xml_text(all, "Expiration"), &out->expires);
}

/* --- the grant --- */

static bool is_sound(struct postern_str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
			return false;
	}
	return s.len <= max;
}

bool ses_keys_are_sound(const struct ses_keys *keys)
{
	return keys->id.len > 0 && is_sound(keys->id, ID_MAX) &&
	       !memchr(keys->id.ptr, '/', keys->id.len) &&
	       keys->secret.len > 0 && is_sound(keys->secret, SECRET_MAX) &&
	       is_sound(keys->token, TOKEN_MAX);
}

/* id, secret, token and region, each with a NUL. */
struct postern_secret ses_keys_pack(const struct ses_keys *keys,
    const struct postern_host *host, struct postern_request *r)
{
	const struct postern_str parts[] = { keys->id, keys->secret,
		keys->token, keys->region };
	size_t size = 4;
	char *bytes, *to;

	for (size_t i = 0; i < 4; i++)
		size += parts[i].len;
	bytes = to = host->alloc(r, size);
	if (!bytes)
		return (struct postern_secret){ NULL, 0 };
	for (size_t i = 0; i < 4; i++) {
		if (parts[i].len > 0)
			memcpy(to, parts[i].ptr, parts[i].len);
		to += parts[i].len;
		*to++ = '\0';
	}
	return (struct postern_secret){ bytes, size };
}

bool ses_keys_unpack(struct postern_secret grant, struct ses_keys *out)
{
	struct postern_str *const parts[] = { &out->id, &out->secret,
		&out->token, &out->region };
	struct postern_str rest = str_make(grant.ptr, grant.len);

	*out = (struct ses_keys){ .expires = 0 };
	for (size_t i = 0; i < 4; i++) {
		const char *end =
		    rest.len > 0 ? memchr(rest.ptr, '\0', rest.len) : NULL;

		if (!end)
			return false;
		*parts[i] = str_make(rest.ptr, (size_t)(end - rest.ptr));
		rest = str_from(rest, parts[i]->len + 1);
	}
	return rest.len == 0;
}
