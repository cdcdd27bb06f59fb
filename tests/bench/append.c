/*
 * The least that durability costs: batches of COUNT messages of SIZE bytes,
 * each batch appended to a file (writev) and synced (fdatasync). Prints one
 * line of JSON: messages per second.
 *
 * usage: append FILE SIZE COUNT MESSAGES
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	COUNT_MAX = 1024
};

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	(void)fprintf(stderr, "append: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Short writes of a regular file mean that the disk is full. */
static int append(int fd, size_t size, size_t count, size_t messages)
{
	struct iovec iov[COUNT_MAX];
	char *bytes = malloc(size);
	double begin = now_s();

	if (!bytes)
		return fail("memory");
	memset(bytes, 'x', size);
	for (size_t i = 0; i < count; i++)
		iov[i] = (struct iovec){ .iov_base = bytes, .iov_len = size };
	for (size_t done = 0; done < messages; done += count)
		if (writev(fd, iov, (int)count) != (ssize_t)(size * count) ||
		    fdatasync(fd) != 0) {
			free(bytes);
			return fail("write");
		}
	free(bytes);
	(void)printf("{\"messages_per_s\":%.0f}\n",
	    (double)messages / (now_s() - begin));
	return 0;
}

int main(int argc, char **argv)
{
	size_t size = argc == 5 ? strtoul(argv[2], NULL, 10) : 0;
	size_t count = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;

	if (size == 0 || count == 0 || count > COUNT_MAX) {
		(void)fputs("usage: append FILE SIZE COUNT MESSAGES\n", stderr);
		return 2;
	}
	int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(argv[1]);
	int rc = append(fd, size, count, strtoul(argv[4], NULL, 10));
	(void)close(fd);
	(void)unlink(argv[1]);
	return rc;
}
