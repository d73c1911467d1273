// apply.c: `reevectl policy apply`, `diff` and `lint`. What changes is shown first, and comes into force only in place of
// the version that it was shown against.
//
//      files -> staged -> what changes -> in force, unless it was a dry run -> on all nodes
#include <stdio.h>

#include "client/ctl/args.h"
#include "client/ctl/policy/policy.h"
#include "client/ctl/print.h"
#include "client/ctl/staged.h"
#include "proto/base/mem.h"

struct apply {
    struct ctl *ctl;
    struct arg_texts files;
    const char *note;
    bool dry_run;
    uint64_t unused_since; // Unix ms; 0 = not asked
    uint64_t base;         // UINT64_MAX = not given
    struct staged staged;
    struct reeve_answer *changes;
    struct policy_outcome outcome;
};

static void apply_free(struct apply *apply)
{
    reeve_answer_free(&apply->outcome.nodes);
    reeve_answer_free(&apply->changes);
    staged_free(&apply->staged);
    mem_free((void *)apply->files.text);
}

static int stage(struct apply *apply, bool dry)
{
    char since[POLICY_NUMBER_MAX];
    const struct staging staging = {
        .files = &apply->files,
        .note = apply->note,
        .unused_since = apply->unused_since != 0 ? policy_number(since, apply->unused_since) : NULL,
        .dry = dry};

    return staged_make(apply->ctl, &staging, &apply->staged);
}

static int compare(struct apply *apply)
{
    int code = stage(apply, false);

    return code == CTL_FINE ? policy_diff(apply->ctl, apply->staged.document, 0, 0, &apply->changes)
                            : code;
}

// ---- what is shown

static void print_changes(const struct apply *apply)
{
    char memory[POLICY_NUMBER_MAX * 2];

    staged_print_findings(&apply->staged);
    policy_print_changes(apply->changes);
    if (apply->changes->row_count == 0)
        (void)printf("nothing changes against %s\n",
                     policy_name_version(apply->staged.base, memory));
    (void)fflush(stdout); // before what is told on standard error
}

static void print_set(const struct staged *staged)
{
    (void)printf("the set: %s domains, %s groups with %s members, %s users, %s policies\n",
                 staged_count(staged, "domains"), staged_count(staged, "groups"),
                 staged_count(staged, "members"), staged_count(staged, "users"),
                 staged_count(staged, "policies"));
}

static void print_json(const struct apply *apply)
{
    struct json *json = &apply->ctl->json;
    const struct staged *staged = &apply->staged;

    json_open(json, NULL, '{');
    print_row_json(json, "set", &staged->answer->rows[0]);
    print_rows_json(json, "findings", staged_findings(staged), staged_finding_count(staged));
    if (apply->changes != NULL)
        print_rows_json(json, "changes", apply->changes->rows, apply->changes->row_count);
    if (apply->outcome.nodes != NULL)
        policy_print_outcome(apply->ctl, staged->base, &apply->outcome);
    json_close(json, '}');
}

// ---- apply

static int check_base(const struct apply *apply)
{
    char mine[POLICY_NUMBER_MAX * 2], theirs[POLICY_NUMBER_MAX * 2];

    if (apply->base == UINT64_MAX || apply->base == apply->staged.base)
        return CTL_FINE;
    return ctl_fail(
        apply->ctl, CTL_REFUSED, "--base: in force is %s, and not %s; nothing was changed",
        policy_name_version(apply->staged.base, theirs), policy_name_version(apply->base, mine));
}

// is_in_force: the set says what is in force already. Plain files are applied all the same, so that from then on the store
// holds them for all nodes.
static bool is_in_force(const struct apply *apply)
{
    return apply->changes->row_count == 0 && apply->staged.base > 0;
}

static int activate(struct apply *apply)
{
    const struct policy_order order = {.verb = "policy.activate",
                                       .document = apply->staged.document,
                                       .base = apply->staged.base,
                                       .note = apply->note};

    if (apply->dry_run || is_in_force(apply))
        return CTL_FINE;
    return policy_activate(apply->ctl, &order, &apply->outcome);
}

