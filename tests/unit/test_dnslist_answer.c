// What a list is asked for, what its messages say, and which of its codes count.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/dnslist/answer.h"
#include "node/dnslist/question.h"
#include "tests/support/list_zone.h"
#include "tests/support/table.h"

#define LABEL60 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567"
#define LONG248 LABEL60 "." LABEL60 "." LABEL60 "." LABEL60 ".abcd"

// ---- names

static const struct name_row {
    const char *name;
    const char *zone;
    bool of_sender;
    const char *client, *domain;
    const char *asked; // NULL = nothing
} name_rows[] = {
    {"IPv4", "bl.example", false, "192.0.2.99", "", "99.2.0.192.bl.example"},
    {"IPv4 in IPv6", "bl.example", false, "::ffff:192.0.2.99", "", "99.2.0.192.bl.example"},
    {"IPv6", "bl.example", false, "2001:db8:1:2:3:4:567:89ab", "",
     "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example"},
    {"no address", "bl.example", false, "", "spam.example", NULL},
    {"domain", "dbl.example", true, "", "spam.example", "spam.example.dbl.example"},
    {"domain of a client", "dbl.example", true, "192.0.2.99", "a.spam.example",
     "a.spam.example.dbl.example"},
    {"no domain", "dbl.example", true, "192.0.2.99", "", NULL},
    {"address literal", "dbl.example", true, "192.0.2.99", "[192.0.2.99]", NULL},
    {"253 bytes", "b.ex", true, "", LONG248, LONG248 ".b.ex"},
    {"254 bytes", "bl.ex", true, "", LONG248, NULL},
};

static void a_name_is_asked_for(void **state)
{
    const struct name_row *row = *state;
    const struct policy_dns_list list = {.zone = row->zone, .of_sender = row->of_sender};
    struct ip client = {0};
    char name[DNSLIST_NAME_MAX] = "";

    if (row->client[0] != '\0')
        assert_true(ip_parse(row->client, &client));
    assert_int_equal(dnslist_name(&list, &client, row->domain, name), row->asked != NULL);
    if (row->asked != NULL)
        assert_string_equal(name, row->asked);
}

static void what_a_sound_list_has(void **state)
{
    char name[DNSLIST_NAME_MAX];

    (void)state;
    assert_true(dnslist_test_name("bl.example", false, DNSLIST_NEVER, name));
    assert_string_equal(name, "1.0.0.127.bl.example");
    assert_true(dnslist_test_name("bl.example", false, DNSLIST_ALWAYS, name));
    assert_string_equal(name, "2.0.0.127.bl.example");
    assert_true(dnslist_test_name("dbl.example", true, DNSLIST_NEVER, name));
    assert_string_equal(name, "invalid.dbl.example");
    assert_true(dnslist_test_name("dbl.example", true, DNSLIST_ALWAYS, name));
    assert_string_equal(name, "test.dbl.example");
    assert_false(dnslist_test_name(LONG248, true, DNSLIST_NEVER, name));
}

// ---- codes

static const struct code_row {
    const char *name;
    uint32_t code[4]; // that it answers, ended by 0
    struct policy_dns_code counts[3];
    size_t counts_count; // 0 = any
    enum facts_listed said;
    uint32_t hit;
} code_rows[] = {
    {"any code", {0x7f000002}, {{0}}, 0, FACTS_LIST_HIT, 0x7f000002},
    {"any, highest", {0x7ffffeff}, {{0}}, 0, FACTS_LIST_HIT, 0x7ffffeff},
    {"any, lowest", {0x7f000000}, {{0}}, 0, FACTS_LIST_HIT, 0x7f000000},
    {"named", {0x7f000004}, {{0x7f000004, 0x7f000004}}, 1, FACTS_LIST_HIT, 0x7f000004},
    {"not named", {0x7f000003}, {{0x7f000004, 0x7f000004}}, 1, FACTS_LIST_CLEAR, 0},
    {"first of a range", {0x7f000004}, {{0x7f000004, 0x7f00000b}}, 1, FACTS_LIST_HIT, 0x7f000004},
    {"last of a range", {0x7f00000b}, {{0x7f000004, 0x7f00000b}}, 1, FACTS_LIST_HIT, 0x7f00000b},
    {"before a range", {0x7f000003}, {{0x7f000004, 0x7f00000b}}, 1, FACTS_LIST_CLEAR, 0},
    {"behind a range", {0x7f00000c}, {{0x7f000004, 0x7f00000b}}, 1, FACTS_LIST_CLEAR, 0},
    {"second of two ranges",
     {0x7f000102},
     {{0x7f000004, 0x7f00000b}, {0x7f000100, 0x7f0001ff}},
     2,
     FACTS_LIST_HIT,
     0x7f000102},
    {"the first that counts",
     {0x7f000002, 0x7f000005, 0x7f000006},
     {{0x7f000004, 0x7f00000b}},
     1,
     FACTS_LIST_HIT,
     0x7f000005},
    {"an error code", {0x7fffffff}, {{0}}, 0, FACTS_LIST_SILENT, 0},
    {"the first error code", {0x7fffff00}, {{0}}, 0, FACTS_LIST_SILENT, 0},
    {"an error code that is named",
     {0x7ffffffe},
     {{0x7f000000, 0x7fffffff}},
     1,
     FACTS_LIST_SILENT,
     0},
    {"127.0.0.1", {0x7f000001}, {{0}}, 0, FACTS_LIST_SILENT, 0},
    {"a public address", {0xc0000201}, {{0}}, 0, FACTS_LIST_SILENT, 0},
    {"right below 127.0.0.0/8", {0x7effffff}, {{0}}, 0, FACTS_LIST_SILENT, 0},
    {"right above 127.0.0.0/8", {0x80000000}, {{0}}, 0, FACTS_LIST_SILENT, 0},
    {"a hit beside an error", {0x7f000002, 0x7ffffffc}, {{0}}, 0, FACTS_LIST_SILENT, 0},
    {"an error beside a hit", {0x7ffffffc, 0x7f000002}, {{0}}, 0, FACTS_LIST_SILENT, 0},
};

