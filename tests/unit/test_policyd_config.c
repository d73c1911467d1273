// reeve-policyd.yaml: what is refused, with which words, and what the defaults are.
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

#include "client/policyd/config.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "tests/support/manual.h"
#include "tests/support/table.h"

static const struct bad_row {
    const char *yaml;
    const char *said[2]; // parts of the message
} BAD[] = {
    {"node: tcp://127.0.0.1:7170\n", {":1: unknown key 'node'", "known: nodes, listen"}},
    {"nodes: []\n", {":1: nodes", "expected"}},
    {"listen: []\n", {":1: listen", "expected"}},
    {"listen: {a: b}\n", {":1: listen", "not a map"}},
    {"prepend: true\nlisten: localhost:10045\n", {":2: listen: 'localhost:10045'", "write 127"}},
    {"listen: [\"127.0.0.1:1\", \"unix:policy\"]\n", {":1: listen: 'unix:policy'", "write"}},
    {"prepend: maybe\n", {":1: prepend", "true or false"}},
    {"deadline: 250\n", {":1: deadline", "duration"}},
    {"deadline: 0s\n", {":1: deadline", "between"}},
    {"deadline: 61s\n", {":1: deadline", "between"}},
    {"hedge: 100\n", {":1: hedge", "duration"}},
    {"hedge: 61s\n", {":1: hedge", "between"}},
    {"\nfallback: accept\n", {":2: fallback", "dunno or defer"}},
    {"log_decisions: some\n", {":1: log_decisions", "all, non_accept or none"}},
    {"log: {level: loud}\n", {":1: log.level", "debug"}},
    {"log: {file: x}\n", {"unknown key 'file' in 'log'", "level"}},
    {"log: info\n", {":1: log", "a map"}},
    {"socket_mode: rw-rw-rw-\n", {":1: socket_mode", "3 to 4"}},
    {"socket_mode: 0888\n", {":1: socket_mode", "octal"}},
    {"\n\nsocket_mode: \"7777\"\n", {":3: socket_mode", "octal"}},
    {"stall_timeout: 1ms\n", {":1: stall_timeout", "between 100ms"}},
    {"gateway: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
     {":1: gateway", "64"}},
    {"listen: [a\n", {":", NULL}},
    {"spf: on\n", {":1: spf", "a map"}},
    {"spf: {evaluate: maybe}\n", {":1: spf.evaluate", "true or false"}},
    {"spf: {timeout: 1s}\n", {"unknown key 'timeout' in 'spf'", "evaluate"}},
    {"spf: {deadline: 10001ms}\n", {":1: spf.deadline", "between"}},
    {"spf: {cache: 15}\n", {":1: spf.cache", "between 16"}},
    {"spf: {cache: 1000001}\n", {":1: spf.cache", "1000000"}},
    {"spf: {parallel: 0}\n", {":1: spf.parallel", "between 1"}},
    {"spf: {parallel: 4097}\n", {":1: spf.parallel", "4096"}},
    {"\nspf:\n  servers: localhost:53\n", {":3: spf.servers: 'localhost:53'", "write 127"}},
    {"spf: {servers: [\"127.0.0.1:53\", \"127.0.0.1\"]}\n", {"'127.0.0.1'", "name server"}},
    {"spf: {servers: \"127.0.0.1:0\"}\n", {"'127.0.0.1:0'", "name server"}},
    {"spf: {servers: \"127.0.0.1:65536\"}\n", {"'127.0.0.1:65536'", NULL}},
    {"spf: {servers: \"127.0.0.1:53x\"}\n", {"'127.0.0.1:53x'", NULL}},
    {"spf: {servers: \"::1:53\"}\n", {"'::1:53'", NULL}},
    {"spf: {servers: \"[127.0.0.1]:53\"}\n", {"'[127.0.0.1]:53'", NULL}},
    {"spf: {servers: \"[]:53\"}\n", {"'[]:53'", NULL}},
    {"spf: {servers: \"unix:/run/dns\"}\n", {"'unix:/run/dns'", NULL}},
    {"spf: {servers: [a, b, c, d, e, f, g, h, i]}\n", {":1: spf.servers", "8"}},
};

static enum err load(const char *yaml, struct policyd_config **out, struct err_detail *detail)
{
    char path[] = "/tmp/reeve-policyd-XXXXXX";
    int fd = mkstemp(path);
    enum err err = ERR_NONE;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    (void)close(fd);
    err = policyd_config_load(path, out, detail);
    if (err != ERR_NONE)
        assert_non_null(strstr(detail->text, path));
    (void)unlink(path);
    return err;
}

static void check_bad(void **state)
{
    const struct bad_row *row = *state;
    struct policyd_config *config = NULL;
    struct err_detail detail = {0};

    assert_int_equal(load(row->yaml, &config, &detail), ERR_CONFIG);
    assert_null(config);
    for (size_t i = 0; i < 2; i++) {
        if (row->said[i] != NULL && strstr(detail.text, row->said[i]) == NULL)
            fail_msg("'%s' lacks '%s'", detail.text, row->said[i]);
    }
}

static void a_file_that_is_not_there(void **unused)
{
    struct policyd_config *config = NULL;
    struct err_detail detail = {0};

    (void)unused;
    assert_int_equal(policyd_config_load("/nonexistent/p.yaml", &config, &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "/nonexistent/p.yaml"));
    assert_null(config);
}

