// Files of expected decisions, reeve-policy-test(5): what is read, what is refused and with which line, and what a verdict
// must be.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// The pure parts, which are in no library.
#define table cells // tests/support/table.h has one as well
#include "client/ctl/json.c"
#include "client/ctl/levels.c"
#include "client/ctl/policy/cases.c"
#include "client/ctl/policy/compare.c"
#include "client/ctl/print.c"
#include "client/ctl/when.c"
#undef table

#include "tests/support/table.h"

static enum err parse(struct cases *cases, const char *text, struct err_detail *detail)
{
    *cases = (struct cases){.count = 0};
    *detail = (struct err_detail){.text = ""};
    return cases_parse(cases, "t.yaml", text, strlen(text), detail);
}

// ---- what is refused

static const struct refused_row {
    const char *name, *text, *said;
} REFUSED[] = {
    {"an empty file", "", "t.yaml:1: cases: there is none"},
    {"no cases", "defaults: {from: a@b.example}\n", "cases: there is none"},
    {"cases of nothing", "cases:\n", "cases: there is none"},
    {"cases that are text", "cases: hello\n", "cases: there is none"},
    {"a list as a file", "- a\n", "expected a map, not a list"},
    {"a key that is none", "case: []\n", "t.yaml:1: unknown key 'case' (known: defaults, cases)"},
    {"a case that is text", "cases:\n  - hello\n", "t.yaml:2: cases: expected a map, not text"},
    {"a field that is none",
     "cases:\n  - {name: a, form: x@y.example, to: b@c.example, expect: {code: 250}}\n",
     "t.yaml:2: unknown key 'form' in 'cases' (known: client, client_name, helo, user, from, to,"},
    {"a default that is none", "defaults: {name: x}\ncases: [{name: a}]\n",
     "unknown key 'name' in 'defaults'"},
    {"no name", "cases:\n  - {from: a@b.example, to: b@c.example, expect: {code: 250}}\n",
     "t.yaml:2: cases.name is required"},
    {"no sender", "cases:\n  - {name: a, to: b@c.example, expect: {code: 250}}\n",
     "t.yaml:2: from is missing (the null sender is written as <>)"},
    {"no recipient", "cases:\n  - {name: a, from: a@b.example, expect: {code: 250}}\n",
     "t.yaml:2: to is missing"},
    {"no recipient at END", "cases:\n  - {name: a, from: <>, stage: end, expect: {code: 250}}\n",
     "to is missing"},
    {"a recipient at MAIL",
     "cases:\n  - {name: a, from: <>, stage: mail, to: b@c.example, expect: {code: 250}}\n",
     "t.yaml:2: to: there is none yet at stage mail"},
    {"a client that is none",
     "cases:\n  - {name: a, client: here, from: <>, to: b@c.example, expect: {code: 250}}\n",
     "t.yaml:2: client: expected an IPv4 or IPv6 address, not here"},
    {"a client of the defaults that is none",
     "defaults: {client: 192.0.2.0/24}\n"
     "cases:\n  - {name: a, from: <>, to: b@c.example, expect: {code: 250}}\n",
     "t.yaml:3: client: expected an IPv4"},
    {"a stage that is none",
     "cases:\n  - {name: a, from: <>, to: b@c.example, stage: data, expect: {code: 250}}\n",
     "expected connect, mail, rcpt or end, not 'data'"},
    {"an outcome that is none",
     "cases:\n  - {name: a, from: <>, to: b@c.example, spf: maybe, expect: {code: 250}}\n",
     "cases.spf: expected unknown, none, pass"},
    {"a size that is none",
     "cases:\n  - {name: a, from: <>, to: b@c.example, size: big, expect: {code: 250}}\n",
     "cases.size: expected a size like 64M"},
    {"a time that will be another one tomorrow",
     "cases:\n  - {name: a, from: <>, to: b@c.example, at: 2h, expect: {code: 250}}\n",
     "t.yaml:2: at: expected a moment like 2027-01-31 or 2027-01-31T18:00:00Z, not 2h"},
    {"a time that is Unix seconds",
     "cases:\n  - {name: a, from: <>, to: b@c.example, at: 1795295581, expect: {code: 250}}\n",
     "at: expected a moment"},
    {"a day that is none",
     "cases:\n  - {name: a, from: <>, to: b@c.example, at: 2027-02-29, expect: {code: 250}}\n",
     "at: expected a moment"},
    {"nothing is expected", "cases:\n  - {name: a, from: <>, to: b@c.example}\n",
     "t.yaml:2: expect is missing"},
    {"an empty expectation", "cases:\n  - {name: a, from: <>, to: b@c.example, expect: {}}\n",
     "t.yaml:2: expect: nothing is expected, so nothing could fail"},
    {"an expectation left out",
     "cases:\n  - name: a\n    from: <>\n    to: b@c.example\n    expect:\n",
     "nothing is expected, so nothing could fail"},
    {"an expectation that is text",
     "cases:\n  - {name: a, from: <>, to: b@c.example, expect: accept}\n",
     "t.yaml:2: expect: expected a map, not text"},
    {"an expected thing that is none",
     "cases:\n  - {name: a, from: <>, to: b@c.example, expect: {verdict: accept}}\n",
     "unknown key 'verdict' in 'expect' (known: code, enhanced, action, reason, rule, shadow,"},
    {"a code that is none",
     "cases:\n  - {name: a, from: <>, to: b@c.example, expect: {code: 42}}\n",
     "expect.code: expected a number between 200 and 599, not '42'"},
    {"an action that is none",
     "cases:\n  - {name: a, from: <>, to: b@c.example, expect: {action: drop}}\n",
     "expect.action: expected any, accept, defer, reject, hold or secure, not 'drop'"},
    {"something to skip that is none",
     "cases:\n  - {name: a, from: <>, to: b@c.example, expect: {skip: [virus]}}\n",
     "t.yaml:2: skip: expected greylist, reputation or spam, not virus"},
    {"fewer expectations than recipients",
     "cases:\n  - name: a\n    from: <>\n    to: [b@c.example, d@c.example]\n"
     "    expect: [{code: 250}]\n",
     "t.yaml:5: expect: a list holds one for each recipient: there are 1, and 2 recipients"},
    {"an empty list of expectations",
     "cases:\n  - {name: a, from: <>, to: b@c.example, expect: []}\n",
     "there are 0, and 1 recipients"},
    {"one of the expectations is empty",
     "cases:\n  - {name: a, from: <>, to: [b@c.example, d@c.example], expect: [{code: 250}, {}]}\n",
     "nothing is expected"},
};

