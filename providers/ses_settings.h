/* The settings of type ses; the rows are in ses.c. */
#pragma once

#include <postern/field.h>

/* Where keys come from, in the order of `credentials`. */
enum ses_source {
	SES_AUTO = 0,
	SES_STATIC,
	SES_ENVIRONMENT,
	SES_FILE,
	SES_WEB_IDENTITY,
	SES_CONTAINER,
	SES_INSTANCE,
	SES_SOURCES
};

struct ses_settings {
	const char *url;
	const char *region;
	int credentials; /* enum ses_source */
	const char *access_key_id;
	struct postern_secret secret_access_key;
	struct postern_secret session_token;
	const char *profile;
	const char *role_arn;
	const char *web_identity_token_file;
	const char *configuration_set;
	struct postern_list tags;
	bool feedback_forwarding;
};
