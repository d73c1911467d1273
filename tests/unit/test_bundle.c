// The files of a policy set in one piece: what is taken, what is refused and in which words, and how files on disk are
// called in it.
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
#include <zlib.h>

#include <cmocka.h>

#include "proto/base/mem.h"
#include "proto/bundle.h"
#include "tests/support/table.h"

#define MAGIC "reeve-bundle 1\n"

// ---- Names

struct name_row {
    const char *name;
    const char *file;
    const char *path;
    const char *expected; // NULL = refused
};

static const struct name_row name_rows[] = {
    {"beside the file", "policy.yaml", "staff.txt", "staff.txt"},
    {"below the file", "conf/policy.yaml", "groups/staff.txt", "conf/groups/staff.txt"},
    {"up and down", "a/b/policy.yaml", "../c/staff.txt", "a/c/staff.txt"},
    {"up to the top", "a/b/policy.yaml", "../../staff.txt", "staff.txt"},
    {"dots and slashes that say nothing", "a/policy.yaml", ".//./x/../staff.txt", "a/staff.txt"},
    {"a name with dots", "policy.yaml", "..staff", "..staff"},
    {"out of the bundle", "policy.yaml", "../staff.txt", NULL},
    {"out of it and in again", "a/policy.yaml", "../../a/staff.txt", NULL},
    {"absolute", "policy.yaml", "/etc/passwd", NULL},
    {"nothing", "policy.yaml", "", NULL},
    {"the directory itself", "a/b.yaml", "..", NULL},
    {"a control character", "policy.yaml", "a\nb", NULL},
};

static void check_name(void **state)
{
    const struct name_row *row = *state;
    char name[BUNDLE_NAME_MAX + 1] = "as it was";

    if (bundle_resolve(row->file, row->path, name))
        assert_string_equal(name, row->expected);
    else
        assert_null(row->expected);
    if (row->expected == NULL)
        assert_string_equal(name, "as it was");
}

static void the_longest_name(void **state)
{
    char name[BUNDLE_NAME_MAX + 2];
    char out[BUNDLE_NAME_MAX + 1];
    struct bundle *bundle = bundle_new();

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_false(bundle_resolve("p", name, out));
    assert_int_equal(bundle_add(bundle, BUNDLE_SET, name, "", 0, NULL), ERR_CONFIG);
    name[BUNDLE_NAME_MAX] = '\0';
    assert_true(bundle_resolve("p", name, out));
    assert_false(bundle_resolve("d/p", name, out));
    assert_int_equal(bundle_add(bundle, BUNDLE_SET, name, "", 0, NULL), ERR_NONE);
    assert_non_null(bundle_find(bundle, name));
    bundle_free(&bundle);
}

// ---- What may not be added

struct add_row {
    const char *name;
    const char *file;
    const char *error;
};

#define NO_NAME(text)                                                                             \
    "'" text "' cannot be the name of a file of a policy set (up to 200 bytes, relative, without" \
    " . and ..)"

static const struct add_row add_rows[] = {
    {"absolute", "/policy.yaml", NO_NAME("/policy.yaml")},
    {"leading up", "../policy.yaml", NO_NAME("../policy.yaml")},
    {"with .. in it", "a/../policy.yaml", NO_NAME("a/../policy.yaml")},
    {"with . in it", "./policy.yaml", NO_NAME("./policy.yaml")},
    {"an empty part", "a//b", NO_NAME("a//b")},
    {"a directory", "a/", NO_NAME("a/")},
    {"none", "", NO_NAME("")},
    {"a line break", "a\nend 0", NO_NAME("a\nend 0")},
    {"no UTF-8", "\xFF", NO_NAME("\xFF")},
    {"twice", "there.yaml", "there.yaml is in the bundle twice"},
};

