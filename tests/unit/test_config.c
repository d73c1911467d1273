// One node's file: defaults, what is refused in which words, and that what is printed reads back.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/config.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "tests/support/manual.h"
#include "tests/support/table.h"

struct file {
    char dir[32];
    char path[48];
};

static void write_file(struct file *file, const char *text)
{
    FILE *out;

    (void)snprintf(file->dir, sizeof(file->dir), "/tmp/reeve-config.XXXXXX");
    assert_non_null(mkdtemp(file->dir));
    (void)snprintf(file->path, sizeof(file->path), "%s/reeve.yaml", file->dir);
    out = fopen(file->path, "w");
    assert_non_null(out);
    (void)fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void remove_file(const struct file *file)
{
    assert_int_equal(unlink(file->path), 0);
    assert_int_equal(rmdir(file->dir), 0);
}

static struct config *loaded(const char *text, struct file *file)
{
    struct config *config = NULL;
    struct err_detail detail = {.text = ""};
    enum err err;

    write_file(file, text);
    err = config_load(file->path, &config, &detail);
    remove_file(file);
    assert_string_equal(detail.text, "");
    assert_int_equal(err, ERR_NONE);
    return config;
}

// ---- Refused

#define LONG_50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define MODES    "expected 0600 (the owner), 0660 (the group too) or 0666 (everybody), not "
#define LONG_100 LONG_50 LONG_50

struct refused_row {
    const char *name;
    const char *text;
    const char *error; // behind the path of the file
};

static const struct refused_row refused_rows[] = {
    {"unknown key", "node: a\nlisten: b\n",
     ":2: unknown key 'listen' (known: node, state_dir, secret_file, policy, log, lookups, admin, "
     "stats, store, geo, ldap, dns)"},
    {"a section of later: http", "http: {listen: \"127.0.0.1:7172\"}\n",
     ":1: unknown key 'http' (known: node, state_dir, secret_file, policy, log, lookups, admin, "
     "stats, store, geo, ldap, dns)"},
    {"a database of later", "geo: {city: a.mmdb}\n",
     ":1: unknown key 'city' in 'geo' (known: country, asn)"},
    {"unknown key in a section", "lookups:\n  port: 7170\n",
     ":2: unknown key 'port' in 'lookups' (known: listen, budget, seats)"},
    {"a list for a file", "- a\n", ":1: the file: expected a map, not a list"},
    {"a binary file",
     "\x7F"
     "ELF\2\1\1",
     ":1: control characters are not allowed"},
    {"an unquoted star", "lookups: {listen: *:7170}\n",
     ":1: a value that starts with '*' must be put in quotes: \"*:7170\""},
    {"a section as text", "store: embedded\n", ":1: store: expected a map, not text"},
    {"node too long", "node: " LONG_50 LONG_50 "\n",
     ":1: node: expected text of 0 to 64 bytes, not '" LONG_100 "'"},
    {"state_dir empty", "state_dir: \"\"\n",
     ":1: state_dir: expected text of 1 to 4095 bytes, not ''"},
    {"policy as a map", "policy: {a: b}\n",
     ":1: policy: expected a list of 0 to 64 texts, none of them empty, not a map"},
    {"policy with an empty path", "policy: [a, \"\"]\n",
     ":1: policy: expected a list of 0 to 64 texts, none of them empty, not a list"},
    {"log level", "log: {level: verbose}\n",
     ":1: log.level: expected debug, info, warn or error, not 'verbose'"},
    {"budget without a unit", "lookups: {budget: 200}\n",
     ":1: lookups.budget: expected a duration like 60s between 10ms and 1min, not '200'"},
    {"budget too short", "lookups: {budget: 9ms}\n",
     ":1: lookups.budget: expected a duration like 60s between 10ms and 1min, not '9ms'"},
    {"seats", "lookups: {seats: 0}\n",
     ":1: lookups.seats: expected a number between 1 and 65536, not '0'"},
    {"a name server by name", "dns:\n  servers: [\"127.0.0.1:53\", localhost:53]\n",
     ":2: dns.servers: 'localhost:53' is no name server: write 127.0.0.1:53 or [::1]:53"},
    {"a name server without a port", "dns: {servers: \"127.0.0.1\"}\n",
     ":1: dns.servers: '127.0.0.1' is no name server: write 127.0.0.1:53 or [::1]:53"},
    {"a name server's port", "dns: {servers: \"[::1]:65536\"}\n",
     ":1: dns.servers: '[::1]:65536' is no name server: write 127.0.0.1:53 or [::1]:53"},
    {"too many name servers",
     "dns: {servers: [\"1.1.1.1:1\", \"1.1.1.1:2\", \"1.1.1.1:3\", \"1.1.1.1:4\", "
     "\"1.1.1.1:5\", \"1.1.1.1:6\", \"1.1.1.1:7\", \"1.1.1.1:8\", \"1.1.1.1:9\"]}\n",
     ":1: dns.servers: expected a list of 0 to 8 texts, none of them empty, not a list"},
    {"no time for a name server", "dns: {timeout: 99ms}\n",
     ":1: dns.timeout: expected a duration like 60s between 100ms and 10s, not '99ms'"},
    {"hardly a cache", "dns: {cache: 15}\n",
     ":1: dns.cache: expected a number between 16 and 1000000, not '15'"},
    {"addresses", "stats: {addresses: yes}\n",
     ":1: stats.addresses: expected hidden or shown, not 'yes'"},
    {"store mode of later", "store: {mode: cluster}\n",
     ":1: store.mode: expected embedded or single, not 'cluster'"},
    {"buckets beyond", "store: {buckets: 1048577}\n",
     ":1: store.buckets: expected a number between 1 and 1048576, not '1048577'"},
    {"buckets no power of two", "\nstore: {buckets: 1000}\n",
     ":2: store.buckets: expected a power of two like 65536, not 1000"},
    {"deadline", "store: {deadline: 0ms}\n",
     ":1: store.deadline: expected a duration like 60s between 1ms and 10s, not '0ms'"},
    {"deadline over the budget", "lookups: {budget: 50ms}\n",
     ": store.deadline: 100ms is longer than lookups.budget (50ms), so no answer would wait for "
     "it"},
    {"deadline over the default budget", "store:\n  deadline: 201ms\n",
     ":2: store.deadline: 201ms is longer than lookups.budget (200ms), so no answer would wait for "
     "it"},
    {"memory", "store: {memory: 1M}\n",
     ":1: store.memory: expected a size like 64M between 4M and 1024G, not '1M'"},

    // endpoints
    {"no scheme", "lookups: {listen: \"127.0.0.1:7170\"}\n",
     ":1: lookups.listen: expected tcp://ADDRESS:PORT or ipc:///PATH, not '127.0.0.1:7170'"},
    {"another scheme", "admin: {listen: inproc://a}\n",
     ":1: admin.listen: expected tcp://ADDRESS:PORT or ipc:///PATH, not 'inproc://a'"},
    {"empty door", "admin: {listen: \"\"}\n",
     ":1: admin.listen: expected text of 1 to 4095 bytes, not ''"},
    {"a name", "lookups:\n  listen: tcp://mx1.example:7170\n",
     ":2: lookups.listen: expected a numeric address like tcp://127.0.0.1:7170 or "
     "tcp://[::1]:7170, not"
     " 'tcp://mx1.example:7170' (looking up a name could block the node; all addresses are 0.0.0.0 "
     "or [::])"},
    {"a star", "lookups: {listen: \"tcp://*:7170\"}\n",
     ":1: lookups.listen: expected a numeric address like tcp://127.0.0.1:7170 or "
     "tcp://[::1]:7170, not"
     " 'tcp://*:7170' (looking up a name could block the node; all addresses are 0.0.0.0 or [::])"},
    {"no port", "stats: {listen: tcp://127.0.0.1}\n",
     ":1: stats.listen: expected a numeric address like tcp://127.0.0.1:7170 or tcp://[::1]:7170, "
     "not"
     " 'tcp://127.0.0.1' (looking up a name could block the node; all addresses are 0.0.0.0 or "
     "[::])"},
    {"IPv6 without brackets", "stats: {listen: \"tcp://::1:7171\"}\n",
     ":1: stats.listen: expected a numeric address like tcp://127.0.0.1:7170 or tcp://[::1]:7170, "
     "not"
     " 'tcp://::1:7171' (looking up a name could block the node; all addresses are 0.0.0.0 or "
     "[::])"},
    {"empty brackets", "stats: {listen: \"tcp://[]:7171\"}\n",
     ":1: stats.listen: expected a numeric address like tcp://127.0.0.1:7170 or tcp://[::1]:7170, "
     "not"
     " 'tcp://[]:7171' (looking up a name could block the node; all addresses are 0.0.0.0 or "
     "[::])"},
    {"port too large", "stats: {listen: tcp://127.0.0.1:65536}\n",
     ":1: stats.listen: expected a port from 1 to 65535, or * for any free one, not '65536'"},
    {"port in words", "stats: {listen: tcp://127.0.0.1:http}\n",
     ":1: stats.listen: expected a port from 1 to 65535, or * for any free one, not 'http'"},
    {"port empty", "stats: {listen: \"tcp://127.0.0.1:\"}\n",
     ":1: stats.listen: expected a port from 1 to 65535, or * for any free one, not ''"},
    {"ipc without a path", "admin: {listen: \"ipc://\"}\n",
     ":1: admin.listen: expected ipc:///path/of/a.sock, not 'ipc://'"},
    {"ipc without a file", "admin: {listen: \"ipc://@reeve\"}\n",
     ":1: admin.listen: expected ipc:///path/of/a.sock, not 'ipc://@reeve'"},
    {"ipc path too long", "admin: {listen: ipc:///" LONG_100 "aaaaaaa}\n",
     ":1: admin.listen: the path of a socket may have 107 bytes, '/" LONG_100 "aaaaaaa' has 108"},
    {"a mode that is no number", "admin: {mode: rw}\n", ":1: admin.mode: " MODES "'rw'"},
    {"a mode that is not octal", "admin:\n  mode: 0680\n", ":2: admin.mode: " MODES "'0680'"},
    {"a mode that shuts the owner out", "admin: {mode: 0060}\n", ":1: admin.mode: " MODES "'0060'"},
    {"a mode with more than reading and writing", "admin: {mode: 0770}\n",
     ":1: admin.mode: " MODES "'0770'"},
    {"a mode with a bit for root", "admin: {mode: 4660}\n", ":1: admin.mode: " MODES "'4660'"},
    {"a group that is none", "admin: {group: reeve-of-nobody}\n",
     ":1: admin.group: there is no group 'reeve-of-nobody' on this host "
     "(groupadd --system reeve-of-nobody makes it)"},
    {"a group of an address", "admin: {listen: tcp://127.0.0.1:1, group: root}\n",
     ":1: admin.group: only a socket file has a group: admin.listen is tcp://127.0.0.1:1"},
    {"two doors at one place",
     "lookups: {listen: tcp://127.0.0.1:1}\nadmin:\n  listen: tcp://127.0.0.1:1\n",
     ":3: admin.listen: the same endpoint as lookups.listen"},
    {"stats at the default door", "stats: {listen: \"tcp://127.0.0.1:7170\"}\n",
     ":1: stats.listen: the same endpoint as lookups.listen"},

    // the store
    {"single without an address", "\nstore: {mode: single}\n",
     ":2: store.address: required with mode single: unix:/run/redis/redis.sock, or 10.0.0.5:6379"},
    {"embedded with an address", "store:\n  address: 10.0.0.5:6379\n",
     ":2: store.address: only for mode single; the embedded store runs in state_dir (write mode: "
     "single, or leave it out)"},
    {"embedded with a user", "store: {user: reeve}\n",
     ":1: store.user: only for mode single; the embedded store runs in state_dir (write mode: "
     "single, or leave it out)"},
    {"embedded with a password", "store: {mode: embedded, password_file: p}\n",
     ":1: store.password_file: only for mode single; the embedded store runs in state_dir (write "
     "mode: single, or leave it out)"},
    {"store at a name", "store: {mode: single, address: \"redis.example:6379\"}\n",
     ":1: store.address: expected unix:/PATH, or a numeric address like 10.0.0.5:6379 or "
     "[2001:db8::5]:6379, not"
     " 'redis.example:6379' (looking up a name could block the node)"},
    {"store without a port", "store: {mode: single, address: 10.0.0.5}\n",
     ":1: store.address: expected unix:/PATH, or a numeric address like 10.0.0.5:6379 or "
     "[2001:db8::5]:6379, not"
     " '10.0.0.5' (looking up a name could block the node)"},
    {"store at port 0", "store: {mode: single, address: \"10.0.0.5:0\"}\n",
     ":1: store.address: expected a port from 1 to 65535, not '0'"},
    {"store at no path", "store: {mode: single, address: \"unix:\"}\n",
     ":1: store.address: expected a path behind unix:"},
    {"store path too long", "store: {mode: single, address: unix:/" LONG_100 "aaaaaaa}\n",
     ":1: store.address: the path of a socket may have 107 bytes, '/" LONG_100 "aaaaaaa' has 108"},
    {"state_dir too long for its socket", "state_dir: /" LONG_50 LONG_50 "\n",
     ":1: state_dir: too long: the path of a socket may have 107 bytes, '/" LONG_100
     "/redis.sock' has 112"},
};

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    struct file file;
    struct config *config = NULL;
    struct err_detail detail = {.text = ""};

    write_file(&file, row->text);
    assert_int_equal(config_load(file.path, &config, &detail), ERR_CONFIG);
    remove_file(&file);
    assert_null(config);
    assert_memory_equal(detail.text, file.path, strlen(file.path));
    assert_string_equal(detail.text + strlen(file.path), row->error);
}

