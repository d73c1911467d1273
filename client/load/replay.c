// replay.c: see replay.h. Promises: with window 1 the same file and seed give the same requests in the same order; with more, those
// that nothing known comes between are under way at once: predictions until the next label is due, and labels until the next
// prediction.
#include "client/load/replay.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/load/question.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

// Nobody's name and not a level of anything (RFC 2606).
#define OUR_DOMAIN "recipient.example"
#define GATEWAY    "replay"

enum { SHOW_US = 200 * 1000, BATCH_MAX = 1 << 14, GIVE_UP = 50 };

struct replay {
    const struct messages *messages;
    const struct replay_config *config;
    const volatile sig_atomic_t *stop;
    struct replay_result *out;
    struct talk *talk;
    size_t predicted, reported; // messages
    bool is_any_judged;
    uint64_t shown_us;
    // Of the request that is being written.
    char recipient[MSG_ADDRESS_MAX + sizeof("@" OUR_DOMAIN)];
    char gateway[sizeof(GATEWAY) + 12];
    char event[MSG_TRANSACTION_MAX];
    const char *recipients[1];
};

const char *replay_tongue_name(enum replay_tongue tongue)
{
    static const char *const names[] = {"true", "flip", "spam", "ham", "silent"};

    return names[tongue];
}

// ---- a message

// Whatever stands in the file, it is somebody at the nodes' own.
static const char *recipient_of(struct replay *replay, const struct message *message)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+";
    int len = (int)strspn(message->recipient, plain);

    if (len == 0 || len > 60)
        return "somebody@" OUR_DOMAIN;
    (void)snprintf(replay->recipient, sizeof(replay->recipient), "%.*s@" OUR_DOMAIN, len,
                   message->recipient);
    return replay->recipient;
}

static unsigned gateway_of(const struct replay_config *config, size_t index)
{
    const uint64_t number = config->seed == 0 ? index : question_mix(config->seed + index);

    return (unsigned)(number % config->gateways);
}

// What is said of it; MSG_NO_EVIDENCE = nothing.
static enum msg_evidence evidence_of(const struct replay_config *config, size_t index, bool is_spam)
{
    switch (config->tongue[gateway_of(config, index)]) {
    case REPLAY_FLIP:
        return is_spam ? MSG_HAM : MSG_SPAM;
    case REPLAY_SPAM:
        return MSG_SPAM;
    case REPLAY_HAM:
        return MSG_HAM;
    case REPLAY_SILENT:
        return MSG_NO_EVIDENCE;
    case REPLAY_TRUE:
        break;
    }
    return is_spam ? MSG_SPAM : MSG_HAM;
}

// ---- predictions

static bool ask_prediction(void *arg, size_t index, struct msg_request *out)
{
    struct replay *replay = arg;
    const struct message *message = &replay->messages->item[index];

    replay->recipients[0] = recipient_of(replay, message);
    *out = (struct msg_request){
        .gateway = GATEWAY,
        .at_ms = message->at_ms,
        .verb = MSG_CHECK,
        .check = {.stage = MSG_RCPT,
                  .client_ip = message->ip,
                  .helo = message->helo,
                  .sender = message->sender,
                  .recipients = replay->recipients,
                  .recipient_total = 1,
                  .recipient_count = 1,
                  .spf = message->spf,
                  .spf_domain = message->spf_domain,
                  .dry_run = true,
                  .trace = true,
                  // Of several that are under way each is judged as of its own moment.
                  .at_ms = message->at_ms,
                  .asn = message->asn,
                  .country = message->country},
    };
    return true;
}

static unsigned band_of(struct replay_result *out, const char *name)
{
    unsigned band = 0;

    if (name[0] == '\0')
        name = "none";
    while (band < out->bands && strncmp(out->band[band], name, REPLAY_BAND_BYTES - 1) != 0)
        band++;
    if (band == REPLAY_BANDS_MAX)
        return band - 1;
    if (band == out->bands)
        (void)snprintf(out->band[out->bands++], REPLAY_BAND_BYTES, "%s", name);
    return band;
}

static void note_trust(struct replay_result *out, const struct msg_level *level)
{
    for (size_t i = 0; i < level->reporter_count; i++) {
        const char *name = level->reporter[i].name;
        unsigned long number = 0;

        if (strncmp(name, GATEWAY "-", strlen(GATEWAY "-")) == 0)
            number = strtoul(name + strlen(GATEWAY "-"), NULL, 10);
        if (number >= 1 && number <= REPLAY_GATEWAYS_MAX)
            out->trust[number - 1] = level->reporter[i].trust;
    }
}

