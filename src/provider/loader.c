/*
 * Modules are opened once, when a configuration names them first, and stay:
 * their tables and code are used until the process ends. A file that somebody
 * else could write is not run.
 */
#include <provider/provider.h>

#include <base/span.h>

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOADED_MAX = 64,
	NAME_LEN_MAX = 64
};

/* Of whoever reads configurations: the main thread, then the reload's. */
static struct {
	char directory[PATH_MAX];
	struct {
		char name[NAME_LEN_MAX + 1];
		const struct postern_provider *provider;
	} loaded[LOADED_MAX];
	size_t count;
} modules = { .directory = POSTERN_MODULE_DIR };

void provider_set_directory(const char *dir)
{
	(void)snprintf(modules.directory, sizeof(modules.directory), "%s", dir);
}

/* A name is a file name too: letters, digits, '-' and '_'. */
static bool is_name(const char *name)
{
	size_t len = 0;

	for (; name[len]; len++) {
		char c = name[len];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_'))
			return false;
	}
	return len > 0 && len <= NAME_LEN_MAX;
}

/* Nobody but root and the starting user may write it. */
static int check_owner(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_errno(e, -errno, "%s", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, -EPERM,
		    "%s belongs to user %lu; a module must belong to root or "
		    "to the user Postern runs as",
		    path, (unsigned long)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, -EPERM,
		    "%s can be written by others: chmod go-w it", path);
	return 0;
}

static int check_file(const char *path, struct err *e)
{
	int rc = check_owner(modules.directory, e);

	return rc < 0 ? rc : check_owner(path, e);
}

static int check_table(
    const struct postern_provider *p, const char *name, struct err *e)
{
	if (p->abi != POSTERN_PROVIDER_ABI)
		return err_set(e, -ENOEXEC,
		    "module %s is built for interface %u, this Postern has %u",
		    name, (unsigned)p->abi, (unsigned)POSTERN_PROVIDER_ABI);
	/* What was appended later may be missing. */
	if (p->size < offsetof(struct postern_provider, prepare))
		return err_set(e, -ENOEXEC,
		    "module %s has a table of %u bytes instead of %zu", name,
		    (unsigned)p->size, sizeof(*p));
	if (!p->name || strcmp(p->name, name) != 0)
		return err_set(e, -ENOEXEC, "module %s calls itself %s", name,
		    p->name ? p->name : "nothing");
	if (!p->doc || !p->fields || !p->build || !p->classify)
		return err_set(
		    e, -ENOEXEC, "module %s has an empty table", name);
	return 0;
}

static const struct postern_provider *open_module(
    const char *name, struct err *e)
{
	char path[PATH_MAX + NAME_LEN_MAX + 8];
	const struct postern_provider *p;
	void *handle;

	(void)snprintf(path, sizeof(path), "%s/%s.so", modules.directory, name);
	if (check_file(path, e) < 0)
		return NULL;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		(void)err_set(e, -ENOEXEC, "%s", dlerror());
		return NULL;
	}
	p = dlsym(handle, POSTERN_PROVIDER_SYMBOL);
	if (!p)
		(void)err_set(e, -ENOEXEC, "%s exports no %s", path,
		    POSTERN_PROVIDER_SYMBOL);
	else if (check_table(p, name, e) == 0)
		return p;
	(void)dlclose(handle);
	return NULL;
}

static const struct postern_provider *find_loaded(const char *name)
{
	for (size_t i = 0; i < modules.count; i++) {
		if (strcmp(modules.loaded[i].name, name) == 0)
			return modules.loaded[i].provider;
	}
	return NULL;
}

const struct postern_provider *provider_load(const char *name, struct err *e)
{
	const struct postern_provider *p;

	if (!is_name(name)) {
		(void)err_set(e, -EINVAL,
		    "\"%s\" is no provider type: use letters, digits, - and _",
		    name);
		return NULL;
	}
	p = find_loaded(name);
	if (p)
		return p;
	if (modules.count == LOADED_MAX) {
		(void)err_set(
		    e, -ENFILE, "more than %d provider modules", LOADED_MAX);
		return NULL;
	}
	p = open_module(name, e);
	if (!p)
		return NULL;
	(void)snprintf(modules.loaded[modules.count].name,
	    sizeof(modules.loaded[0].name), "%s", name);
	modules.loaded[modules.count++].provider = p;
	return p;
}
