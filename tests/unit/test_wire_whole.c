// Whole messages of each kind: there and back, cut off anywhere, turned anywhere, and with too
// little memory of any size.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/wire.h"
#include "tests/support/decoding.h"
#include "tests/support/table.h"

// ---- one of each with everything in it

static const char *const two_recipients[] = {"ann@x.example", "J\xC3\xBCrgen@x.example"};
static const struct msg_pair two_args[] = {{"sender", "a@x.example"}, {"limit", "10"}};

static const struct msg_request full_check = {
    .id = UINT64_MAX,
    .budget_ms = 250,
    .gateway = "mx1",
    .at_ms = 1700000000123,
    .verb = MSG_CHECK,
    .check =
        {
            .stage = MSG_END,
            .transaction = "4F2",
            .client_ip = "192.0.2.1",
            .client_name = "mail.example.net",
            .helo = "helo.example.net",
            .auth_user = "ann",
            .tls = true,
            .smtputf8 = true,
            .sender = "bob@example.net",
            .recipients = two_recipients,
            .recipient_total = 2,
            .recipient_count = 5,
            .size_bytes = 1ULL << 40,
            .spf = MSG_AUTH_PASS,
            .spf_domain = "example.net",
            .dry_run = true,
            .trace = true,
            .policy = "0123456789abcdef0123456789abcdef",
            .at_ms = 1700000000456,
        },
};

static const struct msg_request full_admin_request = {
    .id = 8,
    .gateway = "ctl",
    .verb = MSG_ADMIN,
    .admin =
        {
            .verb = "grey.show",
            .args = two_args,
            .arg_count = 2,
            .document = "a: b\n\0c",
            .document_bytes = 7,
            .dry_run = true,
            .as_user = "ann@x.example",
        },
};

static const struct msg_header two_headers[] = {{"Auto-Submitted", "no"}, {"List-Id", ""}};
static const struct msg_request full_sent = {
    .id = 9,
    .gateway = "mx1",
    .verb = MSG_SENT,
    .sent =
        {
            .transaction = "4F2",
            .auth_user = "ann",
            .client_ip = "192.0.2.1",
            .sender = "ann@x.example",
            .recipients = two_recipients,
            .recipient_total = 2,
            .headers = two_headers,
            .header_count = 2,
            .at_ms = 1700000000123,
        },
};

static const struct msg_request full_report = {
    .id = 10,
    .gateway = "mx1",
    .verb = MSG_REPORT,
    .report =
        {
            .event = "mx1/4F2/ann",
            .evidence = MSG_COMPLAINT,
            .client_ip = "192.0.2.1",
            .sender = "bob@example.net",
            .recipient = "ann@x.example",
            .spf = MSG_AUTH_PASS,
            .spf_domain = "example.net",
            .weight = 0.75,
            .at_ms = 1700000000123,
            .asn = UINT32_MAX,
            .country = "DE",
        },
};

static const struct msg_step two_steps[] = {
    {"syntax", "pass", "", "sender and recipient are addresses"},
    {"greylist", "hit", "rule-1", "first seen 2 s ago"},
};

#define VERDICT_OF(who)                                                                          \
    {                                                                                            \
        .recipient = who, .action = MSG_DEFER, .code = 451, .enhanced = "4.7.1",                 \
        .text = "later (T1)", .reason = "greylist_new", .rule = "rule-1", .narrative = "a note", \
        .direction = MSG_INBOUND, .skip_reputation = true, .skip_greylist = true,                \
        .skip_spam = true, .ticket = "T1", .retry_after_s = 60, .score_known = true,             \
        .score = 12.5, .trace = two_steps, .trace_count = 2, .hold_for = "user", .waited_s = 9,  \
        .shadow = "block_admin",                                                                 \
    }

static const struct msg_verdict two_verdicts[] = {VERDICT_OF("ann@x.example"),
                                                  VERDICT_OF("bob@x.example")};
