/*
 * A message as the fields of a JSON API. What APIs name differently is in a
 * table, struct letter_style; what they share is here: To, Cc and Bcc cut down
 * to the envelope, display names, header fields that may pass, attachments
 * streamed as base64.
 */
#pragma once

#include <common/split.h>
#include <common/writer.h>
#include <postern/provider.h>

enum letter_addresses {
	LETTER_OBJECTS = 0, /* [{"email": ..., "name": ...}] */
	LETTER_STRINGS,     /* ["\"Ann\" <a@b.example>", "c@d.example"] */
	LETTER_LINE         /* "\"Ann\" <a@b.example>, c@d.example" */
};

struct letter_style {
	enum letter_addresses addresses;
	const char *email, *name; /* members of an address; OBJECTS only */
	const char *unwanted;     /* in display names: a space instead */
	bool encodes_names;       /* as RFC 2047 has it; OBJECTS only */
	/* Members of an attachment; NULL: the API has none such. */
	const char *content, *filename, *type;
	bool has_type_parameters; /* "text/csv; charset=utf-8" is a type */
	bool is_named_by_id;      /* the HTML shows a file by its name */
	const char *disposition;  /* inline, or attachment */
	const char *content_id;   /* of an inline one */
	const char *id_prefix;    /* of its value; NULL: none */
	/* Members of a header in a list; NULL: a map, where a name is once. */
	const char *header_name, *header_value;
	/* As in the module's table: they are for the module, not for readers.
	 */
	const char *const *control_fields;
};

/* What one build passes around. */
struct letter {
	const struct letter_style *style;
	const struct postern_mail *mail;
	struct split lists;
	struct writer w;
};

/* Needs mail->content. 0 or -ENOMEM. */
int letter_init(struct letter *l, const struct letter_style *style,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r);
/* Where the API takes the message itself: no style and no lists. */
void letter_begin(struct letter *l, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r);
/*
 * POST to path behind base, with a header field of that name that holds
 * scheme and key. 0 or a negative errno.
 */
int letter_head(struct letter *l, const char *base, const char *path);
int letter_key(struct letter *l, const char *header, const char *scheme,
    struct postern_secret key);

/* One address, as the style has it. */
void letter_address(
    struct letter *l, const char *name, const struct postern_address *address);
/* All of them as a list or a line; nothing when there is none. */
void letter_addresses(struct letter *l, const char *name,
    const struct postern_address *list, size_t count);
/* To, Cc and Bcc of this call, under these names. */
void letter_recipients(
    struct letter *l, const char *to, const char *cc, const char *bcc);
/* The texts there are; without any a space, as there must be one. */
void letter_texts(struct letter *l, const char *text, const char *html);
/*
 * A list of strings: the words of the settings, the tags of mail->controls, and
 * one more unless it is empty. Nothing when there is none.
 */
void letter_tags(struct letter *l, const char *name,
    const struct postern_list *words, struct postern_str more);
/* Those attachments that are inline, or are not, or all. */
enum letter_parts {
	LETTER_ALL = 0,
	LETTER_INLINE,
	LETTER_FILES
};
void letter_parts(struct letter *l, const char *name, enum letter_parts which);
/*
 * The header fields that may pass by field_may_pass and by the API: may_pass
 * says so, NULL: all of them; and more behind them. Nothing when there is
 * none.
 */
void letter_headers(struct letter *l, const char *name,
    bool (*may_pass)(const struct postern_header *h),
    const struct postern_header *more, size_t count);

/*
 * For an API that wants a To: without one the first of Cc takes its place, or
 * a recipient who is alone. When several are blind copies each must go by
 * himself, and the reason says so. 0, or what build is to return.
 */
int letter_want_to(struct letter *l, const char *reason);

/* -EINVAL after telling the client why; about part i: with its name. */
int letter_refuse(struct letter *l, const char *reason);
/*
 * Refuse a message that has a field of this list, as field_is_in reads it: the
 * reason ends with its name. 0 when it has none.
 */
int letter_refuse_fields(
    struct letter *l, const char *const *list, const char *reason);
/* To be returned: these recipients not in one call, but one by one. */
int letter_refuse_together(struct letter *l, const char *reason);
int letter_refuse_part(struct letter *l, const char *reason, size_t i);
/* Whether the name of a part ends with one of these, a NULL-ended list. */
bool letter_has_kind(
    const struct postern_part *part, const char *const *extensions);

/* The value of the first field of this name; ptr NULL when there is none. */
struct postern_str letter_find(
    const struct postern_mail *mail, const char *name);
/* The same as text for people, encoded words decoded; empty when absent. */
struct postern_str letter_find_text(struct letter *l, const char *name);
struct postern_str letter_decode(struct letter *l, struct postern_str value);
/* How many characters of UTF-8. */
size_t letter_length(struct postern_str text);
/* text, or a space: for a member that must not be empty. */
struct postern_str letter_or_space(struct postern_str text);
