// The parts of reeve-load: the histogram's promise of 1.6 %, questions that the node reads as they
// were meant, and a command line that says what is wrong with it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/load/options.h"
#include "proto/base/mem.h"
#include "proto/wire.h"
#include "tests/support/table.h"

// ---- the histogram

struct histogram_row {
    const char *name;
    uint64_t us;
    uint64_t least, most; // what the median of this time and a much longer one may be
};

static const struct histogram_row histogram_rows[] = {
    {"histogram: nothing", 0, 0, 0},
    {"histogram: one", 1, 1, 1},
    {"histogram: the last exact one", 127, 127, 127},
    {"histogram: the first pair", 128, 128, 129},
    {"histogram: the second of a pair", 129, 129, 129},
    {"histogram: the end of a power", 255, 255, 255},
    {"histogram: the first of four", 256, 256, 259},
    {"histogram: a millisecond", 1000, 1000, 1015},
    {"histogram: a second", 1000000, 1000000, 1015625},
    {"histogram: the longest", HISTOGRAM_MAX_US, HISTOGRAM_MAX_US, HISTOGRAM_MAX_US},
    {"histogram: beyond the longest", UINT64_MAX / 2, HISTOGRAM_MAX_US, HISTOGRAM_MAX_US},
};

static void check_histogram(void **state)
{
    const struct histogram_row *row = *state;
    struct histogram *histogram = mem_new(sizeof(*histogram));

    histogram_add(histogram, row->us);
    histogram_add(histogram, UINT64_MAX);
    assert_in_range(histogram_at(histogram, .5), row->least, row->most);
    assert_int_equal(histogram->count, 2);
    assert_true(histogram->max_us == UINT64_MAX);
    mem_free(histogram);
}

static void histogram_of_nothing(void **state)
{
    struct histogram histogram = {.count = 0};

    (void)state;
    assert_int_equal(histogram_at(&histogram, .99), 0);
}

static void histogram_ends_at_the_longest(void **state)
{
    struct histogram histogram = {.count = 0};

    (void)state;
    histogram_add(&histogram, 1000);
    assert_int_equal(histogram_at(&histogram, 1), 1000);
    assert_int_equal(histogram_at(&histogram, .5), 1000);
}

static void histogram_shares(void **state)
{
    struct histogram histogram = {.count = 0}, other = {.count = 0};

    (void)state;
    for (unsigned i = 1; i <= 50; i++)
        histogram_add(&histogram, i);
    for (unsigned i = 51; i <= 100; i++)
        histogram_add(&other, i);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.count, 100);
    assert_int_equal(histogram_at(&histogram, .5), 50);
    assert_int_equal(histogram_at(&histogram, .501), 51);
    assert_int_equal(histogram_at(&histogram, .9), 90);
    assert_int_equal(histogram_at(&histogram, .99), 99);
    assert_int_equal(histogram_at(&histogram, .999), 100);
    assert_int_equal(histogram_at(&histogram, 0), 1);
}

// ---- questions

// What the node reads of a question; texts live in *arena.
static struct msg_request read_question(enum question_identity identity,
                                        const struct question_text *text, uint64_t id,
                                        struct arena *arena)
{
    struct question_template template;
    unsigned char bytes[QUESTION_BYTES_MAX];
    struct msg_request request;

    question_template_init(&template, identity, MSG_RCPT, 700);
    size_t len = question_encode(&template, text, id, bytes);

    assert_int_equal(wire_decode_request(bytes, len, arena, &request, NULL), ERR_NONE);
    assert_true(request.id == id);
    assert_int_equal(request.budget_ms, 700);
    assert_int_equal(request.verb, MSG_CHECK);
    assert_int_equal(request.check.stage, MSG_RCPT);
    assert_int_equal(request.check.recipient_total, 1);
    assert_string_equal(request.check.recipients[0], QUESTION_RECIPIENT);
    return request;
}

struct identity_row {
    const char *name;
    enum question_identity identity;
    bool named;
    bool passed;
};

static const struct identity_row identity_rows[] = {
    {"question: shows its network", QUESTION_NET, false, false},
    {"question: shows a name", QUESTION_NAME, true, false},
    {"question: shows an SPF domain", QUESTION_SPF, true, true},
};

