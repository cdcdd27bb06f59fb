/* A configuration file: read, decoded, checked and reported on. */
#include "fuzz.h"

#include <auth/password.h>
#include <config/config.h>
#include <postern/provider.h>

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
	const char *url;
	struct postern_secret api_key;
	struct postern_list tags;
	uint64_t timeout;
	int kind;
};

static const char *const kinds[] = { "one", "two", NULL };

static const struct postern_field fields[] = {
	{ .name = "url",
	    .type = POSTERN_TYPE_URL,
	    .offset = offsetof(struct settings, url),
	    .preset = "https://api.example.com" },
	{ .name = "api_key",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct settings, api_key),
	    .flags = POSTERN_FIELD_REQUIRED },
	{ .name = "tags",
	    .type = POSTERN_TYPE_STRINGS,
	    .offset = offsetof(struct settings, tags) },
	{ .name = "timeout",
	    .type = POSTERN_TYPE_DURATION,
	    .offset = offsetof(struct settings, timeout),
	    .max = 60000 },
	{ .name = "kind",
	    .type = POSTERN_TYPE_ENUM,
	    .offset = offsetof(struct settings, kind),
	    .names = kinds },
	{ .name = NULL },
};

static const struct postern_provider *load_module(
    const char *type, struct err *e)
{
	static const struct postern_provider module = {
		.abi = POSTERN_PROVIDER_ABI,
		.size = sizeof(module),
		.name = "fake",
		.fields = fields,
		.settings_size = sizeof(struct settings),
	};

	if (strcmp(type, module.name) == 0)
		return &module;
	(void)err_set(e, -ENOENT, "there is no module %s", type);
	return NULL;
}

static int check_record(struct span record, struct err *e)
{
	return password_check_record(record, e) == PASSWORD_INVALID ? -EINVAL
								    : 0;
}

static void load(const char *path, FILE *nowhere)
{
	const struct config_helpers helpers = {
		.load_module = load_module,
		.check_password_record = check_record,
	};
	struct config_report report = { 0 };
	struct config *c = config_load(path, &helpers, &report);

	fuzz_claim((c != NULL) == (report.errors == 0));
	fuzz_claim(report.count <= CONFIG_PROBLEMS_MAX);
	for (size_t i = 0; i < report.count; i++)
		fuzz_claim(!strchr(report.problems[i].message, '\n'));
	config_report_print(&report, nowhere);
	config_report_print_json(&report, nowhere);
	config_report_finish(&report);
	config_unref(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	char path[64];
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	fuzz_claim(fd >= 0 && nowhere);
	fuzz_claim(fchmod(fd, 0600) == 0); /* else nobody would read it */
	fuzz_claim(write(fd, data, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	load(path, nowhere);
	(void)close(fd);
	return 0;
}