static void refused(void **state)
{
    const struct refused_row *row = *state;
    struct err_detail detail;
    struct cases cases;

    assert_int_equal(parse(&cases, row->text, &detail), ERR_CONFIG);
    if (strstr(detail.text, row->said) == NULL)
        fail_msg("wanted: %s\ncame:   %s", row->said, detail.text);
    cases_free(&cases);
}

// ---- what is read

static const char FULL[] =
    "defaults:\n"
    "  client: 192.0.2.7\n"
    "  from: ann@sender.example\n"
    "  to: bob@corp.example\n"
    "  tls: true\n"
    "cases:\n"
    "  - name: all that there is\n"
    "    client: 2001:db8::1\n"
    "    client_name: mx.sender.example\n"
    "    helo: helo.example\n"
    "    user: ann\n"
    "    from: <>\n"
    "    to: [<ann@corp.example>, \"b b\"]\n"
    "    tls: no\n"
    "    smtputf8: yes\n"
    "    size: 5M\n"
    "    recipients: 9\n"
    "    stage: end\n"
    "    spf: softfail\n"
    "    spf_domain: sender.example\n"
    "    at: 2026-11-21T21:13:01Z\n"
    "    expect:\n"
    "      - {code: 550, enhanced: 5.7.1, action: reject, reason: block_admin, rule: eve}\n"
    "      - {shadow: \"\", rule: \"\", direction: inbound, skip: [greylist, spam]}\n"
    "  - {name: what is left to the defaults, expect: {skip: []}}\n"
    "  - {name: before there is a recipient, stage: mail, expect: {code: 250}}\n"
    "  - {name: before there is anybody, stage: connect, expect: {code: 250}}\n";

