/*
 * The two clocks. The overrides are atomic because loops and the log read
 * time on their own threads while a test installs one.
 */
#include <base/clock.h>

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static uint64_t (*_Atomic mono_override)(void);
static int64_t (*_Atomic wall_override)(void);

static struct timespec now(clockid_t which)
{
	struct timespec ts = { 0 };
	/* Cannot fail: both clocks exist on every Linux. */
	(void)clock_gettime(which, &ts);
	return ts;
}

uint64_t clock_mono_ns(void)
{
	uint64_t (*override)(void) = atomic_load(&mono_override);
	if (override)
		return override();
	struct timespec ts = now(CLOCK_MONOTONIC);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

int64_t clock_wall_ms(void)
{
	int64_t (*override)(void) = atomic_load(&wall_override);
	if (override)
		return override();
	struct timespec ts = now(CLOCK_REALTIME);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void clock_override(uint64_t (*mono_ns)(void), int64_t (*wall_ms)(void))
{
	atomic_store(&mono_override, mono_ns);
	atomic_store(&wall_override, wall_ms);
}
