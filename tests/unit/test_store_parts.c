// Parts of the store that need no Redis: commands in wire form, the table of error replies,
// addresses, secrets in files.
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

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

// ---- resp

static void a_command_is_written_with_its_lengths(void **state)
{
    static const char expected[] = "*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$3\r\n\0\r\n\r\n$2\r\n42\r\n";
    struct resp resp;
    size_t len = 0;

    (void)state;
    resp_begin(&resp, "HSET");
    resp_text(&resp, "k");
    resp_bytes(&resp, "\0\r\n", 3); // whatever the bytes are, they cannot end the argument
    resp_number(&resp, 42);
    const char *bytes = resp_finish(&resp, &len);

    assert_int_equal(len, sizeof(expected) - 1);
    assert_memory_equal(bytes, expected, len);
}

static void a_command_that_does_not_fit_is_not_sent(void **state)
{
    static char big[RESP_BYTES];
    struct resp resp;
    size_t len = 0;

    (void)state;
    resp_begin(&resp, "SET");
    resp_bytes(&resp, big, sizeof(big));
    resp_text(&resp, "small"); // what comes after does not mend it
    assert_null(resp_finish(&resp, &len));
    resp_begin(&resp, "SET"); // a new one starts clean
    assert_non_null(resp_finish(&resp, &len));
}

static void many_arguments_fill_a_command_to_its_end(void **state)
{
    struct resp resp;
    size_t len = 0;

    (void)state;
    resp_begin(&resp, "DEL");
    while (!resp.full)
        resp_text(&resp, "0123456789");
    assert_true(resp.used <= RESP_BYTES);
    assert_null(resp_finish(&resp, &len));
}

// ---- error replies

static const struct error_row {
    const char *name;
    const char *text;
    enum store_state state;
} ERRORS[] = {
    {"loading", "LOADING Redis is loading the dataset in memory", STORE_LOADING},
    {"readonly", "READONLY You can't write against a read only replica.", STORE_READONLY},
    {"masterdown",
     "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
     STORE_MASTERDOWN},
    {"oom", "OOM command not allowed when used memory > 'maxmemory'.", STORE_FULL},
    {"misconf", "MISCONF Errors writing to the AOF file: No space left on device", STORE_DISK},
    {"noreplicas", "NOREPLICAS Not enough good replicas to write.", STORE_NOREPLICAS},
    {"busy", "BUSY Redis is busy running a script.", STORE_BUSY},
    {"noauth", "NOAUTH Authentication required.", STORE_DENIED},
    {"wrongpass", "WRONGPASS invalid username-password pair or user is disabled.", STORE_DENIED},
    {"noperm", "NOPERM this user has no permissions to run the 'hset' command", STORE_DENIED},
    {"invalid password", "ERR invalid password", STORE_DENIED},
    {"auth without password", "ERR Client sent AUTH, but no password is set", STORE_DENIED},
    {"auth without password, 6",
     "ERR AUTH <password> called without any password configured for the default user.",
     STORE_DENIED},
    {"protected mode", "DENIED Redis is running in protected mode", STORE_DENIED},
    {"moved", "MOVED 3999 127.0.0.1:6381", STORE_CLUSTER},
    {"ask", "ASK 3999 127.0.0.1:6381", STORE_CLUSTER},
    {"tryagain", "TRYAGAIN Multiple keys request during rehashing of slot", STORE_CLUSTER},
    {"clusterdown", "CLUSTERDOWN The cluster is down", STORE_CLUSTER},
    {"crossslot", "CROSSSLOT Keys in request don't hash to the same slot", STORE_CLUSTER},
    {"noscript", "NOSCRIPT No matching script. Please use EVAL.", STORE_NOSCRIPT},
    {"wrong type", "WRONGTYPE Operation against a key holding the wrong kind of value",
     STORE_ERROR},
    {"busy group is not busy", "BUSYGROUP Consumer Group name already exists", STORE_ERROR},
    {"busykey is not busy", "BUSYKEY Target key name already exists.", STORE_ERROR},
    {"asking is not ask", "ASKING what", STORE_ERROR},
    {"lower case is not ours", "loading", STORE_ERROR},
    {"a bare word", "LOADING", STORE_LOADING},
    {"empty", "", STORE_ERROR},
    {"unknown command", "ERR unknown command 'FOO', with args beginning with: ", STORE_ERROR},
};

