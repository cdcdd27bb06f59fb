#include <mail/controls.h>

#include <mail/header.h>
#include <mail/traits.h>

#include <base/date.h>

#include <errno.h>

enum {
	TAG_MAX = 128, /* bytes, before encoded words are decoded */
	PROVIDERS_MAX = 512,
	TAGS_MAX = 32,     /* of all fields */
	METADATA_MAX = 32, /* fields */
	METADATA_NAME_MAX = 64,
	METADATA_VALUE_MAX = 1024
};

#define OURS "X-Postern-"
#define METADATA "X-Postern-Metadata-"

/* --- names --- */

/* What SMTP services of providers take; prefixes, or whole names. */
static const char *const families[] = { "X-SES-", "X-SMTPAPI", "X-SG-",
	"X-Mailgun-", "X-Mailin-", "X-Sib-", "X-PM-", "X-MSYS-", "X-Mailjet-",
	"X-MJ-", "X-MC-", "X-MT-", "X-MailerSend-", "X-MS-AcsEmail-",
	"X-Resend-", "Resend-Idempotency-Key" };

static bool is_native(struct span name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (span_istarts_with(name, span_of(families[i])))
			return true;
	}
	return false;
}

static enum control_kind kind_of_ours(struct span name)
{
	static const struct {
		const char *name;
		enum control_kind kind;
	} known[] = {
		{ OURS "Tag", CONTROL_TAG },
		{ OURS "Track", CONTROL_TRACK },
		{ OURS "Schedule", CONTROL_SCHEDULE },
		{ OURS "Provider", CONTROL_PROVIDER },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (span_ieq(name, span_of(known[i].name)))
			return known[i].kind;
	}
	return span_istarts_with(name, SPAN(METADATA)) ? CONTROL_METADATA
						       : CONTROL_UNKNOWN;
}

enum control_kind control_kind(struct span name)
{
	char first = name.len > 2 ? name.ptr[0] : '\0';

	/* Of most fields this is all that is looked at. */
	if (first != 'X' && first != 'x' && first != 'R' && first != 'r')
		return CONTROL_NONE;
	if (span_istarts_with(name, SPAN(OURS)))
		return kind_of_ours(name);
	return is_native(name) ? CONTROL_NATIVE : CONTROL_NONE;
}

struct span control_metadata_name(struct span field_name)
{
	return span_from(field_name, sizeof(METADATA) - 1);
}

/* --- values --- */

bool control_next(struct span *list, struct span *out)
{
	while (list->len > 0) {
		*out = span_trim(span_cut(list, ','));
		if (out->len > 0)
			return true;
	}
	return false;
}

static bool read_choice(struct span word, enum control_choice *out)
{
	if (span_ieq(word, SPAN("yes")))
		*out = CONTROL_YES;
	else if (span_ieq(word, SPAN("no")))
		*out = CONTROL_NO;
	else
		return false;
	return true;
}

/* "opens", "clicks=no", or "yes" for both. */
static bool read_track_word(struct span word, struct control_track *out)
{
	enum control_choice choice = CONTROL_YES;
	bool is_alone = span_index(word, '=') < 0;
	struct span what = span_trim(span_cut(&word, '='));

	if (is_alone && read_choice(what, &choice)) {
		out->opens = out->clicks = choice;
		return true;
	}
	if (!is_alone && !read_choice(span_trim(word), &choice))
		return false;
	if (span_ieq(what, SPAN("opens")))
		out->opens = choice;
	else if (span_ieq(what, SPAN("clicks")))
		out->clicks = choice;
	else
		return false;
	return true;
}

int control_read_track(struct span value, struct control_track *out)
{
	struct span word;

	*out = (struct control_track){ 0 };
	while (control_next(&value, &word)) {
		if (!read_track_word(word, out))
			return -EINVAL;
	}
	return out->opens || out->clicks ? 0 : -EINVAL;
}

static int bad(struct err *why, const char *text)
{
	return err_set(why, -EINVAL, "%s", text);
}

