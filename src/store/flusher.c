/* See flusher.h. */
#include <store/flusher.h>

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct flusher {
	const struct store_io *io;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int fd; /* to be synced; -1 = nothing */
	int rc; /* of the last one */
	bool is_stopped;
};

static void *run(void *flusher)
{
	struct flusher *f = flusher;
	(void)pthread_setname_np(pthread_self(), "store-flusher");
	(void)pthread_mutex_lock(&f->lock);
	while (!f->is_stopped) {
		if (f->fd < 0) {
			(void)pthread_cond_wait(&f->changed, &f->lock);
			continue;
		}
		int fd = f->fd;
		(void)pthread_mutex_unlock(&f->lock);
		int rc = f->io->fdatasync(fd);
		(void)pthread_mutex_lock(&f->lock);
		f->rc = rc;
		f->fd = -1;
		(void)pthread_cond_signal(&f->changed);
	}
	(void)pthread_mutex_unlock(&f->lock);
	return NULL;
}

struct flusher *flusher_new(const struct store_io *io)
{
	struct flusher *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->io = io;
	f->fd = -1;
	if (pthread_mutex_init(&f->lock, NULL) != 0)
		goto fail_lock;
	if (pthread_cond_init(&f->changed, NULL) != 0)
		goto fail_changed;
	if (pthread_create(&f->thread, NULL, run, f) != 0)
		goto fail_thread;
	return f;
fail_thread:
	(void)pthread_cond_destroy(&f->changed);
fail_changed:
	(void)pthread_mutex_destroy(&f->lock);
fail_lock:
	free(f);
	return NULL;
}

void flusher_free(struct flusher *f)
{
	if (!f)
		return;
	(void)pthread_mutex_lock(&f->lock);
	assert(f->fd < 0);
	f->is_stopped = true;
	(void)pthread_cond_signal(&f->changed);
	(void)pthread_mutex_unlock(&f->lock);
	(void)pthread_join(f->thread, NULL);
	(void)pthread_cond_destroy(&f->changed);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}

/* Only one side waits at a time, so one condition serves both. */
void flusher_begin(struct flusher *f, int fd)
{
	(void)pthread_mutex_lock(&f->lock);
	assert(f->fd < 0 && fd >= 0);
	f->fd = fd;
	(void)pthread_cond_signal(&f->changed);
	(void)pthread_mutex_unlock(&f->lock);
}

int flusher_end(struct flusher *f)
{
	(void)pthread_mutex_lock(&f->lock);
	while (f->fd >= 0)
		(void)pthread_cond_wait(&f->changed, &f->lock);
	int rc = f->rc;
	(void)pthread_mutex_unlock(&f->lock);
	return rc;
}
