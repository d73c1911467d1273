// main.c: reevectl, the operator's tool: reads the command line and hands over to a command.
// reevectl(1) is its manual.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/ctl.h"
#include "client/ctl/print.h"
#include "client/ctl/question.h"
#include "proto/base/clock.h"

const struct command ctl_commands[] = {
    {NULL, "ping", "", "is the node there, and how is it", run_ping},
    {NULL, "check", QUESTION_USAGE " [--dry-run]", "ask what a gateway would ask; it counts",
     run_check},
    {NULL, "explain", "[TICKET | LOGLINE ...] [--at TIME] [--policy FILE ...] " QUESTION_USAGE,
     "every step of a decision and why, now or by other files; changes nothing", run_explain},
    {NULL, "why", "[LOGLINE ... | -]", "what became of the mail of a line in a mail log", run_why},
    {NULL, "track",
     "[TICKET] [--from ADDRESS] [--to ADDRESS] [--ip ADDRESS] [--reason REASON] [--since TIME] "
     "[--limit N | --all]",
     "decisions that were made, newest first", run_track},
    {"grey", "show", "--from ADDRESS --to ADDRESS | LOGLINE ... | -",
     "what is stored of a sender and a recipient", run_grey},
    {"grey", "pass", "--from ADDRESS --to ADDRESS | LOGLINE ... | - [--dry-run]",
     "let the next try in, from whatever server", run_grey},
    {"grey", "forget", "--from ADDRESS --to ADDRESS | LOGLINE ... | - [--dry-run]",
     "remove what is stored of a sender and a recipient", run_grey},
    {"grey", "list",
     "[--from ADDRESS] [--to ADDRESS] [--ip ADDRESS] [--since TIME] [--limit N | --all]",
     "what was greylisted, newest first, and who came back", run_grey_list},
    {NULL, "expect", "ADDRESS | LOGLINE ... --for TIME [--note TEXT] | ADDRESS --cancel | --list",
     "no greylisting for a recipient for a while (a login code)", run_expect},
    {"managed", "add",
     "--user ADDRESS --permit PATTERN | --block PATTERN [--until TIME | --for TIME] [--note TEXT] "
     "[--dry-run]",
     "permit or block a sender in the personal list of a user", run_managed_add},
    {"managed", "del", "--user ADDRESS --pattern PATTERN [--dry-run]",
     "remove an entry of a personal list", run_managed_del},
    {"managed", "list", "[--user ADDRESS] [--csv]", "the personal list of a user, or all of them",
     run_managed_list},
    {"managed", "import", "FILE ... | - [--dry-run]",
     "entries of personal lists, from comma-separated values", run_managed_import},
    {"allow", "list", "--user ADDRESS", "whom a user has written to: their answers are let through",
     run_allow_list},
    {"allow", "show",
     "--external ADDRESS --user ADDRESS | --external ADDRESS --org | LOGLINE ... | -",
     "whether a user has written to an address, and how long that counts", run_allow},
    {"allow", "disable",
     "--external ADDRESS --user ADDRESS | --external ADDRESS --org | LOGLINE ... | - [--dry-run]",
     "let answers of an address through no more, until the user writes to it again", run_allow},
    {"allow", "forget",
     "--external ADDRESS --user ADDRESS | --external ADDRESS --org | LOGLINE ... | - [--dry-run]",
     "as if the user had never written to an address", run_allow},
    {NULL, "sent",
     "--from ADDRESS --to ADDRESS ... [--user LOGIN] [--ip ADDRESS] [--transaction ID] "
     "[--accepted TIME] [-]",
     "tell a node of a user's mail that was accepted; - reads the message", run_sent},
    {NULL, "report",
     "ham | spam | virus | trap | complaint | not-spam | unknown-recipient "
     "[TICKET | LOGLINE ... | -] [--ip ADDRESS] [--from ADDRESS] [--to ADDRESS] [--spf OUTCOME] "
     "[--spf-domain DOMAIN] [--weight N] [--came TIME] [--event NAME] [--gateway NAME] "
     "[--dry-run]",
     "tell a node what a mail turned out to be", run_report},
    {"spared", "show", "--ip ADDRESS | --spf-domain DOMAIN",
     "whether greylisting spares a client, and by what", run_spared},
    {"spared", "forget", "--ip ADDRESS | --spf-domain DOMAIN [--dry-run]", "spare a client no more",
     run_spared},
    {"blocked", "list", "[--ip ADDRESS] [--limit N]",
     "clients that are banned because they tried out which recipients exist", run_blocked},
    {"blocked", "show", "--ip ADDRESS", "whether a client is banned, and what it did", run_blocked},
    {"blocked", "lift", "--ip ADDRESS [--dry-run]", "ban a client no more", run_blocked},
    {"reputation", "show",
     "--ip ADDRESS | --ip NETWORK | --asn NUMBER | --country CODE | --domain DOMAIN [--asn NUMBER]",
     "what was reported of an address, a network, a domain and what stands above it",
     run_reputation_show},
    {"reputation", "explain",
     "[TICKET | LOGLINE ...] [--at TIME] [--policy FILE ...] " QUESTION_USAGE,
     "how likely a mail is spam: the whole computation", run_reputation_explain},
    {"reputation", "top",
     "[--kind ip | net | wide | asn | country | sender | domain | tld] [--by worst | best | mails] "
     "[--evidence N] [--limit N]",
     "the worst, the best or the busiest of what is kept", run_reputation_top},
    {"reputation", "gateways", "", "who reports, and how far each is trusted",
     run_reputation_gateways},
    {"reputation", "undo", "--gateway NAME [--dry-run]",
     "take out what a gateway has reported, everywhere", run_reputation_undo},
    {"reputation", "export",
     "--format rbldnsd | bind-dnsbl | reputon [--kind ip | net | wide | domain] [--p P] [--lower "
     "P] "
     "[--evidence N] [--gateways N] [--zone NAME] [--server NAME] [--contact NAME] [--rater NAME] "
     "[--ttl TIME] [--output FILE]",
     "a DNS list of the worst, or reputons, for other programs", run_reputation_export},
    {"policy", "apply", "FILE ... [--note TEXT] [--dry-run] [--base VERSION]",
     "show what these files change, and put them into force on every node", run_policy_apply},
    {"policy", "diff", "FILE ... | VERSION [VERSION]",
     "what would change, or what changed between two versions", run_policy_diff},
    {"policy", "lint", "FILE ... [--unused TIME]", "look for mistakes in these files",
     run_policy_lint},
    {"policy", "test", "FILE ... [--policy FILE ...]",
     "compare decisions with those that a file expects", run_policy_test},
    {"policy", "show", "[VERSION] [--output DIR]", "the files of a version, as they were applied",
     run_policy_show},
    {"policy", "history", "[--limit N]", "the versions, newest first", run_policy_history},
    {"policy", "undo", "[VERSION] [--note TEXT] [--dry-run] [--base VERSION]",
     "put an older version into force again", run_policy_undo},
    {"policy", "status", "", "which version each node has", run_policy_status},
    {"policy", "used", "[--never]", "how often each policy decided, and when last",
     run_policy_used},
    {"directory", "import",
     "FILE ... | - [--format auto | csv | ldif | postfix] [--domain DOMAIN] [--mail ATTRIBUTE] "
     "[--alias ATTRIBUTE] [--state ATTRIBUTE] [--force] [--dry-run]",
     "which addresses a domain has, from files: in force at once and wholly", run_directory_import},
    {"directory", "status", "", "which domains have a directory", run_directory},
    {"directory", "show", "ADDRESS", "whether a recipient exists, and why", run_directory},
    {"directory", "drop", "DOMAIN [--dry-run]", "a domain has no directory any more",
     run_directory},
    {NULL, "decisions", "--follow | --count N [--topic decision.ACTION.REASON]",
     "decisions as they are made", run_decisions},
    {NULL, "stats", "[--follow] [--count N]", "the node's counters", run_stats},
    {NULL, "reload", "", "read the policy files again", run_reload},
    {"store", "show", "", "what the store is, and how it is", run_store},
    {"clock", "show", "", "the store's clock", run_clock},
    {"clock", "accept", "", "the store's clock is right although it jumped", run_clock},
    {"secret", "rotate", "[--buckets N]", "a new secret for the slices to come", run_secret},
    {"import", "postgrey", "DIR [--delay SECONDS] [--clients N] [--policy FILE] [--dry-run]",
     "make known what passed at a postgrey", run_import},
    {"import", "sqlgrey", "FILE --policy FILE [--dry-run]",
     "make known what passed at an sqlgrey: its SQLite file, or a dump with a line of titles",
     run_import},
    {"import", "rspamd",
     "redis://HOST:PORT[/DB] --log FILE ... [--prefix TEXT] [--timeout SECONDS] [--dry-run]",
     "make known what passed at rspamd's greylist, as far as a log names it", run_import},
    {"import", "postfix", "LOG ... | - [--dry-run]", "make known what Postfix delivered",
     run_import},
    {"import", "postfix-access",
     "[--sender FILE] [--recipient FILE] [--client FILE] [--helo FILE] --to FILE [--no-parents] "
     "[--dry-run]",
     "write access maps of Postfix as policies", run_import_access},
    {"import", "correspondents", "LOG ... | - [--inside NETWORK] [--dry-run]",
     "make known whom your own users have written to, by logs of Postfix and Exim", run_import},
    {"import", "reports", "LOG ... | - [--gateway NAME] [--dry-run]",
     "report what scanners and rules of yours said of mail, by their logs", run_import},
    {"import", "relay-recipients", "FILE ... | - [--domain DOMAIN] [--force] [--dry-run]",
     "a map of Postfix' relay_recipient_maps becomes the directories of its domains",
     run_directory_import},
    {NULL, "completion", "bash | zsh", "what a shell needs to complete commands and options",
     run_completion},
    {NULL, "help", "[COMMAND | admin]", "this list, one command, or the admin door's words",
     run_help},
    {NULL, NULL, NULL, NULL, NULL},
};

