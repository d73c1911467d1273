// replay_options.h: the command line of reeve-load replay.
#pragma once

#include "client/load/options.h"
#include "client/load/replay.h"

struct replay_options {
    const char *node[TALK_NODES_MAX];
    struct replay_config replay;
    const char *path;
    bool skip_bad;
    bool as_json;
    const char *svg, *scores; // files; NULL = not asked for
    const char *redis;        // whose entities are counted; NULL = nobody's
};

// replay_options_read: argv[0] is the word replay. *out points into itself and into argv; it must stay where it is.
enum options_outcome replay_options_read(struct replay_options *out, int argc, char **argv,
                                         struct err_detail *detail);
