/* Settings of the msgraph module. */
#pragma once

#include <postern/field.h>

struct msgraph_settings {
	const char *url;
	const char *authority;
	const char *tenant;
	const char *client_id;
	struct postern_secret client_secret;
	const char *user; /* NULL: the address of From */
	int cloud;        /* index into clouds */
};
