/*
 * JSON holds secrets for a while: key files, access tokens, and what modules
 * make of them. Once this has run, all memory of Jansson's in this process,
 * modules included, is overwritten before it is freed.
 */
#pragma once

/* First of all, before there are threads or JSON. */
void json_memory_init(void);
