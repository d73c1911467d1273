// Listening addresses of the policy service: their text, stale and living unix sockets,
// permissions.
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

#include "client/policyd/listen.h"
#include "tests/support/table.h"

static const struct text_row {
    const char *text;
    bool good;
} TEXTS[] = {
    {"127.0.0.1:10045", true},
    {"0.0.0.0:0", true},
    {"[::1]:10045", true},
    {"[::]:65535", true},
    {"unix:/run/reeve/p", true},
    {"", false},
    {"10045", false},
    {":10045", false},
    {"127.0.0.1", false},
    {"127.0.0.1:", false},
    {"127.0.0.1:x", false},
    {"127.0.0.1:65536", false},
    {"127.0.0.1:-1", false},
    {"127.0.0.1: 1", false},
    {"127.0.0.1:10045 ", false},
    {"::1:10045", false},
    {"[::1]", false},
    {"[::1]10045", false},
    {"[]:1", false},
    {"[127.0.0.1]:10045", false},
    {"localhost:10045", false},
    {"256.0.0.1:1", false},
    {"inet:127.0.0.1:1", false},
    {"unix:", false},
    {"unix:relative", false},
    {"unix:~/x", false},
    {"127.0.0.1:99999999999999999999", false},
};

static void check_text(void **state)
{
    const struct text_row *row = *state;
    struct listen_address address = {0};
    struct err_detail detail = {0};
    char text[LISTEN_TEXT_MAX];
    enum err err = listen_parse(row->text, &address, &detail);

    assert_int_equal(err, row->good ? ERR_NONE : ERR_CONFIG);
    if (row->good)
        assert_string_equal(listen_format(&address, text), row->text);
    else
        assert_non_null(strstr(detail.text, row->text));
}

static void a_path_that_is_too_long(void **unused)
{
    struct listen_address address = {0};
    struct err_detail detail = {0};
    char text[128] = "unix:/";

    (void)unused;
    memset(text + 6, 'x', 106);
    assert_int_equal(listen_parse(text, &address, &detail), ERR_NONE);
    text[112] = 'x';
    assert_int_equal(listen_parse(text, &address, &detail), ERR_CONFIG);
    assert_non_null(strstr(detail.text, "at most 107 bytes"));
}

// ---- sockets

struct place {
    char folder[32];
    char text[64]; // of a socket in it
    struct listen_address address;
};

static void place_make(struct place *place)
{
    *place = (struct place){.folder = "/tmp/reeve-listen-XXXXXX"};
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->text, sizeof(place->text), "unix:%s/s", place->folder);
    assert_int_equal(listen_parse(place->text, &place->address, NULL), ERR_NONE);
}

static void place_remove(const struct place *place)
{
    (void)unlink(place->text + 5);
    assert_int_equal(rmdir(place->folder), 0);
}

static void a_unix_socket_gets_its_mode(void **state)
{
    static const unsigned modes[] = {0666, 0660, 0600};
    struct place place;

    (void)state;
    place_make(&place);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct stat file = {0};
        int fd = -1;

        assert_int_equal(listen_open(&place.address, modes[i], &fd, NULL), ERR_NONE);
        assert_int_equal(stat(place.text + 5, &file), 0);
        assert_int_equal(file.st_mode & 0777, modes[i]);
        listen_close(&place.address, &fd);
        assert_int_equal(fd, -1);
        assert_int_equal(access(place.text + 5, F_OK), -1);
        listen_close(&place.address, &fd); // again: nothing happens
    }
    place_remove(&place);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct place place;
    int fd = -1;

    (void)state;
    place_make(&place);
    assert_int_equal(listen_open(&place.address, 0666, &fd, NULL), ERR_NONE);
    (void)close(fd); // as a killed process leaves it
    assert_int_equal(access(place.text + 5, F_OK), 0);
    assert_int_equal(listen_open(&place.address, 0666, &fd, NULL), ERR_NONE);
    listen_close(&place.address, &fd);
    place_remove(&place);
}

static void a_living_socket_is_left_alone(void **state)
{
    struct place place;
    struct err_detail detail = {0};
    struct stat before = {0};
    struct stat after = {0};
    int fd = -1;
    int second = -1;

    (void)state;
    place_make(&place);
    assert_int_equal(listen_open(&place.address, 0666, &fd, NULL), ERR_NONE);
    assert_int_equal(stat(place.text + 5, &before), 0);
    assert_int_equal(listen_open(&place.address, 0666, &second, &detail), ERR_CONFLICT);
    assert_non_null(strstr(detail.text, place.text));
    assert_int_equal(second, -1);
    assert_int_equal(stat(place.text + 5, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    listen_close(&place.address, &fd);
    place_remove(&place);
}

static void a_file_is_left_alone(void **state)
{
    struct place place;
    struct err_detail detail = {0};
    FILE *file = NULL;
    int fd = -1;

    (void)state;
    place_make(&place);
    file = fopen(place.text + 5, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(listen_open(&place.address, 0666, &fd, &detail), ERR_CONFLICT);
    assert_non_null(strstr(detail.text, "is not a socket"));
    assert_int_equal(access(place.text + 5, F_OK), 0);
    place_remove(&place);
}

static void a_folder_that_does_not_exist(void **state)
{
    struct listen_address address = {0};
    struct err_detail detail = {0};
    int fd = -1;

    (void)state;
    assert_int_equal(listen_parse("unix:/nonexistent/x/y", &address, NULL), ERR_NONE);
    assert_int_equal(listen_open(&address, 0666, &fd, &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "No such file"));
}

static void a_taken_port(void **state)
{
    struct listen_address address = {0};
    struct err_detail detail = {0};
    char name[LISTEN_TEXT_MAX];
    int fd = -1;
    int second = -1;

    (void)state;
    assert_int_equal(listen_parse("127.0.0.1:0", &address, NULL), ERR_NONE);
    assert_int_equal(listen_open(&address, 0, &fd, NULL), ERR_NONE);
    assert_int_equal(listen_parse(listen_name(fd, name), &address, NULL), ERR_NONE);
    assert_int_equal(listen_open(&address, 0, &second, &detail), ERR_CONFLICT);
    assert_non_null(strstr(detail.text, name));
    (void)close(fd);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, TEXTS, check_text);
    TABLE_TEST(&table, a_path_that_is_too_long);
    TABLE_TEST(&table, a_unix_socket_gets_its_mode);
    TABLE_TEST(&table, a_stale_socket_is_replaced);
    TABLE_TEST(&table, a_living_socket_is_left_alone);
    TABLE_TEST(&table, a_file_is_left_alone);
    TABLE_TEST(&table, a_folder_that_does_not_exist);
    TABLE_TEST(&table, a_taken_port);
    return table_run(&table, "policyd listen");
}
