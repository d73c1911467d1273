// From a policy request to a question, and from an answer to an action.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/policyd/translate.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

// ---- questions

static const struct question_row {
    const char *name;
    const char *text; // attributes behind request=smtpd_access_policy
    enum translate_plan plan;
    enum reeve_stage stage;
    size_t recipients;
} QUESTIONS[] = {
    {"CONNECT", "protocol_state=CONNECT", TRANSLATE_ASK, REEVE_CONNECT, 0},
    {"MAIL", "protocol_state=MAIL\nsender=a@b.example", TRANSLATE_ASK, REEVE_MAIL, 0},
    {"MAIL does not carry a recipient", "protocol_state=MAIL\nrecipient=x@y.example", TRANSLATE_ASK,
     REEVE_MAIL, 0},
    {"RCPT", "protocol_state=RCPT\nrecipient=x@y.example", TRANSLATE_ASK, REEVE_RCPT, 1},
    {"RCPT without a recipient", "protocol_state=RCPT\nrecipient_count=2", TRANSLATE_DUNNO,
     REEVE_RCPT, 0},
    {"DATA with one recipient", "protocol_state=DATA\nrecipient=x@y.example", TRANSLATE_ASK,
     REEVE_RCPT, 1},
    {"DATA with several", "protocol_state=DATA\nrecipient=\nrecipient_count=2", TRANSLATE_DUNNO,
     REEVE_RCPT, 0},
    {"END with one recipient", "protocol_state=END-OF-MESSAGE\nrecipient=x@y.example",
     TRANSLATE_ASK, REEVE_END, 1},
    {"END with several", "protocol_state=END-OF-MESSAGE\nrecipient_count=2", TRANSLATE_ASK_ALL,
     REEVE_END, 0},
    {"END of nothing", "protocol_state=END-OF-MESSAGE\nrecipient_count=0", TRANSLATE_DUNNO,
     REEVE_END, 0},
    {"HELO", "protocol_state=HELO\nhelo_name=x", TRANSLATE_DUNNO, 0, 0},
    {"EHLO", "protocol_state=EHLO\nhelo_name=x", TRANSLATE_DUNNO, 0, 0},
    {"VRFY", "protocol_state=VRFY\nrecipient=x@y.example", TRANSLATE_DUNNO, 0, 0},
    {"ETRN", "protocol_state=ETRN\netrn_domain=y.example", TRANSLATE_DUNNO, 0, 0},
    {"a state of a later Postfix", "protocol_state=LMTP-RCPT\nrecipient=x@y.example",
     TRANSLATE_DUNNO, 0, 0},
    {"no state", "recipient=x@y.example", TRANSLATE_DUNNO, 0, 0},
    {"lower case is no state", "protocol_state=rcpt\nrecipient=x@y.example", TRANSLATE_DUNNO, 0, 0},
    {"another request", "request=junk\nprotocol_state=RCPT\nrecipient=x@y.example",
     TRANSLATE_FOREIGN, 0, 0},
    {"a longer word", "request=smtpd_access_policy2\nprotocol_state=RCPT", TRANSLATE_FOREIGN, 0, 0},
    {"an empty request", "request=\nprotocol_state=RCPT\nrecipient=x@y.example", TRANSLATE_FOREIGN,
     0, 0},
};

static struct policy_parser *parse(const char *text)
{
    struct policy_parser *parser = mem_new(sizeof(*parser));
    char *whole = mem_format("request=smtpd_access_policy\n%s\n\n", text);
    size_t taken = 0;

    policy_parser_reset(parser);
    assert_int_equal(policy_parser_feed(parser, whole, strlen(whole), &taken), POLICY_COMPLETE);
    mem_free(whole);
    return parser;
}

static void check_question(void **state)
{
    const struct question_row *row = *state;
    struct policy_parser *parser = parse(row->text);
    struct reeve_check check = {0};

    assert_int_equal(translate_request(&parser->request, &check), row->plan);
    assert_int_equal(check.stage, row->stage);
    assert_int_equal(check.recipient_total, row->recipients);
    mem_free(parser);
}

