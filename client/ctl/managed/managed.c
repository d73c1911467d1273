// managed.c: `reevectl managed add|del`: one entry of somebody's personal list.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/ctl/args.h"
#include "client/ctl/managed/managed.h"
#include "client/ctl/policy/policy.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"

enum { RETRIES = 10 };

const char *managed_by(char *out)
{
    (void)policy_by(out);
    for (char *blank = strchr(out, ' '); blank != NULL; blank = strchr(blank, ' '))
        *blank = '_';
    return out;
}

int managed_ask(struct ctl *ctl, const struct reeve_admin_request *request, bool was_there,
                struct progress *progress, struct reeve_answer **out)
{
    const struct timespec pause = {.tv_nsec = 500000000};
    struct reeve_answer *answer = NULL;
    int code = CTL_FINE;

    for (unsigned i = 0; i <= RETRIES; i++) {
        reeve_answer_free(&answer);
        code = ctl_admin_try(ctl, request, &answer);
        if (code != CTL_FINE || answer->status != REEVE_STATUS_UNAVAILABLE || !was_there ||
            (progress != NULL && progress_was_interrupted(progress)))
            break;
        (void)nanosleep(&pause, NULL);
    }
    if (code == CTL_FINE && answer->error != REEVE_OK) {
        if (progress != NULL)
            progress_clear(progress);
        code = ctl_fail_answer(ctl, ctl->admin, answer);
    }
    if (code == CTL_FINE)
        *out = answer;
    else
        reeve_answer_free(&answer);
    return code;
}

// ---- what became of it

static void print_until(const struct reeve_row *row)
{
    char time[WHEN_MAX];

    if (print_field(row, "until")[0] != '\0')
        (void)printf(" until %s", print_time(row, "until", time));
}

// print_replaced: what somebody said of the same pattern before.
static void print_replaced(const struct reeve_row *row, bool dry_run)
{
    const char *replaced = print_field(row, "replaced");
    char time[WHEN_MAX];

    if (replaced[0] == '\0')
        return;
    (void)printf("it %s: %s", dry_run ? "would replace" : "replaces", replaced);
    if (print_field(row, "replaced_until")[0] != '\0')
        (void)printf(" until %s", print_time(row, "replaced_until", time));
    if (print_field(row, "replaced_owner")[0] != '\0')
        (void)printf(", said by %s on %s", print_field(row, "replaced_owner"),
                     print_time(row, "replaced_since", time));
    if (print_field(row, "replaced_note")[0] != '\0')
        (void)printf(": %s", print_field(row, "replaced_note"));
    (void)printf("\n");
}

static void print_added(const struct reeve_row *row, bool dry_run)
{
    const bool permits = strcmp(print_field(row, "action"), "permit") == 0;

    (void)printf("%s: %s %s %s", print_field(row, "user"), print_field(row, "pattern"),
                 dry_run ? "would be" : "is", permits ? "permitted" : "blocked");
    print_until(row);
    (void)printf("\n");
    print_replaced(row, dry_run);
}

static int ask(struct ctl *ctl, const char *verb, const struct reeve_pair *args, size_t count,
               bool dry_run, struct reeve_answer **out)
{
    int code = ctl_admin(ctl, verb, args, count, dry_run, out);

    if (code == CTL_FINE && ctl->want_json)
        print_rows_json(&ctl->json, NULL, (*out)->rows, (*out)->row_count);
    return code;
}

// ---- add

struct wish {
    const char *user, *permit, *block, *note;
    uint64_t until_ms, for_ms;
    bool dry_run;
};

static int add(struct ctl *ctl, const struct wish *wish)
{
    char by[POLICY_BY_MAX], until[POLICY_NUMBER_MAX], span[POLICY_NUMBER_MAX];
    const struct reeve_pair args[] = {
        {"user", wish->user},
        {"pattern", wish->permit != NULL ? wish->permit : wish->block},
        {"action", wish->permit != NULL ? "permit" : "block"},
        {"by", managed_by(by)},
        {"note", wish->note != NULL ? wish->note : ""},
        {"until", policy_number(until, wish->until_ms)},
        {"for", policy_number(span, wish->for_ms)},
    };
    struct reeve_answer *answer = NULL;
    int code =
        ask(ctl, "managed.add", args, sizeof(args) / sizeof(args[0]), wish->dry_run, &answer);

    if (code != CTL_FINE)
        return code;
    if (!ctl->want_json && answer->row_count > 0)
        print_added(&answer->rows[0], wish->dry_run);
    if (answer->row_count > 0 && print_field(&answer->rows[0], "unknown")[0] != '\0')
        ctl_warn("the directory does not have %s; is that the right address?", wish->user);
    reeve_answer_free(&answer);
    return CTL_FINE;
}

int run_managed_add(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct wish wish = {.user = NULL};
    const struct arg_row rows[] = {
        {.name = "user", .kind = ARG_TEXT, .into = &wish.user},
        {.name = "permit", .kind = ARG_TEXT, .into = &wish.permit},
        {.name = "block", .kind = ARG_TEXT, .into = &wish.block},
        {.name = "until", .kind = ARG_TIME, .into = &wish.until_ms},
        {.name = "for", .kind = ARG_SPAN, .into = &wish.for_ms},
        {.name = "note", .kind = ARG_TEXT, .into = &wish.note},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &wish.dry_run},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code != CTL_FINE)
        return code;
    if (wish.user == NULL)
        return ctl_misuse(ctl, command, "--user is missing: whose list");
    if ((wish.permit == NULL) == (wish.block == NULL))
        return ctl_misuse(ctl, command, "expected one of --permit and --block");
    if (wish.until_ms != 0 && wish.for_ms != 0)
        return ctl_misuse(ctl, command, "expected one of --until and --for");
    if (wish.until_ms != 0 && wish.until_ms < ctl->now_ms)
        return ctl_misuse(ctl, command,
                          "--until: that moment is over (for so long from now: --for)");
    return add(ctl, &wish);
}

// ---- del

int run_managed_del(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct reeve_pair args[] = {{"user", NULL}, {"pattern", NULL}};
    bool dry_run = false;
    const struct arg_row rows[] = {
        {.name = "user", .kind = ARG_TEXT, .into = &args[0].value},
        {.name = "pattern", .kind = ARG_TEXT, .into = &args[1].value},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &dry_run},
        {.name = NULL},
    };
    struct reeve_answer *answer = NULL;
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code != CTL_FINE)
        return code;
    if (args[0].value == NULL || args[1].value == NULL)
        return ctl_misuse(ctl, command, "%s is missing",
                          args[0].value == NULL ? "--user" : "--pattern");
    code = ask(ctl, "managed.del", args, 2, dry_run, &answer);
    if (code != CTL_FINE)
        return code;
    const struct reeve_row *row = answer->row_count > 0 ? &answer->rows[0] : NULL;

    if (!ctl->want_json && row == NULL)
        (void)printf("%s: there was no entry %s\n", args[0].value, args[1].value);
    else if (!ctl->want_json)
        (void)printf("%s: %s %s (%s%s%s)\n", print_field(row, "user"), print_field(row, "pattern"),
                     dry_run ? "would be removed" : "is removed", print_field(row, "action"),
                     print_field(row, "note")[0] != '\0' ? ": " : "", print_field(row, "note"));
    code = row != NULL ? CTL_FINE : CTL_NEGATIVE;
    reeve_answer_free(&answer);
    return code;
}
