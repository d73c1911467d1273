// What `reevectl import` reads of postgrey, sqlgrey and rspamd, files of lines, and the policies that
// it writes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

// The pure parts, which are in no library.
#include "client/ctl/import/exempt.c"
#include "client/ctl/import/lines.c"
#include "client/ctl/import/postgrey_entry.c"
#include "client/ctl/import/rspamd_key.c"
#include "client/ctl/import/sqlgrey_row.c"
#include "client/ctl/when.c"

#include "node/policy/set.h"
#include "tests/support/table.h"

// What the file of exemptions tells its user with.
int ctl_fail(struct ctl *ctl, int code, const char *fmt, ...)
{
    (void)ctl;
    (void)fmt;
    return code;
}

// ---- postgrey

static const struct entry_row {
    const char *name; // the key
    const char *value;
    enum postgrey_kind kind;
    const char *client, *sender, *recipient;
} ENTRIES[] = {
    {"192.0.2.0/ann@sender.example/bob@rcpt.example", "1,301", POSTGREY_ENTRY, "192.0.2.0/24",
     "ann@sender.example", "bob@rcpt.example"},
    {"192.0.2.0//bob@rcpt.example", "1,301", POSTGREY_ENTRY, "192.0.2.0/24", "",
     "bob@rcpt.example"},
    {"192.0.2.16/ann@x/bob@y", "1,301", POSTGREY_ENTRY, "192.0.2.16", "ann@x", "bob@y"},
    {"192.0.2.7/32/ann@x/bob@y", "1,301", POSTGREY_ENTRY, "192.0.2.7", "ann@x", "bob@y"},
    {"192.0.2.7/32//bob@y", "1,301", POSTGREY_ENTRY, "192.0.2.7", "", "bob@y"},
    {"2001:db8:1:2:0:0:0:0/ann@x/bob@y", "1,301", POSTGREY_ENTRY, "2001:db8:1:2::/64", "ann@x",
     "bob@y"},
    {"2001:db8:1:2:0:0:0:1/ann@x/bob@y", "1,301", POSTGREY_ENTRY, "2001:db8:1:2::1", "ann@x",
     "bob@y"},
    {"192.0.2.0/a/b@x/c/d@y", "1,301", POSTGREY_ENTRY, "192.0.2.0/24", "a/b@x", "c/d@y"},
    {"192.0.2.0/root/bob@y", "1,301,mx.x", POSTGREY_ENTRY, "192.0.2.0/24", "root", "bob@y"},
    {"da39a3ee5e6b4b0d3255bfef95601890afd80709", "1,301", POSTGREY_HASHED, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/bob@y", "", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/bob@y", "1", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/bob@y", "1,", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/bob@y", ",1", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/bob@y", "1;2", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/bob@y", "1,2x", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/bob@y", "-1,2", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/bob@y", "1,999999999999", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"", "1,301", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0", "1,301", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/", "1,301", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x", "1,301", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2.0/ann@x/", "1,301", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"192.0.2/ann@x/bob@y", "1,301", POSTGREY_UNREADABLE, NULL, NULL, NULL},
    {"mx.x/ann@x/bob@y", "1,301", POSTGREY_UNREADABLE, NULL, NULL, NULL},
};

static struct postgrey_bytes bytes_of(const char *text)
{
    return (struct postgrey_bytes){text, strlen(text)};
}

static void an_entry_of_postgrey(void **state)
{
    const struct entry_row *row = *state;
    struct postgrey_entry entry;

    assert_int_equal(postgrey_read(bytes_of(row->name), bytes_of(row->value), &entry), row->kind);
    if (row->kind != POSTGREY_ENTRY)
        return;
    assert_string_equal(entry.client, row->client);
    assert_string_equal(entry.sender, row->sender);
    assert_string_equal(entry.recipient, row->recipient);
    assert_int_equal(entry.first_s, 1);
    assert_int_equal(entry.last_s, 301);
}