static void every_field_is_carried(void **unused)
{
    struct policy_parser *parser = parse(
        "protocol_state=RCPT\ninstance=1.2.3\nclient_address=192.0.2.7\nclient_name=mx.a.example\n"
        "helo_name=helo.a.example\nsasl_username=ann\nencryption_protocol=TLSv1.3\nsender=a@a."
        "example\n"
        "recipient=b@b.example\nrecipient_count=4294967296\nsize=1234");
    struct reeve_check check = {0};

    (void)unused;
    assert_int_equal(translate_request(&parser->request, &check), TRANSLATE_ASK);
    assert_string_equal(check.transaction, "1.2.3");
    assert_string_equal(check.client_ip, "192.0.2.7");
    assert_string_equal(check.client_name, "mx.a.example");
    assert_string_equal(check.helo, "helo.a.example");
    assert_string_equal(check.auth_user, "ann");
    assert_string_equal(check.sender, "a@a.example");
    assert_string_equal(check.recipients[0], "b@b.example");
    assert_int_equal(check.recipient_count, UINT32_MAX);
    assert_int_equal(check.size_bytes, 1234);
    assert_true(check.tls);
    assert_true(check.smtputf8);
    assert_false(check.dry_run);
    mem_free(parser);
}

static void what_postfix_does_not_know_is_not_given(void **unused)
{
    struct policy_parser *parser =
        parse("protocol_state=RCPT\nclient_address=unknown\nclient_name=unknown\n"
              "encryption_protocol=\nrecipient=b@b.example\nsender=");
    struct reeve_check check = {0};

    (void)unused;
    assert_int_equal(translate_request(&parser->request, &check), TRANSLATE_ASK);
    assert_null(check.client_ip);
    assert_null(check.client_name);
    assert_string_equal(check.sender, "");
    assert_string_equal(check.auth_user, "");
    assert_false(check.tls);
    mem_free(parser);
}

static void a_transaction_that_is_too_long_for_the_wire_is_not_given(void **unused)
{
    static const size_t lengths[] = {128, 129};

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        char instance[130] = "";
        char *text = NULL;
        struct policy_parser *parser = NULL;
        struct reeve_check check = {0};

        memset(instance, 'i', lengths[i]);
        text = mem_format("protocol_state=MAIL\ninstance=%s", instance);
        parser = parse(text);
        assert_int_equal(translate_request(&parser->request, &check), TRANSLATE_ASK);
        assert_int_equal(check.transaction != NULL, lengths[i] == 128);
        mem_free(parser);
        mem_free(text);
    }
}

static const struct login_row {
    const char *name;
    const char *login;
    size_t x_count; // so many more letters
    const char *expected;
    size_t bytes; // of what the node is told; 0 = just what is expected
} LOGINS[] = {
    {"nobody", "", 0, "", 0},
    {"an address", "ann@corp.example", 0, "ann@corp.example", 0},
    {"not ASCII", "j\xc3\xbcrg", 0, "j\xc3\xbcrg", 0},
    {"not UTF-8", "ann\xff", 0, "ann" TEXT_DAMAGE "FF", 0},
    {"control characters of two bytes", "ann\xc2\x85", 0, "ann" TEXT_DAMAGE "C2", 0},
    {"as long as can be", "a", MSG_AUTH_USER_MAX - 1, "ax", MSG_AUTH_USER_MAX},
    {"longer", "a", MSG_AUTH_USER_MAX, "ax", MSG_AUTH_USER_MAX},
};

static void check_login(void **state)
{
    const struct login_row *row = *state;
    char *more = mem_new(row->x_count + 1);
    char *text = NULL;
    char memory[MSG_AUTH_USER_MAX + 1];
    struct policy_parser *parser = NULL;
    const char *login = NULL;

    memset(more, 'x', row->x_count);
    text = mem_format("sasl_username=%s%s", row->login, more);
    parser = parse(text);
    login = translate_login(&parser->request, memory);
    assert_int_equal(strncmp(login, row->expected, strlen(row->expected)), 0);
    assert_in_range(strlen(login), row->bytes > 0 ? row->bytes - 3 : strlen(login),
                    row->bytes > 0 ? row->bytes : strlen(login));
    assert_true(text_is_clean(login, strlen(login), MSG_AUTH_USER_MAX));
    mem_free(parser);
    mem_free(text);
    mem_free(more);
}