static void check_add(void **state)
{
    const struct add_row *row = *state;
    struct bundle *bundle = bundle_new();
    struct err_detail detail = {.text = ""};

    assert_int_equal(bundle_add(bundle, BUNDLE_LIST, "there.yaml", "x", 1, NULL), ERR_NONE);
    assert_int_equal(bundle_add(bundle, BUNDLE_SET, row->file, "x", 1, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, row->error);
    assert_int_equal(bundle_count(bundle), 1);
    bundle_free(&bundle);
}

static void too_many_files(void **state)
{
    struct bundle *bundle = bundle_new();
    struct err_detail detail = {.text = ""};
    char name[16];

    (void)state;
    for (int i = 0; i < BUNDLE_FILES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i);
        assert_int_equal(bundle_add(bundle, BUNDLE_SET, name, "", 0, NULL), ERR_NONE);
    }
    assert_int_equal(bundle_add(bundle, BUNDLE_SET, "one-more", "", 0, &detail), ERR_LIMIT);
    assert_string_equal(detail.text, "more than 1000 files in a policy set");
    bundle_free(&bundle);
}

// ---- There and back

static struct bundle *two_files(bool other_way_round)
{
    static const char *const names[] = {"b/policy.yaml", "a.txt"};
    struct bundle *bundle = bundle_new();

    for (size_t i = 0; i < 2; i++) {
        size_t which = other_way_round ? 1 - i : i;

        assert_int_equal(bundle_add(bundle, which == 0 ? BUNDLE_SET : BUNDLE_LIST, names[which],
                                    which == 0 ? "x: \0\n" : "", which == 0 ? 5 : 0, NULL),
                         ERR_NONE);
    }
    return bundle;
}

static void check_back(bool plain)
{
    struct bundle *bundle = two_files(false);
    struct bundle *other = two_files(true);
    struct bundle *again = NULL;
    void *bytes[2] = {NULL};
    size_t len[2] = {0};
    const struct bundle_file *file;

    assert_int_equal(bundle_pack(bundle, plain, &bytes[0], &len[0], NULL), ERR_NONE);
    assert_int_equal(bundle_pack(other, plain, &bytes[1], &len[1], NULL), ERR_NONE);
    assert_int_equal(len[0], len[1]); // whatever the order
    assert_memory_equal(bytes[0], bytes[1], len[0]);
    assert_int_equal(bundle_unpack(bytes[0], len[0], &again, NULL), ERR_NONE);
    assert_int_equal(bundle_count(again), 2);
    file = bundle_at(again, 1);
    assert_int_equal(file->kind, BUNDLE_SET);
    assert_string_equal(file->name, "b/policy.yaml");
    assert_int_equal(file->len, 5);
    assert_memory_equal(file->bytes, "x: \0\n", 5);
    file = bundle_find(again, "a.txt");
    assert_non_null(file);
    assert_int_equal(file->kind, BUNDLE_LIST);
    assert_int_equal(file->len, 0);
    assert_null(bundle_find(again, "a"));
    mem_free(bytes[0]);
    mem_free(bytes[1]);
    bundle_free(&bundle);
    bundle_free(&other);
    bundle_free(&again);
}

static void there_and_back(void **state)
{
    (void)state;
    check_back(true);
    check_back(false);
}

// ---- Bytes that are no bundle

struct bytes_row {
    const char *name;
    const char *bytes;
    size_t len;
    enum err err;
    const char *error;
};

#define BYTES(text) text, sizeof(text) - 1
#define NO_BUNDLE   ERR_SYNTAX, "this is no bundle of a policy set"

