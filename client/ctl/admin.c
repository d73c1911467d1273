// admin.c: short words to the admin door: reload, clock, secret, store.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"

static void print_rows(struct ctl *ctl, const struct reeve_answer *answer)
{
    for (size_t i = 0; i < answer->row_count; i++) {
        if (ctl->want_json)
            print_row_json(&ctl->json, NULL, &answer->rows[i]);
        else
            print_row(&answer->rows[i], stdout);
    }
}

// say: asks a verb and prints the rows.
static int say(struct ctl *ctl, const char *verb, const struct reeve_pair *args, size_t arg_count)
{
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(ctl, verb, args, arg_count, false, &answer);

    if (code != CTL_FINE)
        return code;
    print_rows(ctl, answer);
    reeve_answer_free(&answer);
    return CTL_FINE;
}

int run_reload(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    int code = args_read_all(ctl, command, NULL, argc, argv);

    return code == CTL_FINE ? say(ctl, "reload", NULL, 0) : code;
}

int run_clock(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    bool show = strcmp(command->name, "show") == 0;
    int code = args_read_all(ctl, command, NULL, argc, argv);

    return code == CTL_FINE ? say(ctl, show ? "clock.show" : "clock.accept", NULL, 0) : code;
}

int run_store(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    int code = args_read_all(ctl, command, NULL, argc, argv);

    return code == CTL_FINE ? say(ctl, "store.show", NULL, 0) : code;
}

int run_secret(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    uint64_t buckets = 0;
    const struct arg_row rows[] = {
        {.name = "buckets", .kind = ARG_COUNT, .into = &buckets, .max = 1U << 20},
        {.name = NULL},
    };
    char number[24];
    const struct reeve_pair args[] = {{.key = "buckets", .value = number}};
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code != CTL_FINE)
        return code;
    if ((buckets & (buckets - 1)) != 0)
        return ctl_misuse(ctl, command, "--buckets: expected a power of two, like 65536");
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)buckets);
    return say(ctl, "secret.rotate", args, buckets > 0 ? 1 : 0);
}