static void check_error(void **state)
{
    const struct error_row *row = *state;

    assert_int_equal(reply_error_state(row->text), row->state);
}

static void every_state_has_a_word(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STORE_STATE_COUNT; i++)
        assert_true(strlen(store_state_text((enum store_state)i)) > 1);
    assert_non_null(store_state_text((enum store_state)99));
}

// ---- addresses

static const struct address_row {
    const char *name;
    const char *text;
    const char *host; // NULL = refused
    int port;
} ADDRESSES[] = {
    {"ipv4", "10.0.0.5:6379", "10.0.0.5", 6379},
    {"ipv6", "[2001:db8::5]:6379", "2001:db8::5", 6379},
    {"unix", "unix:/run/redis/redis.sock", "/run/redis/redis.sock", 0},
    {"highest port", "127.0.0.1:65535", "127.0.0.1", 65535},
    {"a name", "redis.example:6379", NULL, 0},
    {"localhost", "localhost:6379", NULL, 0},
    {"no port", "10.0.0.5", NULL, 0},
    {"empty port", "10.0.0.5:", NULL, 0},
    {"port 0", "10.0.0.5:0", NULL, 0},
    {"port 65536", "10.0.0.5:65536", NULL, 0},
    {"port with a letter", "10.0.0.5:63x", NULL, 0},
    {"negative port", "10.0.0.5:-1", NULL, 0},
    {"ipv6 without brackets", "2001:db8::5:6379", NULL, 0},
    {"ipv4 in brackets", "[10.0.0.5]:6379", NULL, 0},
    {"bracket not closed", "[2001:db8::5:6379", NULL, 0},
    {"empty brackets", "[]:6379", NULL, 0},
    {"empty", "", NULL, 0},
    {"only a colon", ":6379", NULL, 0},
    {"relative unix path", "unix:redis.sock", NULL, 0},
    {"empty unix path", "unix:", NULL, 0},
    {"unix path too long",
     "unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789",
     NULL, 0},
    {"a url", "redis://10.0.0.5:6379", NULL, 0},
};

static void check_address(void **state)
{
    const struct address_row *row = *state;
    struct redis_address address = {.port = 0};
    struct err_detail detail = {.text = ""};
    enum err err = redis_address_parse(row->text, &address, &detail);

    if (row->host == NULL) {
        assert_int_equal(err, ERR_CONFIG);
        assert_non_null(strstr(detail.text, "store.address"));
        return;
    }
    assert_int_equal(err, ERR_NONE);
    assert_string_equal(address.host, row->host);
    assert_int_equal(address.port, row->port);
}

// ---- files with secrets

#define HEX_A "000102030405060708090a0b0c0d0e0f"
#define HEX_B "ffeeddccbbaa99887766554433221100"

