// The node's own copy of the policy set: what is read, what is refused, and what a disk may do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/keeper/copy.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

#define NAME "0123456789abcdef0123456789abcdef"

static struct copy *copy_of(const char *document)
{
    struct copy *copy = mem_new(sizeof(*copy));

    copy->version = (struct store_version){.version = 12,
                                           .at_ms = 1795000000000,
                                           .by = "ann",
                                           .note = "a note, of words",
                                           .hash = 9,
                                           .policies = 40};
    copy->document = document_new(document, strlen(document));
    copy->version.bytes = copy->document->len;
    memcpy(copy->version.document, copy->document->name, STORE_DOCUMENT_NAME);
    return copy;
}

static void add_lists(struct copy *copy)
{
    copy->was[0] = (struct copy_was){11, 1794, NAME};
    copy->was[1] = (struct copy_was){7, 1793, NAME};
    copy->was_count = 2;
    copy->since = mem_new_array(2, sizeof(*copy->since));
    copy->since[0] = (struct copy_since){"corp.example", 5};
    copy->since[1] = (struct copy_since){"other.example", 6};
    copy->since_count = 2;
}

static void it_is_read_as_it_was_written(void **state)
{
    struct copy *copy = copy_of("domains: {}\n");
    struct copy *again = NULL;
    struct err_detail detail = {""};
    size_t len = 0;

    (void)state;
    add_lists(copy);
    char *bytes = copy_format(copy, &len);

    assert_int_equal(copy_parse(bytes, len, &again, &detail), ERR_NONE);
    assert_memory_equal(&again->version, &copy->version, sizeof(copy->version));
    assert_memory_equal(again->was, copy->was, sizeof(copy->was));
    assert_int_equal(again->was_count, 2);
    assert_int_equal(again->since_count, 2);
    assert_string_equal(again->since[1].domain, "other.example");
    assert_int_equal(again->since[1].at_ms, 6);
    assert_int_equal(again->document->len, copy->document->len);
    assert_memory_equal(again->document->bytes, "domains: {}\n", copy->document->len);
    copy_free(&again);
    // Any bit that is not as it was is seen.
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 1;
        assert_int_equal(copy_parse(bytes, len, &again, &detail), ERR_SYNTAX);
        assert_null(again);
        bytes[i] ^= 1;
        assert_int_equal(copy_parse(bytes, i, &again, &detail), ERR_SYNTAX); // nor a cut
    }
    mem_free(bytes);
    copy_free(&copy);
}

#define FIRST "version 12\nat 5\nby ann\nnote \nhash 1\npolicies 2\n"
#define LAST  "document %s 3\nabc"

static const struct rest_row {
    const char *name;
    const char *text; // behind the first line; %s = the name of "abc"
    bool is_read;
} RESTS[] = {
    {"the least", FIRST LAST, true},
    {"nothing", "", false},
    {"no document", FIRST, false},
    {"version 0", "version 0\nat 5\nby ann\nnote \nhash 1\npolicies 2\n" LAST, false},
    {"a version beyond 53 bits",
     "version 9007199254740992\nat 5\nby ann\nnote \nhash 1\npolicies 2\n" LAST, false},
    {"at is no number", "version 1\nat x\nby ann\nnote \nhash 1\npolicies 2\n" LAST, false},
    {"another order", "at 5\nversion 1\nby ann\nnote \nhash 1\npolicies 2\n" LAST, false},
    {"a line of a later release", FIRST "fresh 1\n" LAST, false},
    {"a version before it", FIRST "was 11 4 " NAME "\n" LAST, true},
    {"a version that is not before it", FIRST "was 12 4 " NAME "\n" LAST, false},
    {"versions that do not fall", FIRST "was 3 4 " NAME "\nwas 3 4 " NAME "\n" LAST, false},
    {"a version before it without a document", FIRST "was 11 4\n" LAST, false},
    {"version 0 before it", FIRST "was 0 4 " NAME "\n" LAST, false},
    {"a domain", FIRST "since a.example 4\n" LAST, true},
    {"a domain without a stamp", FIRST "since a.example\n" LAST, false},
    {"no domain", FIRST "since  4\n" LAST, false},
    {"a document of another name", FIRST "document " NAME " 3\nabc", false},
    {"a document that is longer", FIRST "document %s 2\nabc", false},
    {"a document that is shorter", FIRST "document %s 4\nabc", false},
    {"an empty document", FIRST "document %s 0\n", false},
    {"a control character", "version 12\nat 5\nby a\tb\nnote \nhash 1\npolicies 2\n" LAST, false},
};