static void clients_of_postgrey(void **state)
{
    struct postgrey_entry entry;
    static const char nul[] = "192.0.2.7\0x";
    static char large[2 * POSTGREY_TEXT_MAX];

    (void)state;
    assert_int_equal(postgrey_read_client(bytes_of("192.0.2.7"), bytes_of("6,301"), &entry),
                     POSTGREY_ENTRY);
    assert_string_equal(entry.client, "192.0.2.7");
    assert_int_equal(entry.first_s, 6);
    assert_int_equal(entry.last_s, 301);
    assert_int_equal(
        postgrey_read_client(bytes_of("2001:db8:0:0:0:0:0:1"), bytes_of("6,301"), &entry),
        POSTGREY_ENTRY);
    assert_string_equal(entry.client, "2001:db8::1");
    assert_int_equal(postgrey_read_client(bytes_of("192.0.2"), bytes_of("6,301"), &entry),
                     POSTGREY_UNREADABLE);
    assert_int_equal(postgrey_read_client(bytes_of("192.0.2.7"), bytes_of("6"), &entry),
                     POSTGREY_UNREADABLE);
    assert_int_equal(postgrey_read_client((struct postgrey_bytes){nul, sizeof(nul) - 1},
                                          bytes_of("6,301"), &entry),
                     POSTGREY_UNREADABLE);
    memset(large, '1', sizeof(large) - 1);
    assert_int_equal(postgrey_read(bytes_of(large), bytes_of("6,301"), &entry),
                     POSTGREY_UNREADABLE);
    assert_int_equal(postgrey_read_client(bytes_of("da39a3ee5e6b4b0d3255bfef95601890afd80709"),
                                          bytes_of("6,301"), &entry),
                     POSTGREY_HASHED);
}

// ---- sqlgrey

static const struct known_row {
    const char *name; // last_seen
    const char *sender_name, *sender_domain, *src;
    enum sqlgrey_kind kind;
    const char *from, *source;
    uint64_t ms;
} KNOWNS[] = {
    {"1795295581", "ann", "x.example", "192.0.2", SQLGREY_KNOWN, "ann@x.example", "192.0.2.0/24",
     1795295581000ULL},
    {"1795295581", "ann", "x.example", "192.0.2.7", SQLGREY_KNOWN, "ann@x.example", "192.0.2.7",
     1795295581000ULL},
    {"1795295581", NULL, "x.example", "192.0.2.7", SQLGREY_KNOWN, "@x.example", "192.0.2.7",
     1795295581000ULL},
    {"1795295581", "-undef-", "-undef-", "192.0.2.7", SQLGREY_KNOWN, "<>", "192.0.2.7",
     1795295581000ULL},
    {"1795295581", NULL, "-undef-", "192.0.2.7", SQLGREY_KNOWN, "<>", "192.0.2.7",
     1795295581000ULL},
    {"2026-11-21 21:13:01", "ann", "x.example", "192.0.2", SQLGREY_KNOWN, "ann@x.example",
     "192.0.2.0/24", 1795295581000ULL},
    {"2026-11-21 21:13:01.123456", "ann", "x.example", "192.0.2", SQLGREY_KNOWN, "ann@x.example",
     "192.0.2.0/24", 1795295581000ULL},
    {"2026-11-21 22:13:01+01", "ann", "x.example", "192.0.2", SQLGREY_KNOWN, "ann@x.example",
     "192.0.2.0/24", 1795295581000ULL},
    {"2026-11-21 22:13:01.5+01", "ann", "x.example", "192.0.2", SQLGREY_KNOWN, "ann@x.example",
     "192.0.2.0/24", 1795295581500ULL},
    {"1795295581", "ann", "x.example", "2001:0db8:0000:0001", SQLGREY_KNOWN, "ann@x.example",
     "2001:0db8:0000:0001::/64", 1795295581000ULL},
    {"1795295581", "ann", "x.example", "2001:0db8:0000:0001:0000:0000:0000:0001", SQLGREY_KNOWN,
     "ann@x.example", "2001:0db8:0000:0001:0000:0000:0000:0001", 1795295581000ULL},

    {"1795295581", "list-#", "x.example", "192.0.2", SQLGREY_FOLDED, NULL, NULL, 0},
    {"1795295581", "b-RCPT", "x.example", "192.0.2", SQLGREY_FOLDED, NULL, NULL, 0},
    {"1795295581", "", "x.example", "192.0.2", SQLGREY_FOLDED, NULL, NULL, 0},
    {"1795295581", "-undef-", "x.example", "192.0.2", SQLGREY_FOLDED, NULL, NULL, 0},
    {"1795295581", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x.example",
     "192.0.2", SQLGREY_FOLDED, NULL, NULL, 0},
    {"1795295581", "ann", "", "192.0.2", SQLGREY_FOLDED, NULL, NULL, 0},
    {"1795295581", "ann", NULL, "192.0.2", SQLGREY_FOLDED, NULL, NULL, 0},
    {"1795295581", "ann", "x.example", "", SQLGREY_UNREADABLE, NULL, NULL, 0},
    {"1795295581", "ann", "x.example", NULL, SQLGREY_UNREADABLE, NULL, NULL, 0},
    {"", "ann", "x.example", "192.0.2", SQLGREY_UNREADABLE, NULL, NULL, 0},
    {"yesterday", "ann", "x.example", "192.0.2", SQLGREY_UNREADABLE, NULL, NULL, 0},
    {"2026-13-21 21:13:01", "ann", "x.example", "192.0.2", SQLGREY_UNREADABLE, NULL, NULL, 0},
    {"2026-11-21", "ann", "x.example", "192.0.2", SQLGREY_UNREADABLE, NULL, NULL, 0},
    {"-5", "ann", "x.example", "192.0.2", SQLGREY_UNREADABLE, NULL, NULL, 0},
};