static void check_identity(void **state)
{
    const struct identity_row *row = *state;
    static unsigned char memory[1 << 14];
    struct arena arena;
    struct question_text text;
    char want[80];

    arena_init(&arena, memory, sizeof(memory));
    question_known(7, &text);
    struct msg_request request = read_question(row->identity, &text, QUESTION_ID_MIN + 9, &arena);

    (void)snprintf(want, sizeof(want), "%.*s@%.*s.example", QUESTION_LOCAL, text.local,
                   QUESTION_DOMAIN, text.domain);
    assert_string_equal(request.check.sender, want);
    (void)snprintf(want, sizeof(want), "%.*s", QUESTION_IP, text.ip);
    assert_string_equal(request.check.client_ip, want);
    (void)snprintf(want, sizeof(want), "mx.%.*s-host.example", QUESTION_DOMAIN, text.domain);
    assert_string_equal(request.check.client_name, row->named ? want : "");
    assert_string_equal(request.check.helo, want);
    (void)snprintf(want, sizeof(want), "%.*s.example", QUESTION_DOMAIN, text.domain);
    assert_string_equal(request.check.spf_domain, row->passed ? want : "");
    assert_int_equal(request.check.spf, row->passed ? MSG_AUTH_PASS : MSG_AUTH_UNSPECIFIED);
}

// A login sends under its own address; at MAIL nobody is written to yet.
static void check_login(void **state)
{
    static unsigned char memory[1 << 14];
    struct question_template template;
    unsigned char bytes[QUESTION_BYTES_MAX];
    struct question_text text;
    struct msg_request request;
    struct arena arena;
    char want[80];

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    question_known(7, &text);
    request = read_question(QUESTION_LOGIN, &text, QUESTION_ID_MIN + 9, &arena);
    (void)snprintf(want, sizeof(want), "%.*s@" QUESTION_OURS, QUESTION_LOCAL, text.local);
    assert_string_equal(request.check.sender, want);
    assert_string_equal(request.check.auth_user, want);

    question_template_init(&template, QUESTION_LOGIN, MSG_MAIL, 0);
    size_t len = question_encode(&template, &text, QUESTION_ID_MIN, bytes);

    assert_int_equal(wire_decode_request(bytes, len, &arena, &request, NULL), ERR_NONE);
    assert_int_equal(request.check.stage, MSG_MAIL);
    assert_int_equal(request.check.recipient_total, 0);
    assert_string_equal(request.check.auth_user, want);
}

// Mail that was sent: a user who is logged in, and to whom he wrote.
static void check_sent(void **state)
{
    static unsigned char memory[1 << 14];
    struct question_template template;
    unsigned char bytes[QUESTION_BYTES_MAX];
    struct question_text text;
    struct msg_request request;
    struct arena arena;
    char want[80];

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    question_known(7, &text);
    question_template_sent(&template, 700);
    size_t len = question_encode(&template, &text, QUESTION_ID_MIN + 5, bytes);

    assert_int_equal(wire_decode_request(bytes, len, &arena, &request, NULL), ERR_NONE);
    assert_int_equal(request.verb, MSG_SENT);
    assert_int_equal(request.id, QUESTION_ID_MIN + 5);
    (void)snprintf(want, sizeof(want), "%.*s@" QUESTION_OURS, QUESTION_LOCAL, text.local);
    assert_string_equal(request.sent.sender, want);
    assert_string_equal(request.sent.auth_user, want);
    (void)snprintf(want, sizeof(want), "%.*s@%.*s.example", QUESTION_LOCAL, text.local,
                   QUESTION_DOMAIN, text.domain);
    assert_int_equal(request.sent.recipient_total, 1);
    assert_string_equal(request.sent.recipients[0], want);
}