static void check_rest(void **state)
{
    const struct rest_row *row = *state;
    struct err_detail detail = {""};
    struct copy *copy = NULL;
    char name[STORE_DOCUMENT_NAME];
    char bytes[2000];

    store_document_name("abc", 3, name);
    const char *at = strstr(row->text, "%s");
    int cut = at != NULL ? (int)(at - row->text) : (int)strlen(row->text);
    size_t len =
        COPY_HEAD_BYTES + (size_t)snprintf(bytes + COPY_HEAD_BYTES, sizeof(bytes) - COPY_HEAD_BYTES,
                                           "%.*s%s%s", cut, row->text, at != NULL ? name : "",
                                           at != NULL ? at + 2 : "");

    copy_seal(bytes, len);
    assert_int_equal(copy_parse(bytes, len, &copy, &detail) == ERR_NONE, row->is_read);
    assert_int_equal(copy != NULL, row->is_read);
    copy_free(&copy);
}

// ---- files

struct scene {
    char dir[64];
    char path[96];
};

static void scene_open(struct scene *scene)
{
    (void)snprintf(scene->dir, sizeof(scene->dir), "/tmp/reeve-test-XXXXXX");
    assert_non_null(mkdtemp(scene->dir));
    (void)snprintf(scene->path, sizeof(scene->path), "%s/state/policy.set", scene->dir);
}

static void scene_close(struct scene *scene)
{
    char *command = mem_format("rm -rf '%s'", scene->dir);

    assert_int_equal(system(command), 0);
    mem_free(command);
}

static void save(struct scene *scene, const char *document)
{
    struct copy *copy = copy_of(document);
    struct err_detail detail = {""};
    size_t len = 0;
    char *bytes = copy_format(copy, &len);

    assert_int_equal(copy_save(scene->path, bytes, len, &detail), ERR_NONE);
    mem_free(bytes);
    copy_free(&copy);
}

static void it_is_replaced_whole(void **state)
{
    struct copy *copy = NULL;
    struct err_detail detail = {""};
    struct stat about;
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(copy_load(scene.path, &copy, &detail), ERR_NOT_FOUND);
    save(&scene, "one"); // makes the directory
    save(&scene, "two and more");
    save(&scene, "3");
    assert_int_equal(stat(scene.path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(copy_load(scene.path, &copy, &detail), ERR_NONE);
    assert_int_equal(copy->document->len, 1);
    assert_memory_equal(copy->document->bytes, "3", 1);
    copy_free(&copy);
    scene_close(&scene);
}

static void what_is_no_file_is_refused(void **state)
{
    struct copy *copy = NULL;
    struct err_detail detail = {""};
    struct scene scene;
    char text[] = "x";

    (void)state;
    scene_open(&scene);
    assert_int_equal(copy_load(scene.dir, &copy, &detail), ERR_SYNTAX);
    assert_int_equal(copy_load("/dev/zero", &copy, &detail), ERR_SYNTAX);
    (void)snprintf(scene.path, sizeof(scene.path), "%s/no/such/policy.set", scene.dir);
    assert_int_equal(copy_save(scene.path, text, 1, &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "/no/such"));
    scene_close(&scene);
}

// A disk that is full leaves what was there.
static void a_full_disk_keeps_the_old_one(void **state)
{
    struct copy *copy = NULL;
    struct err_detail detail = {""};
    struct scene scene;
    char *fresh = NULL;

    (void)state;
    scene_open(&scene);
    save(&scene, "old");
    fresh = mem_format("%s.%ld", scene.path, (long)getpid());
    assert_int_equal(symlink("/dev/full", fresh), 0);
    assert_int_equal(copy_save(scene.path, "new", 3, &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "No space left"));
    assert_int_equal(copy_load(scene.path, &copy, &detail), ERR_NONE);
    assert_memory_equal(copy->document->bytes, "old", 3);
    copy_free(&copy);
    mem_free(fresh);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, it_is_read_as_it_was_written);
    TABLE_ROWS(&table, RESTS, check_rest);
    TABLE_TEST(&table, it_is_replaced_whole);
    TABLE_TEST(&table, what_is_no_file_is_refused);
    TABLE_TEST(&table, a_full_disk_keeps_the_old_one);
    return table_run(&table, "keeper_copy");
}