static void a_row_of_sqlgrey(void **state)
{
    const struct known_row *row = *state;
    struct sqlgrey_row in = {row->sender_name, row->sender_domain, row->src, NULL, row->name};
    struct sqlgrey_known known;

    assert_int_equal(sqlgrey_read(&in, &known), row->kind);
    if (row->kind == SQLGREY_KNOWN) {
        assert_string_equal(known.from, row->from);
        assert_string_equal(known.source, row->source);
        assert_int_equal(known.last_ms, row->ms);
    }
    in.rcpt = "bob@y.example";
    assert_int_equal(sqlgrey_read(&in, &known), SQLGREY_PENDING);
}

static void lines_of_a_dump(void **state)
{
    char csv[] = "a,\"b, c\",\"d\"\"e\",,f", tabs[] = "a\tb,c\t\"d", open[] = "\"a,b",
         many[] = "a,b,c";
    char *field[5];

    (void)state;
    assert_int_equal(sqlgrey_split(csv, ',', field, 5), 5);
    assert_string_equal(field[1], "b, c");
    assert_string_equal(field[2], "d\"e");
    assert_string_equal(field[3], "");
    assert_string_equal(field[4], "f");
    assert_int_equal(sqlgrey_split(tabs, '\t', field, 5), 3);
    assert_string_equal(field[1], "b,c");
    assert_string_equal(field[2], "\"d");
    assert_int_equal(sqlgrey_split(open, ',', field, 5), 1);
    assert_string_equal(field[0], "a,b");
    assert_int_equal(sqlgrey_split(many, ',', field, 2), 2);
}

// ---- rspamd: keys that rspamd 3.4 made

static const struct key_row {
    const char *name;
    const char *sender, *client, *first, *second;
} KEYS[] = {
    {"rgm9eg4nb7g5qrzquxeqah5", "Ann@Sender.example", "192.0.2.77", "bob@corp.example",
     "Joe@corp.example"},
    {"rgm9eg4nb7g5qrzquxeqah5", "Ann@Sender.example", "192.0.31.1", "Joe@corp.example",
     "bob@corp.example"},
    {"rgmfy5tcwuwcjdi7pguwg4x", "", "192.0.2.77", "bob@corp.example", NULL},
    {"rgmdomytpu7nz3a9jj6f17f", "ann@Sender.Example", "2001:db8:1:2:3::4", "Bob@CORP.example",
     NULL},
    {"rgmawfc3tf3chmddz75xqsb", "ann@s.example", "10.1.255.3", "bob@CORP.example", NULL},
};

static void a_key_is_rspamds(void **state)
{
    const struct key_row *row = *state;
    char *rcpt[2] = {(char *)(uintptr_t)row->first, (char *)(uintptr_t)row->second};
    struct rspamd_envelope envelope = {row->sender, row->client, rcpt, row->second == NULL ? 1 : 2};
    char key[RSPAMD_KEY_MAX];

    assert_true(rspamd_key("rg", &envelope, key));
    assert_string_equal(key, row->name);
    envelope.client = "192.0.32.1"; // another /19
    assert_true(rspamd_key("rg", &envelope, key));
    assert_string_not_equal(key, row->name);
}

static void no_key_without_an_address(void **state)
{
    char recipient[] = "bob@corp.example";
    char *rcpt[] = {recipient};
    struct rspamd_envelope envelope = {"ann@x", "unknown", rcpt, 1};
    char key[RSPAMD_KEY_MAX], prefix[RSPAMD_KEY_MAX + 1];

    (void)state;
    assert_false(rspamd_key("rg", &envelope, key));
    envelope.client = "192.0.2.1";
    memset(prefix, 'p', sizeof(prefix));
    prefix[RSPAMD_KEY_MAX - RSPAMD_HASH_LEN - 1] = '\0';
    assert_false(rspamd_key(prefix, &envelope, key));
    prefix[RSPAMD_KEY_MAX - RSPAMD_HASH_LEN - 2] = '\0';
    assert_true(rspamd_key(prefix, &envelope, key));
    assert_int_equal(strlen(key), RSPAMD_KEY_MAX - 1);
}