// ---- help

static void print_commands(void)
{
    (void)fputs("usage: reevectl [OPTIONS] COMMAND ...\n\n", stdout);
    for (const struct command *at = ctl_commands; at->name != NULL; at++)
        (void)printf(
            "  %s%s%-*s %s\n", at->group == NULL ? "" : at->group, at->group == NULL ? "" : " ",
            (int)(14 - (at->group == NULL ? 0 : strlen(at->group) + 1)), at->name, at->what);
    (void)fputs("\noptions of every command:\n"
                "  --node ENDPOINT    lookups, default tcp://127.0.0.1:7170 (REEVE_NODE); may be "
                "given again\n"
                "  --admin ENDPOINT   admin door, default ipc:///run/reeve/admin.sock "
                "(REEVE_ADMIN)\n"
                "  --stats ENDPOINT   statistics, default tcp://127.0.0.1:7171 (REEVE_STATS)\n"
                "  --deadline TIME    how long to wait, like 250ms or 5s\n"
                "  --json             results as JSON, one document a line\n"
                "  --at TIME          \"now\", for a node started with --replay\n"
                "  --help, --version\n"
                "exit codes: 0 fine, 1 not accepted or not found, 2 usage, 3 no node, 4 refused, "
                "5 no store\n",
                stdout);
}