static const struct bytes_row bytes_rows[] = {
    {"nothing", BYTES(""), NO_BUNDLE},
    {"YAML", BYTES("domains: {}\n"), NO_BUNDLE},
    {"YAML that begins alike", BYTES("reeve: {}\n"), NO_BUNDLE},
    {"another version", BYTES("reeve-bundle 2\nend 0\n"), NO_BUNDLE},
    {"no end", BYTES(MAGIC), NO_BUNDLE},
    {"an end without its line break", BYTES(MAGIC "end 0"), NO_BUNDLE},
    {"something behind the end", BYTES(MAGIC "end 0\n\n"), NO_BUNDLE},
    {"a file too few", BYTES(MAGIC "set 1 a\nx\nend 2\n"), NO_BUNDLE},
    {"an end without a count", BYTES(MAGIC "end \n"), NO_BUNDLE},
    {"an unknown kind", BYTES(MAGIC "dir 1 a\nx\nend 1\n"), NO_BUNDLE},
    {"a kind alone", BYTES(MAGIC "set\nend 0\n"), NO_BUNDLE},
    {"no name", BYTES(MAGIC "set 1\nx\nend 1\n"), NO_BUNDLE},
    {"a size that is none", BYTES(MAGIC "set -1 a\nx\nend 1\n"), NO_BUNDLE},
    {"a size with a zero in front", BYTES(MAGIC "set 01 a\nx\nend 1\n"), NO_BUNDLE},
    {"a size of many digits", BYTES(MAGIC "set 18446744073709551617 a\nx\nend 1\n"), NO_BUNDLE},
    {"a size past the end", BYTES(MAGIC "set 9 a\nx\nend 1\n"), NO_BUNDLE},
    {"a size up to the end", BYTES(MAGIC "set 8 a\nx\nend 1\n"), NO_BUNDLE},
    {"a size too small", BYTES(MAGIC "set 1 a\nxy\nend 1\n"), NO_BUNDLE},
    {"a NUL in a name", BYTES(MAGIC "set 1 a\0b\nx\nend 1\n"), NO_BUNDLE},
    {"a name that leads up", BYTES(MAGIC "set 1 ../a\nx\nend 1\n"), ERR_SYNTAX, NO_NAME("../a")},
    {"an absolute name", BYTES(MAGIC "set 1 /a\nx\nend 1\n"), ERR_SYNTAX, NO_NAME("/a")},
    {"an empty name", BYTES(MAGIC "set 1 \nx\nend 1\n"), ERR_SYNTAX, NO_NAME("")},
    {"a name twice", BYTES(MAGIC "set 1 a\nx\nlist 1 a\nx\nend 2\n"), ERR_CONFIG,
     "a is in the bundle twice"},
    {"zlib's first byte alone", BYTES("x"), ERR_SYNTAX,
     "the bundle is damaged (zlib cannot unpack it)"},
    {"deflated with a dictionary", BYTES("x\xBB\0\0\0\1"), ERR_SYNTAX,
     "the bundle is damaged (zlib cannot unpack it)"},
};

static void check_bytes(void **state)
{
    const struct bytes_row *row = *state;
    struct bundle *bundle = NULL;
    struct err_detail detail = {.text = ""};

    assert_int_equal(bundle_unpack(row->bytes, row->len, &bundle, &detail), row->err);
    assert_string_equal(detail.text, row->error);
    assert_null(bundle);
}

// Wherever a packed bundle is cut it is refused, and so it is whichever bit is turned that says anything: it has a
// check sum.
static void damage_is_noticed_or_harmless(void **state)
{
    struct bundle *bundle = two_files(false);
    struct bundle *again = NULL;
    void *packed = NULL;
    unsigned char *bytes;
    size_t len = 0;

    (void)state;
    assert_int_equal(bundle_pack(bundle, false, &packed, &len, NULL), ERR_NONE);
    bytes = packed;
    for (size_t i = 0; i < len; i++)
        assert_int_not_equal(bundle_unpack(bytes, i, &again, NULL), ERR_NONE);
    for (size_t i = 2; i < len * 8; i++) {
        bytes[i / 8] ^= (unsigned char)(1U << i % 8);
        if (bundle_unpack(bytes, len, &again, NULL) == ERR_NONE) { // a bit that says nothing
            assert_int_equal(bundle_count(again), 2);
            assert_memory_equal(bundle_at(again, 1)->bytes, "x: \0\n", 5);
            bundle_free(&again);
        }
        bytes[i / 8] ^= (unsigned char)(1U << i % 8);
    }
    assert_int_equal(bundle_unpack(bytes, len, &again, NULL), ERR_NONE);
    bytes = mem_grow(bytes, len + 1, 1);
    bytes[len] = 'x';
    bundle_free(&again);
    assert_int_equal(bundle_unpack(bytes, len + 1, &again, NULL), ERR_SYNTAX);
    mem_free(bytes);
    bundle_free(&bundle);
}

// ---- Bounds

