// Parts of the store that need no Redis: commands in wire form, the table of error replies,
// addresses, secrets in files, the clock, tickets, what is read from meta and what is concluded,
// tracking rows and their filter.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "node/store/track.h"
#include "proto/base/mem.h"
#include "tests/support/redis_replies.h"
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

// ---- the clock

static const struct clock_row {
    const char *name;
    uint64_t sent_us, got_us, server_us; // the second measurement
    enum clock_news news;
    int64_t step_ms;
    uint64_t reads_ms; // at 20 s of the monotonic clock
} CLOCKS[] = {
    // The first: at 10 s the server says 1000 s. So 20 s of ours are 1010 s of its.
    {"the same", 20000000, 20000000, 1010000000, CLOCK_SAME, 0, 1010000},
    {"half the round trip", 19990000, 20010000, 1010000000, CLOCK_SAME, 0, 1010000},
    {"drifted by 2 s", 20000000, 20000000, 1012000000, CLOCK_SAME, 2000, 1012000},
    {"a step of 2.001 s", 20000000, 20000000, 1012001000, CLOCK_STEP, 2001, 1012001},
    {"a step of 60 s", 20000000, 20000000, 1070000000, CLOCK_STEP, 60000, 1070000},
    {"a jump of 60.001 s", 20000000, 20000000, 1070001000, CLOCK_JUMP, 60001, 1010000},
    {"a jump of a year", 20000000, 20000000, 32546000000000, CLOCK_JUMP, 32544990000, 1010000},
    {"a step back", 20000000, 20000000, 1007000000, CLOCK_STEP, -3000, 1007000},
    {"a jump back", 20000000, 20000000, 900000000, CLOCK_JUMP, -110000, 1010000},
    {"50 ms round trip", 19975000, 20025000, 1010000000, CLOCK_SAME, 0, 1010000},
    {"51 ms round trip tells nothing", 19949000, 20000000, 1500000000, CLOCK_IGNORED, 490025,
     1010000},
};

static struct store_clock begun_clock(void)
{
    struct store_clock clock = {.known = false};
    int64_t step_ms = -1;

    assert_int_equal(store_clock_measure(&clock, 10000000, 10000000, 1000000000, &step_ms),
                     CLOCK_SAME);
    assert_int_equal(step_ms, 0);
    return clock;
}

static void check_clock(void **state)
{
    const struct clock_row *row = *state;
    struct store_clock clock = begun_clock();
    int64_t step_ms = 0;

    assert_int_equal(
        store_clock_measure(&clock, row->sent_us, row->got_us, row->server_us, &step_ms),
        row->news);
    assert_int_equal(step_ms, row->step_ms);
    assert_int_equal(store_clock_read(&clock, 20000, 0), row->reads_ms);
}

static void the_first_measurement_counts_however_slow(void **state)
{
    struct store_clock clock = {.known = false};
    int64_t step_ms = 0;

    (void)state;
    assert_int_equal(store_clock_read(&clock, 1, 5000), 5000); // the wall clock until then
    assert_int_equal(store_clock_measure(&clock, 0, 900000, 2000000, &step_ms), CLOCK_SAME);
    assert_int_equal(store_clock_read(&clock, 900, 5000),
                     2450); // earlier than the wall said: right
}

static void time_never_goes_backwards(void **state)
{
    struct store_clock clock = begun_clock();
    int64_t step_ms = 0;

    (void)state;
    assert_int_equal(store_clock_read(&clock, 20000, 0), 1010000);
    assert_int_equal(store_clock_measure(&clock, 20000000, 20000000, 1005000000, &step_ms),
                     CLOCK_STEP);
    assert_int_equal(store_clock_read(&clock, 20000, 0), 1010000); // stands still
    assert_int_equal(store_clock_read(&clock, 24999, 0), 1010000);
    assert_int_equal(store_clock_read(&clock, 25001, 0), 1010001); // until the store has caught up
}

static void a_jump_waits_for_a_person(void **state)
{
    struct store_clock clock = begun_clock();
    int64_t step_ms = 0;

    (void)state;
    store_clock_follow(&clock); // nothing to accept: no harm
    assert_int_equal(store_clock_read(&clock, 20000, 0), 1010000);
    assert_int_equal(store_clock_measure(&clock, 20000000, 20000000, 500000000, &step_ms),
                     CLOCK_JUMP);
    assert_true(clock.held);
    assert_int_equal(store_clock_measure(&clock, 21000000, 21000000, 501000000, &step_ms),
                     CLOCK_HELD);
    assert_int_equal(store_clock_read(&clock, 21000, 0), 1011000); // runs on by its own
    store_clock_follow(&clock);
    assert_false(clock.held);
    assert_int_equal(store_clock_read(&clock, 22000, 0), 502000);
}