static void everything_is_read(void **unused)
{
    struct err_detail detail;
    const struct reeve_check *check;
    struct cases cases;

    (void)unused;
    assert_int_equal(parse(&cases, FULL, &detail), ERR_NONE);
    assert_int_equal(cases.count, 4);
    check = &cases.at[0].check;
    assert_int_equal(cases.at[0].line, 7);
    assert_string_equal(cases.at[0].name, "all that there is");
    assert_string_equal(check->client_ip, "2001:db8::1");
    assert_string_equal(check->client_name, "mx.sender.example");
    assert_string_equal(check->helo, "helo.example");
    assert_string_equal(check->auth_user, "ann");
    assert_string_equal(check->sender, "");
    assert_int_equal(check->recipient_total, 2);
    assert_string_equal(check->recipients[0], "ann@corp.example");
    assert_string_equal(check->recipients[1], "b b");
    assert_false(check->tls);
    assert_true(check->smtputf8);
    assert_int_equal(check->size_bytes, 5 << 20);
    assert_int_equal(check->recipient_count, 9);
    assert_int_equal(check->stage, REEVE_END);
    assert_int_equal(check->spf, MSG_AUTH_SOFTFAIL);
    assert_string_equal(check->spf_domain, "sender.example");
    assert_int_equal(check->as_of_ms, 1795295581000ULL);
    assert_int_equal(check->at_ms, 0);
    assert_int_equal(cases.at[0].expected_count, 2);
    assert_int_equal(cases.at[0].expected[0].code, 550);
    assert_string_equal(cases.at[0].expected[0].enhanced, "5.7.1");
    assert_int_equal(cases.at[0].expected[0].action, REEVE_REJECT);
    assert_string_equal(cases.at[0].expected[0].reason, "block_admin");
    assert_string_equal(cases.at[0].expected[0].rule, "eve");
    assert_null(cases.at[0].expected[0].shadow);
    assert_false(cases.at[0].expected[0].skip_is_given);
    assert_string_equal(cases.at[0].expected[1].shadow, "");
    assert_string_equal(cases.at[0].expected[1].rule, "");
    assert_string_equal(cases.at[0].expected[1].direction, "inbound");
    assert_true(cases.at[0].expected[1].skip_greylist && cases.at[0].expected[1].skip_spam);
    assert_false(cases.at[0].expected[1].skip_reputation);
    check = &cases.at[1].check;
    assert_string_equal(check->client_ip, "192.0.2.7");
    assert_string_equal(check->sender, "ann@sender.example");
    assert_string_equal(check->recipients[0], "bob@corp.example");
    assert_true(check->tls);
    assert_int_equal(check->spf, 0);
    assert_int_equal(check->stage, REEVE_RCPT);
    assert_true(cases.at[1].expected[0].skip_is_given);
    assert_int_equal(cases.at[2].check.recipient_total, 0);
    assert_int_equal(cases.at[3].check.stage, REEVE_CONNECT);
    for (size_t i = 0; i < cases.count; i++)
        assert_true(cases.at[i].check.dry_run && cases.at[i].check.trace);
    cases_free(&cases);
}

// ---- what a verdict must be

static const struct compared_row {
    const char *name, *expect, *differs; // "field wanted|came, ..."
} COMPARED[] = {
    {"nothing of interest", "{code: 550}", ""},
    {"all of it",
     "{code: 550, enhanced: 5.7.1, action: reject, reason: block_admin, rule: eve, "
     "shadow: greylist_new, direction: inbound, skip: [spam]}",
     ""},
    {"the code", "{code: 551}", "code 551|550, "},
    {"the enhanced code", "{enhanced: 5.7.2}", "enhanced 5.7.2|5.7.1, "},
    {"the action", "{action: defer}", "action defer|reject, "},
    {"the reason", "{reason: block}", "reason block|block_admin, "},
    {"any reason of that name", "{reason: block_admin}", ""},
    {"the rule", "{rule: ev}", "rule ev|eve, "},
    {"no rule", "{rule: \"\"}", "rule |eve, "},
    {"no shadow", "{shadow: \"\"}", "shadow |greylist_new, "},
    {"the direction", "{direction: outbound}", "direction outbound|inbound, "},
    {"any direction", "{direction: any, code: 550}", ""},
    {"nothing skipped", "{skip: []}", "skip |spam, "},
    {"more skipped", "{skip: [greylist, spam]}", "skip greylist spam|spam, "},
    {"something else skipped", "{skip: reputation}", "skip reputation|spam, "},
    {"two things", "{code: 250, rule: x}", "code 250|550, rule x|eve, "},
};

