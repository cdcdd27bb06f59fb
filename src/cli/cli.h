/* Commands of the one binary: argc and argv start with the command's name. */
#pragma once

struct config;
struct config_report;

/* Each returns an exit code: 0 fine, 1 failed, 2 usage, else sysexits. */
int cli_check(int argc, char **argv);
/* 0: some provider would get it; 1: none, or it is not taken. */
int cli_explain(int argc, char **argv);
int cli_passwd(int argc, char **argv);
int cli_sandbox(int argc, char **argv);
/* 0: all was saved; 1: look at the report. */
int cli_salvage(int argc, char **argv);
/* Of a running server; exit codes as in admin.h. */
int cli_stats(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_queue(int argc, char **argv);

/* $POSTERN_CONFIG, or the path installed systems use. */
const char *cli_config_path(void);
/* config_load with what it asks of layers above; see config_load. */
struct config *cli_load_config(const char *path, struct config_report *report);