static const struct msg_pair two_fields[] = {{"sender", "a@x.example"}, {"", ""}};
static const struct msg_row two_rows[] = {{two_fields, 2}, {NULL, 0}};
static const struct msg_metric two_metrics[] = {{"requests", 1e18, two_fields, 2},
                                                {"seats", -0.5, NULL, 0}};

static const struct msg_reply full_decision = {
    .id = UINT64_MAX,
    .status = MSG_OK,
    .node = "mx1-a",
    .draining = true,
    .degraded = true,
    .degraded_why = "store: timed out",
    .answer = MSG_DECISION,
    .decision = {.verdicts = two_verdicts,
                 .verdict_count = 2,
                 .policy_version = 3,
                 .has_message = true,
                 .message = VERDICT_OF("")},
};
static const struct msg_reply full_admin = {
    .id = 2,
    .answer = MSG_ADMIN_REPLY,
    .admin = {.rows = two_rows,
              .row_count = 2,
              .cursor = "next",
              .document = "x\0y",
              .document_bytes = 3,
              .policy_version = 4},
};
static const struct msg_reply full_pong = {
    .id = 3,
    .answer = MSG_PONG,
    .pong = {.version = "0.1", .uptime_ms = 5, .policy_version = 6, .store = "embedded"},
};
static const char *const two_reasons[] = {"untrusted", "internal bob@x.example"};
static const struct msg_reply full_ack = {
    .id = 4,
    .answer = MSG_ACK,
    .ack = {.recorded = 2, .queued = true, .skipped_why = two_reasons, .skipped_count = 2},
};
static const struct msg_reply full_error = {
    .id = 5, .status = MSG_BAD_REQUEST, .error = "Check.helo: why"};
static const struct msg_stats full_stats = {.node = "mx1-a",
                                            .epoch_ms = 1,
                                            .sequence = 2,
                                            .at_ms = 3,
                                            .metrics = two_metrics,
                                            .metric_count = 2};
static const struct msg_event full_event = {.node = "mx1-a",
                                            .at_ms = 1,
                                            .gateway = "mx1",
                                            .client_ip = "192.0.2.1",
                                            .sender = "b@x.example",
                                            .verdict = VERDICT_OF("ann@x.example"),
                                            .took_us = 250};

struct whole_row {
    const char *name;
    enum kind kind;
    const void *what;
};

static const struct whole_row whole_rows[] = {
    {"whole check", REQUEST, &full_check},
    {"whole admin request", REQUEST, &full_admin_request},
    {"whole sent", REQUEST, &full_sent},
    {"whole report", REQUEST, &full_report},
    {"whole decision", REPLY, &full_decision},
    {"whole admin reply", REPLY, &full_admin},
    {"whole pong", REPLY, &full_pong},
    {"whole ack", REPLY, &full_ack},
    {"whole error", REPLY, &full_error},
    {"whole stats", STATS, &full_stats},
    {"whole event", EVENT, &full_event},
};

// ---- there and back

static void check_there_and_back(void **state)
{
    const struct msg_check *want = &full_check.check;
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_check *got;

    (void)state;
    encode(REQUEST, &full_check, &encoded);
    decoding = decode(REQUEST, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    got = &decoding->out.request.check;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->out.request.id, full_check.id);
    assert_int_equal(decoding->out.request.budget_ms, full_check.budget_ms);
    assert_string_equal(decoding->out.request.gateway, full_check.gateway);
    assert_int_equal(decoding->out.request.at_ms, full_check.at_ms);
    assert_int_equal(decoding->out.request.verb, MSG_CHECK);
    assert_int_equal(got->stage, want->stage);
    assert_string_equal(got->transaction, want->transaction);
    assert_string_equal(got->client_ip, want->client_ip);
    assert_string_equal(got->client_name, want->client_name);
    assert_string_equal(got->helo, want->helo);
    assert_string_equal(got->auth_user, want->auth_user);
    assert_true(got->tls && got->smtputf8 && got->dry_run && got->trace);
    assert_string_equal(got->policy, want->policy);
    assert_int_equal(got->at_ms, want->at_ms);
    assert_string_equal(got->sender, want->sender);
    assert_int_equal(got->recipient_total, 2);
    assert_string_equal(got->recipients[0], two_recipients[0]);
    assert_string_equal(got->recipients[1], two_recipients[1]);
    assert_int_equal(got->recipient_count, want->recipient_count);
    assert_int_equal(got->size_bytes, want->size_bytes);
    assert_int_equal(got->spf, want->spf);
    assert_string_equal(got->spf_domain, want->spf_domain);
    decoding_free(decoding);
}