static void print_verbs(const struct reeve_answer *answer)
{
    static const char *const titles[] = {"VERB", "WHAT", "ARGUMENTS", NULL};
    struct table table;

    table_begin(&table, titles);
    for (size_t i = 0; i < answer->row_count; i++) {
        table_cell(&table, print_field(&answer->rows[i], "verb"));
        table_cell(&table, print_field(&answer->rows[i], "what"));
        table_cell(&table, print_field(&answer->rows[i], "args"));
    }
    table_end(&table, stdout);
}

static int help_admin(struct ctl *ctl)
{
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(ctl, "help", NULL, 0, false, &answer);

    if (code != CTL_FINE)
        return code;
    if (ctl->want_json)
        print_rows_json(&ctl->json, NULL, answer->rows, answer->row_count);
    else
        print_verbs(answer);
    reeve_answer_free(&answer);
    return CTL_FINE;
}

int run_help(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    int first = 0, found = 0;
    int code = args_read(ctl, command, NULL, argc, argv, &first);

    if (code != CTL_FINE)
        return code;
    if (first == argc)
        print_commands();
    if (first == argc)
        return CTL_FINE;
    if (strcmp(argv[first], "admin") == 0)
        return help_admin(ctl);
    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        if (strcmp(at->group == NULL ? at->name : at->group, argv[first]) != 0)
            continue;
        (void)printf("usage: reevectl %s%s%s %s\n    %s\n", at->group == NULL ? "" : at->group,
                     at->group == NULL ? "" : " ", at->name, at->usage, at->what);
        found++;
    }
    return found > 0 ? CTL_FINE : ctl_misuse(ctl, command, "there is no command '%s'", argv[first]);
}

