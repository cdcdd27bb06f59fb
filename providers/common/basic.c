/* See basic.h. */
#include <common/basic.h>

#include <common/text.h>

#include <errno.h>

int basic_authorize(const struct postern_host *host, struct postern_request *r,
    const char *user, struct postern_secret password)
{
	struct text pair, value;
	const char *encoded;

	text_init(&pair, host, r);
	text_add_cstr(&pair, user);
	text_add_char(&pair, ':');
	text_add(&pair, str_make(password.ptr, password.len));
	if (!text_finish(&pair))
		return -ENOMEM;
	encoded = host->base64(r, str_make(pair.data, pair.len));
	text_init(&value, host, r);
	text_add_cstr(&value, "Basic ");
	text_add_cstr(&value, encoded);
	if (!encoded || !text_finish(&value))
		return -ENOMEM;
	return host->header(r, "Authorization", value.data);
}
