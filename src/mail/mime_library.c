/*
 * GMime made ready: silent, without what would take apart a message that is
 * within the message, and given encoded words as it reads them right.
 */
#include <mail/mime.h>
#include <mail/mime_stream.h>
#include <mail/mime_words.h>

#include <gmime/gmime.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static void drop_log(
    const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer ctx)
{
	(void)domain;
	(void)level;
	(void)text;
	(void)ctx;
}

/* Of a leak checker, where there is one. */
extern void leaks_ignore(void) __asm__("__lsan_disable") __attribute__((weak));
extern void leaks_mind(void) __asm__("__lsan_enable") __attribute__((weak));

/*
 * A message within the message goes as a file: it is not taken apart. GMime
 * loses the few bytes that said otherwise.
 */
static void keep_messages_whole(void)
{
	static const char *const types[] = { "rfc822", "rfc2822", "global",
		"news", "partial" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		g_mime_object_register_type(
		    "message", types[i], GMIME_TYPE_PART);
}

void mime_library_init(void)
{
	static bool is_done;

	if (is_done)
		return;
	is_done = true;
	/* GLib's own warnings about odd messages are no event of ours. */
	(void)g_log_set_default_handler(drop_log, NULL);
	if (leaks_ignore)
		leaks_ignore();
	g_mime_init();
	if (leaks_mind)
		leaks_mind();
	mime_stream_library_init();
	keep_messages_whole();
}

static int mend(GMimeHeader *field)
{
	struct span value = span_of(g_mime_header_get_raw_value(field));
	struct buf joined;
	char *text = NULL;
	int rc;

	buf_init(&joined, value.len + 1);
	rc = mime_words_join(value, &joined);
	if (rc > 0) {
		text = buf_take_cstr(&joined);
		rc = text ? 0 : -ENOMEM;
	}
	if (text)
		g_mime_header_set_raw_value(field, text);
	free(text);
	buf_finish(&joined);
	return rc;
}

int mime_words_mend(GMimeObject *entity)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(entity);
	int count = g_mime_header_list_get_count(list), rc = 0;

	for (int i = 0; rc == 0 && i < count; i++)
		rc = mend(g_mime_header_list_get_header_at(list, i));
	return rc;
}
