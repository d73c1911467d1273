// policy.c: see policy.h.
#include "client/ctl/policy/policy.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "proto/text.h"

void policy_arg(struct policy_args *args, const char *key, const char *value)
{
    if (value != NULL)
        args->pair[args->count++] = (struct reeve_pair){.key = key, .value = value};
}

const char *policy_number(char out[POLICY_NUMBER_MAX], uint64_t number)
{
    (void)snprintf(out, POLICY_NUMBER_MAX, "%llu", (unsigned long long)number);
    return out;
}

const char *policy_name_version(uint64_t version, char out[POLICY_NUMBER_MAX * 2])
{
    if (version == 0)
        return "the policy files";
    (void)snprintf(out, POLICY_NUMBER_MAX * 2, "version %llu", (unsigned long long)version);
    return out;
}

bool policy_is_version(const char *text, uint64_t *out)
{
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 15)
        return false;
    *out = strtoull(text, NULL, 10);
    return *out > 0;
}

int policy_read_version(struct ctl *ctl, const struct command *command, const struct arg_row *rows,
                        int argc, char **argv, uint64_t *version)
{
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    *version = 0;
    if (code != CTL_FINE || first == argc)
        return code;
    if (argc - first > 1)
        return ctl_misuse(ctl, command, "'%s' was not expected here", argv[first + 1]);
    if (!policy_is_version(argv[first], version))
        return ctl_misuse(ctl, command,
                          "'%s' is no version: one is a number, as `reevectl policy history` "
                          "lists them",
                          argv[first]);
    return CTL_FINE;
}

// The person behind sudo, rather than root.
static const char *user_name(char *number, size_t size)
{
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    const struct passwd *entry;

    if (sudo != NULL && sudo[0] != '\0')
        return sudo;
    entry = getpwuid(getuid());
    if (entry != NULL)
        return entry->pw_name;
    (void)snprintf(number, size, "uid %ju", (uintmax_t)getuid());
    return number;
}

const char *policy_by(char out[POLICY_BY_MAX])
{
    char host[65] = "", number[32], by[256];

    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
        (void)snprintf(host, sizeof(host), "localhost");
    (void)snprintf(by, sizeof(by), "%s@%s", user_name(number, sizeof(number)), host);
    (void)text_clean(out, POLICY_BY_MAX - 1, by, strlen(by));
    return out;
}

int policy_diff(struct ctl *ctl, const char *document, uint64_t version, uint64_t against,
                struct reeve_answer **out)
{
    char number[POLICY_NUMBER_MAX], other[POLICY_NUMBER_MAX];
    struct policy_args args = {.count = 0};

    policy_arg(&args, "document", document);
    policy_arg(&args, "version", document == NULL ? policy_number(number, version) : NULL);
    policy_arg(&args, "against", against > 0 ? policy_number(other, against) : NULL);
    return ctl_admin(ctl, "policy.diff", args.pair, args.count, false, out);
}

static void print_change(const struct reeve_row *row)
{
    const char *change = print_field(row, "change"), *file = print_field(row, "file");
    const char *before = print_field(row, "before"), *after = print_field(row, "after");
    bool is_added = strcmp(change, "added") == 0, is_removed = strcmp(change, "removed") == 0;

    (void)printf("%s %s", is_added ? "+" : is_removed ? "-" : "~", print_field(row, "what"));
    if (is_removed ? before[0] != '\0' : after[0] != '\0' || before[0] != '\0')
        (void)fputs(": ", stdout);
    if (!is_added)
        (void)fputs(before, stdout);
    if (!is_added && !is_removed && (before[0] != '\0' || after[0] != '\0'))
        (void)fputs(" -> ", stdout);
    if (!is_removed)
        (void)fputs(after, stdout);
    if (file[0] != '\0')
        (void)printf("    (%s:%s)", file, print_field(row, "line"));
    (void)putchar('\n');
}

void policy_print_changes(const struct reeve_answer *answer)
{
    for (size_t i = 0; i < answer->row_count; i++)
        print_change(&answer->rows[i]);
}
