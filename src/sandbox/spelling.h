/*
 * How a JSON API spells what a message consists of: a row per provider, for
 * the one decoder of them all (decode.h). A member within a member is
 * "content.subject"; of several, with spaces between them, each counts, the
 * first where there can be only one. NULL: the API has no such thing, but
 * where a default stands below, that is meant.
 */
#pragma once

struct spelling {
	/*
	 * A list whose items each have recipients of their own. All else is
	 * looked for in the first one, then beside the list.
	 */
	const char *each;
	/* Objects, lines as in a header, or lists of either. */
	const char *from, *reply_to, *to, *cc, *bcc;
	const char *email, *name; /* of an object: "email", "name" */
	const char *subject, *text, *html;
	const char *texts;          /* instead: a list of {type, value} */
	const char *headers;        /* an object, or a list of objects */
	const char *header, *value; /* of one of them: "name", "value" */
	/* Lists; content_id is that of inlines only where there are such. */
	const char *inlines, *files;
	const char *file_name;   /* of one of both: "filename" */
	const char *data;        /* base64: "content" */
	const char *type;        /* "type" */
	const char *disposition; /* "disposition" */
	const char *content_id;  /* "content_id" */
	const char *tags;        /* texts, or lists of them */
	const char *metadata;    /* objects, lists of {name, value}, texts */
};