// ---- answers

#define WALL_MS 1795296000123U // Sat, 21 Nov 2026 21:20:00 UTC

static const struct answer_row {
    const char *name;
    enum reeve_action action; // 0 = the fallback
    const char *enhanced, *text;
    uint32_t waited_s;
    bool prepend;
    enum reeve_fallback fallback;
    const char *expected; // without action= and the empty line
} ANSWERS[] = {
    {"accept", REEVE_ACCEPT, "2.1.5", "ok", 0, false, 0, "DUNNO"},
    {"accept after a wait", REEVE_ACCEPT, "2.1.5", "ok", 75, false, 0, "DUNNO"},
    {"accept with a header", REEVE_ACCEPT, "2.1.5", "ok", 75, true, 0,
     "PREPEND X-Greylist: delayed 75 seconds by reeve at node-1; Sat, 21 Nov 2026 21:20:00 +0000"},
    {"defer", REEVE_DEFER, "4.7.1", "Greylisted, ticket ABC", 0, false, 0,
     "DEFER_IF_PERMIT 4.7.1 Greylisted, ticket ABC"},
    {"defer with its own code", REEVE_DEFER, "4.4.1", "later", 0, false, 0,
     "DEFER_IF_PERMIT 4.4.1 later"},
    {"reject", REEVE_REJECT, "5.1.3", "bad address", 0, false, 0, "REJECT 5.1.3 bad address"},
    {"reject, three digits", REEVE_REJECT, "5.7.134", "no", 0, false, 0, "REJECT 5.7.134 no"},
    {"hold", REEVE_HOLD, "2.0.0", "held, ticket ABC", 0, false, 0, "HOLD held, ticket ABC"},
    {"secure is held", REEVE_SECURE, "2.0.0", "needs TLS", 0, false, 0, "HOLD needs TLS"},
    {"fallback dunno", 0, "", "", 0, false, REEVE_FALLBACK_ACCEPT, "DUNNO"},
    {"fallback defer", 0, "", "", 0, false, REEVE_FALLBACK_DEFER,
     "DEFER_IF_PERMIT 4.3.0 Temporarily unable to decide, try again later"},
    {"no enhanced code", REEVE_DEFER, "", "later", 0, false, 0, "DEFER_IF_PERMIT 4.7.1 later"},
    {"a code of another class", REEVE_REJECT, "4.7.1", "no", 0, false, 0, "REJECT 5.7.1 no"},
    {"a code of two parts", REEVE_REJECT, "5.7", "no", 0, false, 0, "REJECT 5.7.1 no"},
    {"a code with a tail", REEVE_REJECT, "5.7.1 x", "no", 0, false, 0, "REJECT 5.7.1 no"},
    {"a code with four digits", REEVE_REJECT, "5.7.1234", "no", 0, false, 0, "REJECT 5.7.1 no"},
    {"a code with an empty part", REEVE_REJECT, "5..1", "no", 0, false, 0, "REJECT 5.7.1 no"},
    {"a newline", REEVE_REJECT, "5.7.1", "no\naction=OK\n\n", 0, false, 0,
     "REJECT 5.7.1 no?action=OK??"},
    {"control characters", REEVE_DEFER, "4.7.1", "a\x01\x7f\rb", 0, false, 0,
     "DEFER_IF_PERMIT 4.7.1 a???b"},
    {"characters that are not ASCII", REEVE_DEFER, "4.7.1",
     "f\xc3\xbcr \xe2\x82\xac \xf0\x9f\x93\xa7", 0, false, 0, "DEFER_IF_PERMIT 4.7.1 f?r ? ?"},
    {"bytes that are not UTF-8", REEVE_HOLD, "", "\xff\x80x", 0, false, 0, "HOLD ?x"},
};