static void with_replay_time_is_what_was_said(void **state)
{
    struct store_clock clock = {.replay = true, .replay_ms = 77};

    (void)state;
    assert_int_equal(store_clock_read(&clock, 20000, 30000), 77);
}

// ---- tickets

static const struct ticket_row {
    const char *name;
    const char *text;
    bool is_good;
    struct ticket ticket;
} TICKETS[] = {
    {"zero", "000000000000000000", true, {0, 0, 0}},
    {"largest", "zzzzzzzzzzzzzzzzzz", true, {0xffffffff, (1ULL << 43) - 1, 32767}},
    {"sequence", "000000000000000001", true, {0, 0, 1}},
    {"time",
     "00000000000000100"
     "0",
     true,
     {0, 1, 0}},
    {"read over the telephone", "0OoIiLl11000000000", true, {0x00044210, 1099511627776ULL * 4, 0}},
    {"too short", "00000000000000000", false, {0, 0, 0}},
    {"too long", "0000000000000000000", false, {0, 0, 0}},
    {"empty", "", false, {0, 0, 0}},
    {"u is no digit", "00000000000000000u", false, {0, 0, 0}},
    {"a dash", "00000000-000000000", false, {0, 0, 0}},
    {"not ASCII",
     "00000000000000\xc3\xa4"
     "00",
     false,
     {0, 0, 0}},
};

static void check_ticket(void **state)
{
    const struct ticket_row *row = *state;
    struct ticket ticket = {.node = 5};

    assert_int_equal(ticket_parse(row->text, &ticket), row->is_good);
    if (!row->is_good) {
        assert_int_equal(ticket.node, 5);
        return;
    }
    char text[TICKET_TEXT_MAX];
    struct ticket again;

    assert_true(ticket_parse(ticket_format(&ticket, text), &again));
    assert_int_equal(track_order(&again, &ticket), 0);
    if (strstr(row->name, "telephone") == NULL) {
        assert_string_equal(text, row->text);
        assert_int_equal(ticket.node, row->ticket.node);
        assert_int_equal(ticket.at_ms, row->ticket.at_ms);
        assert_int_equal(ticket.seq, row->ticket.seq);
    } else {
        assert_string_equal(text, "000111111000000000");
    }
}

static void tickets_rise_whatever_the_clock_does(void **state)
{
    static const uint64_t at_ms[] = {1000, 1000, 1001, 900, 1001, 5, 1002, 1ULL << 50, 1};
    struct store store = {.node = 7};
    struct ticket last = {.node = 0};

    (void)state;
    for (size_t i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++) {
        struct ticket next = ticket_next(&store, at_ms[i]);

        assert_int_equal(next.node, 7);
        assert_true(track_order(&next, &last) > 0);
        last = next;
    }
}

static void more_rows_than_a_millisecond_holds_borrow_from_the_next(void **state)
{
    struct store store = {.node = 7};
    struct ticket last = ticket_next(&store, 1000);

    (void)state;
    for (unsigned i = 0; i < 40000; i++) {
        struct ticket next = ticket_next(&store, 1000);

        assert_true(track_order(&next, &last) > 0);
        assert_true(next.seq <= 32767);
        last = next;
    }
    assert_int_equal(last.at_ms, 1001);
}

// ---- meta

static const char *check_of(const char *hex, char out[17])
{
    struct key_epoch epoch = {.buckets = 1};

    assert_true(secret_from_hex(hex, epoch.secret));
    key_epoch_check(&epoch, out);
    return out;
}

// A in a text stands for the check value of HEX_A, B for that of HEX_B.
static void fill_in(const char *text, char out[200])
{
    char check[17];
    size_t used = 0;

    for (; *text != '\0'; text++) {
        const char *piece = (const char[]){*text, '\0'};

        if (*text == 'A')
            piece = check_of(HEX_A, check);
        if (*text == 'B')
            piece = check_of(HEX_B, check);
        used += (size_t)snprintf(out + used, 200 - used, "%s", piece);
    }
}