static void a_missing_file_is_named(void **state)
{
    struct config *config = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    assert_int_equal(config_load("/nowhere/reeve.yaml", &config, &detail), ERR_SYSTEM);
    assert_string_equal(detail.text, "/nowhere/reeve.yaml: No such file or directory");
    assert_null(config);
    config_free(&config);
}

// ---- Taken

static void check_defaults(const struct config *config)
{
    assert_string_equal(config->state_dir, "/var/lib/reeve");
    assert_string_equal(config->lookups_listen, "tcp://127.0.0.1:7170");
    assert_int_equal(config->lookups_budget_ms, 200);
    assert_int_equal(config->lookups_seats, 1024);
    assert_string_equal(config->admin_listen, "ipc:///run/reeve/admin.sock");
    assert_int_equal(config->admin_mode, 0660);
    assert_int_equal(config->admin_group, CONFIG_NO_GROUP);
    assert_string_equal(config->stats_listen, "tcp://127.0.0.1:7171");
    assert_false(config->stats_show_addresses);
    assert_int_equal(config->log_level, LOG_INFO_LEVEL);
    assert_int_equal(config->policy.count, 0);
    assert_int_equal(config->store.mode, STORE_EMBEDDED);
    assert_string_equal(config->store.address, "");
    assert_string_equal(config->store.user, "");
    assert_string_equal(config->store.password_file, "");
    assert_string_equal(config->store.secret_file, "");
    assert_string_equal(config->store.state_dir, "/var/lib/reeve");
    assert_string_equal(config->store.redis_server, "redis-server");
    assert_int_equal(config->store.buckets, 65536);
    assert_int_equal(config->store.deadline_ms, 100);
    assert_int_equal(config->store.embedded_bytes, 256 << 20);
    assert_false(config->store.replay);
    assert_true(config_is_loopback(config));
}

