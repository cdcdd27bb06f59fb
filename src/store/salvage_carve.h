/*
 * Where no row is left: what lies in the files of bodies is text, and goes to
 * lost+found as it lies there. One file has what was stored at one time, in a
 * row; what was sent long ago is among it.
 */
#pragma once

#include <store/salvage_found.h>

/* bodies: open directory. 0 or a negative errno. */
int salvage_carve(
    const struct store_io *io, int bodies, struct salvage_found *f);
