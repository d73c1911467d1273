// replay_options.c: see replay_options.h. Promises: as options.c.
#include "client/load/replay_options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DELAY_MAX_S = 30 * 24 * 3600,
    DEADLINE_MAX_MS = 600 * 1000,
    HOUR_MS = 3600 * 1000,
};

static const char USAGE[] =
    "usage: reeve-load replay [OPTIONS] FILE.csv\n"
    "Predicts each message of the file by nodes that were started with reeved --replay and an "
    "empty store, in the order of\n"
    "time, reports its label later, and says how good the predictions were. FILE.csv (- is "
    "standard input) names its columns\n"
    "in the first line: ts, ip, label; and asn, cc, dom, mfrom_h or sender, helo, rcpt_h, spf, "
    "spf_domain as far as they are known.\n"
    "  --node ENDPOINT     a node's lookup door; may be given again (tcp://127.0.0.1:7170)\n"
    "  --delay TIME        a label is reported so long after its message came: 0, 90s, 30m, 1h, 1d "
    "(1h)\n"
    "  --serial            one request at a time: the same result every time\n"
    "  --window N          requests under way at once, where the order does not matter (32)\n"
    "  --gateways N        who reports: so many, in turn (1)\n"
    "  --poison K=WHAT     the K-th of them lies: flip | spam | ham, or is silent; may be given "
    "again\n"
    "  --seed N            not in turn, but by chance (0: in turn)\n"
    "  --continue          the nodes may know reputations already\n"
    "  --skip-bad          rows that cannot be read are left out\n"
    "  --deadline MS       how long an answer is waited for (10000)\n"
    "  --json              the report as one JSON object\n"
    "  --svg FILE          a reliability diagram\n"
    "  --scores FILE       CSV: each message, and how likely spam it was\n"
    "  --redis ADDRESS     host:port or unix:/path of the nodes' store: counts entities and their "
    "bytes\n"
    "  --help\n"
    "exit codes: 0 fine, 1 nothing could be measured, 2 usage\n";

// X(name, takes a value)
#define REPLAY_OPTIONS(X) \
    X(node, true)         \
    X(delay, true)        \
    X(serial, false)      \
    X(window, true)       \
    X(gateways, true)     \
    X(poison, true)       \
    X(seed, true)         \
    X(continue, false)    \
    X(skip_bad, false)    \
    X(deadline, true)     \
    X(json, false)        \
    X(svg, true)          \
    X(scores, true)       \
    X(redis, true)        \
    X(help, false)

enum option_key {
    OPTION_BEFORE = 255,
#define OPTION_KEY(name, takes) OPTION_##name,
    REPLAY_OPTIONS(OPTION_KEY)
#undef OPTION_KEY
};

static const struct option LONG_OPTIONS[] = {
#define OPTION_ROW(name, takes) \
    {#name, (takes) ? required_argument : no_argument, NULL, OPTION_##name},
    REPLAY_OPTIONS(OPTION_ROW)
#undef OPTION_ROW
        {"skip-bad", no_argument, NULL, OPTION_skip_bad},
    {0},
};

// "1h" as ms.
static enum err read_delay(uint64_t *out, struct err_detail *detail)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}};
    char *end = NULL;
    unsigned long number = optarg[0] >= '0' && optarg[0] <= '9' ? strtoul(optarg, &end, 10) : 0;

    for (size_t i = 0; end != NULL && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) != 0 || number > DELAY_MAX_S / units[i].seconds)
            continue;
        *out = number * units[i].seconds * 1000;
        return ERR_NONE;
    }
    return err_say(detail, ERR_SYNTAX,
                   "--delay: expected a time like 0, 90s, 30m, 1h or 1d, at most 30d, not '%s'",
                   optarg);
}

static enum err read_poison(struct replay_config *config, struct err_detail *detail)
{
    const char *equals = strchr(optarg, '=');
    char *end = NULL;
    unsigned long gateway = strtoul(optarg, &end, 10);

    for (unsigned i = REPLAY_FLIP; equals != NULL && end == equals && i <= REPLAY_SILENT; i++) {
        if (strcmp(equals + 1, replay_tongue_name((enum replay_tongue)i)) != 0 || gateway < 1 ||
            gateway > REPLAY_GATEWAYS_MAX)
            continue;
        config->tongue[gateway - 1] = (enum replay_tongue)i;
        return ERR_NONE;
    }
    return err_say(detail, ERR_SYNTAX,
                   "--poison: expected K=flip, K=spam, K=ham or K=silent, K from 1 to %d, not '%s'",
                   (int)REPLAY_GATEWAYS_MAX, optarg);
}

