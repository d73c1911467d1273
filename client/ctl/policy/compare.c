// compare.c: see compare.h.
#include "client/ctl/policy/compare.h"

#include <stdio.h>
#include <string.h>

#include "client/ctl/print.h"

enum { COMPARE_TEXT_MAX = 64 };

struct comparing {
    size_t verdict;
    bool same;
    void (*differ)(void *arg, const struct difference *difference);
    void *arg;
};

static void tell(struct comparing *comparing, const char *field, const char *wanted,
                 const char *came)
{
    const struct difference difference = {
        .verdict = comparing->verdict, .field = field, .wanted = wanted, .came = came};

    comparing->same = false;
    comparing->differ(comparing->arg, &difference);
}

static void same_text(struct comparing *comparing, const char *field, const char *wanted,
                      const char *came)
{
    if (wanted != NULL && strcmp(wanted, came) != 0)
        tell(comparing, field, wanted, came);
}

static void same_code(struct comparing *comparing, unsigned wanted, unsigned came)
{
    char wanted_text[COMPARE_TEXT_MAX], came_text[COMPARE_TEXT_MAX];

    if (wanted == 0 || wanted == came)
        return;
    (void)snprintf(wanted_text, sizeof(wanted_text), "%u", wanted);
    (void)snprintf(came_text, sizeof(came_text), "%u", came);
    tell(comparing, "code", wanted_text, came_text);
}

static const char *skip_text(bool greylist, bool reputation, bool spam, char out[COMPARE_TEXT_MAX])
{
    (void)snprintf(out, COMPARE_TEXT_MAX, "%s%s%s", greylist ? "greylist " : "",
                   reputation ? "reputation " : "", spam ? "spam " : "");
    if (out[0] != '\0')
        out[strlen(out) - 1] = '\0';
    return out;
}

static void same_skip(struct comparing *comparing, const struct expected *expected,
                      const struct reeve_verdict *verdict)
{
    char wanted[COMPARE_TEXT_MAX], came[COMPARE_TEXT_MAX];

    if (!expected->skip_is_given)
        return;
    same_text(
        comparing, "skip",
        skip_text(expected->skip_greylist, expected->skip_reputation, expected->skip_spam, wanted),
        skip_text(verdict->skip_greylist, verdict->skip_reputation, verdict->skip_spam, came));
}

static void compare_verdict(struct comparing *comparing, const struct expected *expected,
                            const struct reeve_verdict *verdict)
{
    if (expected->action != 0)
        same_text(comparing, "action", print_action(expected->action),
                  print_action(verdict->action));
    same_code(comparing, expected->code, verdict->code);
    same_text(comparing, "enhanced", expected->enhanced, verdict->enhanced);
    same_text(comparing, "reason", expected->reason, verdict->reason);
    same_text(comparing, "rule", expected->rule, verdict->rule);
    same_text(comparing, "shadow", expected->shadow, verdict->shadow);
    same_text(comparing, "direction", expected->direction, verdict->direction);
    same_skip(comparing, expected, verdict);
}

bool compare_case(const struct test_case *test, const struct reeve_answer *answer,
                  void (*differ)(void *arg, const struct difference *difference), void *arg)
{
    struct comparing comparing = {.same = true, .differ = differ, .arg = arg};

    for (size_t i = 0; i < answer->verdict_count; i++) {
        const struct expected *expected = &test->expected[test->expected_count > 1 ? i : 0];

        comparing.verdict = i;
        compare_verdict(&comparing, expected, &answer->verdicts[i]);
    }
    return comparing.same;
}
