/*
 * From nodes to structs, by tables of rows (postern/field.h). Every mistake is
 * reported with its place, and decoding goes on: what could not be decoded
 * stays zero. Presets take the same way as values of the file.
 */
#pragma once

#include <base/arena.h>
#include <postern/field.h>

struct config_report;
struct expanded;
struct node;

enum {
	/* On a LIST row its elements, on a MAP row the map: has keys that other
	 * rows decode. */
	FIELD_OPEN = 1 << 16
};

/* A secret that must be overwritten before its memory goes. */
struct field_secret {
	struct field_secret *next;
	char *value;
	size_t len;
};

struct field_decoder {
	struct arena *values; /* lives as long as the structs */
	struct arena *nodes;  /* that of the tree; presets are added to it */
	struct config_report *report;
	struct field_secret *secrets;
};

/*
 * Decode map by rows into the zeroed struct at out. Afterwards the tree has a
 * node for every row with a preset. Keys of `others` (may be NULL) belong to
 * another call; any further key is a mistake.
 */
void field_decode(struct field_decoder *d, struct node *map,
    const struct postern_field *rows, const struct postern_field *others,
    void *out);
/* Say so when x came from a file that everybody may read; n names it. */
void field_check_exposure(const struct field_decoder *d, const struct node *n,
    const struct expanded *x);