static void defaults_without_a_file(void **state)
{
    char host[65] = "";
    struct config *config = NULL;

    (void)state;
    assert_int_equal(config_load(NULL, &config, NULL), ERR_NONE);
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    assert_string_equal(config->node, host);
    assert_null(config->path);
    check_defaults(config);
    config_free(&config);
    assert_null(config);
}

static void defaults_of_an_empty_file(void **state)
{
    struct file file;
    struct config *config = loaded("# all as it is\nlookups:\nstore: {}\npolicy:\n", &file);

    (void)state;
    assert_string_equal(config->path, file.path);
    check_defaults(config);
    config_free(&config);
}

static void everything_is_read(void **state)
{
    struct file file;
    struct config *config =
        loaded("node: mx1-a\n"
               "state_dir: /srv/reeve\n"
               "secret_file: /etc/reeve/secret\n"
               "policy: [/etc/reeve/a.yaml, /etc/reeve/b.yaml]\n"
               "log: {level: debug}\n"
               "lookups: {listen: \"tcp://[::]:7\", budget: 1s, seats: 16}\n"
               "admin: {listen: \"ipc:///a\", mode: 600, group: root}\n"
               "stats: {listen: \"tcp://127.0.0.1:*\", addresses: shown}\n"
               "store:\n"
               "  {mode: single, address: \"[2001:db8::5]:6379\", user: u, password_file: /p, "
               "buckets: 1,\n"
               "   deadline: 5ms, redis_server: /usr/bin/redis-server, memory: 4M}\n",
               &file);

    (void)state;
    assert_string_equal(config->node, "mx1-a");
    assert_string_equal(config->state_dir, "/srv/reeve");
    assert_string_equal(config->store.secret_file, "/etc/reeve/secret");
    assert_int_equal(config->policy.count, 2);
    assert_string_equal(config->policy.text[1], "/etc/reeve/b.yaml");
    assert_int_equal(config->log_level, LOG_DEBUG_LEVEL);
    assert_string_equal(config->lookups_listen, "tcp://[::]:7");
    assert_int_equal(config->lookups_budget_ms, 1000);
    assert_int_equal(config->lookups_seats, 16);
    assert_string_equal(config->admin_listen, "ipc:///a");
    assert_int_equal(config->admin_mode, 0600);
    assert_int_equal(config->admin_group, 0);
    assert_true(config->stats_show_addresses);
    assert_int_equal(config->store.mode, STORE_SINGLE);
    assert_string_equal(config->store.address, "[2001:db8::5]:6379");
    assert_string_equal(config->store.user, "u");
    assert_string_equal(config->store.password_file, "/p");
    assert_int_equal(config->store.buckets, 1);
    assert_int_equal(config->store.deadline_ms, 5);
    assert_int_equal(config->store.embedded_bytes, 4 << 20);
    assert_false(config_is_loopback(config));
    config_free(&config);
}