static void admin_request_there_and_back(void **state)
{
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_admin *got;

    (void)state;
    encode(REQUEST, &full_admin_request, &encoded);
    decoding = decode(REQUEST, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    got = &decoding->out.request.admin;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(got->verb, "grey.show");
    assert_int_equal(got->arg_count, 2);
    assert_string_equal(got->args[0].key, "sender");
    assert_string_equal(got->args[0].value, "a@x.example");
    assert_string_equal(got->args[1].key, "limit");
    assert_string_equal(got->args[1].value, "10");
    assert_int_equal(got->document_bytes, 7);
    assert_memory_equal(got->document, "a: b\n\0c", 7);
    assert_true(got->dry_run);
    assert_string_equal(got->as_user, "ann@x.example");
    decoding_free(decoding);
}

static void sent_there_and_back(void **state)
{
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_sent *got;

    (void)state;
    encode(REQUEST, &full_sent, &encoded);
    decoding = decode(REQUEST, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    got = &decoding->out.request.sent;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(got->transaction, "4F2");
    assert_string_equal(got->auth_user, "ann");
    assert_string_equal(got->client_ip, "192.0.2.1");
    assert_string_equal(got->sender, "ann@x.example");
    assert_int_equal(got->recipient_total, 2);
    assert_string_equal(got->recipients[1], two_recipients[1]);
    assert_int_equal(got->header_count, 2);
    assert_string_equal(got->headers[0].name, "Auto-Submitted");
    assert_string_equal(got->headers[0].value, "no");
    assert_string_equal(got->headers[1].name, "List-Id");
    assert_string_equal(got->headers[1].value, "");
    assert_int_equal(got->at_ms, 1700000000123);
    decoding_free(decoding);
}

static void report_there_and_back(void **state)
{
    const struct msg_report *want = &full_report.report;
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_report *got;

    (void)state;
    encode(REQUEST, &full_report, &encoded);
    decoding = decode(REQUEST, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    got = &decoding->out.request.report;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(got->event, want->event);
    assert_int_equal(got->evidence, want->evidence);
    assert_string_equal(got->client_ip, want->client_ip);
    assert_string_equal(got->sender, want->sender);
    assert_string_equal(got->recipient, want->recipient);
    assert_int_equal(got->spf, want->spf);
    assert_string_equal(got->spf_domain, want->spf_domain);
    assert_true(got->weight == want->weight);
    assert_int_equal(got->at_ms, want->at_ms);
    assert_int_equal(got->asn, want->asn);
    assert_string_equal(got->country, want->country);
    decoding_free(decoding);
}

static void ack_there_and_back(void **state)
{
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_ack *got;

    (void)state;
    encode(REPLY, &full_ack, &encoded);
    decoding = decode(REPLY, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    got = &decoding->out.reply.ack;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(got->recorded, 2);
    assert_true(got->queued);
    assert_int_equal(got->skipped_count, 2);
    assert_string_equal(got->skipped_why[0], "untrusted");
    assert_string_equal(got->skipped_why[1], "internal bob@x.example");
    decoding_free(decoding);
}

static void expect_same_step(const struct msg_step *got, const struct msg_step *want)
{
    assert_string_equal(got->step, want->step);
    assert_string_equal(got->outcome, want->outcome);
    assert_string_equal(got->rule, want->rule);
    assert_string_equal(got->why, want->why);
}

static void expect_verdict(const struct msg_verdict *got, const char *recipient)
{
    const struct msg_verdict *want = &two_verdicts[0];

    assert_string_equal(got->recipient, recipient);
    assert_int_equal(got->action, want->action);
    assert_int_equal(got->code, want->code);
    assert_string_equal(got->enhanced, want->enhanced);
    assert_string_equal(got->text, want->text);
    assert_string_equal(got->reason, want->reason);
    assert_string_equal(got->rule, want->rule);
    assert_string_equal(got->narrative, want->narrative);
    assert_int_equal(got->direction, want->direction);
    assert_true(got->skip_reputation && got->skip_greylist && got->skip_spam && got->score_known);
    assert_string_equal(got->ticket, want->ticket);
    assert_int_equal(got->retry_after_s, want->retry_after_s);
    assert_true(got->score > 12 && got->score < 13);
    assert_int_equal(got->trace_count, 2);
    expect_same_step(&got->trace[0], &two_steps[0]);
    expect_same_step(&got->trace[1], &two_steps[1]);
    assert_string_equal(got->hold_for, want->hold_for);
    assert_int_equal(got->waited_s, want->waited_s);
    assert_string_equal(got->shadow, want->shadow);
}

static void decision_there_and_back(void **state)
{
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_reply *got;

    (void)state;
    encode(REPLY, &full_decision, &encoded);
    decoding = decode(REPLY, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    got = &decoding->out.reply;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(got->decision.verdict_count, 2);
    expect_verdict(&got->decision.verdicts[0], "ann@x.example");
    expect_verdict(&got->decision.verdicts[1], "bob@x.example");
    assert_true(got->decision.has_message);
    expect_verdict(&got->decision.message, "");
    decoding_free(decoding);
}

static void admin_there_and_back(void **state)
{
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_admin_reply *got;

    (void)state;
    encode(REPLY, &full_admin, &encoded);
    decoding = decode(REPLY, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    got = &decoding->out.reply.admin;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(got->row_count, 2);
    assert_int_equal(got->rows[0].field_count, 2);
    assert_string_equal(got->rows[0].fields[0].key, "sender");
    assert_string_equal(got->rows[0].fields[0].value, "a@x.example");
    assert_string_equal(got->rows[0].fields[1].key, "");
    assert_int_equal(got->rows[1].field_count, 0);
    assert_int_equal(got->document_bytes, 3);
    assert_memory_equal(got->document, "x\0y", 3);
    decoding_free(decoding);
}

static void stats_there_and_back(void **state)
{
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_stats *got;

    (void)state;
    encode(STATS, &full_stats, &encoded);
    decoding = decode(STATS, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    got = &decoding->out.stats;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(got->metric_count, 2);
    assert_string_equal(got->metrics[0].name, "requests");
    assert_true(got->metrics[0].value > 9.99e17 && got->metrics[1].value < 0);
    assert_int_equal(got->metrics[0].label_count, 2);
    assert_string_equal(got->metrics[0].labels[0].key, "sender");
    assert_string_equal(got->metrics[1].name, "seats");
    decoding_free(decoding);
}

static void event_there_and_back(void **state)
{
    struct encoded encoded;
    struct decoding *decoding;

    (void)state;
    encode(EVENT, &full_event, &encoded);
    decoding = decode(EVENT, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    assert_int_equal(decoding->err, ERR_NONE);
    expect_verdict(&decoding->out.event.verdict, "ann@x.example");
    decoding_free(decoding);
}

// ---- whatever was encoded: the same bytes again, and no harm when it is cut, turned or short of
// memory

static void the_same_bytes_again(void **state)
{
    const struct whole_row *row = *state;
    struct encoded first;
    struct encoded second;
    struct decoding *decoding;

    encode(row->kind, row->what, &first);
    decoding = decode(row->kind, first.bytes, first.len, DECODING_ARENA_BYTES);
    assert_int_equal(decoding->err, ERR_NONE);
    encode(row->kind, &decoding->out, &second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.bytes, second.bytes, first.len);
    decoding_free(decoding);
}

static void cut_off_and_turned(void **state)
{
    const struct whole_row *row = *state;
    struct encoded encoded;

    encode(row->kind, row->what, &encoded);
    for (size_t i = 0; i < encoded.len; i++) {
        struct decoding *cut = decode(row->kind, encoded.bytes, i, 16384);
        struct decoding *turned;

        assert_true(cut->err == ERR_NONE || cut->err == ERR_SYNTAX);
        decoding_free(cut);
        encoded.bytes[i] ^= 0x80;
        turned = decode(row->kind, encoded.bytes, encoded.len, 16384);
        assert_true(turned->err == ERR_NONE || turned->err == ERR_SYNTAX ||
                    turned->err == ERR_LIMIT);
        decoding_free(turned);
        encoded.bytes[i] ^= 0x80;
    }
}

static void a_cut_request_keeps_its_id(void **state)
{
    struct encoded encoded;

    (void)state;
    encode(REQUEST, &full_check, &encoded);
    for (size_t len = 0; len < encoded.len; len++) {
        struct decoding *decoding = decode(REQUEST, encoded.bytes, len, 8192);

        assert_int_equal(decoding->err, ERR_SYNTAX); // the verb is the last field
        assert_int_equal(decoding->out.request.id, len >= 11 ? full_check.id : 0);
        decoding_free(decoding);
    }
}

static void any_arena(void **state)
{
    const struct whole_row *row = *state;
    struct encoded encoded;
    size_t bytes = 0;
    enum err err;

    encode(row->kind, row->what, &encoded);
    do {
        struct decoding *decoding = decode(row->kind, encoded.bytes, encoded.len, bytes++);

        err = decoding->err;
        assert_true(err == ERR_NONE || err == ERR_MEMORY);
        decoding_free(decoding);
    } while (err != ERR_NONE);
    assert_true(bytes > 50 && bytes < 16384);
}

static void any_room_and_scratch(void **state)
{
    const struct whole_row *row = *state;
    struct encoded encoded;

    encode(row->kind, row->what, &encoded);
    for (size_t room = 0; room <= encoded.len; room++) {
        unsigned char memory[16384];
        unsigned char *bytes = malloc(room);
        struct arena scratch;
        size_t len = 4711;
        enum err want = room < encoded.len ? ERR_MEMORY : ERR_NONE;

        arena_init(&scratch, memory, sizeof(memory));
        assert_int_equal(encode_kind(row->kind, row->what, &scratch, bytes, room, &len), want);
        assert_int_equal(len, want == ERR_NONE ? encoded.len : 4711);
        free(bytes);
    }
    for (size_t room = 0; room < 4096; room++) {
        unsigned char *memory = malloc(room);
        struct encoded again;
        struct arena scratch;
        enum err err;

        arena_init(&scratch, memory, room);
        err = encode_kind(row->kind, row->what, &scratch, again.bytes, sizeof(again.bytes),
                          &again.len);
        assert_true(err == ERR_MEMORY || (err == ERR_NONE && again.len == encoded.len));
        free(memory);
    }
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, check_there_and_back);
    TABLE_TEST(&table, admin_request_there_and_back);
    TABLE_TEST(&table, sent_there_and_back);
    TABLE_TEST(&table, report_there_and_back);
    TABLE_TEST(&table, decision_there_and_back);
    TABLE_TEST(&table, ack_there_and_back);
    TABLE_TEST(&table, admin_there_and_back);
    TABLE_TEST(&table, stats_there_and_back);
    TABLE_TEST(&table, event_there_and_back);
    TABLE_TEST(&table, a_cut_request_keeps_its_id);
    TABLE_ROWS(&table, whole_rows, the_same_bytes_again);
    TABLE_ROWS(&table, whole_rows, cut_off_and_turned);
    TABLE_ROWS(&table, whole_rows, any_arena);
    TABLE_ROWS(&table, whole_rows, any_room_and_scratch);
    return table_run(&table, "wire, whole messages");
}
