// options.h: the command line of reeve-load.
#pragma once

#include <stdbool.h>

#include "client/load/asker.h"
#include "client/load/measure.h"
#include "proto/err.h"

struct options {
    const char *node[ASKER_NODES_MAX];
    struct asker_config asker;
    struct measure_config measure;
    bool is_prepared; // the known senders are known already
    bool as_json;
};

enum options_outcome {
    OPTIONS_RUN,
    OPTIONS_DONE,  // help or the version was asked for and printed
    OPTIONS_WRONG, // the detail says which option, what was given and what is expected
};

// options_read: *out points into itself and into argv; it must stay where it is.
enum options_outcome options_read(struct options *out, int argc, char **argv,
                                  struct err_detail *detail);

// options_read_mix: "known=90,new=10" into weights. ERR_SYNTAX: not of this form, a kind that does
// not exist or is there twice, or nothing but zeros.
MUST_USE enum err options_read_mix(const char *text, uint32_t mix[LOAD_KIND_COUNT],
                                   struct err_detail *detail);

// options_read_number: optarg, a whole number within these bounds. ERR_SYNTAX: the detail names the option.
MUST_USE enum err options_read_number(const char *name, uint64_t min, uint64_t max, uint64_t *out,
                                      struct err_detail *detail);