static void assert_below(const char *path, const char *prefix, const struct file *file,
                         const char *name)
{
    char *want = mem_format("%s%s/%s", prefix, file->dir, name);

    assert_string_equal(path, want);
    mem_free(want);
}

static void relative_paths_start_at_the_file(void **state)
{
    struct file file;
    struct config *config = loaded(
        "state_dir: state\nsecret_file: s\npolicy: [p.yaml, /q.yaml]\ngeo: {country: c.mmdb, asn: "
        "a.mmdb}\n"
        "lookups: {listen: ipc://l.sock}\nadmin: {listen: ipc://run/a.sock}\nstats: {listen: "
        "\"\"}\n"
        "store: {mode: single, address: unix:r.sock, password_file: p, redis_server: bin/redis}\n",
        &file);

    (void)state;
    assert_below(config->state_dir, "", &file, "state");
    assert_below(config->store.state_dir, "", &file, "state");
    assert_below(config->store.secret_file, "", &file, "s");
    assert_below(config->geo_country, "", &file, "c.mmdb");
    assert_below(config->geo_asn, "", &file, "a.mmdb");
    assert_below(config->store.password_file, "", &file, "p");
    assert_below(config->store.redis_server, "", &file, "bin/redis");
    assert_below(config->store.address, "unix:", &file, "r.sock");
    assert_below(config->lookups_listen, "ipc://", &file, "l.sock");
    assert_below(config->admin_listen, "ipc://", &file, "run/a.sock");
    assert_string_equal(config->stats_listen, "");
    assert_below(config->policy.text[0], "", &file, "p.yaml");
    assert_string_equal(config->policy.text[1], "/q.yaml");
    config_free(&config);
}

