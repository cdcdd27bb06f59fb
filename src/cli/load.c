/* How every command reads a configuration: the same way the server does. */
#include <cli/cli.h>

#include <auth/password.h>
#include <base/clock.h>
#include <config/config.h>
#include <net/tls.h>
#include <net/tls_set.h>
#include <provider/provider.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_record(struct span record, struct err *e)
{
	return password_check_record(record, e) == PASSWORD_INVALID ? -EINVAL
								    : 0;
}

/* Certificates and keys are read and matched, as the server will. */
static int check_tls(const struct config *c,
    void (*doubt)(void *ctx, const char *file, const char *what), void *ctx,
    struct err *e)
{
	int rc = tls_library_init();
	struct tls_files *files = NULL;
	struct tls_set *set = NULL;

	if (rc)
		return err_set(e, rc, "cannot start OpenSSL");
	files = tls_files_read(&c->tls, e);
	if (files)
		set = tls_set_new(files, c, e);
	if (set)
		tls_files_doubts(files, clock_wall_ms(), doubt, ctx);
	rc = set ? 0 : -EINVAL;
	tls_set_free(set);
	tls_files_free(files);
	return rc;
}

const char *cli_config_path(void)
{
	const char *path = getenv("POSTERN_CONFIG");

	return path && *path ? path : "/etc/postern/postern.yaml";
}

/*
 * A program in its build tree has its modules beside it; an installed one
 * finds none there and keeps the directory it was built for.
 */
static void use_own_modules(void)
{
	char path[PATH_MAX + sizeof("/modules")];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (len <= 0)
		return;
	path[len] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return;
	(void)snprintf(slash, sizeof("/modules"), "/modules");
	if (access(path, X_OK) == 0)
		provider_set_directory(path);
}

struct config *cli_load_config(const char *path, struct config_report *report)
{
	static const struct config_helpers helpers = {
		.load_module = provider_load,
		.set_module_directory = provider_set_directory,
		.check_password_record = check_record,
		.check_tls = check_tls,
	};

	use_own_modules();
	return config_load(path, &helpers, report);
}
