// options.c: see options.h. Promises: every value has its range, and what is wrong is said with the
// option's name, what was given and what is expected.
#include "client/load/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"

enum {
    WEIGHT_MAX = 1000000,
    POPULATION_MAX = 100 * 1000 * 1000,
    DEADLINE_MAX_MS = 60000,
    RATE_MAX = 1000000,
    SECONDS_MAX = 7 * 24 * 3600,
    DEFAULT_SECONDS = 10,
};
#define COUNT_MAX UINT64_C(1000000000000)

static const char USAGE[] =
    "usage: reeve-load [run] [OPTIONS]\n"
    "       reeve-load replay [OPTIONS] FILE.csv     mail that is known to be spam or not; see "
    "reeve-load replay --help\n"
    "  --node ENDPOINT     a node's lookup door; may be given again (tcp://127.0.0.1:7170)\n"
    "  --window N          questions under way at once, over all nodes (64)\n"
    "  --count N           end after so many questions\n"
    "  --seconds N         end after this time (10, if no --count is given)\n"
    "  --mix KIND=N,...    what is asked, by weight (known=90,new=10):\n"
#define KIND_LINE(name, what) "                        " #name "  a question " what "\n"
    LOAD_KINDS(KIND_LINE)
#undef KIND_LINE
        "  --population N      known senders (1000)\n"
        "  --prepared          they are known to the node: do not make them so\n"
        "  --identity WHAT     what a client shows: net | name | spf, each adds to the one before; "
        "or "
        "login (name)\n"
        "  --stage WHICH       rcpt | mail (rcpt)\n"
        "  --verb WHICH        check | sent | report: ask, or say that such a sender was written "
        "to, or what its\n"
        "                      mail was (check)\n"
        "  --rate N            questions a second, no more (as many as are answered)\n"
        "  --deadline MS       how long an answer is waited for (1000)\n"
        "  --seed N            the same questions again (a number from the clock)\n"
        "  --json              the report as one JSON object\n"
        "  --help, --version\n"
        "exit codes: 0 fine, 1 nothing could be measured, 2 usage\n";

enum option_key {
    OPTION_NODE = 256,
    OPTION_WINDOW,
    OPTION_COUNT,
    OPTION_SECONDS,
    OPTION_MIX,
    OPTION_POPULATION,
    OPTION_PREPARED,
    OPTION_IDENTITY,
    OPTION_STAGE,
    OPTION_VERB,
    OPTION_RATE,
    OPTION_DEADLINE,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option LONG_OPTIONS[] = {
    {"node", required_argument, NULL, OPTION_NODE},
    {"window", required_argument, NULL, OPTION_WINDOW},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"mix", required_argument, NULL, OPTION_MIX},
    {"population", required_argument, NULL, OPTION_POPULATION},
    {"prepared", no_argument, NULL, OPTION_PREPARED},
    {"identity", required_argument, NULL, OPTION_IDENTITY},
    {"stage", required_argument, NULL, OPTION_STAGE},
    {"verb", required_argument, NULL, OPTION_VERB},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"deadline", required_argument, NULL, OPTION_DEADLINE},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

// ---- values

// Digits alone, and what they are within.
static bool read_digits(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return at != text && *at == '\0';
}

enum err options_read_number(const char *name, uint64_t min, uint64_t max, uint64_t *out,
                             struct err_detail *detail)
{
    uint64_t number = 0;

    if (!read_digits(optarg, max, &number) || number < min)
        return err_say(detail, ERR_SYNTAX,
                       "--%s: expected a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'",
                       name, min, max, optarg);
    *out = number;
    return ERR_NONE;
}

static enum err read_identity(enum question_identity *out, struct err_detail *detail)
{
    static const char *const words[] = {"net", "name", "spf", "login"};

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(optarg, words[i]) != 0)
            continue;
        *out = (enum question_identity)i;
        return ERR_NONE;
    }
    return err_say(detail, ERR_SYNTAX, "--identity: expected net, name, spf or login, not '%s'",
                   optarg);
}

static enum err read_stage(enum msg_stage *out, struct err_detail *detail)
{
    bool is_mail = strcmp(optarg, "mail") == 0;

    if (!is_mail && strcmp(optarg, "rcpt") != 0)
        return err_say(detail, ERR_SYNTAX, "--stage: expected rcpt or mail, not '%s'", optarg);
    *out = is_mail ? MSG_MAIL : MSG_RCPT;
    return ERR_NONE;
}

static enum err read_verb(enum msg_verb *out, struct err_detail *detail)
{
    static const struct {
        const char *word;
        enum msg_verb verb;
    } verbs[] = {{"check", MSG_CHECK}, {"sent", MSG_SENT}, {"report", MSG_REPORT}};

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(optarg, verbs[i].word) != 0)
            continue;
        *out = verbs[i].verb;
        return ERR_NONE;
    }
    return err_say(detail, ERR_SYNTAX, "--verb: expected check, sent or report, not '%s'", optarg);
}

// One KIND=N of len bytes.
static bool read_weight(const char *text, size_t len, uint32_t mix[LOAD_KIND_COUNT],
                        bool seen[LOAD_KIND_COUNT])
{
    const char *equals = memchr(text, '=', len);
    char digits[16] = "";
    uint64_t weight = 0;

    if (equals == NULL || len - (size_t)(equals + 1 - text) >= sizeof(digits))
        return false;
    memcpy(digits, equals + 1, len - (size_t)(equals + 1 - text));
    if (!read_digits(digits, WEIGHT_MAX, &weight))
        return false;
    for (unsigned kind = 0; kind < LOAD_KIND_COUNT; kind++) {
        const char *name = load_kind_name(kind);

        if (strlen(name) != (size_t)(equals - text) || strncmp(name, text, strlen(name)) != 0)
            continue;
        bool is_first = !seen[kind];

        seen[kind] = true;
        mix[kind] = (uint32_t)weight;
        return is_first;
    }
    return false;
}