static void a_relative_file_counts_from_here(void **state)
{
    struct file file;
    struct config *config = NULL;
    char here[4096];
    enum err err;

    (void)state;
    assert_non_null(getcwd(here, sizeof(here)));
    write_file(&file, "state_dir: state\n");
    assert_int_equal(chdir(file.dir), 0);
    err = config_load("reeve.yaml", &config, NULL);
    assert_int_equal(chdir(here), 0);
    remove_file(&file);
    assert_int_equal(err, ERR_NONE);
    assert_below(config->state_dir, "", &file, "state");
    config_free(&config);
}

struct loopback_row {
    const char *name;
    const char *text;
    bool loopback;
};

static const struct loopback_row loopback_rows[] = {
    {"loopback: defaults", "", true},
    {"loopback: any 127", "lookups: {listen: \"tcp://127.8.9.1:*\"}", true},
    {"loopback: IPv6", "lookups: {listen: \"tcp://[::1]:0\"}", true},
    {"loopback: ipc alone",
     "{lookups: {listen: ipc:///a}, admin: {listen: ipc:///b}, stats: {listen: ''}}", true},
    {"loopback: lookups open", "lookups: {listen: \"tcp://0.0.0.0:7170\"}", false},
    {"loopback: admin open", "admin: {listen: \"tcp://10.0.0.1:7170\"}", false},
    {"loopback: stats open", "stats: {listen: \"tcp://[::]:7171\"}", false},
};

