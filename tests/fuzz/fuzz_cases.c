// fuzz_cases.c: a file of expected decisions (reeve-policy-test(5)), as somebody may have written it.
#include <assert.h>
#include <stdint.h>
#include <string.h>

// The pure parts, which are in no library.
#include "client/ctl/policy/cases.c"
#include "client/ctl/when.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What was read could be asked, and something could fail.
static void check_sound(const struct test_case *test)
{
    const struct reeve_check *check = &test->check;
    bool early = check->stage == REEVE_CONNECT || check->stage == REEVE_MAIL;

    assert(test->name[0] != '\0' && test->line > 0 && check->dry_run && check->trace);
    assert(check->stage >= REEVE_CONNECT && check->stage <= REEVE_END && check->sender != NULL);
    assert(early == (check->recipient_total == 0) && check->recipient_total <= MSG_RECIPIENTS_MAX);
    assert(check->spf >= 0 && check->spf <= MSG_AUTH_PERMERROR);
    assert(test->expected_count == 1 || test->expected_count == check->recipient_total);
    for (size_t i = 0; i < check->recipient_total; i++)
        assert(check->recipients[i] != NULL);
    for (size_t i = 0; i < test->expected_count; i++)
        assert(test->expected[i].code == 0 ||
               (test->expected[i].code >= 200 && test->expected[i].code <= 599));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err_detail detail = {.text = ""};
    struct cases cases = {.count = 0};

    if (cases_parse(&cases, "fuzz.yaml", data, size, &detail) != ERR_NONE)
        assert(detail.text[0] != '\0');
    else
        assert(cases.count > 0);
    for (size_t i = 0; i < cases.count; i++)
        check_sound(&cases.at[i]);
    cases_free(&cases);
    return 0;
}
