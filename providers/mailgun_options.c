#include <mailgun_options.h>

#include <jansson.h>
#include <stdlib.h>

enum {
	TAGS_MAX = 10
};

const char *const mailgun_control_fields[] = { "X-Mailgun-", NULL };

/* What is not there are traces of Mailgun itself, such as X-Mailgun-Sid. */
static const char *option_of(struct postern_str field)
{
	static const char *const options[][2] = {
		{ "X-Mailgun-Tag", "o:tag" },
		{ "X-Mailgun-Dkim", "o:dkim" },
		{ "X-Mailgun-Secondary-DKIM", "o:secondary-dkim" },
		{ "X-Mailgun-Secondary-DKIM-Public",
		    "o:secondary-dkim-public" },
		{ "X-Mailgun-Deliver-By", "o:deliverytime" },
		{ "X-Mailgun-Deliver-Within", "o:deliver-within" },
		{ "X-Mailgun-Drop-Message", "o:testmode" },
		{ "X-Mailgun-Track", "o:tracking" },
		{ "X-Mailgun-Track-Clicks", "o:tracking-clicks" },
		{ "X-Mailgun-Track-Opens", "o:tracking-opens" },
		{ "X-Mailgun-Sending-Ip", "o:sending-ip" },
		{ "X-Mailgun-Sending-Ip-Pool", "o:sending-ip-pool" },
		{ "X-Mailgun-Require-TLS", "o:require-tls" },
		{ "X-Mailgun-Skip-Verification", "o:skip-verification" },
		{ "X-Mailgun-Time-Zone-Localize", "o:time-zone-localize" },
		{ "X-Mailgun-Delivery-Time-Optimize-Period",
		    "o:deliverytime-optimize-period" },
		{ "X-Mailgun-Recipient-Variables", "recipient-variables" },
		{ "X-Mailgun-Template-Variables", "t:variables" },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (str_ieq(field, str_of(options[i][0])))
			return options[i][1];
	}
	return NULL;
}

static bool has_choice(const struct postern_controls *c, const char *option)
{
	return (c->track_opens && !strcmp(option, "o:tracking-opens")) ||
	       (c->track_clicks && !strcmp(option, "o:tracking-clicks"));
}

/* Names go into quotes. */
static bool is_name(const char *name)
{
	return *name && !name[strcspn(name, "\"\\\r\n")];
}

/* X-Mailgun-Variables, {"name": value}: a value that is no string as JSON. */
static int add_variables(const struct form *f, struct postern_str value)
{
	json_t *object = json_loadb(value.ptr, value.len, 0, NULL), *member;
	const char *name;
	bool is_fine = json_is_object(object);

	json_object_foreach(object, name, member)
	{
		char *text = NULL;
		if (!json_is_string(member))
			text =
			    json_dumps(member, JSON_ENCODE_ANY | JSON_COMPACT);
		is_fine &= is_name(name);
		if (is_fine)
			form_field(f, "v:", str_of(name),
			    str_of(text ? text : json_string_value(member)));
		free(text);
	}
	json_decref(object);
	return is_fine ? 0
		       : f->host->refuse(f->r,
			     "X-Mailgun-Variables is no JSON object of names "
			     "and values");
}

static void add_choice(
    const struct form *f, const char *name, enum postern_choice choice)
{
	if (choice != POSTERN_UNSAID)
		form_field(f, name, STR(""),
		    choice == POSTERN_YES ? STR("yes") : STR("no"));
}

static void add_controls(const struct form *f, const struct postern_controls *c)
{
	for (size_t i = 0; i < c->tag_count; i++)
		form_field(f, "o:tag", STR(""), c->tags[i]);
	for (size_t i = 0; i < c->metadata_count; i++)
		form_field(f, "v:", c->metadata[i].name, c->metadata[i].value);
	add_choice(f, "o:tracking-opens", c->track_opens);
	add_choice(f, "o:tracking-clicks", c->track_clicks);
}

/* Of the maximum there is talk of 3 and of 10. */
static bool are_tags(const struct postern_controls *c)
{
	for (size_t i = 0; i < c->tag_count; i++) {
		for (size_t k = 0; k < c->tags[i].len; k++) {
			if ((unsigned char)c->tags[i].ptr[k] >= 0x80)
				return false;
		}
	}
	return c->tag_count <= TAGS_MAX;
}

int mailgun_add_options(const struct form *f, const struct postern_mail *mail)
{
	int rc = 0;

	if (!are_tags(mail->controls))
		return f->host->refuse(
		    f->r, "Mailgun takes at most 10 tags, in ASCII");

	for (size_t i = 0; rc == 0 && i < mail->header_count; i++) {
		const struct postern_header *h = &mail->headers[i];
		const char *option = option_of(h->name);
		if (option && !has_choice(mail->controls, option))
			form_field(f, option, STR(""), h->value);
		else if (str_ieq(h->name, STR("X-Mailgun-Variables")))
			rc = add_variables(f, h->value);
	}
	add_controls(f, mail->controls);
	return rc;
}