static void print_applied(const struct apply *apply)
{
    print_set(&apply->staged);
    if (apply->dry_run)
        (void)puts("a dry run: nothing was changed");
    else if (apply->outcome.nodes != NULL)
        policy_print_outcome(apply->ctl, apply->staged.base, &apply->outcome);
}

static int run_apply(struct apply *apply)
{
    int code = compare(apply);

    if (code == CTL_FINE)
        code = check_base(apply);
    if (code != CTL_FINE)
        return code;
    if (!apply->ctl->want_json)
        print_changes(apply);
    code = activate(apply);
    if (code != CTL_FINE && apply->outcome.nodes == NULL)
        return code;
    if (apply->ctl->want_json)
        print_json(apply);
    else
        print_applied(apply);
    return code;
}

int run_policy_apply(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct apply apply = {.ctl = ctl, .base = UINT64_MAX};
    const struct arg_row rows[] = {
        {.name = "note", .kind = ARG_TEXT, .into = &apply.note},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &apply.dry_run},
        {.name = "base", .kind = ARG_COUNT, .into = &apply.base},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code == CTL_FINE && first == argc)
        code = ctl_misuse(ctl, command, "a file, or a directory of files, is missing");
    if (code == CTL_FINE) {
        staged_take(argc, argv, first, &apply.files);
        code = run_apply(&apply);
    }
    apply_free(&apply);
    return code;
}

// ---- lint

static int run_lint(struct apply *apply)
{
    int code = stage(apply, true);

    if (code != CTL_FINE)
        return code;
    if (apply->ctl->want_json) {
        print_json(apply);
    } else {
        staged_print_findings(&apply->staged);
        print_set(&apply->staged);
    }
    return staged_finding_count(&apply->staged) > 0 ? CTL_NEGATIVE : CTL_FINE;
}

int run_policy_lint(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct apply apply = {.ctl = ctl};
    const struct arg_row rows[] = {
        {.name = "unused", .kind = ARG_TIME, .into = &apply.unused_since},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code == CTL_FINE && first == argc)
        code = ctl_misuse(ctl, command, "a file, or a directory of files, is missing");
    if (code == CTL_FINE) {
        staged_take(argc, argv, first, &apply.files);
        code = run_lint(&apply);
    }
    apply_free(&apply);
    return code;
}

// ---- diff

static int diff_files(struct apply *apply)
{
    int code = compare(apply);

    if (code != CTL_FINE)
        return code;
    if (apply->ctl->want_json)
        print_json(apply);
    else
        print_changes(apply);
    return apply->changes->row_count > 0 ? CTL_NEGATIVE : CTL_FINE;
}

// diff_versions: from the second to the first, or from what is in force.
static int diff_versions(struct apply *apply, uint64_t version, uint64_t against)
{
    int code = policy_diff(apply->ctl, NULL, version, against, &apply->changes);

    if (code != CTL_FINE)
        return code;
    if (apply->ctl->want_json)
        print_rows_json(&apply->ctl->json, NULL, apply->changes->rows, apply->changes->row_count);
    else
        policy_print_changes(apply->changes);
    return apply->changes->row_count > 0 ? CTL_NEGATIVE : CTL_FINE;
}

int run_policy_diff(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct apply apply = {.ctl = ctl};
    uint64_t version = 0, against = 0;
    int first = 0;
    int code = args_read(ctl, command, NULL, argc, argv, &first);

    if (code == CTL_FINE && first == argc)
        code = ctl_misuse(ctl, command, "files, or the number of a version, are missing");
    if (code == CTL_FINE && policy_is_version(argv[first], &version)) {
        if (argc - first > 2 ||
            (argc - first == 2 && !policy_is_version(argv[first + 1], &against)))
            code = ctl_misuse(ctl, command,
                              "'%s' was not expected behind a version (a file of that "
                              "name is written as ./%s)",
                              argv[argc - 1], argv[argc - 1]);
        // As diff(1): from the first to the second.
        if (code == CTL_FINE)
            code = against > 0 ? diff_versions(&apply, against, version)
                               : diff_versions(&apply, version, 0);
    } else if (code == CTL_FINE) {
        staged_take(argc, argv, first, &apply.files);
        code = diff_files(&apply);
    }
    apply_free(&apply);
    return code;
}
