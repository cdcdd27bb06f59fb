/*
 * The daemon: everything is brought up in one visible order and taken down in
 * the reverse one. Main thread.
 */
#pragma once

/* Run with the configuration at path until told to stop. An exit code. */
int server_run(const char *config_path);
