/*
 * libsasl2 in this process: real locks, one plugin file, no configuration
 * from anywhere but us. Main thread, before any loop.
 */
#include <auth/auth.h>
#include <auth/sasl_internal.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *dir;

static void *mutex_new(void)
{
	pthread_mutex_t *m = malloc(sizeof(pthread_mutex_t));

	if (m)
		(void)pthread_mutex_init(m, NULL);
	return m;
}

static int mutex_lock(void *m)
{
	return pthread_mutex_lock(m) == 0 ? 0 : -1;
}

static int mutex_unlock(void *m)
{
	return pthread_mutex_unlock(m) == 0 ? 0 : -1;
}

static void mutex_free(void *m)
{
	if (!m)
		return;
	(void)pthread_mutex_destroy(m);
	free(m);
}

static int get_path(void *context, const char **path)
{
	(void)context;
	*path = dir;
	return SASL_OK;
}

/* The other plugins block, or leak, or want passwords in the clear. */
static int verify_file(void *context, const char *file, sasl_verify_type_t type)
{
	const char *base = strrchr(file, '/');

	(void)context;
	base = base ? base + 1 : file;
	if (type == SASL_VRFY_PLUGIN && !strcmp(base, "libscram.so"))
		return SASL_OK;
	return SASL_CONTINUE;
}

static int get_option(void *context, const char *plugin, const char *option,
    const char **result, unsigned *len)
{
	(void)context;
	(void)plugin;
	(void)option;
	(void)result;
	(void)len;
	return SASL_FAIL;
}

/* Without it libsasl2 writes to syslog. */
static int ignore_log(void *context, int level, const char *message)
{
	(void)context;
	(void)level;
	(void)message;
	return SASL_OK;
}

/* Kept by pointer. */
static const sasl_callback_t callbacks[] = {
	{ SASL_CB_GETPATH, SASL_CALLBACK_OF(get_path), NULL },
	{ SASL_CB_VERIFYFILE, SASL_CALLBACK_OF(verify_file), NULL },
	{ SASL_CB_GETOPT, SASL_CALLBACK_OF(get_option), NULL },
	{ SASL_CB_LOG, SASL_CALLBACK_OF(ignore_log), NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

int sasl_library_init(const char *plugin_dir, struct err *e)
{
	int rc;

	dir = plugin_dir;
	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	rc = sasl_server_init(callbacks, NULL);
	if (rc != SASL_OK)
		return err_set(e, -EIO, "cannot initialise libsasl2: %s",
		    sasl_errstring(rc, NULL, NULL));
	rc = sasl_auxprop_add_plugin("postern", sasl_users_init);
	if (rc == SASL_OK)
		rc = sasl_server_add_plugin("postern", sasl_plain_init);
	if (rc == SASL_OK)
		rc = sasl_server_add_plugin("postern", sasl_oauth_init);
	if (rc == SASL_OK)
		return 0;
	(void)sasl_server_done();
	return err_set(e, -EIO, "cannot register with libsasl2: %s",
	    sasl_errstring(rc, NULL, NULL));
}

const char *exchange_plugin_dir(void)
{
	return dir;
}

int auth_library_init(struct err *e)
{
	return sasl_library_init(POSTERN_SASL_DIR, e);
}

void auth_library_done(void)
{
	(void)sasl_server_done();
}