// What mail was: each sender's is an event of its own, and half of it is spam.
static void check_report(void **state)
{
    static unsigned char memory[1 << 14];
    struct question_template template;
    unsigned char bytes[QUESTION_BYTES_MAX];
    struct question_text text;
    struct msg_request request;
    struct arena arena;
    char want[80];

    (void)state;
    question_template_report(&template, 700);
    for (uint64_t number = 0; number < 100; number++) {
        arena_init(&arena, memory, sizeof(memory));
        question_stranger(5, number, &text);
        size_t len = question_encode(&template, &text, QUESTION_ID_MIN + number, bytes);

        assert_int_equal(wire_decode_request(bytes, len, &arena, &request, NULL), ERR_NONE);
        assert_int_equal(request.verb, MSG_REPORT);
        assert_int_equal(request.id, QUESTION_ID_MIN + number);
        (void)snprintf(want, sizeof(want), "%.*s", QUESTION_LOCAL, text.local);
        assert_string_equal(request.report.event, want);
        (void)snprintf(want, sizeof(want), "%.*s@%.*s.example", QUESTION_LOCAL, text.local,
                       QUESTION_DOMAIN, text.domain);
        assert_string_equal(request.report.sender, want);
        (void)snprintf(want, sizeof(want), "%.*s", QUESTION_IP, text.ip);
        assert_string_equal(request.report.client_ip, want);
        assert_int_equal(request.report.evidence,
                         want[QUESTION_IP - 1] % 2 == 0 ? MSG_SPAM : MSG_HAM);
        assert_int_equal(request.report.spf, MSG_AUTH_PASS);
    }
}

struct id_row {
    const char *name;
    uint64_t id;
};

static const struct id_row id_rows[] = {
    {"question: the first id", QUESTION_ID_MIN},
    {"question: each byte of an id", 0x123456789},
    {"question: the last id", QUESTION_ID_END - 1},
};

static void check_id(void **state)
{
    const struct id_row *row = *state;
    static unsigned char memory[1 << 14];
    struct arena arena;
    struct question_text text;

    arena_init(&arena, memory, sizeof(memory));
    question_stranger(1, 2, &text);
    (void)read_question(QUESTION_SPF, &text, row->id, &arena);
}

static bool is_same(const struct question_text *a, const struct question_text *b)
{
    return memcmp(a->local, b->local, sizeof(a->local)) == 0;
}

static void questions_differ(void **state)
{
    enum { COUNT = 300 };
    static struct question_text text[3 * COUNT];

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        question_known(i, &text[i]);
        question_stranger(1, i, &text[COUNT + i]);
        question_stranger(2, i, &text[2 * COUNT + i]);
    }
    for (unsigned i = 0; i < 3 * COUNT; i++) {
        for (unsigned j = 0; j < i; j++)
            assert_false(is_same(&text[i], &text[j]));
    }
}

static void questions_come_again(void **state)
{
    struct question_text one, again;

    (void)state;
    question_stranger(77, 12345, &one);
    question_stranger(77, 12345, &again);
    assert_memory_equal(&one, &again, sizeof(one));
}

// ---- the command line

struct wrong_row {
    const char *name;
    const char *argument[3];
    const char *want; // part of the message
};

static const struct wrong_row wrong_rows[] = {
    {"option: unknown", {"--nodes"}, "--nodes is no option"},
    {"option: without its value", {"--node"}, "--node needs a value"},
    {"option: another command", {"replay"}, "'replay' was not expected"},
    {"option: run twice", {"run", "run"}, "'run' was not expected"},
    {"option: window of nothing", {"--window", "0"}, "--window: expected a whole number from 1"},
    {"option: window too wide", {"--window", "4097"}, "to 4096, not '4097'"},
    {"option: window in words", {"--window", "ten"}, "not 'ten'"},
    {"option: window below 0", {"--window", "-1"}, "not '-1'"},
    {"option: window with more", {"--window", "64k"}, "not '64k'"},
    {"option: no window", {"--window", ""}, "not ''"},
    {"option: count beyond", {"--count", "99999999999999999999"}, "--count: expected"},
    {"option: count of nothing", {"--count", "0"}, "--count: expected"},
    {"option: seconds of nothing", {"--seconds", "0"}, "--seconds: expected"},
    {"option: nobody is known", {"--population", "0"}, "--population: expected"},
    {"option: a deadline of nothing", {"--deadline", "0"}, "--deadline: expected"},
    {"option: seed beyond", {"--seed", "18446744073709551616"}, "--seed: expected"},
    {"option: unknown identity",
     {"--identity", "spfs"},
     "expected net, name, spf or login, not 'spfs'"},
    {"option: unknown stage", {"--stage", "data"}, "expected rcpt or mail, not 'data'"},
    {"option: unknown verb", {"--verb", "ping"}, "expected check, sent or report, not 'ping'"},
    {"option: no rate", {"--rate", "0"}, "--rate: expected a whole number from 1 to 1000000"},
    {"option: mix of nothing", {"--mix", ""}, "--mix: expected weights"},
    {"option: mix of zeros", {"--mix", "known=0,new=0"}, "--mix: expected weights"},
    {"option: mix without weight", {"--mix", "known"}, "--mix: expected weights"},
    {"option: mix with empty weight", {"--mix", "known="}, "--mix: expected weights"},
    {"option: mix of unknown kind", {"--mix", "old=1"}, "not 'old=1'"},
    {"option: mix of a kind's beginning", {"--mix", "know=1"}, "not 'know=1'"},
    {"option: mix twice the same", {"--mix", "new=1,new=2"}, "each kind once"},
    {"option: mix ends early", {"--mix", "new=1,"}, "--mix: expected weights"},
    {"option: mix begins late", {"--mix", ",new=1"}, "--mix: expected weights"},
    {"option: mix too heavy", {"--mix", "new=1000001"}, "--mix: expected weights"},
    {"option: mix far too heavy", {"--mix", "new=11111111111111111111"}, "--mix: expected"},
    {"option: mix with a sign", {"--mix", "new=+1"}, "--mix: expected weights"},
};