enum { META_PAIRS = 8, NOW = 1000000 };

static const struct meta_row {
    const char *name;
    const char *stored[META_PAIRS * 2]; // name, value, ...
    const char *file;                   // secrets, 'A' and 'B', NULL = no secret_file
    uint64_t since_ms[2];               // of the file's lines
    const char *ring;                   // secrets that this node has used, NULL = none
    enum meta_verdict verdict;
    const char *expect[6]; // META_FINE: the secrets in force; META_MISSING: name, value, ...;
                           // META_FOREIGN: part of why
} METAS[] = {
    {"an empty store gets a secret", {0}, NULL, {0}, NULL, META_MISSING, {"secret:0", HEX_B}},
    {"then the epoch and the format",
     {"secret:0", HEX_A},
     NULL,
     {0},
     NULL,
     META_MISSING,
     {"epoch:0", "0 1024 A", "format", "1"}},
    {"then it is founded",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A"},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"an empty store and a secret_file",
     {0},
     "A",
     {0},
     NULL,
     META_MISSING,
     {"epoch:0", "0 1024 A", "format", "1"}},
    {"the format is written last",
     {"epoch:0", "0 1024 A"},
     "A",
     {0},
     NULL,
     META_MISSING,
     {"format", "1"}},
    {"a secret_file that matches",
     {"format", "1", "epoch:0", "0 1024 A"},
     "A",
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"other buckets than configured win",
     {"format", "1", "epoch:0", "0 64 A"},
     "A",
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"another secret_file",
     {"format", "1", "epoch:0", "0 1024 A"},
     "B",
     {0},
     NULL,
     META_FOREIGN,
     {"same secret_file"}},
    {"a secret_file where the store has a secret",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A"},
     "B",
     {0},
     NULL,
     META_FOREIGN,
     {"same secret_file"}},
    {"no secret_file where the others have one",
     {"format", "1", "epoch:0", "0 1024 A"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"set secret_file"}},
    {"a secret that is not its epoch's",
     {"format", "1", "secret:0", HEX_B, "epoch:0", "0 1024 A"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"set secret_file"}},
    {"two epochs",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A", "secret:1", HEX_B, "epoch:1",
      "500 64 B"},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A", "B"}},
    {"two epochs in any order",
     {"epoch:1", "500 64 B", "secret:1", HEX_B, "secret:0", HEX_A, "epoch:0", "0 1024 A", "format",
      "1"},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A", "B"}},
    {"a claimed number that was not opened",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A", "secret:1", HEX_B},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"a new secret of the file is announced",
     {"format", "1", "epoch:0", "0 1024 A"},
     "AB",
     {0, NOW + 5},
     NULL,
     META_MISSING,
     {"epoch:1", "1000005 1024 B"}},
    {"a new secret whose moment has passed",
     {"format", "1", "epoch:0", "0 1024 A"},
     "AB",
     {0, NOW - 5},
     NULL,
     META_FOREIGN,
     {"name one in the future"}},
    {"an announced secret that this node lacks",
     {"format", "1", "epoch:0", "0 1024 A", "epoch:1", "1000005 1024 B"},
     "A",
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"a secret in force that this node lacks",
     {"format", "1", "epoch:0", "0 1024 A", "epoch:1", "999995 1024 B"},
     "A",
     {0},
     NULL,
     META_FOREIGN,
     {"add it to secret_file"}},
    {"an old secret of the file that the store has dropped",
     {"format", "1", "epoch:1", "500 1024 B"},
     "AB",
     {0, 500},
     NULL,
     META_FINE,
     {"B"}},
    {"a later format",
     {"format", "2", "secret:0", HEX_A, "epoch:0", "0 1024 A"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"upgrade this node"}},
    {"what a later version adds is passed over",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A", "colour", "blue"},
     NULL,
     {0},
     NULL,
     META_FINE,
     {"A"}},
    {"a format that is no number", {"format", "one"}, NULL, {0}, NULL, META_FOREIGN, {"'format'"}},
    {"an epoch without buckets", {"epoch:0", "0 A"}, NULL, {0}, NULL, META_FOREIGN, {"'epoch:0'"}},
    {"buckets no power of two",
     {"epoch:0", "0 1000 A"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"'epoch:0'"}},
    {"buckets 0", {"epoch:0", "0 0 A"}, NULL, {0}, NULL, META_FOREIGN, {"'epoch:0'"}},
    {"something behind the check value",
     {"epoch:0", "0 64 Aff"},
     NULL,
     {0},
     NULL,
     META_FOREIGN,
     {"'epoch:0'"}},
    {"a secret that is none", {"secret:0", "xyz"}, NULL, {0}, NULL, META_FOREIGN, {"'secret:0'"}},
    {"an emptied store gets back its secret",
     {0},
     NULL,
     {0},
     "A",
     META_MISSING,
     {"secret:0", HEX_A, "epoch:0", "0 1024 A", "format", "1"}},
    {"an emptied store gets back its epochs",
     {0},
     "AB",
     {0, 500},
     "AB",
     META_MISSING,
     {"epoch:0", "0 1024 A", "epoch:1", "1 1024 B", "format", "1"}},
    {"half given back",
     {"secret:0", HEX_A},
     NULL,
     {0},
     "A",
     META_MISSING,
     {"epoch:0", "0 1024 A", "format", "1"}},
    {"emptied, and a stranger begins it anew",
     {"secret:0", HEX_B},
     NULL,
     {0},
     "A",
     META_FOREIGN,
     {"restart this node"}},
    {"emptied, and a stranger has begun it anew",
     {"format", "1", "secret:0", HEX_B, "epoch:0", "0 1024 B"},
     NULL,
     {0},
     "A",
     META_FOREIGN,
     {"is not the store's"}},
    {"a running node learns a new epoch",
     {"format", "1", "secret:0", HEX_A, "epoch:0", "0 1024 A", "secret:1", HEX_B, "epoch:1",
      "500 64 B"},
     NULL,
     {0},
     "A",
     META_FINE,
     {"A", "B"}},
};

static struct meta known(const struct meta_row *row)
{
    struct meta meta = {.buckets = 1024, .file = {.path = "secret"}};

    for (size_t i = 0; row->file != NULL && row->file[i] != '\0'; i++) {
        struct secret_line *line = &meta.file.line[meta.file.count++];

        assert_true(secret_from_hex(row->file[i] == 'A' ? HEX_A : HEX_B, line->secret));
        line->since_ms = row->since_ms[i];
    }
    for (size_t i = 0; row->ring != NULL && row->ring[i] != '\0'; i++) {
        struct key_epoch *epoch = &meta.ring.epoch[meta.ring.count++];

        assert_true(secret_from_hex(row->ring[i] == 'A' ? HEX_A : HEX_B, epoch->secret));
        epoch->since_ms = i;
        epoch->buckets = 1024;
    }
    return meta;
}

static void assert_ring(const struct key_ring *ring, const char *const *expect)
{
    unsigned count = 0;

    for (; expect[count] != NULL; count++) {
        char wanted[200];
        char found[17];

        assert_true(count < ring->count);
        fill_in(expect[count], wanted);
        key_epoch_check(&ring->epoch[count], found);
        assert_string_equal(found, wanted);
    }
    assert_int_equal(ring->count, count);
}

static void assert_fields(const struct meta_judgement *judgement, const char *const *expect)
{
    unsigned count = 0;

    for (; count < 3 && expect[2 * count] != NULL; count++) {
        char value[200];

        assert_true(count < judgement->field_count);
        fill_in(expect[2 * count + 1], value);
        assert_string_equal(judgement->field[count].name, expect[2 * count]);
        if (strcmp(expect[2 * count + 1], HEX_A) != 0 && strcmp(expect[2 * count + 1], HEX_B) != 0)
            assert_string_equal(judgement->field[count].value, value);
        else
            assert_string_equal(judgement->field[count].value, expect[2 * count + 1]);
    }
    assert_int_equal(judgement->field_count, count);
}

static void check_meta(void **state)
{
    const struct meta_row *row = *state;
    struct meta meta = known(row);
    struct meta_judgement judgement;
    uint8_t fresh[KEY_SECRET_BYTES];
    struct replies replies = {.used = 0};
    const char *pair[META_PAIRS * 2] = {NULL};
    char value[META_PAIRS][200];
    size_t count = 0;

    for (; count < META_PAIRS && row->stored[2 * count] != NULL; count++) {
        bool is_epoch = strncmp(row->stored[2 * count], "epoch:", 6) == 0;

        if (is_epoch)
            fill_in(row->stored[2 * count + 1], value[count]);
        pair[2 * count] = row->stored[2 * count];
        pair[2 * count + 1] = is_epoch ? value[count] : row->stored[2 * count + 1];
    }
    assert_true(secret_from_hex(HEX_B, fresh));
    meta_judge(&meta, reply_of_texts(&replies, pair, 2 * count), fresh, NOW, &judgement);
    assert_int_equal(judgement.verdict, row->verdict);
    if (row->verdict == META_FINE)
        assert_ring(&judgement.ring, row->expect);
    else if (row->verdict == META_MISSING)
        assert_fields(&judgement, row->expect);
    else
        assert_non_null(strstr(judgement.why, row->expect[0]));
}

static void an_announced_secret_is_warned_of(void **state)
{
    static const struct meta_row row = {.name = "", .file = "A"};
    static const char *const text[] = {"format",   "1",       "epoch:0",
                                       "0 1024 A", "epoch:1", "1000005 1024 B"};
    const char *filled[6];
    char epoch[2][200];
    struct meta meta = known(&row);
    struct meta_judgement judgement;
    struct replies replies = {.used = 0};
    uint8_t fresh[KEY_SECRET_BYTES] = {0};

    (void)state;
    memcpy(filled, text, sizeof(filled));
    fill_in(text[3], epoch[0]);
    fill_in(text[5], epoch[1]);
    filled[3] = epoch[0];
    filled[5] = epoch[1];
    meta_judge(&meta, reply_of_texts(&replies, filled, 6), fresh, NOW, &judgement);
    assert_int_equal(judgement.verdict, META_FINE);
    assert_non_null(strstr(judgement.warning, "not in force yet"));
}

static void meta_that_is_no_hash_is_foreign(void **state)
{
    struct meta meta = {.buckets = 1024};
    struct meta_judgement judgement;
    struct redisReply reply = {.type = REDIS_REPLY_INTEGER};
    uint8_t fresh[KEY_SECRET_BYTES] = {0};

    (void)state;
    meta_judge(&meta, &reply, fresh, NOW, &judgement);
    assert_int_equal(judgement.verdict, META_FOREIGN);
}

// ---- tracking rows

static struct track_row plain_row(void)
{
    return (struct track_row){.ticket = {1, 1000, 2},
                              .at_ms = 1000,
                              .action = "defer",
                              .reason = "greylist_new",
                              .rule = "",
                              .shadow = "",
                              .stage = "rcpt",
                              .client_ip = "192.0.2.1",
                              .client_name = "mx.sender.example",
                              .helo = "",
                              .sender = "Ann@Sender.Example",
                              .recipient = "bob@corp.example",
                              .gateway = "",
                              .transaction = ""};
}

static const struct filter_row {
    const char *name;
    const char *sender, *recipient, *client_ip, *reason;
    bool matches;
} FILTERS[] = {
    {"anything", "", "", "", "", true},
    {"the sender, in any case", "ann@sender.example", "", "", "", true},
    {"its domain", "sender.example", "", "", "", true},
    {"its domain with @", "@SENDER.example", "", "", "", true},
    {"another sender", "eve@sender.example", "", "", "", false},
    {"a domain above", "example", "", "", "", false},
    {"a part of the domain", "ender.example", "", "", "", false},
    {"the recipient", "", "bob@corp.example", "", "", true},
    {"sender given as recipient", "", "ann@sender.example", "", "", false},
    {"the address", "", "", "192.0.2.1", "", true},
    {"the network", "", "", "192.0.2.0/24", "", true},
    {"another network", "", "", "198.51.100.0/24", "", false},
    {"the other family", "", "", "2001:db8::/32", "", false},
    {"no network at all", "", "", "somewhere", "", false},
    {"a network with host bits", "", "", "192.0.2.1/24", "", false},
    {"the reason", "", "", "", "greylist_new", true},
    {"another reason", "", "", "", "greylist_early", false},
    {"all of them", "sender.example", "corp.example", "192.0.2.0/24", "greylist_new", true},
    {"all but one", "sender.example", "other.example", "192.0.2.0/24", "greylist_new", false},
};

static void check_filter(void **state)
{
    const struct filter_row *row = *state;
    struct track_query query = {.sender = row->sender,
                                .recipient = row->recipient,
                                .client_ip = row->client_ip,
                                .reason = row->reason,
                                .cursor = ""};
    struct track_filter filter;
    struct track_row tracked = plain_row();

    track_filter_make(&filter, &query);
    assert_int_equal(track_filter_matches(&filter, &tracked), row->matches);
}

static void a_reason_in_shadow_is_found(void **state)
{
    struct track_query query = {
        .sender = "", .recipient = "", .client_ip = "", .reason = "block_admin", .cursor = ""};
    struct track_filter filter;
    struct track_row row = plain_row();

    (void)state;
    row.shadow = "block_admin";
    track_filter_make(&filter, &query);
    assert_true(track_filter_matches(&filter, &row));
}

static void a_stored_row_is_a_strangers_text(void **state)
{
    static char long_text[3000];
    static const char *const fields[] = {"at",       "77",     "f",       "a\nb\x01", "h",
                                         "\xff\xff", "n",      long_text, "ra",       "12x",
                                         "f",        "second", "zz",      "later"};
    struct replies replies = {.used = 0};
    struct redisReply *entry = reply_of_entry(&replies, "1000-2", fields, 14);

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    entry = reply_of_entry(&replies, "1000-2", fields, 14);
    struct track_found *found = track_take(entry, 9);

    assert_non_null(found);
    assert_int_equal(found->row.ticket.node, 9);
    assert_int_equal(found->row.ticket.at_ms, 1000);
    assert_int_equal(found->row.ticket.seq, 2);
    assert_int_equal(found->row.at_ms, 77);
    assert_int_equal(found->row.retry_after_s, 0); // "12x" is no number
    assert_true(text_is_clean(found->row.sender, strlen(found->row.sender), TRACK_TEXT_MAX));
    assert_non_null(strstr(found->row.sender, "a"));
    assert_true(text_is_damaged(found->row.helo));
    assert_int_equal(strlen(found->row.client_name), TRACK_TEXT_MAX);
    assert_string_equal(found->row.recipient, "");
    mem_free(found);
}

static const struct broken_row {
    const char *name;
    const char *id;
    size_t fields;
} BROKEN[] = {
    {"an id that is none", "abc", 2},
    {"an id without sequence", "1000", 2},
    {"an id with a tail", "1000-1x", 2},
    {"half a pair", "1000-1", 1},
};

static void check_broken(void **state)
{
    static const char *const fields[] = {"f", "x"};
    const struct broken_row *row = *state;
    struct replies replies = {.used = 0};

    assert_null(track_take(reply_of_entry(&replies, row->id, fields, row->fields), 1));
}

static void names_of_tracking_keys_hold_node_and_day(void **state)
{
    char name[TRACK_NAME_MAX];
    uint32_t node = 0;

    (void)state;
    track_name(0xbeef, 1800000000000 / TRACK_DAY_MS, name);
    assert_string_equal(name, "t:{0000beef}:20270115");
    track_index_name(1800000000000 / TRACK_DAY_MS, name);
    assert_string_equal(name, "tn:20270115");
    assert_true(track_node_parse("0000beef", &node));
    assert_int_equal(node, 0xbeef);
    assert_false(track_node_parse("beef", &node));
    assert_false(track_node_parse("0000BEEF", &node));
    assert_false(track_node_parse("0000beefa", &node));
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
    TABLE_ROWS(&table, CLOCKS, check_clock);
    TABLE_TEST(&table, the_first_measurement_counts_however_slow);
    TABLE_TEST(&table, time_never_goes_backwards);
    TABLE_TEST(&table, a_jump_waits_for_a_person);
    TABLE_TEST(&table, with_replay_time_is_what_was_said);
    TABLE_ROWS(&table, TICKETS, check_ticket);
    TABLE_TEST(&table, tickets_rise_whatever_the_clock_does);
    TABLE_TEST(&table, more_rows_than_a_millisecond_holds_borrow_from_the_next);
    TABLE_ROWS(&table, METAS, check_meta);
    TABLE_TEST(&table, an_announced_secret_is_warned_of);
    TABLE_TEST(&table, meta_that_is_no_hash_is_foreign);
    TABLE_ROWS(&table, FILTERS, check_filter);
    TABLE_TEST(&table, a_reason_in_shadow_is_found);
    TABLE_TEST(&table, a_stored_row_is_a_strangers_text);
    TABLE_ROWS(&table, BROKEN, check_broken);
    TABLE_TEST(&table, names_of_tracking_keys_hold_node_and_day);
    return table_run(&table, "store parts");
}