// The first message finds nothing known, or the figures would be those of mail that was learnt before.
static enum err check_first(const struct replay *replay, const struct msg_reputation *reputation,
                            struct err_detail *detail)
{
    if (replay->config->goes_on)
        return ERR_NONE;
    for (size_t i = 0; i < reputation->level_count; i++) {
        const struct msg_level *level = &reputation->level[i];

        if (level->is_known)
            return err_say(
                detail, ERR_CONFLICT,
                "the nodes know reputations already (%s %s: %g spam, %g ham): start them "
                "with an empty store, or say --continue to add to it",
                level->kind, level->name, level->spam, level->ham);
    }
    return ERR_NONE;
}

static bool is_share(double p)
{
    return p >= 0 && p <= 1;
}

static enum err take_nothing(struct replay *replay, size_t index, const struct msg_reply *reply,
                             struct err_detail *detail)
{
    struct replay_result *out = replay->out;
    const uint64_t line = replay->messages->item[index].line;
    const size_t count = replay->messages->count;

    if (reply->degraded)
        return err_say(detail, ERR_UNAVAILABLE,
                       "node %s judged the message of line %" PRIu64 " without its store: %s",
                       reply->node, line, reply->degraded_why);
    if (out->unjudged == 0 || line < out->unjudged_line)
        out->unjudged_line = line;
    out->unjudged++;
    if (out->unjudged == (count < GIVE_UP ? count : GIVE_UP) && !replay->is_any_judged)
        return err_say(detail, ERR_UNAVAILABLE,
                       "node %s does not say how it judges any message (the first is line %" PRIu64
                       "): is settings.reputation off, or does it trust these clients?",
                       reply->node, out->unjudged_line);
    return ERR_NONE;
}

static enum err take_prediction(void *arg, size_t index, const struct msg_reply *reply,
                                struct err_detail *detail)
{
    struct replay *replay = arg;
    struct prediction *out = &replay->out->prediction[index];
    const struct msg_reputation *found =
        reply->answer == MSG_DECISION && reply->decision.verdict_count == 1
            ? reply->decision.verdicts[0].reputation
            : NULL;
    enum err err = ERR_NONE;

    out->gateway = gateway_of(replay->config, index);
    if (found == NULL || reply->degraded)
        return take_nothing(replay, index, reply, detail);
    if (!is_share(found->p) || !is_share(found->address) || !is_share(found->ip))
        return err_say(detail, ERR_SYNTAX, "node %s: a probability that is none", reply->node);
    out->is_judged = true;
    out->p[FIGURES_both] = found->p;
    out->p[FIGURES_address] = found->address;
    out->p[FIGURES_ip] = found->ip;
    out->band = band_of(replay->out, found->band);
    for (size_t i = 0; i < found->level_count; i++)
        note_trust(replay->out, &found->level[i]);
    if (!replay->is_any_judged && replay->out->reports == 0)
        err = check_first(replay, found, detail);
    replay->is_any_judged = true;
    return err;
}

// ---- reports

static bool ask_report(void *arg, size_t index, struct msg_request *out)
{
    struct replay *replay = arg;
    const struct replay_config *config = replay->config;
    const struct message *message = &replay->messages->item[index];
    const uint64_t at_ms = message->at_ms + config->delay_ms;
    const enum msg_evidence evidence = evidence_of(config, index, message->is_spam);

    if (evidence == MSG_NO_EVIDENCE)
        return false;
    (void)snprintf(replay->gateway, sizeof(replay->gateway), GATEWAY "-%u",
                   gateway_of(config, index) + 1);
    (void)snprintf(replay->event, sizeof(replay->event), "replay-%" PRIu64 "-%" PRIu64,
                   message->at_ms, message->line);
    *out = (struct msg_request){
        .gateway = replay->gateway,
        .at_ms = at_ms,
        .verb = MSG_REPORT,
        .report = {.event = replay->event,
                   .evidence = evidence,
                   .client_ip = message->ip,
                   .sender = message->sender,
                   .recipient = recipient_of(replay, message),
                   .spf = message->spf,
                   .spf_domain = message->spf_domain,
                   .at_ms = at_ms,
                   .asn = message->asn,
                   .country = message->country},
    };
    return true;
}