static int check_tags(struct span value, struct controls *c, struct err *why)
{
	size_t before = c->tag_count;
	struct span tag;

	while (control_next(&value, &tag)) {
		if (tag.len > TAG_MAX)
			return bad(why, OURS "Tag: a tag has at most 128 "
					     "characters");
		if (++c->tag_count > TAGS_MAX)
			return bad(why, OURS "Tag: there are more than 32 "
					     "tags");
	}
	return c->tag_count > before ? 0 : bad(why, OURS "Tag names no tag");
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool is_second(struct span before, struct span name)
{
	struct message_field f;

	return header_find(before, name, &f);
}

/* before: the header up to this field. */
static int check_metadata(struct span before, const struct message_field *f,
    size_t count, struct err *why)
{
	struct span name = control_metadata_name(f->name);
	bool is_name = name.len > 0 && name.len <= METADATA_NAME_MAX;

	for (size_t i = 0; is_name && i < name.len; i++)
		is_name = is_name_char(name.ptr[i]);
	if (!is_name)
		return bad(why, METADATA "NAME: a name has 1 to 64 letters, "
					 "digits, - and _");
	if (count > METADATA_MAX)
		return bad(
		    why, "there are more than 32 fields " METADATA "NAME");
	if (is_second(before, f->name))
		return bad(why, METADATA "NAME: one name is there twice");
	if (f->value.len > METADATA_VALUE_MAX)
		return bad(why, METADATA "NAME: a value has at most 1024 "
					 "characters");
	return 0;
}

static int check_providers(struct span value, struct err *why)
{
	struct span name;

	if (value.len > PROVIDERS_MAX)
		return bad(why, OURS "Provider has at most 512 characters");
	return control_next(&value, &name)
		   ? 0
		   : bad(why, OURS "Provider names no provider");
}

static int read_track(struct span value, struct err *why)
{
	struct control_track unused;

	if (control_read_track(value, &unused) == 0)
		return 0;
	return bad(why, OURS "Track is yes, no, or a list of opens, clicks, "
			     "opens=no, clicks=no");
}

static int read_field(struct span before, const struct message_field *f,
    struct controls *c, struct err *why)
{
	enum control_kind kind = control_kind(f->name);
	bool is_again = c->kinds & CONTROL_BIT(kind);

	if (kind == CONTROL_NONE)
		return traits_sign_control(f, c->header)
			   ? bad(why, "a DKIM signature covers a field that "
				      "steers the message and does not go on: "
				      "leave the field out, or out of h=")
			   : 0;
	c->kinds |= CONTROL_BIT(kind);
	switch (kind) {
	case CONTROL_NONE:
	case CONTROL_NATIVE:
		if (!is_again)
			c->native = f->name;
		return 0;
	case CONTROL_TAG:
		return check_tags(f->value, c, why);
	case CONTROL_METADATA:
		return check_metadata(before, f, ++c->metadata_count, why);
	case CONTROL_TRACK:
		return is_again ? bad(why, OURS "Track is there twice")
				: read_track(f->value, why);
	case CONTROL_SCHEDULE:
		if (!is_again && date_parse_rfc3339(
				     span_trim(f->value), &c->schedule_ms) == 0)
			return 0;
		return bad(why, OURS "Schedule is one date of RFC 3339, such "
				     "as 2026-12-01T08:00:00Z");
	case CONTROL_PROVIDER:
		c->providers = f->value;
		return is_again ? bad(why, OURS "Provider is there twice")
				: check_providers(f->value, why);
	case CONTROL_UNKNOWN:
		break;
	}
	return bad(why, "fields that begin with " OURS " are Tag, "
			"Metadata-NAME, Track, Schedule and Provider");
}

struct span controls_providers(struct span header)
{
	struct message_field f;

	return header_find(header, SPAN(OURS "Provider"), &f) ? f.value
							      : SPAN("");
}

int controls_read(struct span header, struct controls *out, struct err *why)
{
	struct span rest = header;
	struct message_field f;
	int rc = 0;

	*out = (struct controls){ .header = header };
	while (rc == 0 && header_next(&rest, &f)) {
		size_t at = (size_t)(f.whole.ptr - header.ptr);

		rc = read_field(span_first(header, at), &f, out, why);
	}
	return rc;
}