// ---- files of lines

static struct lines *lines_of(const char *bytes, size_t len, char path[64])
{
    struct err_detail detail = {""};
    struct lines *lines = NULL;
    int fd;

    (void)snprintf(path, 64, "/tmp/reeve-test-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    (void)close(fd);
    assert_int_equal(lines_open(&lines, path, &detail), ERR_NONE);
    return lines;
}

static void lines_of_any_kind(void **state)
{
    static const char text[] = "one\n\ntwo\0x\nlast";
    char path[64];
    struct lines *lines = lines_of(text, sizeof(text) - 1, path);
    static const char *const wanted[] = {"one", "", "two x", "last"};
    char *line = NULL;
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(lines_next(lines, &line, &len));
        assert_string_equal(line, wanted[i]);
        assert_int_equal(len, strlen(wanted[i]));
    }
    assert_false(lines_next(lines, &line, &len));
    assert_false(lines_next(lines, &line, &len));
    assert_null(lines_trouble(lines));
    assert_int_equal(lines_size(lines), sizeof(text) - 1);
    assert_true(lines_written_ms(lines) > 0);
    lines_close(&lines);
    (void)unlink(path);
}

// Around every bound of the buffer, the line is cut, the rest is dropped, and the next one is whole.
static void a_line_that_is_too_long(void **state)
{
    const size_t size[] = {LINES_MAX - 2, LINES_MAX - 1, LINES_MAX, LINES_MAX + 1,
                           ROOM - 1,      ROOM,          ROOM + 1,  3 * ROOM};

    (void)state;
    for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
        char *text = malloc(size[i] + 16);
        char path[64];
        struct lines *lines;
        char *line = NULL;
        size_t len = 0;

        memset(text, 'x', size[i]);
        memcpy(text + size[i], "\nnext\n", 6);
        lines = lines_of(text, size[i] + 6, path);
        assert_true(lines_next(lines, &line, &len));
        assert_int_equal(len, size[i] < LINES_MAX ? size[i] : LINES_MAX - 1);
        assert_int_equal(strspn(line, "x"), len);
        assert_true(lines_next(lines, &line, &len));
        assert_string_equal(line, "next");
        assert_false(lines_next(lines, &line, &len));
        lines_close(&lines);
        (void)unlink(path);
        free(text);
    }
}

static void compressed_and_torn(void **state)
{
    char path[64] = "/tmp/reeve-test-XXXXXX";
    struct err_detail detail = {""};
    struct lines *lines = NULL;
    char *line = NULL;
    size_t len = 0, count = 0;
    gzFile file = gzdopen(mkstemp(path), "wb");

    (void)state;
    for (int i = 0; i < 50000; i++)
        assert_true(gzprintf(file, "line %d %d\n", i, i * 7919) > 0);
    assert_int_equal(gzclose(file), Z_OK);
    assert_int_equal(lines_open(&lines, path, &detail), ERR_NONE);
    for (; lines_next(lines, &line, &len); count++)
        continue;
    assert_int_equal(count, 50000);
    assert_null(lines_trouble(lines));
    assert_int_equal(lines_done(lines), lines_size(lines));
    off_t half = (off_t)lines_size(lines) / 2;

    lines_close(&lines);
    assert_int_equal(truncate(path, half), 0);
    assert_int_equal(lines_open(&lines, path, &detail), ERR_NONE);
    for (count = 0; lines_next(lines, &line, &len); count++)
        continue;
    assert_in_range(count, 1000, 49000);
    assert_non_null(lines_trouble(lines));
    lines_close(&lines);
    lines_close(&lines);
    (void)unlink(path);
    assert_int_equal(lines_open(&lines, path, &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "No such file"));
    assert_int_equal(lines_open(&lines, "/tmp", &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "is a directory"));
}

// ---- policies

#define NOW  1795295581000ULL
#define LIFE IMPORT_EXEMPT_MS