static enum err take_ack(void *arg, size_t index, const struct msg_reply *reply,
                         struct err_detail *detail)
{
    struct replay *replay = arg;
    const uint64_t line = replay->messages->item[index].line;
    const struct msg_ack *ack = &reply->ack;

    if (reply->answer != MSG_ACK || ack->queued)
        return err_say(detail, ERR_UNAVAILABLE,
                       "node %s did not count the label of line %" PRIu64 ": is its store up?",
                       reply->node, line);
    if (ack->recorded > 0) {
        replay->out->reports++;
        return ERR_NONE;
    }
    const char *why = ack->skipped_count > 0 ? ack->skipped_why[0] : "without a word";

    if (strcmp(why, "nobody") == 0) // a client that it trusts, and no sender
        return ERR_NONE;
    return err_say(detail, ERR_CONFLICT,
                   "node %s did not count the label of line %" PRIu64 ": %s%s", reply->node, line,
                   why,
                   strcmp(why, "seen") == 0
                       ? " (its event was counted before); start the nodes with an empty store"
                       : "");
}

// ---- in the order of time

// Is the label that is next in turn known by then?
static bool is_due(const struct replay *replay, size_t predicted)
{
    const struct messages *messages = replay->messages;

    return replay->reported < predicted &&
           (predicted == messages->count ||
            messages->item[replay->reported].at_ms + replay->config->delay_ms <=
                messages->item[predicted].at_ms);
}

static enum err predict_until_due(struct replay *replay, struct err_detail *detail)
{
    const struct talk_plan plan = {ask_prediction, take_prediction, replay};
    const size_t first = replay->predicted;

    while (replay->predicted < replay->messages->count && replay->predicted - first < BATCH_MAX &&
           !is_due(replay, replay->predicted))
        replay->predicted++;
    return talk_run(replay->talk, &plan, first, replay->predicted, detail);
}

static enum err report_what_is_due(struct replay *replay, struct err_detail *detail)
{
    const struct talk_plan plan = {ask_report, take_ack, replay};
    const size_t first = replay->reported;

    while (replay->reported - first < BATCH_MAX && is_due(replay, replay->predicted))
        replay->reported++;
    return talk_run(replay->talk, &plan, first, replay->reported, detail);
}

static void show_progress(struct replay *replay, bool at_end)
{
    const uint64_t now_us = clock_mono_us();

    if (!replay->config->has_progress || (!at_end && now_us - replay->shown_us < SHOW_US))
        return;
    replay->shown_us = now_us;
    (void)fprintf(stderr, "\r%zu of %zu messages%s", replay->reported, replay->messages->count,
                  at_end ? "\r\033[K" : "");
    (void)fflush(stderr);
}

static enum err play(struct replay *replay, struct err_detail *detail)
{
    const size_t count = replay->messages->count;
    enum err err = ERR_NONE;

    while (replay->reported < count && err == ERR_NONE) {
        err = predict_until_due(replay, detail);
        if (err == ERR_NONE)
            err = report_what_is_due(replay, detail);
        if (err == ERR_NONE && *replay->stop)
            err = err_say(detail, ERR_CONFLICT, "interrupted after %zu of %zu messages",
                          replay->predicted, count);
        show_progress(replay, false);
    }
    show_progress(replay, true);
    return err;
}

enum err replay_run(const struct messages *messages, const struct replay_config *config,
                    const volatile sig_atomic_t *stop, struct replay_result *out,
                    struct err_detail *detail)
{
    struct replay replay = {.messages = messages, .config = config, .stop = stop, .out = out};
    const uint64_t began_us = clock_mono_us();

    *out = (struct replay_result){.prediction =
                                      mem_new_array(messages->count, sizeof(*out->prediction))};
    for (unsigned i = 0; i < REPLAY_GATEWAYS_MAX; i++)
        out->trust[i] = NAN;
    enum err err = talk_new(&replay.talk, &config->talk, detail);

    if (err == ERR_NONE)
        err = play(&replay, detail);
    out->took_us = clock_mono_us() - began_us;
    talk_free(&replay.talk);
    if (err != ERR_NONE)
        replay_clear(out);
    return err;
}

void replay_clear(struct replay_result *result)
{
    mem_free(result->prediction);
    result->prediction = NULL;
}