static void check_answer(void **state)
{
    const struct answer_row *row = *state;
    const struct reeve_verdict verdict = {.action = row->action,
                                          .enhanced = row->enhanced,
                                          .text = row->text,
                                          .waited_s = row->waited_s};
    const struct translate_action action = {
        .verdict = row->action != 0 ? &verdict : NULL,
        .fallback = row->fallback,
        .prepend = row->prepend,
        .node = "node-1",
        .wall_ms = WALL_MS,
    };
    char memory[TRANSLATE_ACTION_MAX];
    char *expected = mem_format("action=%s\n\n", row->expected);
    struct text_buf out;

    text_buf_init(&out, memory, sizeof(memory));
    translate_action(&out, &action);
    assert_string_equal(memory, expected);
    assert_false(out.full);
    mem_free(expected);
}

static const struct code_row {
    const char *name;
    enum reeve_action action;
    unsigned code;
    const char *enhanced;
    const char *verb;
} CODES[] = {
    {"a refusal says its code", REEVE_REJECT, 553, "5.7.1", "553 5.7.1"},
    {"the usual one too", REEVE_REJECT, 550, "5.7.1", "550 5.7.1"},
    {"the least", REEVE_REJECT, 500, "5.7.1", "500 5.7.1"},
    {"the greatest", REEVE_REJECT, 599, "5.7.1", "599 5.7.1"},
    {"less than a refusal's", REEVE_REJECT, 499, "5.7.1", "REJECT 5.7.1"},
    {"more than a refusal's", REEVE_REJECT, 600, "5.7.1", "REJECT 5.7.1"},
    {"an accept's", REEVE_REJECT, 250, "2.0.0", "REJECT 5.7.1"},
    {"a deferral lets others refuse", REEVE_DEFER, 451, "4.7.1", "DEFER_IF_PERMIT 4.7.1"},
    {"a deferral with another code", REEVE_DEFER, 452, "4.5.3", "452 4.5.3"},
    {"a deferral with the least", REEVE_DEFER, 400, "4.5.3", "400 4.5.3"},
    {"a deferral with a refusal's", REEVE_DEFER, 500, "4.7.1", "DEFER_IF_PERMIT 4.7.1"},
    {"a deferral with an accept's", REEVE_DEFER, 399, "4.7.1", "DEFER_IF_PERMIT 4.7.1"},
};

static void check_code(void **state)
{
    const struct code_row *row = *state;
    const struct reeve_verdict verdict = {
        .action = row->action, .code = row->code, .enhanced = row->enhanced, .text = "why"};
    const struct translate_action action = {.verdict = &verdict, .node = ""};
    char memory[TRANSLATE_ACTION_MAX];
    char *expected = mem_format("action=%s why\n\n", row->verb);
    struct text_buf out;

    text_buf_init(&out, memory, sizeof(memory));
    translate_action(&out, &action);
    assert_string_equal(memory, expected);
    mem_free(expected);
}

static void an_action_never_outgrows_its_room(void **unused)
{
    char text[5000];
    struct reeve_verdict verdict = {
        .action = REEVE_ACCEPT, .text = text, .enhanced = text, .waited_s = UINT32_MAX};
    const struct translate_action action = {
        .verdict = &verdict, .prepend = true, .node = text, .wall_ms = WALL_MS};

    (void)unused;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = REEVE_ACCEPT; i <= REEVE_SECURE; i++) {
        char memory[TRANSLATE_ACTION_MAX];
        struct text_buf out;

        verdict.action = (enum reeve_action)i;
        text_buf_init(&out, memory, sizeof(memory));
        translate_action(&out, &action);
        assert_false(out.full);
        assert_true(out.used < 512 + strlen("action=\n\n"));
        assert_string_equal(memory + out.used - 2, "\n\n");
        assert_ptr_equal(strchr(memory, '\n'), memory + out.used - 2);
    }
}

static void which_verdict_counts(void **unused)
{
    const struct reeve_verdict first = {.action = REEVE_ACCEPT};
    const struct reeve_verdict end = {.action = REEVE_REJECT};
    const struct reeve_verdict strange = {.action = (enum reeve_action)99};
    const struct reeve_verdict unsaid = {.action = (enum reeve_action)0};

    (void)unused;
    assert_ptr_equal(
        translate_verdict(&(struct reeve_answer){.verdicts = &first, .verdict_count = 1}), &first);
    assert_ptr_equal(translate_verdict(&(struct reeve_answer){
                         .verdicts = &first, .verdict_count = 1, .end = &end}),
                     &end);
    assert_null(translate_verdict(
        &(struct reeve_answer){.verdicts = &first, .verdict_count = 1, .fallback = true}));
    assert_null(translate_verdict(&(struct reeve_answer){.verdict_count = 0}));
    assert_null(
        translate_verdict(&(struct reeve_answer){.verdicts = &strange, .verdict_count = 1}));
    assert_null(translate_verdict(&(struct reeve_answer){.verdicts = &unsaid, .verdict_count = 1}));
}