static enum err read_count(struct replay_options *options, int key, struct err_detail *detail)
{
    struct replay_config *config = &options->replay;
    uint64_t number = 0;
    enum err err = ERR_NONE;

    switch (key) {
    case OPTION_window:
        err = options_read_number("window", 1, TALK_WINDOW_MAX, &number, detail);
        config->talk.window = (unsigned)number;
        return err;
    case OPTION_gateways:
        err = options_read_number("gateways", 1, REPLAY_GATEWAYS_MAX, &number, detail);
        config->gateways = (unsigned)number;
        return err;
    case OPTION_deadline:
        err = options_read_number("deadline", 1, DEADLINE_MAX_MS, &number, detail);
        config->talk.deadline_ms = (uint32_t)number;
        return err;
    default:
        return options_read_number("seed", 0, UINT64_MAX, &config->seed, detail);
    }
}

static enum err add_node(struct replay_options *options, struct err_detail *detail)
{
    if (options->replay.talk.node_count == TALK_NODES_MAX)
        return err_say(detail, ERR_LIMIT, "--node: %d at most", (int)TALK_NODES_MAX);
    options->node[options->replay.talk.node_count++] = optarg;
    return ERR_NONE;
}

static enum err read_one(struct replay_options *options, int key, struct err_detail *detail)
{
    switch (key) {
    case OPTION_node:
        return add_node(options, detail);
    case OPTION_delay:
        return read_delay(&options->replay.delay_ms, detail);
    case OPTION_poison:
        return read_poison(&options->replay, detail);
    case OPTION_serial:
        options->replay.talk.window = 1;
        return ERR_NONE;
    case OPTION_continue:
        options->replay.goes_on = true;
        return ERR_NONE;
    case OPTION_skip_bad:
        options->skip_bad = true;
        return ERR_NONE;
    case OPTION_json:
        options->as_json = true;
        return ERR_NONE;
    case OPTION_svg:
        options->svg = optarg;
        return ERR_NONE;
    case OPTION_scores:
        options->scores = optarg;
        return ERR_NONE;
    case OPTION_redis:
        options->redis = optarg;
        return ERR_NONE;
    default:
        return read_count(options, key, detail);
    }
}

// What cannot be said of one option alone, and the file.
static enum err complete(struct replay_options *out, int argc, char **argv,
                         struct err_detail *detail)
{
    if (out->replay.talk.node_count == 0)
        out->node[out->replay.talk.node_count++] = "tcp://127.0.0.1:7170";
    for (unsigned i = out->replay.gateways; i < REPLAY_GATEWAYS_MAX; i++) {
        if (out->replay.tongue[i] != REPLAY_TRUE)
            return err_say(detail, ERR_SYNTAX,
                           "--poison: there is no gateway %u; there are %u (--gateways)", i + 1,
                           out->replay.gateways);
    }
    if (optind == argc)
        return err_say(detail, ERR_SYNTAX, "replay needs a file: reeve-load replay FILE.csv");
    if (optind + 1 < argc)
        return err_say(detail, ERR_SYNTAX, "'%s' was not expected; replay reads one file",
                       argv[optind + 1]);
    out->path = argv[optind];
    return ERR_NONE;
}

static void set_defaults(struct replay_options *out)
{
    *out = (struct replay_options){
        .replay = {.talk = {.window = 32, .deadline_ms = 10000},
                   .delay_ms = HOUR_MS,
                   .gateways = 1},
    };
    out->replay.talk.node = out->node;
}

enum options_outcome replay_options_read(struct replay_options *out, int argc, char **argv,
                                         struct err_detail *detail)
{
    enum err err = ERR_NONE;
    int key;

    set_defaults(out);
    optind = 0;
    opterr = 0;
    while (err == ERR_NONE && (key = getopt_long(argc, argv, ":h", LONG_OPTIONS, NULL)) != -1) {
        if (key == OPTION_help || key == 'h') {
            (void)fputs(USAGE, stdout);
            return OPTIONS_DONE;
        }
        if (key == '?' || key == ':')
            err = err_say(detail, ERR_SYNTAX, "%s %s", argv[optind - 1],
                          key == ':' ? "needs a value" : "is no option of replay");
        else
            err = read_one(out, key, detail);
    }
    if (err == ERR_NONE)
        err = complete(out, argc, argv, detail);
    return err == ERR_NONE ? OPTIONS_RUN : OPTIONS_WRONG;
}