// bomb: size zeroes as one file, deflated: a thousandth of it.
static unsigned char *bomb(size_t size, size_t *out_len)
{
    static const unsigned char zeroes[1 << 16];
    z_stream stream = {.next_in = NULL};
    unsigned char *out = mem_new((size_t)4 << 20);
    char head[64];

    assert_int_equal(deflateInit(&stream, 1), Z_OK);
    stream.next_out = out;
    stream.avail_out = 4U << 20;
    (void)snprintf(head, sizeof(head), MAGIC "set %zu a\n", size);
    stream.next_in = (unsigned char *)head;
    stream.avail_in = (unsigned)strlen(head);
    assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
    for (size_t left = size; left > 0; left -= left < sizeof(zeroes) ? left : sizeof(zeroes)) {
        stream.next_in = (unsigned char *)(uintptr_t)zeroes;
        stream.avail_in = (unsigned)(left < sizeof(zeroes) ? left : sizeof(zeroes));
        assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
    }
    stream.next_in = (unsigned char *)(uintptr_t) "\nend 1\n";
    stream.avail_in = 7;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *out_len = (size_t)stream.total_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);
    return out;
}

static void bombs_are_refused(void **state)
{
    struct bundle *bundle = NULL;
    struct err_detail detail = {.text = ""};
    size_t len = 0;
    unsigned char *bytes = bomb((size_t)BUNDLE_BYTES_MAX + 1, &len);

    (void)state;
    assert_int_equal(bundle_unpack(bytes, len, &bundle, &detail), ERR_LIMIT);
    assert_string_equal(detail.text, "the files of the policy set are larger than 256 MiB");
    mem_free(bytes);
    bytes = bomb((size_t)BUNDLE_BYTES_MAX * 2, &len);
    assert_int_equal(bundle_unpack(bytes, len, &bundle, &detail), ERR_LIMIT);
    assert_string_equal(detail.text, "the bundle unpacks to more than 256 MiB");
    assert_null(bundle);
    mem_free(bytes);
}

static void what_may_not_travel(void **state)
{
    struct bundle *bundle = bundle_new();
    struct err_detail detail = {.text = ""};
    size_t size = BUNDLE_PACKED_MAX;
    unsigned char *noise = mem_new(size + 1);
    uint32_t seed = 1;
    void *bytes = NULL;
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < size; i++)
        noise[i] = (unsigned char)((seed = seed * 1664525 + 1013904223) >> 24);
    assert_int_equal(bundle_add(bundle, BUNDLE_LIST, "a", noise, size, NULL), ERR_NONE);
    assert_int_equal(bundle_pack(bundle, true, &bytes, &len, &detail), ERR_LIMIT);
    assert_string_equal(detail.text, "the policy set is larger than 16 MiB");
    assert_int_equal(bundle_pack(bundle, false, &bytes, &len, &detail), ERR_LIMIT);
    assert_string_equal(detail.text, "the policy set is larger than 16 MiB even when it is packed");
    bundle_free(&bundle);
    noise[0] = 'r';
    assert_int_equal(bundle_unpack(noise, size + 1, &bundle, &detail), ERR_LIMIT);
    assert_string_equal(detail.text, "the bundle is larger than 16 MiB");
    mem_free(noise);
}

// ---- From disk