static void one_held_copy_holds_the_message(void **unused)
{
    static const struct {
        enum reeve_action end, second;
        bool by_second; // else the one reply
    } rows[] = {
        {REEVE_ACCEPT, REEVE_HOLD, true},    {REEVE_ACCEPT, REEVE_SECURE, true},
        {REEVE_ACCEPT, REEVE_REJECT, false}, {REEVE_ACCEPT, REEVE_DEFER, false},
        {REEVE_REJECT, REEVE_HOLD, false},   {REEVE_DEFER, REEVE_HOLD, false},
        {REEVE_HOLD, REEVE_SECURE, false},   {REEVE_ACCEPT, REEVE_ACCEPT, false},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct reeve_verdict each[] = {{.action = REEVE_ACCEPT}, {.action = rows[i].second}};
        const struct reeve_verdict end = {.action = rows[i].end};
        const struct reeve_answer answer = {.verdicts = each, .verdict_count = 2, .end = &end};

        assert_ptr_equal(translate_verdict(&answer), rows[i].by_second ? &each[1] : &end);
    }
}

static void what_postfix_was_let_take(void **unused)
{
    static const bool taken[] = {
        [REEVE_ACCEPT] = true, [REEVE_HOLD] = true, [REEVE_SECURE] = true, [REEVE_DEFER] = false};

    (void)unused;
    for (int i = REEVE_ACCEPT; i <= REEVE_SECURE; i++) {
        const struct reeve_verdict verdict = {.action = (enum reeve_action)i};

        assert_int_equal(translate_is_taken(&verdict, REEVE_FALLBACK_DEFER), taken[i]);
        assert_int_equal(translate_is_taken(&verdict, REEVE_FALLBACK_ACCEPT), taken[i]);
    }
    assert_true(translate_is_taken(NULL, REEVE_FALLBACK_ACCEPT));
    assert_false(translate_is_taken(NULL, REEVE_FALLBACK_DEFER));
}

static void when_a_header_is_added(void **unused)
{
    const struct policy_request rcpt = {.protocol_state = "RCPT"};
    const struct policy_request end = {.protocol_state = "END-OF-MESSAGE"};
    const struct reeve_verdict waited = {.action = REEVE_ACCEPT, .waited_s = 1};
    const struct reeve_verdict known = {.action = REEVE_ACCEPT};
    const struct reeve_verdict defer = {.action = REEVE_DEFER, .waited_s = 1};

    (void)unused;
    assert_true(translate_is_prepended(&rcpt, &waited));
    assert_false(translate_is_prepended(&rcpt, &known));
    assert_false(translate_is_prepended(&rcpt, &defer));
    assert_false(translate_is_prepended(&end, &waited));
}

// ---- mail that was sent