static void a_code_counts(void **state)
{
    const struct code_row *row = *state;
    const struct policy_dns_list list = {.code = row->counts, .code_count = row->counts_count};
    struct list_message message;
    struct dnslist_answer answer;
    unsigned count = 0;

    while (row->code[count] != 0)
        count++;
    list_begin(&message, count, 0);
    for (unsigned i = 0; i < count; i++)
        list_address(&message, 60 + i, row->code[i]);
    const struct dns_reply reply = list_reply(DNS_FOUND, &message);

    dnslist_answer_read(&reply, &answer);
    assert_int_equal(answer.life_s, 60);
    const struct facts_list said = dnslist_judge(&list, &answer);

    assert_int_equal(said.said, row->said);
    assert_int_equal(said.code, row->hit);
    if (row->said == FACTS_LIST_SILENT)
        assert_int_equal(answer.said, DNSLIST_UNSOUND);
}

// ---- messages

static void put_alias(struct list_message *message)
{
    list_record(message, 5, 7, 3);
    list_number(message, 0x016100, 3); // a.
}

static void put_text(struct list_message *message)
{
    list_record(message, 16, 9, 2);
    list_number(message, 0x0161, 2);
}

static void one_address(struct list_message *message)
{
    list_begin(message, 1, 0);
    list_address(message, 300, 0x7f000002);
}

static void behind_an_alias(struct list_message *message)
{
    list_begin(message, 2, 0);
    put_alias(message);
    list_address(message, 300, 0x7f000002);
}

static void an_alias_alone(struct list_message *message)
{
    list_begin(message, 1, 1);
    put_alias(message);
    list_soa(message, 900, 60);
}

static void a_text_alone(struct list_message *message)
{
    list_begin(message, 1, 0);
    put_text(message);
}

static void an_address_of_16(struct list_message *message)
{
    list_begin(message, 1, 0);
    list_record(message, 1, 300, 16);
    for (unsigned i = 0; i < 4; i++)
        list_number(message, 0x7f000002, 4);
}

static void another_class(struct list_message *message)
{
    list_begin(message, 1, 0);
    list_address(message, 300, 0x7f000002);
    message->bytes[16] = 3; // CHAOS
}

static void more_than_there_are(struct list_message *message)
{
    list_begin(message, 2, 0);
    list_address(message, 300, 0x7f000002);
}

static void forty_codes(struct list_message *message)
{
    list_begin(message, 40, 0);
    for (unsigned i = 0; i < 40; i++)
        list_address(message, 300, 0x7f000002 + i);
}

static void nothing(struct list_message *message)
{
    list_begin(message, 0, 0);
}

static void nothing_for_a_minute(struct list_message *message)
{
    list_begin(message, 0, 1);
    list_soa(message, 900, 60);
}

static void nothing_by_the_ttl(struct list_message *message)
{
    list_begin(message, 0, 1);
    list_soa(message, 30, 60);
}

static void a_short_soa(struct list_message *message)
{
    list_begin(message, 0, 1);
    list_soa(message, 900, 60);
    message->len -= 4;
    message->bytes[message->len - 18 - 1] = 18; // the length of its data
}

static void a_long_soa(struct list_message *message)
{
    list_begin(message, 0, 1);
    list_soa(message, 900, 60);
    list_number(message, 0, 1);
    message->bytes[22] = 23;
}