// ---- finding the command

static bool is_group(const char *word)
{
    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        if (at->group != NULL && strcmp(at->group, word) == 0)
            return true;
    }
    return false;
}

// find_command: by one word, or two for a command of a group.
static const struct command *find_command(const char *word, const char *second)
{
    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        if (at->group == NULL
                ? strcmp(at->name, word) == 0
                : strcmp(at->group, word) == 0 && second != NULL && strcmp(at->name, second) == 0)
            return at;
    }
    return NULL;
}

static int refuse_word(struct ctl *ctl, const char *word, const char *second)
{
    if (!is_group(word))
        return ctl_fail(ctl, CTL_USAGE, "there is no command '%s'; see: reevectl help", word);
    if (second == NULL)
        return ctl_fail(ctl, CTL_USAGE, "'%s' needs another word; see: reevectl help %s", word,
                        word);
    return ctl_fail(ctl, CTL_USAGE, "there is no command '%s %s'; see: reevectl help %s", word,
                    second, word);
}

static int run_words(struct ctl *ctl, int argc, char **argv)
{
    const char *second = argc > 1 ? argv[1] : NULL;
    const struct command *command = find_command(argv[0], second);
    int words = command != NULL && command->group != NULL ? 1 : 0;
    int code = command == NULL ? refuse_word(ctl, argv[0], second)
                               : command->run(ctl, command, argc - words, argv + words);

    return code == ARGS_HELPED ? CTL_FINE : code;
}

// ---- main

static const char *from_environment(const char *name, const char *def)
{
    const char *value = getenv(name);

    return value == NULL || value[0] == '\0' ? def : value;
}

// help: what was asked for, or what somebody who typed no command gets instead.
static int help(bool was_asked_for)
{
    print_commands();
    return was_asked_for ? CTL_FINE : CTL_USAGE;
}

int main(int argc, char **argv)
{
    struct ctl ctl = {
        .node = from_environment("REEVE_NODE", "tcp://127.0.0.1:7170"),
        .admin = from_environment("REEVE_ADMIN", "ipc:///run/reeve/admin.sock"),
        .stats = from_environment("REEVE_STATS", "tcp://127.0.0.1:7171"),
        .now_ms = clock_wall_ms(),
    };
    bool want_version = false;
    int first = argc;
    int code;

    json_init(&ctl.json, stdout);
    code = args_global(&ctl, argc, argv, &want_version, &first);
    if (code == CTL_FINE && want_version)
        (void)printf("reevectl %s\n", reeve_version());
    else if (code == CTL_FINE && first < argc)
        code = run_words(&ctl, argc - first, argv + first);
    else if (code == CTL_FINE || code == ARGS_HELPED)
        code = help(code == ARGS_HELPED);
    ctl_end(&ctl);
    return code;
}
