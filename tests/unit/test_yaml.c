// YAML as a tree with lines, and tables of settings: what is read, what is refused and in which
// words.
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

#include "proto/base/mem.h"
#include "proto/base/yaml.h"
#include "tests/support/table.h"

// ---- What is no file of ours

struct refused_row {
    const char *name;
    const char *text;
    size_t len; // 0 = strlen
    const char *error;
};

#define BYTES(text) text, sizeof(text) - 1

static const struct refused_row refused_rows[] = {
    {"star and dot", "a: 1\nfrom: *.example\n", 0,
     "f.yaml:2: a value that starts with '*' must be put in quotes: \"*.example\""},
    {"lone star", "from: *\n", 0,
     "f.yaml:1: a value that starts with '*' must be put in quotes: \"*\""},
    {"star in a flow map", "- {from: *, to: b}\n", 0,
     "f.yaml:1: a value that starts with '*' must be put in quotes: \"*\""},
    {"star that is an alias", "from: *all # everyone\n", 0,
     "f.yaml:1: a value that starts with '*' must be put in quotes: \"*all\""},
    {"star behind other text", "a: \xC3\xA4\xC3\xA4\r\nb: [x, *y.z, q]\r\n", 0,
     "f.yaml:2: a value that starts with '*' must be put in quotes: \"*y.z\""},
    {"star behind a byte order mark",
     "\xEF\xBB\xBF"
     "b: *y.z\n",
     0, "f.yaml:1: a value that starts with '*' must be put in quotes: \"*y.z\""},
    {"star as a key", "*: 1\n", 0,
     "f.yaml:1: a value that starts with '*' must be put in quotes: \"*\""},
    {"at sign", "a:\n  from: @corp.example\n", 0,
     "f.yaml:2: a value that starts with '@' must be put in quotes: \"@corp.example\""},
    {"at sign as a key", "@corp.example: {}\n", 0,
     "f.yaml:1: a value that starts with '@' must be put in quotes: \"@corp.example\""},
    {"anchor", "a: &b c\n", 0,
     "f.yaml:1: a value that starts with '&' must be put in quotes: \"&b c\""},
    {"anchor on a list", "a: &b [c]\n", 0,
     "f.yaml:1: a value that starts with '&' must be put in quotes: \"&b\""},
    {"tag", "a: !b c\n", 0,
     "f.yaml:1: a value that starts with '!' must be put in quotes: \"!b c\""},
    {"tag on a map", "!!map\na: 1\n", 0,
     "f.yaml:1: a value that starts with '!' must be put in quotes: \"!!map\""},
    {"backtick", "a: `b\n", 0,
     "f.yaml:1: a value that starts with '`' must be put in quotes: \"`b\""},
    {"per cent", "a: %b\n", 0,
     "f.yaml:1: a value that starts with '%' must be put in quotes: \"%b\""},
    {"long value",
     "a: @bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n", 0,
     "f.yaml:1: a value that starts with '@' must be put in quotes"},
    {"colon in a flow list", "a:\n  - [127.0.0.0/8, ::1]\n", 0,
     "f.yaml:2: a value that starts with ':' must be put in quotes: \"::1\""},
    {"colon in a flow map", "{a: ::/0}\n", 0,
     "f.yaml:1: a value that starts with ':' must be put in quotes: \"::/0\""},
    {"tab", "a:\n\tb: c\n", 0, "f.yaml:2: a tab cannot indent; use spaces"},
    {"a key twice", "a: 1\nb: 2\na: 3\n", 0, "f.yaml:3: key 'a' stands twice (first in line 1)"},
    {"a key twice, nested", "x:\n  - {a: 1, b: 2, 'a': 3}\n", 0,
     "f.yaml:2: key 'a' stands twice (first in line 2)"},
    {"a list as a key", "[a]: 1\n", 0,
     "f.yaml:1: a key must be text, not a list (a value that starts with '[' must be put in "
     "quotes)"},
    {"a map as a key", "? {a: 1}\n: 1\n", 0,
     "f.yaml:1: a key must be text, not a map (a value that starts with '{' must be put in "
     "quotes)"},
    {"an empty key", "a: 1\n\"\": 2\n", 0, "f.yaml:2: an empty key"},
    {"two documents", "a: 1\n---\nb: 2\n", 0, "f.yaml:2: more than one document in a file"},
    {"a bracket left open", "a:\n  b: [1, 2\nc: 3\n", 0,
     "f.yaml:3: did not find expected ',' or ']' while parsing a flow sequence (which begins in "
     "line 2)"},
    {"a quote left open", "a: \"b\n", 0,
     "f.yaml:2: found unexpected end of stream while scanning a quoted scalar (which begins in "
     "line 1)"},
    {"wrong indent", "a: 1\n  b: 2\n", 0,
     "f.yaml:2: mapping values are not allowed in this context"},
    {"text in the middle of a map", "a: 1\nb\nc: 2\n", 0,
     "f.yaml:3: could not find expected ':' while scanning a simple key (which begins in line 2)"},
    {"not UTF-8", BYTES("a: 1\nb: \xFF\n"), "f.yaml:2: not valid UTF-8"},
    {"half a character", BYTES("a: \xC3"), "f.yaml:1: not valid UTF-8"},
    {"a NUL", BYTES("a: 1\nb\0c: 2\n"), "f.yaml:2: a NUL byte: this is no text file"},
    {"UTF-16", BYTES("a\0:\0 \0b\0"), "f.yaml:1: a NUL byte: this is no text file"},
    {"a program",
     BYTES("\x7F"
           "ELF\2\1\1\0\0"),
     "f.yaml:1: a NUL byte: this is no text file"},
    {"a control character", BYTES("a: 1\nb: x\1y\n"),
     "f.yaml:2: control characters are not allowed"},
    {"an escaped control character", "a: \"x\\0y\"\n", 0,
     "f.yaml:1: a line break or control character inside a value (with >- a long text may be "
     "folded)"},
    {"a line break in a value", "a: |\n  x\n  y\n", 0,
     "f.yaml:1: a line break or control character inside a value (with >- a long text may be "
     "folded)"},
    {"a line break in a key", "\"a\\nb\": 1\n", 0,
     "f.yaml:1: a line break or control character inside a value (with >- a long text may be "
     "folded)"},
};

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    struct yaml *yaml = NULL;
    struct err_detail detail = {.text = ""};
    size_t len = row->len > 0 ? row->len : strlen(row->text);

    assert_int_equal(yaml_parse("f.yaml", row->text, len, &yaml, &detail), ERR_CONFIG);
    assert_null(yaml);
    assert_string_equal(detail.text, row->error);
}

