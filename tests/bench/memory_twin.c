/*
 * The server as it is, but for its store: linked with --wrap=store_open, so
 * that its queue is the memory twin. What it shows is what durability costs;
 * nothing it acknowledges survives it.
 */
#include <store/store.h>

struct store *__real_store_open(
    const struct store_settings *settings, struct err *e);
struct store *__wrap_store_open(
    const struct store_settings *settings, struct err *e);

struct store *__wrap_store_open(
    const struct store_settings *settings, struct err *e)
{
	struct store_settings twin = *settings;
	twin.engine = STORE_MEMORY;
	/* As on disk: what waits for a provider is no reason to refuse. */
	twin.max_pending_bytes = 0;
	return __real_store_open(&twin, e);
}
