/*
 * The list of system calls follows from what the libraries we link make in a
 * server's life, with room for other versions of them: files, sockets,
 * threads, time. What is missing on it on purpose is what takes a foothold
 * further: execve, ptrace, mount, bpf, keyctl, kernel modules, new namespaces.
 */
#include <server/confine.h>

#include <base/log.h>
#include <base/span.h>
#include <config/config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of some systems this is built on. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

enum {
	LANDLOCK_ABI_REFER = 2,
	LANDLOCK_ABI_TRUNCATE = 3
};

/* --- files --- */

/* Everything that changes a file system or runs something from it. */
static uint64_t restricted_access(int abi)
{
	uint64_t access =
	    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
	    LANDLOCK_ACCESS_FS_MAKE_SYM;

	if (abi >= LANDLOCK_ABI_REFER)
		access |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= LANDLOCK_ABI_TRUNCATE)
		access |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return access;
}

/* What is needed in a folder of ours: files and sockets, no devices. */
static uint64_t own_access(uint64_t restricted)
{
	return restricted & ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE |
					LANDLOCK_ACCESS_FS_MAKE_CHAR |
					LANDLOCK_ACCESS_FS_MAKE_BLOCK |
					LANDLOCK_ACCESS_FS_MAKE_FIFO |
					LANDLOCK_ACCESS_FS_MAKE_SYM);
}

static int allow_path(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr beneath = { .allowed_access =
							  access };
	int rc = 0;

	beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (beneath.parent_fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		&beneath, 0) != 0)
		rc = -errno;
	(void)close(beneath.parent_fd);
	return rc;
}

/* The folder a socket of the file system is made in. */
static int allow_socket(int ruleset, const char *path, uint64_t access)
{
	ptrdiff_t slash = span_rindex(span_of(path), '/');
	char folder[PATH_MAX];
	int len = slash > 0 ? (int)slash : 1;

	if (slash < 0 || len >= (int)sizeof(folder))
		return -EINVAL;
	(void)snprintf(folder, sizeof(folder), "%.*s", len, path);
	return allow_path(ruleset, folder, access);
}

static int allow_paths(int ruleset, uint64_t restricted, const struct config *c)
{
	struct span prefix = SPAN("unix:");
	uint64_t own = own_access(restricted);
	int rc = allow_path(ruleset, "/dev/null",
	    restricted &
		(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE));

	if (rc == 0)
		rc = allow_path(ruleset, c->spool.path, own);
	for (size_t i = 0; rc == 0 && i < c->listeners.count; i++) {
		const char *address =
		    CONFIG_AT(c->listeners, struct config_listener, i)->address;

		if (span_starts_with(span_of(address), prefix))
			rc = allow_socket(ruleset, address + prefix.len, own);
	}
	/* A folder that is not there keeps nobody from serving mail. */
	if (rc == 0 && c->admin.socket && *c->admin.socket &&
	    allow_socket(ruleset, c->admin.socket, own) != 0)
		log_info(
		    "admin_socket_confined", LOG_STR("path", c->admin.socket));
	return rc;
}

static int confine_files(const struct config *c)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = 0 };
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset, rc;

	if (abi < 0)
		return -errno;
	attr.handled_access_fs = restricted_access(abi);
	ruleset =
	    (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	rc = allow_paths(ruleset, attr.handled_access_fs, c);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		rc = -errno;
	(void)close(ruleset);
	return rc;
}

/* --- system calls --- */

