// options.h: reeved's command line.
#pragma once

#include <stdbool.h>

enum task { TASK_RUN, TASK_TEST, TASK_PRINT };

struct options {
    const char *config_path;
    enum task task;
    bool replay;
};

// command_line_read: -1 to go on, else the exit code: what was asked for was said, or what was wrong.
int command_line_read(int argc, char **argv, struct options *out);
