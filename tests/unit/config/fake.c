#include "fake.h"

#include <postern/provider.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT(member) .offset = offsetof(struct fake_settings, member)

char fake_module_directory[256];

static char directory[64];

/* clang-format off */
static const struct postern_field oauth_rows[] = {
	{ .name = "client_id", .type = POSTERN_TYPE_STRING,
	  .offset = 0, .flags = POSTERN_FIELD_REQUIRED,
	  .doc = "who asks" },
	{ .name = "scope", .type = POSTERN_TYPE_STRING,
	  .offset = sizeof(const char *), .preset = "send",
	  .doc = "for what" },
	{ .name = NULL },
};

static const struct postern_field pool_rows[] = {
	{ .name = "name", .type = POSTERN_TYPE_STRING,
	  .offset = offsetof(struct fake_pool, name),
	  .flags = POSTERN_FIELD_REQUIRED, .doc = "of the pool" },
	{ .name = "weight", .type = POSTERN_TYPE_INT,
	  .offset = offsetof(struct fake_pool, weight), .preset = "1",
	  .min = 1, .max = 100, .doc = "of the pool" },
	{ .name = NULL },
};

static const struct postern_field fake_rows[] = {
	{ .name = "api_key", .type = POSTERN_TYPE_SECRET, AT(api_key),
	  .flags = POSTERN_FIELD_REQUIRED, .doc = "the key of the account" },
	{ .name = "other_key", .type = POSTERN_TYPE_SECRET, AT(other_key),
	  .doc = "another key" },
	{ .name = "url", .type = POSTERN_TYPE_URL, AT(url),
	  .preset = "https://api.example.com/v1", .doc = "of the API" },
	{ .name = "region", .type = POSTERN_TYPE_STRING, AT(region),
	  .preset = "", .doc = "of the account" },
	{ .name = "tags", .type = POSTERN_TYPE_STRINGS, AT(tags),
	  .preset = "[one, two]", .doc = "for statistics" },
	{ .name = "oauth", .type = POSTERN_TYPE_MAP, AT(oauth),
	  .fields = oauth_rows, .doc = "instead of a key" },
	{ .name = "pools", .type = POSTERN_TYPE_LIST, AT(pools),
	  .fields = pool_rows, .size = sizeof(struct fake_pool),
	  .doc = "of addresses" },
	{ .name = "test", .type = POSTERN_TYPE_BOOL, AT(is_test),
	  .preset = "false", .doc = "send nothing" },
	{ .name = NULL },
};

static const struct postern_field picky_rows[] = {
	{ .name = "mood", .type = POSTERN_TYPE_STRING, .offset = 0,
	  .flags = POSTERN_FIELD_REQUIRED, .doc = "of the module" },
	{ .name = NULL },
};

/* The keys of the modules that conf/sandbox.yaml uses. */
static const struct postern_field sandbox_rows[] = {
	{ .name = "api_key", .type = POSTERN_TYPE_SECRET, AT(api_key),
	  .doc = "key" },
	{ .name = "access_key_id", .type = POSTERN_TYPE_STRING, AT(region),
	  .doc = "key" },
	{ .name = "secret_access_key", .type = POSTERN_TYPE_SECRET,
	  AT(other_key), .doc = "key" },
	{ .name = "region", .type = POSTERN_TYPE_STRING, AT(region),
	  .doc = "region" },
	{ .name = "domain", .type = POSTERN_TYPE_STRING, AT(region),
	  .doc = "domain" },
	{ .name = "url", .type = POSTERN_TYPE_URL, AT(url), .doc = "URL" },
	{ .name = NULL },
};

static const struct postern_field webhook_rows[] = {
	{ .name = "url", .type = POSTERN_TYPE_URL, AT(url),
	  .flags = POSTERN_FIELD_REQUIRED, .doc = "where to" },
	{ .name = "secret", .type = POSTERN_TYPE_SECRET, AT(api_key),
	  .flags = POSTERN_FIELD_REQUIRED, .doc = "key" },
	{ .name = "previous_secret", .type = POSTERN_TYPE_SECRET,
	  AT(other_key), .doc = "key" },
	{ .name = NULL },
};
/* clang-format on */