// The command line of up to three words, as getopt may reorder it.
static enum options_outcome read_line(const char *const argument[3], struct options *out,
                                      struct err_detail *detail)
{
    char words[4][64] = {"reeve-load"};
    char *argv[5] = {words[0]};
    int argc = 1;

    for (; argc <= 3 && argument[argc - 1] != NULL; argc++) {
        (void)snprintf(words[argc], sizeof(words[argc]), "%s", argument[argc - 1]);
        argv[argc] = words[argc];
    }
    return options_read(out, argc, argv, detail);
}

static void check_wrong(void **state)
{
    const struct wrong_row *row = *state;
    struct options options;
    struct err_detail detail = {""};

    assert_int_equal(read_line(row->argument, &options, &detail), OPTIONS_WRONG);
    if (strstr(detail.text, row->want) == NULL)
        fail_msg("'%s' does not say '%s'", detail.text, row->want);
}

static void too_many_nodes(void **state)
{
    char node[] = "--node=tcp://127.0.0.1:1";
    char *argv[ASKER_NODES_MAX + 3] = {node};
    struct options options;
    struct err_detail detail = {""};

    (void)state;
    for (int i = 1; i <= ASKER_NODES_MAX + 1; i++)
        argv[i] = node;
    assert_int_equal(options_read(&options, ASKER_NODES_MAX + 1, argv, &detail), OPTIONS_RUN);
    assert_int_equal(options.asker.node_count, ASKER_NODES_MAX);
    assert_int_equal(options_read(&options, ASKER_NODES_MAX + 2, argv, &detail), OPTIONS_WRONG);
    assert_string_equal(detail.text, "--node: 64 at most");
}

static void defaults(void **state)
{
    const char *const nothing[3] = {NULL};
    struct options options;

    (void)state;
    assert_int_equal(read_line(nothing, &options, NULL), OPTIONS_RUN);
    assert_int_equal(options.asker.window, 64);
    assert_int_equal(options.asker.deadline_ms, 1000);
    assert_int_equal(options.asker.identity, QUESTION_NAME);
    assert_int_equal(options.asker.node_count, 1);
    assert_string_equal(options.asker.node[0], "tcp://127.0.0.1:7170");
    assert_int_equal(options.measure.seconds, 10);
    assert_int_equal(options.measure.count, 0);
    assert_int_equal(options.measure.mix[LOAD_known], 90);
    assert_int_equal(options.measure.mix[LOAD_new], 10);
    assert_int_equal(options.measure.mix[LOAD_cached], 0);
    assert_false(options.is_prepared);
    assert_false(options.as_json);
}

static void a_count_needs_no_seconds(void **state)
{
    const char *const count[3] = {"run", "--count", "1000000000000"};
    struct options options;

    (void)state;
    assert_int_equal(read_line(count, &options, NULL), OPTIONS_RUN);
    assert_true(options.measure.count == 1000000000000);
    assert_int_equal(options.measure.seconds, 0);
}

static void mixes_all_kinds(void **state)
{
    uint32_t mix[LOAD_KIND_COUNT] = {5, 5, 5};

    (void)state;
    assert_int_equal(options_read_mix("cached=1,known=1000000", mix, NULL), ERR_NONE);
    assert_int_equal(mix[LOAD_known], 1000000);
    assert_int_equal(mix[LOAD_new], 0);
    assert_int_equal(mix[LOAD_cached], 1);
}