static void write_at(const char *name, const char *text)
{
    FILE *out = fopen(name, "w");

    assert_non_null(out);
    (void)fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void the_disk_is_made(void **state)
{
    char dir[] = "/tmp/reeve-bundle.XXXXXX";

    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(mkdir("conf", 0700), 0);
    write_at("a.yaml", "groups:\n  x: {file: staff.txt}\n  y: [b.example]\n");
    write_at("conf/b.yaml", "groups: {z: {file: [../staff.txt, more.txt]}}\n");
    write_at("conf/c.yaml", "groups: {z: {file: more.txt}}\n");
    write_at("staff.txt", "ann@corp.example\n");
    write_at("conf/more.txt", "bob@corp.example\n");
    write_at("missing.yaml", "groups:\n  z: {file: nowhere.txt}\n");
    write_at("absolute.yaml", "groups:\n  z: {file: /etc/passwd}\n");
    write_at("broken.yaml", "groups:\n  z: *\n");
    write_at("odd.yaml", "groups: {a: {file: {x: y}}, b: {file: [[z], '']}, c: 1}\n");
    (void)state;
}

static void the_disk_is_removed(void **state)
{
    static const char *const names[] = {"a.yaml",        "conf/b.yaml",   "conf/c.yaml",
                                        "staff.txt",     "conf/more.txt", "missing.yaml",
                                        "absolute.yaml", "broken.yaml",   "odd.yaml"};

    char here[64];

    (void)state;
    assert_non_null(getcwd(here, sizeof(here)));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(unlink(names[i]), 0);
    assert_int_equal(rmdir("conf"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(here), 0);
}

struct gather_row {
    const char *name;
    const char *paths[3]; // D/ stands for the directory
    const char *expected; // kinds and names, or the error
};

static const struct gather_row gather_rows[] = {
    {"relative names stay", {"a.yaml"}, "set a.yaml, list staff.txt"},
    {"with what is below",
     {"./a.yaml", "conf//b.yaml"},
     "set a.yaml, set conf/b.yaml, list conf/more.txt, list staff.txt"},
    {"a list of two groups is one file",
     {"conf/b.yaml", "conf/c.yaml"},
     "set conf/b.yaml, set conf/c.yaml, list conf/more.txt, list staff.txt"},
    {"absolute ones lose what they share", {"D/conf/c.yaml"}, "set c.yaml, list more.txt"},
    {"up to where they part",
     {"D/conf/b.yaml"},
     "set conf/b.yaml, list conf/more.txt, list staff.txt"},
    {"both kinds",
     {"D/a.yaml", "conf/c.yaml"},
     "set a.yaml, set conf/c.yaml, list conf/more.txt, list staff.txt"},
    {"up and down", {"conf/../a.yaml"}, "set a.yaml, list staff.txt"},
    {"what cannot be a file is left to who reads the set", {"odd.yaml"}, "set odd.yaml"},
    {"no files", {NULL}, ""},
    {"the same file twice", {"a.yaml", "./a.yaml"}, "a.yaml is in the bundle twice"},
    {"a file that is not there", {"b.yaml"}, "b.yaml: No such file or directory"},
    {"a list that is not there", {"missing.yaml"}, "nowhere.txt: No such file or directory"},
    {"a directory", {"conf"}, "conf: Is a directory"},
    {"an absolute list",
     {"absolute.yaml"},
     "absolute.yaml:2: file: expected a path relative to this file, not '/etc/passwd'"},
    {"no YAML",
     {"broken.yaml"},
     "broken.yaml:2: a value that starts with '*' must be put in quotes: \"*\""},
};

static void check_gather(void **state)
{
    const struct gather_row *row = *state;
    char here[64];
    char absolute[3][128];
    const char *paths[3];
    size_t count = 0;
    struct bundle *bundle = NULL;
    struct err_detail detail = {.text = ""};
    char *found = mem_text("");

    assert_non_null(getcwd(here, sizeof(here)));
    for (; count < 3 && row->paths[count] != NULL; count++) {
        bool is_absolute = strncmp(row->paths[count], "D/", 2) == 0;

        (void)snprintf(absolute[count], sizeof(absolute[count]), "%s%s", is_absolute ? here : "",
                       row->paths[count] + (is_absolute ? 1 : 0));
        paths[count] = absolute[count];
    }
    if (bundle_gather(paths, count, &bundle, &detail) != ERR_NONE) {
        assert_string_equal(detail.text, row->expected);
        mem_free(found);
        return;
    }
    for (size_t i = 0; i < bundle_count(bundle); i++) {
        const struct bundle_file *file = bundle_at(bundle, i);
        char *longer = mem_format("%s%s%s %s", found, i > 0 ? ", " : "",
                                  file->kind == BUNDLE_SET ? "set" : "list", file->name);

        mem_free(found);
        found = longer;
    }
    assert_string_equal(found, row->expected);
    mem_free(found);
    bundle_free(&bundle);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, name_rows, check_name);
    TABLE_TEST(&table, the_longest_name);
    TABLE_ROWS(&table, add_rows, check_add);
    TABLE_TEST(&table, too_many_files);
    TABLE_TEST(&table, there_and_back);
    TABLE_ROWS(&table, bytes_rows, check_bytes);
    TABLE_TEST(&table, damage_is_noticed_or_harmless);
    TABLE_TEST(&table, bombs_are_refused);
    TABLE_TEST(&table, what_may_not_travel);
    TABLE_TEST(&table, the_disk_is_made);
    TABLE_ROWS(&table, gather_rows, check_gather);
    TABLE_TEST(&table, the_disk_is_removed);
    return table_run(&table, "bundle");
}
