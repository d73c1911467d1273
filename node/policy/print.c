// print.c: the set in force, as YAML that policy_load takes again and that gives the same number.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/canonical.h"
#include "node/policy/set.h"

struct printing {
    const struct policy *policy;
    FILE *out;
    enum canonical_section next; // what was not begun yet
};

// Settings are printed with what they mean, and all of them.
static const struct heading {
    const char *open;
    const char *empty;
} headings[CANONICAL_SECTIONS] = {
    [CANONICAL_DOMAIN] = {"domains:\n", "domains: {}\n"},
    [CANONICAL_TRUSTED] = {"trusted_sources:\n", "trusted_sources: []\n"},
    [CANONICAL_GROUP] = {"groups:\n", "groups: {}\n"},
    [CANONICAL_USER] = {"users:\n", "users: {}\n"},
    [CANONICAL_POLICY] = {"policies:\n", "policies: []\n"},
};

// skip_to: what stands before that section and was not opened is empty.
static void skip_to(struct printing *p, enum canonical_section section)
{
    for (; p->next < section; p->next++) {
        if (p->next == CANONICAL_SETTING)
            settings_print(&p->policy->settings, p->out);
        else if (headings[p->next].empty != NULL)
            (void)fputs(headings[p->next].empty, p->out);
    }
}

static void open_section(struct printing *p, enum canonical_section section)
{
    skip_to(p, section);
    if (p->next != section)
        return;
    (void)fputs(headings[section].open, p->out);
    p->next = section + 1;
}

// name_of: the second word of a key.
static const char *name_of(const struct canonical *said)
{
    return strchr(said->key, ' ') + 1;
}

static void print_place(const struct printing *p, const struct canonical *said)
{
    if (said->file[0] == '\0') {
        (void)fputc('\n', p->out);
        return;
    }
    (void)fputs(" # ", p->out);
    yaml_print_text(said->file, p->out);
    (void)fprintf(p->out, ":%u\n", said->line);
}

static void print_entry(struct printing *p, const struct canonical *said)
{
    (void)fputs("  ", p->out);
    yaml_print_text(name_of(said), p->out);
    (void)fprintf(p->out, ": %s", said->value);
    print_place(p, said);
}

// print_group: its value without the last brace, as its members follow.
static void print_group(struct printing *p, const struct canonical *said)
{
    (void)fputs("  ", p->out);
    yaml_print_text(name_of(said), p->out);
    (void)fputs(":", p->out);
    print_place(p, said);
    if (strcmp(said->value, "{}") != 0)
        (void)fprintf(p->out, "    %.*s\n", (int)strlen(said->value) - 2, said->value + 1);
    (void)fputs("    members:\n", p->out);
}

static bool print_said(const struct canonical *said, void *arg)
{
    struct printing *p = arg;

    if (said->section == CANONICAL_MEMBER) {
        (void)fprintf(p->out, "      - %s\n", said->value);
        return true;
    }
    if (said->section == CANONICAL_SETTING)
        return true;
    open_section(p, said->section);
    if (said->section == CANONICAL_GROUP) {
        print_group(p, said);
    } else if (said->section == CANONICAL_DOMAIN || said->section == CANONICAL_USER) {
        print_entry(p, said);
    } else {
        (void)fprintf(p->out, "  - %s", said->value);
        print_place(p, said);
    }
    return true;
}

void policy_print(const struct policy *policy, void *stdio_file)
{
    struct printing printing = {.policy = policy, .out = stdio_file};

    (void)fprintf(printing.out, "# version %" PRIu64 "\n", policy->version);
    canonical_each(policy, CANONICAL_SORTED, print_said, &printing);
    skip_to(&printing, CANONICAL_SECTIONS);
}
