// Several policy files are one set: what they may not both say, and that the order of anything in
// them does not matter.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/policy_ask.h"
#include "tests/support/table.h"

#define RULE(rest) "policies:\n  - {id: a, kind: greylist, option: no_action, " rest "}\n"

// ---- Several files

struct files {
    char dir[32];
    char path[2][48];
    const char *given[2];
};

static void write_files(struct files *files, const char *a, const char *b)
{
    const char *texts[2] = {a, b};

    (void)snprintf(files->dir, sizeof(files->dir), "/tmp/reeve-policy.XXXXXX");
    assert_non_null(mkdtemp(files->dir));
    for (size_t i = 0; i < 2; i++) {
        FILE *out;

        (void)snprintf(files->path[i], sizeof(files->path[i]), "%s/%c.yaml", files->dir,
                       i == 0 ? 'a' : 'b');
        files->given[i] = files->path[i];
        out = fopen(files->path[i], "w");
        assert_non_null(out);
        (void)fputs(texts[i], out);
        assert_int_equal(fclose(out), 0);
    }
}

static void remove_files(const struct files *files)
{
    assert_int_equal(unlink(files->path[0]), 0);
    assert_int_equal(unlink(files->path[1]), 0);
    assert_int_equal(rmdir(files->dir), 0);
}

struct pair_row {
    const char *name;
    const char *a;
    const char *b;
    const char *error; // D stands for the directory
};

static const struct pair_row pair_rows[] = {
    {"a setting in both", "settings: {relay: judge}\n", "\nsettings:\n  relay: judge\n",
     "D/b.yaml:3: settings.relay is set twice (first in D/a.yaml:1)"},
    {"a greylist setting in both", "settings:\n  greylist: {delay: 60s}\n",
     "settings: {greylist: {mode: shadow, delay: 60s}}\n",
     "D/b.yaml:1: settings.greylist.delay is set twice (first in D/a.yaml:2)"},
    {"a domain in both", "domains:\n  corp.example: {}\n",
     "domains:\n  b.example: {}\n  Corp.Example: {}\n",
     "D/b.yaml:3: domain 'corp.example' stands twice (first in D/a.yaml:2)"},
    {"a network in both", "trusted_sources: 10.0.0.1\n", "trusted_sources:\n  - 10.0.0.1/32\n",
     "D/b.yaml:2: trusted_sources: 10.0.0.1/32 stands twice (first in D/a.yaml:1)"},
    {"an id in both", RULE("to: x.example"), "\n" RULE("to: y.example"),
     "D/b.yaml:3: policy id 'a' is used twice (first in D/a.yaml:2)"},
    {"a delay against a window of the other", "settings: {greylist: {window: 1h}}\n",
     "settings: {greylist: {delay: 2h}}\n",
     "D/b.yaml:1: settings.greylist.delay (2h) must be shorter than the window (1h)"},
    {"a ban against the longest of the other", "settings: {abuse: {ban_most: 1min}}\n",
     "settings: {abuse: {ban: 61s}}\n",
     "D/b.yaml:1: settings.abuse.ban (61s) must not be longer than ban_most (1min)"},
    {"a longest ban against the default", "settings: {abuse: {ban_most: 4min}}\n", "settings: {}\n",
     "D/a.yaml:1: settings.abuse.ban (5min) must not be longer than ban_most (4min)"},
    {"an unknown key in the second", "settings: {greylist: {window: 1h}}\n",
     "settings: {greylist: {wait: 2h}}\n",
     "D/b.yaml:1: unknown key 'wait' in 'settings.greylist' (known: mode, delay, window, life, "
     "net_ipv4, net_ipv6, new_per_hour, identities, fold_sender, "
     "recipient_check_first)"},
    {"a wrong type in the second", "settings: {greylist: {window: 1h}}\n",
     "settings: {greylist: []}\n", "D/b.yaml:1: settings.greylist: expected a map, not a list"},
    {"no YAML in the second", "domains: {}\n", "from: *\n",
     "D/b.yaml:1: a value that starts with '*' must be put in quotes: \"*\""},
};

// with_dir: D in a row's text becomes the directory.
static char *with_dir(const char *text, const char *dir)
{
    char *out = mem_text("");

    for (; *text != '\0'; text++) {
        char *longer = strncmp(text, "D/", 2) == 0 ? mem_format("%s%s", out, dir)
                                                   : mem_format("%s%c", out, *text);

        mem_free(out);
        out = longer;
    }
    return out;
}

static void check_pair(void **state)
{
    const struct pair_row *row = *state;
    struct files files;
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};
    char *error;

    write_files(&files, row->a, row->b);
    error = with_dir(row->error, files.dir);
    assert_int_equal(policy_load(files.given, 2, &policy, &detail), ERR_CONFIG);
    assert_null(policy);
    assert_string_equal(detail.text, error);
    mem_free(error);
    remove_files(&files);
}

static void a_missing_file_is_named(void **state)
{
    static const char *const paths[] = {"/nowhere/p.yaml"};
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    assert_int_equal(policy_load(paths, 1, &policy, &detail), ERR_SYSTEM);
    assert_string_equal(detail.text, "/nowhere/p.yaml: No such file or directory");
    assert_null(policy);
}

// ---- Order

#define SHUFFLED 24
#define ROUNDS   50

