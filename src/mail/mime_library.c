/*
 * GMime made ready: silent, and without what would take apart a message that
 * is within the message.
 */
#include <mail/mime.h>
#include <mail/mime_stream.h>

#include <gmime/gmime.h>

#include <stdbool.h>

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
