// options.h: reeved's command line.
#pragma once

#include <stdbool.h>

enum task { TASK_RUN, TASK_TEST, TASK_PRINT };

struct options {
    const char *config_path;
    enum task task;
    bool replay;
};

// options_read: -1 to go on, else the exit code: what was asked for was said, or what was wrong.
int options_read(int argc, char **argv, struct options *out);
