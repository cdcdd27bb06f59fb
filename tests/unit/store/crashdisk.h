/*
 * The disk as a power cut may leave it. Every change of every file of a store
 * is recorded while it works through fault_io; then its directory is rebuilt
 * as of any point: what was synced is there, the rest as the mode says. A name
 * is there for certain once its directory was synced.
 */
#pragma once

#include "fault.h"
#include "fixture.h"

enum crash_mode {
	CRASH_DROPPED = 0, /* nothing that was not synced, names neither */
	CRASH_KEPT,        /* all: a process was killed */
	/* Of the last write to each file only some sectors of this size. */
	CRASH_TORN_512,
	CRASH_TORN_4096,
	CRASH_MIXED, /* each write kept, dropped or torn, drawn by lot */
	/* Likewise, and the segment is not synced yet, of a batch that was not
	 * answered: its rows and bodies are synced at the same time. */
	CRASH_LATE,
	CRASH_MODES
};

/* From an empty recording. */
void crashdisk_record(void);
void crashdisk_stop(void);
/* Changes so far; any thread. */
size_t crashdisk_events(void);
/* How often that file was synced from event `from` on. */
size_t crashdisk_syncs(size_t from, const char *name);
/*
 * Replace what is in f->path, where `bodies` exists, by the disk at `cut`. The
 * last answer before it came at `told`.
 */
void crashdisk_rebuild(
    const struct fix *f, size_t cut, size_t told, enum crash_mode mode);
void crashdisk_free(void);
