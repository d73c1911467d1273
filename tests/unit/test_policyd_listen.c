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

static void addresses(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct listen_address address = {0};
        struct err_detail detail = {0};
        char text[LISTEN_TEXT_MAX];
        enum err err = listen_parse(TEXTS[i].text, &address, &detail);

        if ((err == ERR_NONE) != TEXTS[i].good)
            fail_msg("'%s': %s (%s)", TEXTS[i].text, err_text(err), detail.text);
        if (TEXTS[i].good)
            assert_string_equal(listen_format(&address, text), TEXTS[i].text);
        else
            assert_non_null(strstr(detail.text, TEXTS[i].text));
    }
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

static int place_make(void **state)
{
    static struct place place;

    memcpy(place.folder, "/tmp/reeve-listen-XXXXXX", sizeof("/tmp/reeve-listen-XXXXXX"));
    if (mkdtemp(place.folder) == NULL)
        return -1;
    (void)snprintf(place.text, sizeof(place.text), "unix:%s/s", place.folder);
    *state = &place;
    return listen_parse(place.text, &place.address, NULL) == ERR_NONE ? 0 : -1;
}

static int place_remove(void **state)
{
    struct place *place = *state;

    (void)unlink(place->text + 5);
    return rmdir(place->folder);
}

static void a_unix_socket_gets_its_mode(void **state)
{
    static const unsigned modes[] = {0666, 0660, 0600};
    struct place *place = *state;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct stat file = {0};
        int fd = -1;

        assert_int_equal(listen_open(&place->address, modes[i], &fd, NULL), ERR_NONE);
        assert_int_equal(stat(place->text + 5, &file), 0);
        assert_int_equal(file.st_mode & 0777, modes[i]);
        listen_close(&place->address, &fd);
        assert_int_equal(fd, -1);
        assert_int_equal(access(place->text + 5, F_OK), -1);
        listen_close(&place->address, &fd); // again: nothing happens
    }
}

static void a_stale_socket_is_replaced(void **state)
{
    struct place *place = *state;
    int fd = -1;

    assert_int_equal(listen_open(&place->address, 0666, &fd, NULL), ERR_NONE);
    (void)close(fd); // as a killed process leaves it
    assert_int_equal(access(place->text + 5, F_OK), 0);
    assert_int_equal(listen_open(&place->address, 0666, &fd, NULL), ERR_NONE);
    listen_close(&place->address, &fd);
}

static void a_living_socket_is_left_alone(void **state)
{
    struct place *place = *state;
    struct err_detail detail = {0};
    struct stat before = {0};
    struct stat after = {0};
    int fd = -1;
    int second = -1;

    assert_int_equal(listen_open(&place->address, 0666, &fd, NULL), ERR_NONE);
    assert_int_equal(stat(place->text + 5, &before), 0);
    assert_int_equal(listen_open(&place->address, 0666, &second, &detail), ERR_CONFLICT);
    assert_non_null(strstr(detail.text, place->text));
    assert_int_equal(second, -1);
    assert_int_equal(stat(place->text + 5, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    listen_close(&place->address, &fd);
}

static void a_file_is_left_alone(void **state)
{
    struct place *place = *state;
    struct err_detail detail = {0};
    FILE *file = fopen(place->text + 5, "w");
    int fd = -1;

    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(listen_open(&place->address, 0666, &fd, &detail), ERR_CONFLICT);
    assert_non_null(strstr(detail.text, "is not a socket"));
    assert_int_equal(access(place->text + 5, F_OK), 0);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(a_path_that_is_too_long),
        cmocka_unit_test_setup_teardown(a_unix_socket_gets_its_mode, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_living_socket_is_left_alone, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_file_is_left_alone, place_make, place_remove),
        cmocka_unit_test(a_folder_that_does_not_exist),
        cmocka_unit_test(a_taken_port),
    };

    return cmocka_run_group_tests_name("policyd listen", tests, NULL, NULL);
}
