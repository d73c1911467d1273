// Tracking rows without a Redis: names, filters, and what is read back, which is a stranger's text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/reply.h"
#include "node/store/track.h"
#include "proto/base/mem.h"
#include "tests/support/redis_replies.h"
#include "tests/support/table.h"

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
                              .spf_domain = "",
                              .helo = "",
                              .sender = "Ann@Sender.Example",
                              .recipient = "bob@corp.example",
                              .gateway = "",
                              .transaction = "",
                              .auth_user = "",
                              .spf = ""};
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

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    struct track_found *found = track_take(reply_of_entry(&replies, "1000-2", fields, 14), 9);

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

// What versions before wrote has fewer fields, and what versions to come write has more.
static void a_row_of_another_version_is_read(void **state)
{
    static const char *const old[] = {"at",           "77", "a",          "defer", "r",
                                      "greylist_new", "f",  "ann@x.test", "ra",    "60"};
    static const char *const later[] = {"at", "77", "u",  "bob@x.test", "o",  "fail", "fl", "7",
                                        "sz", "9",  "rc", "2",          "pv", "3",    "q9", "?"};
    struct replies replies = {.used = 0};
    struct track_found *found = track_take(reply_of_entry(&replies, "1000-2", old, 10), 9);

    (void)state;
    assert_string_equal(found->row.sender, "ann@x.test");
    assert_string_equal(found->row.auth_user, "");
    assert_string_equal(found->row.spf, "");
    assert_int_equal(found->row.retry_after_s, 60);
    assert_int_equal(found->row.flags | found->row.size_bytes | found->row.recipient_count |
                         found->row.policy_version,
                     0);
    mem_free(found);
    found = track_take(reply_of_entry(&replies, "1000-2", later, 16), 9);
    assert_string_equal(found->row.auth_user, "bob@x.test");
    assert_string_equal(found->row.spf, "fail");
    assert_int_equal(found->row.flags, 7);
    assert_int_equal(found->row.size_bytes, 9);
    assert_int_equal(found->row.recipient_count, 2);
    assert_int_equal(found->row.policy_version, 3);
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

    TABLE_ROWS(&table, FILTERS, check_filter);
    TABLE_TEST(&table, a_reason_in_shadow_is_found);
    TABLE_TEST(&table, a_stored_row_is_a_strangers_text);
    TABLE_TEST(&table, a_row_of_another_version_is_read);
    TABLE_ROWS(&table, BROKEN, check_broken);
    TABLE_TEST(&table, names_of_tracking_keys_hold_node_and_day);
    return table_run(&table, "tracking rows in memory");
}