static const char *picky_check(const void *settings)
{
	const char *const *mood = settings;

	return strcmp(*mood, "good") == 0 ? NULL : "is in no good mood";
}

static const struct postern_provider modules[] = {
	{ .name = "fake",
	    .flags = POSTERN_CARRIES_REPORTS,
	    .limits.recipients = 50,
	    .fields = fake_rows,
	    .settings_size = sizeof(struct fake_settings) },
	{ .name = "picky",
	    .fields = picky_rows,
	    .settings_size = sizeof(const char *),
	    .check = picky_check },
	{ .name = "bare" },
	{ .name = "ses",
	    .flags = POSTERN_CARRIES_REPORTS,
	    .fields = sandbox_rows,
	    .settings_size = sizeof(struct fake_settings) },
	{ .name = "sendgrid",
	    .fields = sandbox_rows,
	    .settings_size = sizeof(struct fake_settings) },
	{ .name = "mailgun",
	    .fields = sandbox_rows,
	    .settings_size = sizeof(struct fake_settings) },
	{ .name = CONFIG_WEBHOOK,
	    .fields = webhook_rows,
	    .settings_size = sizeof(struct fake_settings) },
};

/* Of providers/smtp.c. */
extern const struct postern_provider postern_provider_v1;

static const struct postern_provider *load_module(
    const char *type, struct err *e)
{
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (strcmp(modules[i].name, type) == 0)
			return &modules[i];
	if (strcmp(type, "smtp") == 0)
		return &postern_provider_v1;
	(void)err_set(e, -ENOENT, "there is no module %s", type);
	return NULL;
}

static int check_password_record(struct span record, struct err *e)
{
	if (span_starts_with(record, SPAN("SCRAM-SHA-256$")))
		return 0;
	return err_set(e, -EINVAL, "is no password record");
}

static void set_module_directory(const char *dir)
{
	(void)snprintf(
	    fake_module_directory, sizeof(fake_module_directory), "%s", dir);
}

static int check_tls(const struct config *c,
    void (*doubt)(void *ctx, const char *file, const char *what), void *ctx,
    struct err *e)
{
	const struct config_certificate *first =
	    CONFIG_AT(c->tls.certificates, struct config_certificate, 0);

	if (c->tls.policy == CONFIG_TLS_LEGACY)
		doubt(ctx, first->cert, "is out of date");
	if (strcmp(first->cert, first->key) != 0)
		return 0;
	return err_set(e, -EINVAL, "the key is not that of the certificate");
}

const struct config_helpers fake_helpers = {
	.load_module = load_module,
	.check_password_record = check_password_record,
	.set_module_directory = set_module_directory,
	.check_tls = check_tls,
};

/* --- files --- */

const char *fake_file(const char *name, const char *text, size_t len)
{
	static char path[300];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	if (!file || fwrite(text, 1, len, file) != len || fclose(file) != 0)
		abort();
	return path;
}

static void make_file(const char *name, const char *text, mode_t mode)
{
	if (chmod(fake_file(name, text, strlen(text)), mode) != 0)
		abort();
}

const char *fake_directory_make(void)
{
	(void)snprintf(
	    directory, sizeof(directory), "/tmp/postern-config-XXXXXX");
	if (!mkdtemp(directory))
		abort();
	make_file("cert.pem", "certificate\n", 0644);
	make_file("key.pem", "key\n", 0600);
	make_file("secret", "s3cret\n", 0600);
	make_file("empty", "\n", 0600);
	make_file("open", "s3cret\n", 0644);
	make_file("demo.hash", "SCRAM-SHA-256$record\n", 0600);
	if (setenv("POSTERN_TEST_DIR", directory, 1) != 0)
		abort();
	return directory;
}

void fake_directory_remove(void)
{
	DIR *dir = opendir(directory);
	char path[400];

	for (const struct dirent *d; dir && (d = readdir(dir));) {
		(void)snprintf(
		    path, sizeof(path), "%s/%s", directory, d->d_name);
		(void)unlink(path);
	}
	if (dir)
		(void)closedir(dir);
	(void)rmdir(directory);
}
