// measure.c: see measure.h. Promises: the same seed asks the same questions in the same order (with
// more than one under way, answers may come in another).
#include "client/load/measure.h"

#include "proto/base/clock.h"

enum { CACHED_SENDERS = 16 };

struct measure {
    const struct measure_config *config;
    const volatile sig_atomic_t *stop;
    struct tally *tally;
    uint64_t asked, strangers, began_us, until_us;
    uint32_t weights; // their sum
};

static bool is_over(const struct measure *measure)
{
    if (*measure->stop || (measure->config->count > 0 && measure->asked == measure->config->count))
        return true;
    return measure->until_us > 0 && clock_mono_us() >= measure->until_us;
}

// What is due by now, of so many a second.
static bool is_early(const struct measure *measure)
{
    const uint64_t rate = measure->config->rate;

    return rate > 0 && measure->asked >= (clock_mono_us() - measure->began_us) * rate / 1000000 + 1;
}

static bool waits(void *arg)
{
    const struct measure *measure = arg;

    return measure->config->rate > 0 && !is_over(measure);
}

static enum load_kind choose_kind(const struct measure *measure, uint64_t random)
{
    uint64_t at = random % measure->weights;
    unsigned kind = 0;

    while (at >= measure->config->mix[kind])
        at -= measure->config->mix[kind++];
    return (enum load_kind)kind;
}

static void choose_sender(struct measure *measure, struct asker_question *out, uint64_t random)
{
    uint64_t population = measure->config->population;

    switch ((enum load_kind)out->kind) {
    case LOAD_new:
        out->number = measure->strangers++;
        question_stranger(measure->config->seed, out->number, &out->text);
        return;
    case LOAD_cached:
        population = population < CACHED_SENDERS ? population : CACHED_SENDERS;
        break;
    case LOAD_known:
    case LOAD_KIND_COUNT:
        break;
    }
    out->number = random % population;
    question_known(out->number, &out->text);
}

static bool next(void *arg, struct asker_question *out)
{
    struct measure *measure = arg;

    if (is_over(measure) || is_early(measure))
        return false;
    uint64_t random = question_mix(measure->config->seed + measure->asked++);

    out->kind = choose_kind(measure, random);
    choose_sender(measure, out, question_mix(random));
    return true;
}

static void answer(void *arg, const struct asker_question *question,
                   const struct asker_answer *answer)
{
    struct measure *measure = arg;

    tally_add(measure->tally, question, answer);
}

void measure(struct asker *asker, const struct measure_config *config,
             const volatile sig_atomic_t *stop, struct tally *out)
{
    struct measure measure = {.config = config, .stop = stop, .tally = out};
    const struct asker_plan plan = {next, waits, answer, &measure};

    for (unsigned i = 0; i < LOAD_KIND_COUNT; i++)
        measure.weights += config->mix[i];
    out->began_us = clock_mono_us();
    measure.began_us = out->began_us;
    measure.until_us = config->seconds > 0 ? out->began_us + config->seconds * 1000000 : 0;
    asker_run(asker, &plan);
    out->ended_us = clock_mono_us();
}