static const struct exempt_row {
    const char *name; // from
    const char *source;
    uint64_t last_ms;
    enum exempt_result result;
} EXEMPTS[] = {
    {"ann@x.example", "192.0.2.1", NOW, EXEMPT_WRITTEN},
    {"ann@x.example", "192.0.2.0/24", NOW - LIFE + 1, EXEMPT_WRITTEN},
    {"@x.example", "2001:db8::/64", NOW, EXEMPT_WRITTEN},
    {"@internal", "192.0.2.1", NOW, EXEMPT_WRITTEN}, // the domain of that name, and not ours
    {"<>", "192.0.2.1", NOW, EXEMPT_WRITTEN},
    {"*", "192.0.2.1", NOW + 5000, EXEMPT_WRITTEN},
    {"o'neil@x.example", "192.0.2.1", NOW, EXEMPT_WRITTEN},
    {"{a}@x.example", "192.0.2.1", NOW, EXEMPT_WRITTEN},
    {"ann@x.example", "192.0.2.1", NOW - LIFE, EXEMPT_EXPIRED},
    {"ann@x.example", "192.0.2.1", 0, EXEMPT_EXPIRED},
    {"ann@x.example", "0.0.0.0/0", NOW, EXEMPT_FOLDED},
    {"ann@x.example", "192.0.2", NOW, EXEMPT_FOLDED},
    {"ann@x.example", "", NOW, EXEMPT_FOLDED},
    {"list-#@x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"*@x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"\"a b\"@x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"a\\@x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"ann\n  - {id: x}@x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"ann", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"ann@", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"ann@.x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"@", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"@.x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"@*.x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"", "192.0.2.1", NOW, EXEMPT_FOLDED},
    {"\xff@x.example", "192.0.2.1", NOW, EXEMPT_FOLDED},
};

// Whatever is written is a policy file to the node's own parser, with one policy more.
static void an_exemption_is_a_policy(void **state)
{
    const struct exempt_row *row = *state;
    const struct import_exemption one = {row->name, row->source, row->last_ms};
    char path[64] = "/tmp/reeve-test-XXXXXX";
    struct err_detail detail = {""};
    const char *paths[] = {path};
    struct policy *policy = NULL;
    struct exempt *exempt;
    int code = CTL_FINE;

    (void)close(mkstemp(path));
    (void)unlink(path);
    exempt = exempt_new(NULL, path, "sqlgrey", false, &code);
    assert_int_equal(code, CTL_FINE);
    assert_int_equal(exempt_add(exempt, &one, NOW), row->result);
    assert_int_equal(exempt_count(exempt), row->result == EXEMPT_WRITTEN);
    assert_true(exempt_close(&exempt, true));
    assert_null(exempt);
    if (policy_load(paths, 1, &policy, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    assert_int_equal(policy->rule_count, row->result == EXEMPT_WRITTEN);
    policy_free(&policy);
    assert_null(exempt_new(NULL, path, "sqlgrey", false, &code)); // it is there
    assert_int_equal(code, CTL_USAGE);
    (void)unlink(path);
    exempt = exempt_new(NULL, path, "sqlgrey", false, &code);
    assert_int_equal(access(path, F_OK), 0);
    assert_true(exempt_close(&exempt, false)); // of a run that failed nothing is left
    assert_int_equal(access(path, F_OK), -1);
}

static void without_a_file_nothing_is_written(void **state)
{
    const struct import_exemption one = {"ann@x.example", "192.0.2.1", NOW};
    int code = CTL_FINE;
    struct exempt *none = exempt_new(NULL, "", "sqlgrey", false, &code);
    struct exempt *dry = exempt_new(NULL, "/nowhere/x", "sqlgrey", true, &code);

    (void)state;
    assert_int_equal(exempt_add(none, &one, NOW), EXEMPT_NO_FILE);
    assert_int_equal(exempt_count(none), 0);
    assert_int_equal(exempt_add(dry, &one, NOW), EXEMPT_WRITTEN);
    assert_int_equal(exempt_count(dry), 1);
    assert_true(exempt_close(&none, true));
    assert_true(exempt_close(&dry, true));
    assert_true(exempt_close(&dry, true));
    assert_null(exempt_new(NULL, "/nowhere/x", "sqlgrey", false, &code));
    assert_int_equal(code, CTL_USAGE);
}

int main(void)
{
    struct table table = {.count = 0};

    setenv("TZ", "UTC", 1);
    tzset();
    TABLE_ROWS(&table, ENTRIES, an_entry_of_postgrey);
    TABLE_TEST(&table, clients_of_postgrey);
    TABLE_ROWS(&table, KNOWNS, a_row_of_sqlgrey);
    TABLE_TEST(&table, lines_of_a_dump);
    TABLE_ROWS(&table, KEYS, a_key_is_rspamds);
    TABLE_TEST(&table, no_key_without_an_address);
    TABLE_TEST(&table, lines_of_any_kind);
    TABLE_TEST(&table, a_line_that_is_too_long);
    TABLE_TEST(&table, compressed_and_torn);
    TABLE_ROWS(&table, EXEMPTS, an_exemption_is_a_policy);
    TABLE_TEST(&table, without_a_file_nothing_is_written);
    return table_run(&table, "import_sources");
}
