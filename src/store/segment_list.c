/*
 * The list of segment files: which there are, what lives in them, which may
 * be overwritten, removed, or should be emptied.
 */
#include <store/segment_internal.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void segment_format_name(uint32_t number, char out[SEGMENT_NAME_SIZE])
{
	(void)snprintf(out, SEGMENT_NAME_SIZE, "%08x.seg", number);
}

/* Ours: eight hexadecimal digits and the suffix. */
static uint32_t parse_name(const char *name)
{
	char again[SEGMENT_NAME_SIZE];
	if (strlen(name) != SEGMENT_NAME_SIZE - 1)
		return 0;
	uint32_t number = (uint32_t)strtoul(name, NULL, 16);
	segment_format_name(number, again);
	return strcmp(name, again) == 0 && !spool_has(number) ? number : 0;
}

static bool is_empty(const struct segments *s, const struct segment *g)
{
	return g->live_count == 0 && g->number != s->active;
}

/* No reader that began while its last body was wanted still reads. */
static bool is_over(const struct segments *s, uint64_t turn)
{
	return turn % 2 == 0 || turn != atomic_load(s->turn);
}

static bool is_quiet(const struct segments *s, const struct segment *g)
{
	return is_over(s, g->emptied_turn);
}

static struct segment *find(const struct segments *s, uint32_t number)
{
	size_t low = 0, high = s->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (s->list[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->count && s->list[low].number == number ? &s->list[low]
							       : NULL;
}

/* Keeps the order; files are added in ascending order but at start. */
struct segment *segment_list_add(
    struct segments *s, uint32_t number, uint64_t capacity)
{
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct segment *list = realloc(s->list, cap * sizeof(*list));
		if (!list)
			return NULL;
		s->list = list;
		s->cap = cap;
	}
	size_t at = s->count;
	while (at > 0 && s->list[at - 1].number > number)
		at--;
	memmove(
	    &s->list[at + 1], &s->list[at], (s->count - at) * sizeof(*s->list));
	s->list[at] =
	    (struct segment){ .number = number, .capacity = capacity };
	s->count++;
	if (number >= s->next_number)
		s->next_number = number + 1;
	return &s->list[at];
}

int segment_list_drop(struct segments *s, uint32_t number)
{
	if (s->own_count == s->own_cap) {
		size_t cap = s->own_cap ? s->own_cap * 2 : 16;
		struct own_file *own = realloc(s->own, cap * sizeof(*own));
		if (!own)
			return -ENOMEM;
		s->own = own;
		s->own_cap = cap;
	}
	s->own[s->own_count++] =
	    (struct own_file){ .number = number, .turn = atomic_load(s->turn) };
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct own_file *x = a, *y = b;
	return x->number < y->number ? -1 : x->number > y->number;
}

/*
 * A row tells of it. One that is missing its reader will miss; its number stays
 * taken, or the end of that row would remove another one's file.
 */
static void adopt_own(struct segments *s, uint32_t number)
{
	struct own_file key = { .number = number };
	struct own_file *f = s->own_count ? bsearch(&key, s->own, s->own_count,
						sizeof(*s->own), by_number)
					  : NULL;
	if (f)
		f->is_live = true;
	if (number >= s->next_own)
		s->next_own = number + 1;
}

static void drop(struct segments *s, struct segment *g)
{
	size_t at = (size_t)(g - s->list);
	memmove(g, g + 1, (s->count - at - 1) * sizeof(*g));
	s->count--;
}

/* Add every file of ours, with no live body so far. */
int segment_list_scan(struct segments *s)
{
	int fd = s->io->open(s->dir, ".", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	DIR *d = fdopendir(fd);
	if (!d) {
		int rc = -errno;
		(void)s->io->close(fd);
		return rc;
	}
	int rc = 0;
	struct dirent *entry;
	while (rc == 0 && (entry = readdir(d))) {
		struct stat st;
		uint32_t number = spool_parse_name(entry->d_name);
		if (number != 0) {
			rc = segment_list_drop(s, number);
			if (number >= s->next_own)
				s->next_own = number + 1;
			continue;
		}
		number = parse_name(entry->d_name);
		if (number == 0 || fstatat(s->dir, entry->d_name, &st, 0) < 0)
			continue;
		if (!segment_list_add(s, number, (uint64_t)st.st_size))
			rc = -ENOMEM;
	}
	(void)closedir(d);
	if (s->own_count > 1)
		qsort(s->own, s->own_count, sizeof(*s->own), by_number);
	return rc;
}

/* An empty file of the usual size that may be overwritten, or NULL. */
struct segment *segment_list_spare(const struct segments *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct segment *g = &s->list[i];
		if (is_empty(s, g) && g->capacity == SEGMENT_SIZE &&
		    is_quiet(s, g))
			return g;
	}
	return NULL;
}

int segments_adopt(struct segments *s, uint32_t number, uint64_t count,
    uint64_t bytes, uint64_t end)
{
	if (spool_has(number)) {
		adopt_own(s, number);
		return 0;
	}
	struct segment *g = find(s, number);
	/* A lost file: its messages are damaged, the others are not. */
	if (!g)
		g = segment_list_add(s, number, 0);
	if (!g)
		return -ENOMEM;
	if (end > g->capacity)
		g->is_stuck = true;
	g->live_count += count;
	g->live_bytes += bytes;
	g->end = end > g->end ? end : g->end;
	return 0;
}

void segment_list_count(struct segments *s, const struct place *p)
{
	struct segment *g = find(s, p->segment);
	assert(g);
	g->live_count++;
	g->live_bytes += p->size;
}

void segments_release(struct segments *s, const struct place *p)
{
	if (spool_has(p->segment)) {
		/* Without memory for it the next start finds it. */
		(void)segment_list_drop(s, p->segment);
		return;
	}
	struct segment *g = find(s, p->segment);
	if (!g || g->live_count == 0)
		return;
	g->live_count--;
	g->live_bytes -= p->size < g->live_bytes ? p->size : g->live_bytes;
	if (g->live_count == 0) {
		g->is_stuck = false;
		g->emptied_turn = atomic_load(s->turn);
	}
}

static void reap_own(struct segments *s)
{
	size_t left = 0;
	for (size_t i = 0; i < s->own_count; i++) {
		struct own_file *f = &s->own[i];
		char name[SPOOL_NAME_SIZE];
		if (!is_over(s, f->turn)) {
			s->own[left++] = *f;
			continue;
		}
		if (f->is_live)
			continue;
		spool_format_name(f->number, name);
		(void)s->io->unlink(s->dir, name);
	}
	s->own_count = left;
}

void segments_reap(struct segments *s, size_t spare)
{
	reap_own(s);
	size_t kept = 0;
	for (size_t i = s->count; i-- > 0;) {
		struct segment *g = &s->list[i];
		if (!is_empty(s, g) || !is_quiet(s, g))
			continue;
		if (g->capacity == SEGMENT_SIZE && ++kept <= spare)
			continue;
		char name[SEGMENT_NAME_SIZE];
		segment_format_name(g->number, name);
		int rc = s->io->unlink(s->dir, name);
		if (rc == 0 || rc == -ENOENT)
			drop(s, g);
	}
}

size_t segments_count(const struct segments *s)
{
	return s->count + s->own_count;
}

uint32_t segments_next_own(const struct segments *s)
{
	return s->next_own;
}

size_t segments_in_use(const struct segments *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->count; i++)
		n += s->list[i].live_count > 0 &&
		     s->list[i].capacity == SEGMENT_SIZE;
	return n;
}

uint64_t segments_live_bytes(const struct segments *s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].capacity == SEGMENT_SIZE)
			n += s->list[i].live_bytes;
	return n;
}

static bool is_movable(const struct segments *s, const struct segment *g)
{
	return g->capacity == SEGMENT_SIZE && g->number != s->active &&
	       !g->is_stuck && g->live_count > 0 &&
	       g->live_bytes <= SEGMENT_SIZE / 2;
}

bool segments_is_movable(const struct segments *s, uint32_t number)
{
	const struct segment *g = find(s, number);
	return g && is_movable(s, g);
}

uint32_t segments_emptiest(const struct segments *s)
{
	const struct segment *best = NULL;
	for (size_t i = 0; i < s->count; i++) {
		const struct segment *g = &s->list[i];
		if (is_movable(s, g) &&
		    (!best || g->live_bytes < best->live_bytes))
			best = g;
	}
	return best ? best->number : 0;
}

void segments_set_stuck(struct segments *s, uint32_t number)
{
	struct segment *g = find(s, number);
	if (g)
		g->is_stuck = true;
}
