// reeve-load replay: its command line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/load/replay_options.h"
#include "tests/support/table.h"

struct option_row {
    const char *name;
    const char *words[6];
    const char *says; // NULL = it is fine
};

static const struct option_row option_rows[] = {
    {"options: a file", {"mail.csv"}, NULL},
    {"options: standard input", {"-"}, NULL},
    {"options: none", {NULL}, "replay needs a file"},
    {"options: two files", {"a.csv", "b.csv"}, "'b.csv' was not expected"},
    {"options: an unknown one", {"--fast", "a.csv"}, "--fast is no option of replay"},
    {"options: without its value", {"a.csv", "--delay"}, "--delay needs a value"},
    {"options: a delay in hours", {"--delay", "24h", "a.csv"}, NULL},
    {"options: the longest delay", {"--delay", "30d", "a.csv"}, NULL},
    {"options: too long a delay", {"--delay", "31d", "a.csv"}, "at most 30d, not '31d'"},
    {"options: a delay in years", {"--delay", "1y", "a.csv"}, "--delay"},
    {"options: a negative delay", {"--delay", "-1h", "a.csv"}, "--delay"},
    {"options: a window of none", {"--window", "0", "a.csv"}, "--window"},
    {"options: no gateway", {"--gateways", "0", "a.csv"}, "--gateways"},
    {"options: the most gateways", {"--gateways", "64", "a.csv"}, NULL},
    {"options: too many gateways", {"--gateways", "65", "a.csv"}, "from 1 to 64"},
    {"options: a liar", {"--gateways", "5", "--poison", "5=flip", "a.csv"}, NULL},
    {"options: a liar that is not there",
     {"--gateways", "5", "--poison", "6=flip", "a.csv"},
     "there is no gateway 6; there are 5"},
    {"options: one who is silent", {"--gateways", "5", "--poison", "1=silent", "a.csv"}, NULL},
    {"options: a liar 0", {"--gateways", "5", "--poison", "0=flip", "a.csv"}, "--poison"},
    {"options: a lie that is none", {"--gateways", "5", "--poison", "5=lie", "a.csv"}, "--poison"},
    {"options: a lie of nobody", {"--gateways", "5", "--poison", "flip", "a.csv"}, "--poison"},
    {"options: the truth is no lie",
     {"--gateways", "5", "--poison", "5=true", "a.csv"},
     "--poison"},
    {"options: bad rows", {"--skip-bad", "a.csv"}, NULL},
};

static void check_options(void **state)
{
    const struct option_row *row = *state;
    struct replay_options options;
    struct err_detail detail = {""};
    char words[7][16] = {"replay"};
    char *argv[8] = {words[0]};
    int argc = 1;

    for (; argc <= 6 && row->words[argc - 1] != NULL; argc++) {
        (void)snprintf(words[argc], sizeof(words[argc]), "%s", row->words[argc - 1]);
        argv[argc] = words[argc];
    }
    enum options_outcome outcome = replay_options_read(&options, argc, argv, &detail);

    assert_int_equal(outcome, row->says == NULL ? OPTIONS_RUN : OPTIONS_WRONG);
    if (row->says != NULL && strstr(detail.text, row->says) == NULL)
        fail_msg("'%s' does not say '%s'", detail.text, row->says);
}

static void options_are_understood(void **state)
{
    char words[][20] = {"replay", "--serial", "--delay", "90m",    "--gateways",
                        "3",      "--poison", "2=ham",   "--node", "ipc:///a",
                        "--node", "ipc:///b", "mail.csv"};
    enum { COUNT = sizeof(words) / sizeof(words[0]) };
    struct replay_options options;
    struct err_detail detail = {""};
    char *argv[COUNT + 1] = {NULL};

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        argv[i] = words[i];
    assert_int_equal(replay_options_read(&options, COUNT, argv, &detail), OPTIONS_RUN);
    assert_int_equal(options.replay.delay_ms, 90 * 60 * 1000);
    assert_int_equal(options.replay.talk.window, 1);
    assert_int_equal(options.replay.talk.node_count, 2);
    assert_string_equal(options.replay.talk.node[1], "ipc:///b");
    assert_int_equal(options.replay.tongue[1], REPLAY_HAM);
    assert_int_equal(options.replay.tongue[0], REPLAY_TRUE);
    assert_string_equal(options.path, "mail.csv");
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, option_rows, check_options);
    TABLE_TEST(&table, options_are_understood);
    return table_run(&table, "replay_options");
}
