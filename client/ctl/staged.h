// staged.h: files of a policy set as a document that a node holds: gathered from disk, sent through the admin door,
// compiled there. Nothing is in force by that; a document that nobody activates is gone after an hour.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ctl/ctl.h"

struct staged {
    struct reeve_answer *answer; // its rows: what the set is, then a finding each
    const char *document;        // its name
    uint64_t base;               // version that is in force there; 0 = plain files
};

struct staging {
    const struct arg_texts *files;
    const char *note; // NULL = none
    const char *
        unused_since; // Unix ms as text: what has not decided since then is a finding, too; NULL = is not asked
    bool dry; // only have it compiled: the document cannot be asked for
};

// staged_make: reads the files (of a directory all that end in .yaml, in the order of their names; "-" is standard
// input) and stages them. CTL_FINE and *out, which the caller gives back, or the exit code after the error was told: CTL_USAGE if a file is at fault here,
// CTL_REFUSED if the node found it to be.
int staged_make(struct ctl *ctl, const struct staging *staging, struct staged *out);
void staged_free(struct staged *staged);

// staged_count: one of the numbers that the node tells of the set: domains, groups, members, users, policies.
const char *staged_count(const struct staged *staged, const char *key);
// The findings. staged_print_findings: to standard output, a line each, as a compiler writes them.
size_t staged_finding_count(const struct staged *staged);
const struct reeve_row *staged_findings(const struct staged *staged);
void staged_print_findings(const struct staged *staged);

// staged_take: pulls the words of a command line apart that are files (argv[first] on); the texts stay argv's.
// The caller frees out->text.
void staged_take(int argc, char **argv, int first, struct arg_texts *out);