// ---- counting

static void tally_of_many_reasons(void **state)
{
    struct tally *tally = mem_new(sizeof(*tally));
    const struct asker_question question = {.kind = LOAD_new};
    struct msg_verdict verdict = {.shadow = ""};
    struct msg_reply reply = {.decision = {.verdicts = &verdict, .verdict_count = 1}};
    const struct asker_answer answer = {.outcome = ASKER_ANSWERED, .reply = &reply, .took_us = 9};
    char reason[64];

    (void)state;
    verdict.reason = reason;
    for (unsigned i = 0; i < 2 * TALLY_REASONS_MAX; i++) {
        (void)snprintf(reason, sizeof(reason), "reason_%u", i / 2);
        tally_add(tally, &question, &answer);
    }
    assert_int_equal(tally->reason_count, TALLY_REASONS_MAX);
    assert_string_equal(tally->reason[TALLY_REASONS_MAX - 1].name, "reason_31");
    assert_int_equal(tally->reason[TALLY_REASONS_MAX - 1].count, 2);
    (void)snprintf(reason, sizeof(reason), "one more");
    tally_add(tally, &question, &answer);
    assert_string_equal(tally->reason[TALLY_REASONS_MAX - 1].name, "other");
    assert_int_equal(tally->reason[TALLY_REASONS_MAX - 1].count, 3);
    assert_int_equal(tally->answered, 2 * TALLY_REASONS_MAX + 1);
    assert_int_equal(tally->took[LOAD_new].count, 2 * TALLY_REASONS_MAX + 1);
    assert_int_equal(tally->took[LOAD_known].count, 0);
    mem_free(tally);
}

static void tally_of_sent_mail(void **state)
{
    static const char *const skipped[] = {"internal bob@corp.example"};
    static struct tally tally;
    const struct asker_question question = {.kind = LOAD_new};
    const struct msg_reply replies[] = {
        {.answer = MSG_ACK, .ack = {.recorded = 1}},
        {.answer = MSG_ACK, .ack = {.queued = true}},
        {.answer = MSG_ACK, .ack = {.skipped_why = skipped, .skipped_count = 1}},
        {.answer = MSG_ACK},
    };
    static const char *const words[] = {"recorded", "queued", "internal", "nothing"};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        tally_add(&tally, &question, &(struct asker_answer){ASKER_ANSWERED, &replies[i], 10});
        assert_string_equal(tally.reason[i].name, words[i]);
    }
    assert_int_equal(tally.answered, 4);
    assert_int_equal(tally.took[LOAD_new].count, 4);
}

static void tally_of_trouble(void **state)
{
    struct tally *tally = mem_new(sizeof(*tally));
    const struct asker_question question = {.kind = LOAD_known};
    static const enum asker_outcome outcomes[] = {ASKER_REFUSED, ASKER_DAMAGED, ASKER_TIMED_OUT};

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        tally_add(tally, &question, &(struct asker_answer){.outcome = outcomes[i], .took_us = 5});
    assert_int_equal(tally->refused, 1);
    assert_int_equal(tally->damaged, 1);
    assert_int_equal(tally->timed_out, 1);
    assert_int_equal(tally->answered, 0);
    assert_int_equal(tally->took[LOAD_known].count, 0);
    mem_free(tally);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, histogram_rows, check_histogram);
    TABLE_TEST(&table, histogram_of_nothing);
    TABLE_TEST(&table, histogram_ends_at_the_longest);
    TABLE_TEST(&table, histogram_shares);
    TABLE_ROWS(&table, identity_rows, check_identity);
    TABLE_TEST(&table, check_login);
    TABLE_TEST(&table, check_sent);
    TABLE_TEST(&table, check_report);
    TABLE_ROWS(&table, id_rows, check_id);
    TABLE_TEST(&table, questions_differ);
    TABLE_TEST(&table, questions_come_again);
    TABLE_ROWS(&table, wrong_rows, check_wrong);
    TABLE_TEST(&table, too_many_nodes);
    TABLE_TEST(&table, defaults);
    TABLE_TEST(&table, a_count_needs_no_seconds);
    TABLE_TEST(&table, mixes_all_kinds);
    TABLE_TEST(&table, tally_of_many_reasons);
    TABLE_TEST(&table, tally_of_sent_mail);
    TABLE_TEST(&table, tally_of_trouble);
    return table_run(&table, "load");
}