static void write_file(char path[64], const char *text)
{
    (void)snprintf(path, 64, "/tmp/reeve-test-secret-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static const struct secret_row {
    const char *name;
    const char *text;
    unsigned count;        // 0 = refused
    const char *complaint; // part of the message
    uint64_t last_since_ms;
} SECRETS[] = {
    {"one line", HEX_A "\n", 1, NULL, 0},
    {"without newline", HEX_A, 1, NULL, 0},
    {"upper case and CR", "FFEEDDCCBBAA99887766554433221100\r\n", 1, NULL, 0},
    {"comments and empty lines", "# ours\n\n" HEX_A "\n\n", 1, NULL, 0},
    {"rotation by ms", HEX_A "\n" HEX_B " 1800000000000\n", 2, NULL, 1800000000000},
    {"rotation by date", HEX_A "\n" HEX_B " 2027-01-15T08:00:00Z\n", 2, NULL, 1800000000000},
    {"tabs between", HEX_A "\n" HEX_B "\t \t1800000000000\n", 2, NULL, 1800000000000},
    {"empty", "", 0, "holds no secret", 0},
    {"only comments", "# nothing\n", 0, "holds no secret", 0},
    {"too short", "0011\n", 0, ":1: expected 32 hexadecimal digits", 0},
    {"too long", HEX_A "00\n", 0, ":1: expected 32 hexadecimal digits", 0},
    {"not hexadecimal", "g00102030405060708090a0b0c0d0e0f\n", 0, ":1: expected 32", 0},
    {"second line wrong", HEX_A "\nxyz 5\n", 0, ":2: expected 32", 0},
    {"second without moment", HEX_A "\n" HEX_B "\n", 0, ":2: a further secret needs a moment", 0},
    {"moment is no time", HEX_A "\n" HEX_B " soon\n", 0, ":2: expected a moment", 0},
    {"date without time", HEX_A "\n" HEX_B " 2027-01-15\n", 0, ":2: expected a moment", 0},
    {"date with an offset", HEX_A "\n" HEX_B " 2027-01-15T08:00:00+01:00\n", 0,
     ":2: expected a moment", 0},
    {"moments fall", HEX_A " 5\n" HEX_B " 4\n", 0, ":2: a further secret", 0},
    {"five secrets", HEX_A "\n" HEX_A " 1\n" HEX_A " 2\n" HEX_A " 3\n" HEX_A " 4\n", 0,
     ":5: more than 4", 0},
};

static void check_secret(void **state)
{
    const struct secret_row *row = *state;
    struct secret_file file = {.count = 0};
    struct err_detail detail = {.text = ""};
    char path[64];

    write_file(path, row->text);
    enum err err = secret_file_read(path, &file, &detail);

    (void)unlink(path);
    assert_int_equal(file.count, row->count);
    if (row->count == 0) {
        assert_int_equal(err, ERR_CONFIG);
        assert_non_null(strstr(detail.text, row->complaint));
        assert_null(strstr(detail.text, "0405060708")); // never the secret itself
        return;
    }
    assert_int_equal(err, ERR_NONE);
    assert_int_equal(file.line[file.count - 1].since_ms, row->last_since_ms);
}

static void a_secret_file_that_is_not_there_is_named(void **state)
{
    struct secret_file file = {.count = 7};
    struct err_detail detail = {.text = ""};

    (void)state;
    assert_int_equal(secret_file_read("/nonexistent/secret", &file, &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "/nonexistent/secret"));
    assert_int_equal(file.count, 7); // untouched
}

static void a_password_is_the_first_line(void **state)
{
    struct err_detail detail = {.text = ""};
    char *password = NULL;
    char path[64];

    (void)state;
    write_file(path, "s3cret word\r\nsecond\n");
    assert_int_equal(secret_password_read(path, &password, &detail), ERR_NONE);
    assert_string_equal(password, "s3cret word");
    mem_free(password);
    (void)unlink(path);
    write_file(path, "\nsecond\n");
    assert_int_equal(secret_password_read(path, &password, &detail), ERR_CONFIG);
    (void)unlink(path);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, a_command_is_written_with_its_lengths);
    TABLE_TEST(&table, a_command_that_does_not_fit_is_not_sent);
    TABLE_TEST(&table, many_arguments_fill_a_command_to_its_end);
    TABLE_ROWS(&table, ERRORS, check_error);
    TABLE_TEST(&table, every_state_has_a_word);
    TABLE_ROWS(&table, ADDRESSES, check_address);
    TABLE_ROWS(&table, SECRETS, check_secret);
    TABLE_TEST(&table, a_secret_file_that_is_not_there_is_named);
    TABLE_TEST(&table, a_password_is_the_first_line);
    return table_run(&table, "store parts");
}