// One set of rules of every specificity; several fit the same mail.
static const char *const shuffled[SHUFFLED] = {
    "from: \"*\"",
    "from: external",
    "from: internal",
    "from: .example",
    "from: .x.example",
    "from: a.x.example",
    "from: ann@*",
    "from: ann@a.x.example",
    "from: ann+tag@a.x.example",
    "from: <>",
    "from: ann@a.x.example, to: l.corp.example",
    "from: ann@a.x.example, to: bob@l.corp.example",
    "from: ann@a.x.example, to: bob@l.corp.example, source: 192.0.2.0/24",
    "from: ann@a.x.example, to: bob@l.corp.example, source: [192.0.2.0/25, 10.0.0.0/8]",
    "from: ann@a.x.example, to: bob@l.corp.example, source: 192.0.2.0/25",
    "from: ann@a.x.example, to: bob@l.corp.example, source: 198.51.100.1",
    "from: ann@a.x.example, to: bob@l.corp.example, enabled: no, source: 192.0.2.1",
    "from: ann@a.x.example, to: bob@l.corp.example, valid: {until: 2020-01-01}, source: 192.0.2.1",
    "from: ann@a.x.example, to: bob@l.corp.example, mode: shadow, source: 192.0.2.1",
    "to: l.corp.example",
    "to: bob@l.corp.example",
    "to: .corp.example, override: yes, source: 203.0.113.1",
    "to: internal",
    "to: external, bidirectional: yes",
};

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return *seed >> 16;
}

static void shuffle(const char **texts, size_t count, unsigned *seed)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = next_random(seed) % i;
        const char *held = texts[i - 1];

        texts[i - 1] = texts[j];
        texts[j] = held;
    }
}

// load_shuffled: the rules in a random order, in one file or spread over two.
static struct policy *load_shuffled(unsigned *seed)
{
    const char *order[SHUFFLED];
    char *text[2] = {mem_text("domains: {corp.example: {}}\npolicies:\n"),
                     mem_text("domains: {l.corp.example: {}}\npolicies:\n")};
    struct files files;
    struct policy *policy = NULL;

    memcpy(order, shuffled, sizeof(order));
    shuffle(order, SHUFFLED, seed);
    for (size_t i = 0; i < SHUFFLED; i++) {
        size_t file = next_random(seed) % 2;
        size_t id = 0;
        char *longer;

        while (strcmp(shuffled[id], order[i]) != 0)
            id++;
        longer = mem_format("%s  - {id: r%02zu, kind: greylist, option: no_action, %s}\n",
                            text[file], id, order[i]);
        mem_free(text[file]);
        text[file] = longer;
    }
    write_files(&files, text[0], text[1]);
    assert_int_equal(policy_load(files.given, 2, &policy, NULL), ERR_NONE);
    remove_files(&files);
    mem_free(text[0]);
    mem_free(text[1]);
    return policy;
}

static const char *match_id(const struct policy *policy, const char *sender, const char *recipient,
                            const char *client)
{
    const struct policy_asked asked = {POLICY_GREYLIST, sender, recipient, client, 1800000000000};
    const struct policy_rule *rule = policy_ask(policy, &asked, POLICY_IN_FORCE);

    return rule != NULL ? rule->id : "none";
}

static void order_does_not_matter(void **state)
{
    unsigned seed = 20261121;
    uint64_t number = 0;

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct policy *policy = load_shuffled(&seed);

        assert_true(number == 0 || number == policy->version);
        number = policy->version;
        assert_string_equal(match_id(policy, "ann@a.x.example", "bob@l.corp.example", "192.0.2.1"),
                            "r13");
        assert_string_equal(
            match_id(policy, "ann@a.x.example", "bob@l.corp.example", "192.0.2.200"), "r12");
        assert_string_equal(
            match_id(policy, "ann@a.x.example", "bob@l.corp.example", "203.0.113.1"), "r21");
        assert_string_equal(
            match_id(policy, "ann@a.x.example", "bob@l.corp.example", "203.0.113.2"), "r11");
        assert_string_equal(match_id(policy, "ann@a.x.example", "joe@corp.example", "203.0.113.2"),
                            "r07");
        assert_string_equal(
            match_id(policy, "ann+tag@a.x.example", "joe@corp.example", "203.0.113.2"), "r08");
        assert_string_equal(
            match_id(policy, "ann+x@a.x.example", "joe@corp.example", "203.0.113.2"), "r05");
        assert_string_equal(match_id(policy, "ann@y.test", "joe@corp.example", "203.0.113.2"),
                            "r06");
        assert_string_equal(match_id(policy, "joe@b.x.example", "joe@corp.example", "203.0.113.2"),
                            "r04");
        assert_string_equal(match_id(policy, "joe@x.example", "joe@corp.example", "203.0.113.2"),
                            "r03");
        assert_string_equal(match_id(policy, "joe@y.test", "joe@corp.example", "203.0.113.2"),
                            "r01");
        assert_string_equal(match_id(policy, "", "joe@corp.example", "203.0.113.2"), "r09");
        policy_free(&policy);
    }
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, pair_rows, check_pair);
    TABLE_TEST(&table, a_missing_file_is_named);
    TABLE_TEST(&table, order_does_not_matter);
    return table_run(&table, "policy_files");
}