static void behind_an_ns(struct list_message *message)
{
    list_begin(message, 0, 2);
    list_record(message, 2, 5, 1);
    list_number(message, 0, 1);
    list_soa(message, 900, 60);
}

static void no_message(struct list_message *message)
{
    message->len = 11;
}

static const struct message_row {
    const char *name;
    void (*make)(struct list_message *message);
    enum dns_state state;
    enum dnslist_said said;
    unsigned count;
    uint32_t life_s;
} message_rows[] = {
    {"one address", one_address, DNS_FOUND, DNSLIST_LISTED, 1, 300},
    {"behind an alias", behind_an_alias, DNS_FOUND, DNSLIST_LISTED, 1, 7},
    {"an alias that leads nowhere", an_alias_alone, DNS_FOUND, DNSLIST_CLEAR, 0, 60},
    {"a text alone", a_text_alone, DNS_FOUND, DNSLIST_CLEAR, 0, 0},
    {"an address of 16 bytes", an_address_of_16, DNS_FOUND, DNSLIST_FAILED, 0, 0},
    {"another class", another_class, DNS_FOUND, DNSLIST_CLEAR, 0, 0},
    {"more records than there are", more_than_there_are, DNS_FOUND, DNSLIST_FAILED, 0, 0},
    {"forty codes", forty_codes, DNS_FOUND, DNSLIST_LISTED, DNSLIST_CODES_MAX, 300},
    {"no such name, without SOA", nothing, DNS_VOID, DNSLIST_CLEAR, 0, 0},
    {"no such name, by the minimum", nothing_for_a_minute, DNS_VOID, DNSLIST_CLEAR, 0, 60},
    {"no such name, by the SOA's TTL", nothing_by_the_ttl, DNS_VOID, DNSLIST_CLEAR, 0, 30},
    {"no such name, a SOA too short", a_short_soa, DNS_VOID, DNSLIST_CLEAR, 0, 0},
    {"no such name, a SOA too long", a_long_soa, DNS_VOID, DNSLIST_CLEAR, 0, 0},
    {"no such name, NS first", behind_an_ns, DNS_VOID, DNSLIST_CLEAR, 0, 60},
    {"no such name, no message", no_message, DNS_VOID, DNSLIST_CLEAR, 0, 0},
    {"found, no message", no_message, DNS_FOUND, DNSLIST_FAILED, 0, 0},
    {"found, and yet nothing", nothing, DNS_FOUND, DNSLIST_CLEAR, 0, 0},
    {"no answer", one_address, DNS_FAILED, DNSLIST_FAILED, 0, 0},
};

static void a_message_says(void **state)
{
    const struct message_row *row = *state;
    struct list_message message = {0};
    struct dnslist_answer answer;

    row->make(&message);
    const struct dns_reply reply = list_reply(row->state, &message);

    dnslist_answer_read(&reply, &answer);
    assert_int_equal(answer.said, row->said);
    assert_int_equal(answer.count, row->count);
    assert_int_equal(answer.life_s, row->life_s);
}

static void a_name_without_a_question_has_no_message(void **state)
{
    const struct dns_reply reply = {.state = DNS_VOID};
    struct dnslist_answer answer;

    (void)state;
    dnslist_answer_read(&reply, &answer);
    assert_int_equal(answer.said, DNSLIST_CLEAR);
}

// Cut anywhere, in memory of its exact size, a message is never a hit.
static void a_cut_message_is_no_hit(void **state)
{
    static void (*const make[])(struct list_message *
                                message) = {behind_an_alias, nothing_for_a_minute, one_address};

    (void)state;
    for (size_t i = 0; i < sizeof(make) / sizeof(make[0]); i++) {
        struct list_message message = {0};

        make[i](&message);
        for (size_t len = 0; len < message.len; len++) {
            unsigned char *exact = malloc(len > 0 ? len : 1);
            const struct dns_reply reply = {.state = DNS_FOUND, .bytes = exact, .len = len};
            struct dnslist_answer answer;

            assert_non_null(exact);
            memcpy(exact, message.bytes, len);
            dnslist_answer_read(&reply, &answer);
            assert_true(answer.said == DNSLIST_FAILED ||
                        (answer.said == DNSLIST_CLEAR && make[i] == nothing_for_a_minute));
            free(exact);
        }
    }
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, name_rows, a_name_is_asked_for);
    TABLE_TEST(&table, what_a_sound_list_has);
    TABLE_ROWS(&table, code_rows, a_code_counts);
    TABLE_ROWS(&table, message_rows, a_message_says);
    TABLE_TEST(&table, a_name_without_a_question_has_no_message);
    TABLE_TEST(&table, a_cut_message_is_no_hit);
    return table_run(&table, "dnslist_answer");
}
