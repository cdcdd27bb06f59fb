/* Settings of the gmail module. */
#pragma once

#include <postern/field.h>

struct gmail_settings {
	const char *url;
	const char *token_url;
	struct postern_secret service_account_key;
	const char *user;
};