static void check_loopback(void **state)
{
    const struct loopback_row *row = *state;
    struct file file;
    struct config *config = loaded(row->text, &file);

    assert_int_equal(config_is_loopback(config), row->loopback);
    config_free(&config);
}

// ---- Print

static char *printed(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    config_print(config, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static const char *const print_texts[] = {
    "",
    "node: 'a \"b\" \\ c'\npolicy: [a, 'b c']\nsecret_file: s\nstats: {listen: '', addresses: "
    "shown}\nlog: {level: error}\n",
    "store: {mode: single, address: unix:r.sock, user: u, password_file: p, buckets: 2, deadline: "
    "150ms, memory: 5M}\n",
};

static void print_reads_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(print_texts) / sizeof(print_texts[0]); i++) {
        struct file file;
        struct config *config = loaded(print_texts[i], &file);
        char *text = printed(config);
        struct config *again = loaded(text, &file);
        char *second = printed(again);

        assert_string_equal(second, text);
        assert_int_equal(again->store.mode, config->store.mode);
        free(second);
        free(text);
        config_free(&again);
        config_free(&config);
    }
}

static void print_says_what_is_default(void **state)
{
    struct file file;
    struct config *config = loaded("node: a\nlookups: {budget: 300ms}\n", &file);
    char *text = printed(config);

    (void)state;
    assert_non_null(strstr(text, "node: \"a\" # name in replies"));
    assert_non_null(
        strstr(text, "\nlookups:\n  listen: \"tcp://127.0.0.1:7170\" # default: endpoint"));
    assert_non_null(strstr(text, "\n  budget: 300ms # time for"));
    free(text);
    config_free(&config);
}

// ---- What ships

static void the_manual_page_is_complete(void **state)
{
    struct config *config = NULL;
    char *page = manual_read("node/reeve.yaml.5");
    char *text;

    (void)state;
    assert_int_equal(config_load(NULL, &config, NULL), ERR_NONE);
    text = printed(config);
    assert_int_equal(manual_check(page, text), manual_count(page));
    free(text);
    mem_free(page);
    config_free(&config);
}

static void the_sample_holds_the_defaults(void **state)
{
    struct config *config = NULL;
    struct err_detail detail = {.text = ""};
    enum err err = config_load("deploy/reeve.yaml", &config, &detail);
    const char *policy;

    (void)state;
    assert_string_equal(detail.text, "");
    assert_int_equal(err, ERR_NONE);
    assert_int_equal(config->policy.count, 1);
    policy = strrchr(config->policy.text[0], '/');
    assert_string_equal(policy, "/policy.yaml");
    assert_int_equal(access(config->policy.text[0], R_OK), 0);
    config->policy.count = 0;
    check_defaults(config);
    config_free(&config);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, refused_rows, check_refused);
    TABLE_TEST(&table, a_missing_file_is_named);
    TABLE_TEST(&table, defaults_without_a_file);
    TABLE_TEST(&table, defaults_of_an_empty_file);
    TABLE_TEST(&table, everything_is_read);
    TABLE_TEST(&table, relative_paths_start_at_the_file);
    TABLE_TEST(&table, a_relative_file_counts_from_here);
    TABLE_ROWS(&table, loopback_rows, check_loopback);
    TABLE_TEST(&table, print_reads_back);
    TABLE_TEST(&table, print_says_what_is_default);
    TABLE_TEST(&table, the_manual_page_is_complete);
    TABLE_TEST(&table, the_sample_holds_the_defaults);
    return table_run(&table, "config");
}