static const struct sent_row {
    const char *name, *state;
    enum reeve_action end; // 0 = there is none
    enum reeve_action one; // of the first recipient
    const char *direction; // likewise
    bool is_fallback;
    const char *told; // the second one is carol, outside and accepted
} SENTS[] = {
    {"both are outside", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_ACCEPT, "outbound", false,
     "bob carol "},
    {"one is inside", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_ACCEPT, "internal", false,
     "bob carol "},
    {"from outside", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_ACCEPT, "inbound", false, "bob carol "},
    {"passed on", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_ACCEPT, "relay", false, "bob carol "},
    {"nobody said where", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_ACCEPT, "", false, "bob carol "},
    {"one is refused", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_REJECT, "outbound", false, "carol "},
    {"one is put off", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_DEFER, "outbound", false, "carol "},
    {"one is held", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_HOLD, "outbound", false, NULL},
    {"one is to be secured", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_SECURE, "outbound", false, NULL},
    {"all is held", "END-OF-MESSAGE", REEVE_HOLD, REEVE_ACCEPT, "outbound", false, NULL},
    {"all is refused", "END-OF-MESSAGE", REEVE_REJECT, REEVE_ACCEPT, "outbound", false, NULL},
    {"all is put off", "END-OF-MESSAGE", REEVE_DEFER, REEVE_ACCEPT, "outbound", false, NULL},
    {"an action of a later node", "END-OF-MESSAGE", (enum reeve_action)17, REEVE_ACCEPT, "outbound",
     false, NULL},
    {"no node answered", "END-OF-MESSAGE", REEVE_ACCEPT, REEVE_ACCEPT, "outbound", true, NULL},
    {"its end is not there yet", "RCPT", 0, REEVE_ACCEPT, "outbound", false, NULL},
    {"DATA is not the end", "DATA", 0, REEVE_ACCEPT, "outbound", false, NULL},
};

static void check_sent(void **state)
{
    const struct sent_row *row = *state;
    const struct reeve_verdict end = {.action = row->end};
    const struct reeve_verdict verdicts[] = {
        {.recipient = "bob", .action = row->one, .direction = row->direction},
        {.recipient = "carol", .action = REEVE_ACCEPT, .direction = "outbound"}};
    const struct reeve_answer answer = {.verdicts = verdicts,
                                        .verdict_count = 2,
                                        .end = row->end == 0 ? NULL : &end,
                                        .fallback = row->is_fallback};
    char *text = mem_format("protocol_state=%s\ninstance=1.2\nclient_address=192.0.2.7\n"
                            "sender=ann@corp.example\nrecipient=bob",
                            row->state);
    struct policy_parser *parser = parse(text);
    const char *names[MSG_RECIPIENTS_MAX];
    struct reeve_sent sent = {0};
    char told[64] = "";

    assert_int_equal(translate_sent(&parser->request, &answer, &sent, names), row->told != NULL);
    for (size_t i = 0; row->told != NULL && i < sent.recipient_total; i++)
        (void)strncat(strncat(told, sent.recipients[i], 20), " ", 2);
    assert_string_equal(told, row->told == NULL ? "" : row->told);
    if (row->told != NULL) {
        assert_string_equal(sent.sender, "ann@corp.example");
        assert_string_equal(sent.transaction, "1.2");
        assert_string_equal(sent.client_ip, "192.0.2.7");
    }
    mem_free(parser);
    mem_free(text);
}

static void nobody_outside_is_nothing_to_tell(void **unused)
{
    const struct reeve_verdict end = {.action = REEVE_ACCEPT};
    const struct reeve_verdict inside = {
        .recipient = "bob", .action = REEVE_ACCEPT, .direction = "internal"};
    const struct reeve_answer answer = {.verdicts = &inside, .verdict_count = 1, .end = &end};
    struct policy_parser *parser = parse("protocol_state=END-OF-MESSAGE\nrecipient=bob");
    const char *names[MSG_RECIPIENTS_MAX];
    struct reeve_sent sent = {0};

    (void)unused;
    assert_false(translate_sent(&parser->request, &answer, &sent, names));
    mem_free(parser);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, QUESTIONS, check_question);
    TABLE_TEST(&table, every_field_is_carried);
    TABLE_TEST(&table, what_postfix_does_not_know_is_not_given);
    TABLE_TEST(&table, a_transaction_that_is_too_long_for_the_wire_is_not_given);
    TABLE_ROWS(&table, LOGINS, check_login);
    TABLE_ROWS(&table, ANSWERS, check_answer);
    TABLE_ROWS(&table, CODES, check_code);
    TABLE_TEST(&table, an_action_never_outgrows_its_room);
    TABLE_TEST(&table, which_verdict_counts);
    TABLE_TEST(&table, one_held_copy_holds_the_message);
    TABLE_TEST(&table, what_postfix_was_let_take);
    TABLE_TEST(&table, when_a_header_is_added);
    TABLE_ROWS(&table, SENTS, check_sent);
    TABLE_TEST(&table, nobody_outside_is_nothing_to_tell);
    return table_run(&table, "policyd translate");
}