static void note_difference(void *arg, const struct difference *difference)
{
    text_buf_add(arg, "%s %s|%s, ", difference->field, difference->wanted, difference->came);
    assert_int_equal(difference->verdict, 0);
}

static void compared(void **state)
{
    static const struct reeve_verdict verdict = {.recipient = "b@c.example",
                                                 .action = REEVE_REJECT,
                                                 .code = 550,
                                                 .enhanced = "5.7.1",
                                                 .reason = "block_admin",
                                                 .rule = "eve",
                                                 .shadow = "greylist_new",
                                                 .direction = "inbound",
                                                 .skip_spam = true};
    static const struct reeve_answer answer = {.verdicts = &verdict, .verdict_count = 1};
    const struct compared_row *row = *state;
    char *text =
        mem_format("cases: [{name: a, from: <>, to: b@c.example, expect: %s}]\n", row->expect);
    char memory[512];
    struct text_buf differs;
    struct err_detail detail;
    struct cases cases;

    text_buf_init(&differs, memory, sizeof(memory));
    assert_int_equal(parse(&cases, text, &detail), ERR_NONE);
    assert_int_equal(compare_case(&cases.at[0], &answer, note_difference, &differs),
                     row->differs[0] == '\0');
    assert_string_equal(memory, row->differs);
    cases_free(&cases);
    mem_free(text);
}

static void note_verdict(void *arg, const struct difference *difference)
{
    *(size_t *)arg = difference->verdict;
    assert_string_equal(difference->wanted, "250");
}

// One expectation is of every recipient; of several each is of its own.
static void each_recipient_has_its_own(void **unused)
{
    static const struct reeve_verdict verdicts[] = {
        {.recipient = "a", .code = 250, .reason = "", .rule = ""},
        {.recipient = "b", .code = 550, .reason = "", .rule = ""},
    };
    static const struct reeve_answer answer = {.verdicts = verdicts, .verdict_count = 2};
    struct err_detail detail;
    size_t which = 9;
    struct cases cases;

    (void)unused;
    assert_int_equal(parse(&cases,
                           "defaults: {from: <>, to: [a@x, b@x]}\n"
                           "cases: [{name: a, expect: {code: 250}},"
                           " {name: b, expect: [{code: 250}, {code: 550}]}]\n",
                           &detail),
                     ERR_NONE);
    assert_false(compare_case(&cases.at[0], &answer, note_verdict, &which));
    assert_int_equal(which, 1);
    assert_true(compare_case(&cases.at[1], &answer, note_verdict, &which));
    cases_free(&cases);
}

static void a_second_file_is_added(void **unused)
{
    static const char one[] = "cases: [{name: a, from: <>, to: x@y, expect: {code: 250}}]\n";
    struct err_detail detail;
    struct cases cases;

    (void)unused;
    assert_int_equal(parse(&cases, one, &detail), ERR_NONE);
    assert_int_equal(cases_parse(&cases, "u.yaml", one, strlen(one), &detail), ERR_NONE);
    assert_int_equal(cases.count, 2);
    assert_string_equal(cases.at[0].file, "t.yaml");
    assert_string_equal(cases.at[1].file, "u.yaml");
    assert_int_equal(cases_load(&cases, "/nowhere/t.yaml", &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "/nowhere/t.yaml"));
    assert_int_equal(cases.count, 2);
    cases_free(&cases);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, REFUSED, refused);
    TABLE_TEST(&table, everything_is_read);
    TABLE_ROWS(&table, COMPARED, compared);
    TABLE_TEST(&table, each_recipient_has_its_own);
    TABLE_TEST(&table, a_second_file_is_added);
    return table_run(&table, "ctl cases");
}
