/* Layers above the configuration, as far as it asks them. */
#pragma once

#include <config/config.h>

extern const struct config_helpers fake_helpers;

/* The last directory of modules that was announced; "" when none was. */
extern char fake_module_directory[256];

/* Settings of the module "fake": one member of every type. */
struct fake_pool {
	const char *name;
	int64_t weight;
};

struct fake_settings {
	struct postern_secret api_key, other_key;
	const char *url;
	const char *region;
	struct postern_list tags;
	struct {
		const char *client_id, *scope;
	} oauth;
	struct postern_list pools;
	bool is_test;
};

/*
 * A directory for a test program, also in $POSTERN_TEST_DIR: cert.pem and
 * key.pem, `secret` (0600, "s3cret" and a newline), `empty` and `open` (0644).
 * Its removal takes what else is in it, too.
 */
const char *fake_directory_make(void);
void fake_directory_remove(void);
/* Write text to NAME in the directory and return its path (static). */
const char *fake_file(const char *name, const char *text, size_t len);
