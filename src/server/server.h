/*
 * The daemon: everything is brought up in one visible order and taken down in
 * the reverse one. Main thread.
 */
#pragma once

#include <stdbool.h>

/*
 * Run with the configuration at path until told to stop. An exit code: 0, or 3
 * when mail is left in a spool that goes with us (shutdown.flush); 64 to 78 of
 * sysexits.h when it did not come up.
 * wants_takeover: a process that serves the same spool hands over its sockets
 * and ends (takeover.h); it need not be there.
 */
int server_run(const char *config_path, bool wants_takeover);