// ---- Bounds

static void parse_ok(const char *text, struct yaml **out)
{
    struct err_detail detail = {.text = ""};
    enum err err = yaml_parse("f.yaml", text, strlen(text), out, &detail);

    assert_string_equal(detail.text, "");
    assert_int_equal(err, ERR_NONE);
}

static void depth_is_bounded(void **state)
{
    char text[2 * 65 + 1];
    struct yaml *yaml = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = '\0';
    parse_ok(text, &yaml);
    yaml_free(&yaml);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_int_equal(yaml_parse("f.yaml", text, 130, &yaml, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, "f.yaml:1: nested deeper than 64 levels");
}

static void bytes_are_bounded(void **state)
{
    size_t limit = (size_t)64 << 20;
    char *text = mem_new(limit + 1);
    struct yaml *yaml = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    memset(text, '#', limit + 1);
    assert_int_equal(yaml_parse("f.yaml", text, limit + 1, &yaml, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, "f.yaml: larger than 64 MiB");
    assert_int_equal(yaml_parse("f.yaml", text, limit, &yaml, &detail), ERR_NONE);
    yaml_free(&yaml);
    mem_free(text);
}

static void values_are_bounded(void **state)
{
    size_t count = 4000001;
    char *text = mem_new(3 * count);
    struct yaml *yaml = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    for (size_t i = 0; i < count; i++)
        memcpy(text + 3 * i, "- \n", 3);
    assert_int_equal(yaml_parse("f.yaml", text, 3 * count, &yaml, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, "f.yaml:4000000: more than 4000000 values");
    mem_free(text);
}

static void many_keys_are_no_burden(void **state)
{
    size_t count = 100000;
    char *text = mem_new(16 * count);
    size_t len = 0;
    struct yaml *yaml = NULL;

    (void)state;
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, 16, "k%zu: 1\n", i);
    assert_int_equal(yaml_parse("f.yaml", text, len, &yaml, NULL), ERR_NONE);
    assert_int_equal(yaml_root(yaml)->count, count);
    yaml_free(&yaml);
    mem_free(text);
}

// ---- Trees

static void empty_files_are_empty_maps(void **state)
{
    static const char *const texts[] = {"",      "\n\n",       "# nothing\n",
                                        "---\n", "---\n...\n", "\xEF\xBB\xBF"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct yaml *yaml = NULL;

        parse_ok(texts[i], &yaml);
        assert_int_equal(yaml_root(yaml)->kind, YAML_MAP);
        assert_int_equal(yaml_root(yaml)->count, 0);
        yaml_free(&yaml);
    }
}

static void nodes_know_their_place(void **state)
{
    struct yaml *yaml = NULL;
    const struct yaml_node *b;

    (void)state;
    parse_ok("a: 'x'\nb:\n  - 1\n  - c: {d: e}\n  - [\"*\",\n     y]\n", &yaml);
    b = yaml_find(yaml_root(yaml), "b");
    assert_true(yaml_find(yaml_root(yaml), "a")->quoted);
    assert_int_equal(b->kind, YAML_LIST);
    assert_int_equal(b->line, 2);
    assert_int_equal(b->count, 3);
    assert_null(b->texts);
    assert_string_equal(b->child->text, "1");
    assert_false(b->child->quoted);
    assert_null(b->child->key);
    assert_int_equal(b->child->next->line, 4);
    assert_string_equal(yaml_find(yaml_find(b->child->next, "c"), "d")->text, "e");
    assert_string_equal(b->child->next->next->texts[0], "*");
    assert_string_equal(b->child->next->next->texts[1], "y");
    assert_int_equal(b->child->next->next->child->next->line, 6);
    assert_string_equal(b->file, "f.yaml");
    assert_null(yaml_find(b, "c"));
    assert_null(yaml_find(NULL, "c"));
    yaml_free(&yaml);
    assert_null(yaml);
    yaml_free(&yaml);
}

static void files_that_cannot_be_read(void **state)
{
    struct yaml *yaml = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    assert_int_equal(yaml_load("/nowhere/f.yaml", &yaml, &detail), ERR_SYSTEM);
    assert_string_equal(detail.text, "/nowhere/f.yaml: No such file or directory");
    assert_int_equal(yaml_load("/", &yaml, &detail), ERR_SYSTEM);
    assert_string_equal(detail.text, "/: Is a directory");
    assert_int_equal(yaml_load("/dev/zero", &yaml, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, "/dev/zero: larger than 64 MiB");
    assert_null(yaml);
}

// ---- Settings

struct settings {
    const char *name;
    bool on;
    uint64_t count;
    uint64_t wait_ms;
    uint64_t room_bytes;
    double share;
    int colour;
    uint64_t tints;
    struct yaml_texts paths;
};

static const char *const colours[] = {"red", "green", "blue", NULL};

#define AT(field) offsetof(struct settings, field)

static const struct yaml_row rows[] = {
    {"name", YAML_IS_TEXT, AT(name), "x\"y", 1, 8, NULL, "a name"},
    {"on", YAML_IS_BOOL, AT(on), "true", 0, 0, NULL, "a switch"},
    {"count", YAML_IS_COUNT, AT(count), "7", 5, 9, NULL, "a count"},
    {"wait", YAML_IS_DURATION, AT(wait_ms), "60s", 1000, 86400000, NULL, "a wait"},
    {"room", YAML_IS_SIZE, AT(room_bytes), "1M", 512, 1U << 30, NULL, "a size"},
    {"share", YAML_IS_SHARE, AT(share), "0.01", 0, 0, NULL, "a share"},
    {"colour", YAML_IS_WORD, AT(colour), "blue", 0, 0, colours, "a colour"},
    {"tints", YAML_IS_WORDS, AT(tints), "red blue", 1, 0, colours, "some colours"},
    {"paths", YAML_IS_TEXTS, AT(paths), "/etc/x", 0, 2, NULL, "some paths"},
    {"more", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "more"},
    {0},
};

struct bad_row {
    const char *name;
    const char *text;
    const char *error;
};

static const struct bad_row bad_rows[] = {
    {"unknown key", "on: true\ncolor: red\n",
     "f.yaml:2: unknown key 'color' in 'sec' (known: name, on, count, wait, room, share, colour, "
     "tints, paths, more)"},
    {"empty text", "name: \"\"\n", "f.yaml:1: sec.name: expected text of 1 to 8 bytes, not ''"},
    {"long text", "\nname: 123456789\n",
     "f.yaml:2: sec.name: expected text of 1 to 8 bytes, not '123456789'"},
    {"a list for text", "name: [a]\n",
     "f.yaml:1: sec.name: expected text of 1 to 8 bytes, not a list"},
    {"a number for a switch", "on: 1\n", "f.yaml:1: sec.on: expected true or false, not '1'"},
    {"nothing for a switch", "on:\n", "f.yaml:1: sec.on: expected true or false, not ''"},
    {"a count below", "count: 4\n",
     "f.yaml:1: sec.count: expected a number between 5 and 9, not '4'"},
    {"a count above", "count: 10\n",
     "f.yaml:1: sec.count: expected a number between 5 and 9, not '10'"},
    {"a count below zero", "count: -6\n",
     "f.yaml:1: sec.count: expected a number between 5 and 9, not '-6'"},
    {"a count with a tail", "count: 6x\n",
     "f.yaml:1: sec.count: expected a number between 5 and 9, not '6x'"},
    {"a count over 64 bits", "count: 18446744073709551622\n",
     "f.yaml:1: sec.count: expected a number between 5 and 9, not '18446744073709551622'"},
    {"a bare duration", "wait: 60\n",
     "f.yaml:1: sec.wait: expected a duration like 60s between 1s and 1d, not '60'"},
    {"a short duration", "wait: 999ms\n",
     "f.yaml:1: sec.wait: expected a duration like 60s between 1s and 1d, not '999ms'"},
    {"a long duration", "wait: 25h\n",
     "f.yaml:1: sec.wait: expected a duration like 60s between 1s and 1d, not '25h'"},
    {"a duration with a blank", "wait: 60 s\n",
     "f.yaml:1: sec.wait: expected a duration like 60s between 1s and 1d, not '60 s'"},
    {"a duration with a fraction", "wait: 1.5h\n",
     "f.yaml:1: sec.wait: expected a duration like 60s between 1s and 1d, not '1.5h'"},
    {"a duration in weeks", "wait: 1w\n",
     "f.yaml:1: sec.wait: expected a duration like 60s between 1s and 1d, not '1w'"},
    {"a duration that wraps", "wait: 213503982335d\n",
     "f.yaml:1: sec.wait: expected a duration like 60s between 1s and 1d, not '213503982335d'"},
    {"a small size", "room: 511\n",
     "f.yaml:1: sec.room: expected a size like 64M between 512 and 1G, not '511'"},
    {"a size in words", "room: big\n",
     "f.yaml:1: sec.room: expected a size like 64M between 512 and 1G, not 'big'"},
    {"a size in MB", "room: 1MB\n",
     "f.yaml:1: sec.room: expected a size like 64M between 512 and 1G, not '1MB'"},
    {"a share over one", "share: 1.01\n",
     "f.yaml:1: sec.share: expected a share between 0 and 1 like 0.01 (six decimals at most), not "
     "'1.01'"},
    {"a share in per cent", "share: 1%\n",
     "f.yaml:1: sec.share: expected a share between 0 and 1 like 0.01 (six decimals at most), not "
     "'1%'"},
    {"a share that is not a number", "share: nan\n",
     "f.yaml:1: sec.share: expected a share between 0 and 1 like 0.01 (six decimals at most), not "
     "'nan'"},
    {"a share of seven decimals", "share: 0.0000001\n",
     "f.yaml:1: sec.share: expected a share between 0 and 1 like 0.01 (six decimals at most), not "
     "'0.0000001'"},
    {"a word that is none", "colour: Red\n",
     "f.yaml:1: sec.colour: expected red, green or blue, not 'Red'"},
    {"no word of a set", "tints: [red, pink]\n",
     "f.yaml:1: sec.tints: expected a list of red, green, blue, red among them, not red pink"},
    {"a set without one that it must have", "tints:\n- green\n- blue\n",
     "f.yaml:1: sec.tints: expected a list of red, green, blue, red among them, not green blue"},
    {"one word that is not enough", "tints: blue\n",
     "f.yaml:1: sec.tints: expected a list of red, green, blue, red among them, not 'blue'"},
    {"an empty set", "tints: []\n",
     "f.yaml:1: sec.tints: expected a list of red, green, blue, red among them, not "},
    {"an empty word", "tints: [red, \"\"]\n",
     "f.yaml:1: sec.tints: expected a list of red, green, blue, red among them, not red "},
    {"a list in a set", "tints: [red, [blue]]\n",
     "f.yaml:1: sec.tints: expected a list of red, green, blue, red among them, not red a list"},
    {"a map for a set", "tints: {red: 1}\n",
     "f.yaml:1: sec.tints: expected a list of red, green, blue, red among them, not a map"},
    {"a map for a word", "colour: {red: 1}\n",
     "f.yaml:1: sec.colour: expected red, green or blue, not a map"},
    {"too many texts", "paths: [a, b, c]\n",
     "f.yaml:1: sec.paths: expected a list of 0 to 2 texts, none of them empty, not a list"},
    {"an empty text in a list", "paths: [a, \"\"]\n",
     "f.yaml:1: sec.paths: expected a list of 0 to 2 texts, none of them empty, not a list"},
    {"a list in a list of texts", "paths: [a, [b]]\n",
     "f.yaml:1: sec.paths: expected a list of 0 to 2 texts, none of them empty, not a list"},
    {"no map", "- a\n", "f.yaml:1: sec: expected a map, not a list"},
    {"text for a map", "a\n", "f.yaml:1: sec: expected a map, not text"},
};

static void check_bad(void **state)
{
    const struct bad_row *row = *state;
    struct yaml *yaml = NULL;
    struct settings settings;
    struct err_detail detail = {.text = ""};

    parse_ok(row->text, &yaml);
    assert_int_equal(yaml_read(yaml_root(yaml), "sec", rows, &settings, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, row->error);
    yaml_free(&yaml);
}

static void defaults_without_a_file(void **state)
{
    struct settings settings;

    (void)state;
    memset(&settings, 0xAA, sizeof(settings));
    assert_int_equal(yaml_read(NULL, "", rows, &settings, NULL), ERR_NONE);
    assert_string_equal(settings.name, "x\"y");
    assert_true(settings.on);
    assert_int_equal(settings.count, 7);
    assert_int_equal(settings.wait_ms, 60000);
    assert_int_equal(settings.room_bytes, 1 << 20);
    assert_float_equal(settings.share, 0.01, 0);
    assert_int_equal(settings.colour, 2);
    assert_int_equal(settings.tints, 1 << 0 | 1 << 2);
    assert_int_equal(settings.paths.count, 1);
    assert_string_equal(settings.paths.text[0], "/etc/x");
}

static void values_of_every_type(void **state)
{
    struct yaml *yaml = NULL;
    struct settings settings;

    (void)state;
    parse_ok("{name: n, on: Off, count: 9, wait: 2m, room: 2k, share: 1, colour: red, "
             "tints: [blue, green, red, blue], paths: [a, b], more: 1}",
             &yaml);
    assert_int_equal(yaml_read(yaml_root(yaml), "", rows, &settings, NULL), ERR_NONE);
    assert_string_equal(settings.name, "n");
    assert_false(settings.on);
    assert_int_equal(settings.count, 9);
    assert_int_equal(settings.wait_ms, 120000);
    assert_int_equal(settings.room_bytes, 2048);
    assert_float_equal(settings.share, 1, 0);
    assert_int_equal(settings.colour, 0);
    assert_int_equal(settings.tints, 7);
    assert_int_equal(settings.paths.count, 2);
    assert_string_equal(settings.paths.text[1], "b");
    yaml_free(&yaml);
}

static void left_out_values_are_empty(void **state)
{
    struct yaml *yaml = NULL;
    struct settings settings;

    (void)state;
    parse_ok("sec:\nlist: {paths: }\n", &yaml);
    assert_int_equal(yaml_read(yaml_find(yaml_root(yaml), "sec"), "sec", rows, &settings, NULL),
                     ERR_NONE);
    assert_int_equal(settings.count, 7);
    assert_int_equal(yaml_read(yaml_find(yaml_root(yaml), "list"), "list", rows, &settings, NULL),
                     ERR_NONE);
    assert_int_equal(settings.paths.count, 0);
    yaml_free(&yaml);
}

static void required_keys(void **state)
{
    static const struct yaml_row needs[] = {
        {"id", YAML_IS_TEXT, 0, "!", 1, 8, NULL, "a name of its own"}, {0}};
    struct yaml *yaml = NULL;
    const char *id = NULL;
    struct err_detail detail;

    (void)state;
    parse_ok("\n- {}\n", &yaml);
    assert_int_equal(yaml_read(yaml_root(yaml)->child, "sec", needs, &id, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, "f.yaml:2: sec.id is required (a name of its own)");
    assert_int_equal(yaml_read(NULL, "", needs, &id, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, "id is required (a name of its own)");
    yaml_free(&yaml);
}

static char *printed(const struct settings *settings)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    yaml_print(rows, settings, 2, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void print_shows_defaults_and_reads_back(void **state)
{
    struct settings settings;
    struct settings again;
    struct yaml *yaml = NULL;
    char *text;

    (void)state;
    assert_int_equal(yaml_read(NULL, "", rows, &settings, NULL), ERR_NONE);
    settings.count = 5;
    settings.wait_ms = 90000;
    settings.share = 0.5;
    settings.tints = 1;
    text = printed(&settings);
    assert_string_equal(text, "  name: \"x\\\"y\" # default: a name\n"
                              "  on: true # default: a switch\n"
                              "  count: 5 # a count\n"
                              "  wait: 90s # a wait\n"
                              "  room: 1M # default: a size\n"
                              "  share: 0.5 # a share\n"
                              "  colour: blue # default: a colour\n"
                              "  tints: [red] # some colours\n"
                              "  paths: [\"/etc/x\"] # default: some paths\n");
    parse_ok(text, &yaml);
    assert_int_equal(yaml_read(yaml_root(yaml), "", rows, &again, NULL), ERR_NONE);
    free(text);
    text = printed(&again);
    assert_string_equal(again.name, "x\"y");
    assert_int_equal(again.wait_ms, 90000);
    free(text);
    yaml_free(&yaml);
}

struct span_row {
    const char *name;
    uint64_t ms;
    const char *shortest;
};

static const struct span_row span_rows[] = {
    {"0s", 0, "0ms"},        {"250ms", 250, "250ms"},  {"1000ms", 1000, "1s"},
    {"60s", 60000, "1min"},  {"90s", 90000, "90s"},    {"5min", 300000, "5min"},
    {"5m", 300000, "5min"},  {"12h", 43200000, "12h"}, {"36D", 3110400000, "36d"},
    {"24h", 86400000, "1d"},
};

static void check_span(void **state)
{
    const struct span_row *row = *state;
    uint64_t ms = 1;
    char text[24];

    assert_true(yaml_duration(row->name, &ms));
    assert_int_equal(ms, row->ms);
    assert_string_equal(yaml_duration_format(ms, text), row->shortest);
}

static void text_is_escaped(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    yaml_print_text("a\"b\\c\n\x7F\xC3\xA4", out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "\"a\\\"b\\\\c\\x0A\\x7F\xC3\xA4\"");
    free(text);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, refused_rows, check_refused);
    TABLE_TEST(&table, depth_is_bounded);
    TABLE_TEST(&table, bytes_are_bounded);
    TABLE_TEST(&table, values_are_bounded);
    TABLE_TEST(&table, many_keys_are_no_burden);
    TABLE_TEST(&table, empty_files_are_empty_maps);
    TABLE_TEST(&table, nodes_know_their_place);
    TABLE_TEST(&table, files_that_cannot_be_read);
    TABLE_ROWS(&table, bad_rows, check_bad);
    TABLE_TEST(&table, defaults_without_a_file);
    TABLE_TEST(&table, values_of_every_type);
    TABLE_TEST(&table, left_out_values_are_empty);
    TABLE_TEST(&table, required_keys);
    TABLE_TEST(&table, print_shows_defaults_and_reads_back);
    TABLE_ROWS(&table, span_rows, check_span);
    TABLE_TEST(&table, text_is_escaped);
    return table_run(&table, "yaml");
}