enum err options_read_mix(const char *text, uint32_t mix[LOAD_KIND_COUNT],
                          struct err_detail *detail)
{
    uint32_t read[LOAD_KIND_COUNT] = {0};
    bool seen[LOAD_KIND_COUNT] = {false};
    uint32_t sum = 0;
    bool is_fine = true;

    for (const char *at = text; is_fine; at += strcspn(at, ",") + 1) {
        is_fine = read_weight(at, strcspn(at, ","), read, seen);
        if (at[strcspn(at, ",")] == '\0')
            break;
    }
    for (unsigned kind = 0; kind < LOAD_KIND_COUNT; kind++)
        sum += read[kind];
    if (!is_fine || sum == 0)
        return err_say(detail, ERR_SYNTAX,
                       "--mix: expected weights like known=90,new=9,cached=1, each kind once, "
                       "from 0 to %d, one of them not 0; not '%s'",
                       (int)WEIGHT_MAX, text);
    memcpy(mix, read, sizeof(read));
    return ERR_NONE;
}

static enum err add_node(struct options *options, struct err_detail *detail)
{
    if (options->asker.node_count == ASKER_NODES_MAX)
        return err_say(detail, ERR_LIMIT, "--node: %d at most", (int)ASKER_NODES_MAX);
    options->node[options->asker.node_count++] = optarg;
    return ERR_NONE;
}

// ---- the line

static enum err read_count(struct options *options, int key, struct err_detail *detail)
{
    struct measure_config *measure = &options->measure;
    uint64_t number = 0;
    enum err err = ERR_NONE;

    switch (key) {
    case OPTION_WINDOW:
        err = options_read_number("window", 1, ASKER_WINDOW_MAX, &number, detail);
        options->asker.window = (unsigned)number;
        return err;
    case OPTION_DEADLINE:
        err = options_read_number("deadline", 1, DEADLINE_MAX_MS, &number, detail);
        options->asker.deadline_ms = (uint32_t)number;
        return err;
    case OPTION_COUNT:
        return options_read_number("count", 1, COUNT_MAX, &measure->count, detail);
    case OPTION_SECONDS:
        return options_read_number("seconds", 1, SECONDS_MAX, &measure->seconds, detail);
    case OPTION_RATE:
        return options_read_number("rate", 1, RATE_MAX, &measure->rate, detail);
    case OPTION_POPULATION:
        return options_read_number("population", 1, POPULATION_MAX, &measure->population, detail);
    default:
        return options_read_number("seed", 0, UINT64_MAX, &measure->seed, detail);
    }
}

static enum err read_one(struct options *options, int key, struct err_detail *detail)
{
    switch (key) {
    case OPTION_NODE:
        return add_node(options, detail);
    case OPTION_MIX:
        return options_read_mix(optarg, options->measure.mix, detail);
    case OPTION_IDENTITY:
        return read_identity(&options->asker.identity, detail);
    case OPTION_STAGE:
        return read_stage(&options->asker.stage, detail);
    case OPTION_VERB:
        return read_verb(&options->asker.verb, detail);
    case OPTION_PREPARED:
        options->is_prepared = true;
        return ERR_NONE;
    case OPTION_JSON:
        options->as_json = true;
        return ERR_NONE;
    default:
        return read_count(options, key, detail);
    }
}

static void set_defaults(struct options *out)
{
    *out = (struct options){
        .asker = {.window = 64,
                  .deadline_ms = 1000,
                  .identity = QUESTION_NAME,
                  .stage = MSG_RCPT,
                  .verb = MSG_CHECK},
        .measure = {.seed = question_mix(clock_wall_ms()) >> 32,
                    .population = 1000,
                    .mix = {[LOAD_known] = 90, [LOAD_new] = 10}},
    };
    out->asker.node = out->node;
}

static void complete(struct options *out)
{
    if (out->asker.node_count == 0)
        out->node[out->asker.node_count++] = "tcp://127.0.0.1:7170";
    if (out->measure.count == 0 && out->measure.seconds == 0)
        out->measure.seconds = DEFAULT_SECONDS;
}

// The words that are no options: the command, `run` if there is none.
static enum err read_words(int argc, char **argv, struct err_detail *detail)
{
    if (optind < argc && strcmp(argv[optind], "run") == 0)
        optind++;
    if (optind == argc)
        return ERR_NONE;
    return err_say(detail, ERR_SYNTAX,
                   "'%s' was not expected; the commands, which come first, are run and replay",
                   argv[optind]);
}

enum options_outcome options_read(struct options *out, int argc, char **argv,
                                  struct err_detail *detail)
{
    enum err err = ERR_NONE;
    int key;

    set_defaults(out);
    optind = 0;
    opterr = 0;
    while (err == ERR_NONE && (key = getopt_long(argc, argv, ":h", LONG_OPTIONS, NULL)) != -1) {
        if (key == OPTION_HELP || key == 'h') {
            (void)fputs(USAGE, stdout);
            return OPTIONS_DONE;
        }
        if (key == OPTION_VERSION) {
            (void)printf("reeve-load %s\n", REEVE_VERSION);
            return OPTIONS_DONE;
        }
        if (key == '?' || key == ':')
            err = err_say(detail, ERR_SYNTAX, "%s %s", argv[optind - 1],
                          key == ':' ? "needs a value" : "is no option");
        else
            err = read_one(out, key, detail);
    }
    if (err == ERR_NONE)
        err = read_words(argc, argv, detail);
    if (err != ERR_NONE)
        return OPTIONS_WRONG;
    complete(out);
    return OPTIONS_RUN;
}