static void expect_defaults(const struct policyd_config *config)
{
    assert_int_equal(config->nodes.count, 1);
    assert_string_equal(config->nodes.text[0], "tcp://127.0.0.1:7170");
    assert_int_equal(config->listen.count, 1);
    assert_string_equal(config->listen.text[0], "127.0.0.1:10045");
    assert_string_equal(config->gateway, "");
    assert_int_equal(config->deadline_ms, 250);
    assert_int_equal(config->hedge_ms, 100);
    assert_int_equal(config->fallback, REEVE_FALLBACK_ACCEPT);
    assert_int_equal(config->log_decisions, POLICYD_LOG_NON_ACCEPT);
    assert_false(config->prepend);
    assert_int_equal(config->stall_ms, 60000);
    assert_int_equal(config->socket_mode, 0666);
    assert_int_equal(config->log_level, LOG_INFO_LEVEL);
    assert_true(config->spf.evaluate);
    assert_int_equal(config->spf.deadline_ms, 150);
    assert_int_equal(config->spf.servers.count, 0);
    assert_int_equal(config->spf.cache, 10000);
    assert_int_equal(config->spf.parallel, 256);
}

// The sample says what the defaults are, so both are held to the same list.
static void defaults_and_the_sample(void **unused)
{
    static const char *const paths[] = {NULL, "deploy/reeve-policyd.yaml"};

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        struct policyd_config *config = NULL;
        struct err_detail detail = {0};

        if (policyd_config_load(paths[i], &config, &detail) != ERR_NONE)
            fail_msg("%s", detail.text);
        expect_defaults(config);
        policyd_config_free(&config);
        assert_null(config);
        policyd_config_free(&config);
    }
}

static void all_keys(void **unused)
{
    static const char yaml[] =
        "nodes: [ipc:///run/reeve/lookups, 'tcp://reeve.example:7170']\nhedge: 0ms\nlisten: "
        "['[::1]:10045', \"unix:/x/y\"]\ngateway: "
        "mx1\ndeadline: 1s\n"
        "fallback: defer\nlog_decisions: all\nprepend: yes\nstall_timeout: 2min\nsocket_mode: 660\n"
        "log: {level: debug}\nspf: {evaluate: off, deadline: 1s, servers: ['127.0.0.1:53', "
        "'[2001:db8::1]:65535'], cache: 16, parallel: 1}\n";
    struct policyd_config *config = NULL;
    struct err_detail detail = {0};

    (void)unused;
    if (load(yaml, &config, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    assert_int_equal(config->nodes.count, 2);
    assert_string_equal(config->nodes.text[0], "ipc:///run/reeve/lookups");
    assert_string_equal(config->nodes.text[1], "tcp://reeve.example:7170");
    assert_int_equal(config->hedge_ms, 0);
    assert_int_equal(config->listen.count, 2);
    assert_string_equal(config->listen.text[1], "unix:/x/y");
    assert_string_equal(config->gateway, "mx1");
    assert_int_equal(config->deadline_ms, 1000);
    assert_int_equal(config->fallback, REEVE_FALLBACK_DEFER);
    assert_int_equal(config->log_decisions, POLICYD_LOG_ALL);
    assert_true(config->prepend);
    assert_int_equal(config->stall_ms, 120000);
    assert_int_equal(config->socket_mode, 0660);
    assert_int_equal(config->log_level, LOG_DEBUG_LEVEL);
    assert_false(config->spf.evaluate);
    assert_int_equal(config->spf.deadline_ms, 1000);
    assert_int_equal(config->spf.servers.count, 2);
    assert_string_equal(config->spf.servers.text[1], "[2001:db8::1]:65535");
    assert_int_equal(config->spf.cache, 16);
    assert_int_equal(config->spf.parallel, 1);
    policyd_config_free(&config);
}

static char *printed(void)
{
    struct policyd_config *config = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(policyd_config_load(NULL, &config, NULL), ERR_NONE);
    policyd_config_print(config, out);
    assert_int_equal(fclose(out), 0);
    policyd_config_free(&config);
    return text;
}

// What -T prints can be read again and means the same.
static void what_is_printed_can_be_read(void **unused)
{
    struct policyd_config *config = NULL;
    struct err_detail detail = {0};
    char *text = printed();

    (void)unused;
    if (load(text, &config, &detail) != ERR_NONE)
        fail_msg("%s in:\n%s", detail.text, text);
    expect_defaults(config);
    policyd_config_free(&config);
    free(text);
}

static void the_manual_page_is_complete(void **unused)
{
    char *page = manual_read("client/policyd/reeve-policyd.yaml.5");
    char *text = printed();

    (void)unused;
    assert_int_equal(manual_check(page, text), manual_count(page));
    free(text);
    mem_free(page);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, BAD, check_bad);
    TABLE_TEST(&table, a_file_that_is_not_there);
    TABLE_TEST(&table, defaults_and_the_sample);
    TABLE_TEST(&table, all_keys);
    TABLE_TEST(&table, what_is_printed_can_be_read);
    TABLE_TEST(&table, the_manual_page_is_complete);
    return table_run(&table, "policyd config");
}
