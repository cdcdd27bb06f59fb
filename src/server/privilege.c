/* Privileges: dropped after the ports are bound. See privilege.h. */
#include <server/footprint.h>
#include <server/privilege.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Descriptors held whatever clients do. */
enum {
	/* Store, main loop, watchers, probes; readings of memory. */
	OWN_FILES = 32 + FOOTPRINT_FILES,
	WORKER_FILES = 8,  /* of each: loop, way out */
	LISTENER_FILES = 2 /* of each in each worker: its own and ours */
};

void privilege_harden(void)
{
	struct rlimit none = { 0, 0 };
	int fd;

	/* A library that logs to fd 2 must not write into our store. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		(void)close(fd);
	(void)umask(077);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static size_t raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 1024; /* what POSIX systems give at least */
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	return files.rlim_cur == RLIM_INFINITY ? SIZE_MAX
					       : (size_t)files.rlim_cur;
}

size_t privilege_session_ceiling(size_t workers, size_t listeners)
{
	size_t files = raise_files();
	size_t own =
	    OWN_FILES + workers * (WORKER_FILES + LISTENER_FILES * listeners);
	size_t most = files - files / 4;
	size_t rest = files - (own < most ? own : most);

	return rest - rest / 4;
}

static int find_account(const char *user, uid_t *uid, gid_t *gid, struct err *e)
{
	errno = 0;
	const struct passwd *pw = getpwnam(user);

	if (!pw)
		return err_set(e, errno ? -errno : -ENOENT,
		    "user: there is no account '%s' on this system", user);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

int privilege_give_directory(const char *path, const char *user, struct err *e)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_errno(
		    e, -errno, "spool.path: cannot create %s", path);
	if (geteuid() != 0 || !user || strcmp(user, "root") == 0)
		return 0;
	int rc = find_account(user, &uid, &gid, e);
	if (rc)
		return rc;
	if (chown(path, uid, gid) != 0)
		return err_errno(
		    e, -errno, "spool.path: cannot give %s to %s", path, user);
	return 0;
}

int privilege_give_socket(const char *path, const char *user, struct err *e)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (geteuid() != 0 || !user || strcmp(user, "root") == 0)
		return 0;
	int rc = find_account(user, &uid, &gid, e);
	if (rc)
		return rc;
	if (lchown(path, uid, gid) != 0)
		return err_errno(e, -errno, "cannot give %s to %s", path, user);
	return 0;
}

int privilege_drop(const char *user, struct err *e)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (geteuid() != 0) {
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		return 0;
	}
	if (!user)
		return err_set(e, -EPERM,
		    "started as root without 'user:' in the configuration; "
		    "name an account to run as (e.g. user: postern), or say "
		    "user: root if that is what you want");
	if (strcmp(user, "root") == 0)
		return 0;
	int rc = find_account(user, &uid, &gid, e);
	if (rc)
		return rc;
	if (setgroups(1, &gid) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0)
		return err_errno(e, -errno, "cannot become user '%s'", user);
	if (setuid(0) == 0 || geteuid() == 0)
		return err_set(e, -EPERM,
		    "privileges could be regained after becoming '%s'", user);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}