/* A name that this kernel or library does not know is passed over. */
/* clang-format off */
static const char *const calls[] = {
	/* files */
	"access", "chdir", "chmod", "close", "close_range", "creat", "dup",
	"dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate",
	"fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat",
	"fcntl", "fcntl64", "fdatasync", "flock", "fstat", "fstat64",
	"fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
	"ftruncate64", "getcwd", "getdents", "getdents64", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "ioctl", "link",
	"linkat", "lseek", "_llseek", "lstat", "lstat64", "mkdir", "mkdirat",
	"newfstatat", "open", "openat", "openat2", "pread64", "preadv",
	"preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
	"readlink", "readlinkat", "readv", "rename", "renameat", "renameat2",
	"rmdir", "sendfile", "sendfile64", "splice", "stat", "stat64", "statfs",
	"statfs64", "statx", "sync_file_range", "truncate", "truncate64",
	"umask", "unlink", "unlinkat", "utimensat", "write", "writev",
	/* sockets; which kinds is decided below */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname",
	"getsockopt", "listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg",
	"sendmsg", "sendto", "setsockopt", "shutdown", "socketpair",
	/* waiting */
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "pipe", "pipe2",
	"poll", "ppoll", "pselect6", "select", "_newselect", "timerfd_create",
	"timerfd_gettime", "timerfd_settime",
	/* memory */
	"brk", "madvise", "membarrier", "mincore", "mlock", "mlock2", "mmap",
	"mmap2", "mprotect", "mremap", "msync", "munlock", "munmap",
	/* threads; how they are made is below */
	"arch_prctl", "exit", "exit_group", "futex", "futex_waitv",
	"get_robust_list", "get_thread_area", "gettid", "prctl", "rseq",
	"sched_getaffinity", "sched_getparam", "sched_getscheduler",
	"sched_setaffinity", "sched_yield", "set_robust_list",
	"set_thread_area", "set_tid_address",
	/* signals */
	"kill", "pause", "restart_syscall", "rt_sigaction", "rt_sigpending",
	"rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
	"rt_sigtimedwait", "sigaltstack", "signalfd4", "sigreturn", "tgkill",
	"tkill",
	/* time */
	"clock_getres", "clock_gettime", "clock_gettime64", "clock_nanosleep",
	"gettimeofday", "nanosleep", "time", "times",
	/* who and what am I */
	"getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp",
	"getpid", "getppid", "getpriority", "getrandom", "getresgid",
	"getresuid", "getrlimit", "getrusage", "getsid", "getuid", "prlimit64",
	"sysinfo", "ugetrlimit", "uname", "wait4", "waitid", "waitpid",
};
/* clang-format on */

/* Namespaces, which clone makes as unshare does: all that fit into its flags */
#define NAMESPACES                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |         \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

enum {
#ifdef __s390__
	CLONE_FLAGS = 1 /* which argument */
#else
	CLONE_FLAGS = 0
#endif
};

/* getaddrinfo asks the kernel for addresses through netlink. */
static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

/* The flags of clone3 are out of sight: libc takes clone where it is not. */
static int allow_threads(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp is_plain = { .arg = CLONE_FLAGS,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = NAMESPACES,
		.datum_b = 0 };
	int rc = seccomp_rule_add_array(
	    filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &is_plain);

	if (rc == 0)
		rc = seccomp_rule_add(
		    filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

static int allow_calls(scmp_filter_ctx filter)
{
	int rc = allow_threads(filter);

	for (size_t i = 0; rc == 0 && i < sizeof(calls) / sizeof(calls[0]);
	     i++) {
		int number = seccomp_syscall_resolve_name(calls[i]);

		if (number != __NR_SCMP_ERROR)
			rc =
			    seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	}
	for (size_t i = 0;
	     rc == 0 && i < sizeof(families) / sizeof(families[0]); i++) {
		const struct scmp_arg_cmp is_family = { .arg = 0,
			.op = SCMP_CMP_EQ,
			.datum_a = (scmp_datum_t)families[i] };

		rc = seccomp_rule_add_array(
		    filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &is_family);
	}
	return rc;
}

static int confine_calls(int mode)
{
	uint32_t otherwise = mode == CONFIG_HARDENING_ON
				 ? SCMP_ACT_KILL_PROCESS
				 : SCMP_ACT_ERRNO(EPERM);
	scmp_filter_ctx filter = seccomp_init(otherwise);
	int rc;

	if (!filter)
		return -ENOMEM;
	/* What is refused shows in the audit log, where there is one. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	rc = allow_calls(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}

static int judge(int mode, const char *what, int rc, struct err *e)
{
	if (rc == 0)
		return 0;
	if (mode == CONFIG_HARDENING_ON)
		return err_errno(e, rc,
		    "hardening: on, but %s cannot be restricted here "
		    "(hardening: auto goes on without)",
		    what);
	(void)err_errno(e, rc, "%s cannot be restricted here", what);
	log_info("hardening_incomplete", LOG_STR("why", e->text));
	*e = (struct err){ .code = 0 };
	return 0;
}

int confine(const struct config *c, struct err *e)
{
	int rc;

	if (c->hardening == CONFIG_HARDENING_OFF)
		return 0;
	/* Either needs it, unless the process is privileged. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	rc = judge(c->hardening, "writing to files", confine_files(c), e);
	if (rc == 0)
		rc = judge(c->hardening, "the system calls",
		    confine_calls(c->hardening), e);
	return rc;
}
