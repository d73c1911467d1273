// prepare.c: see prepare.h. Promises: it ends; a round asks each sender that is not known yet once.
#include "client/load/prepare.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum { PATIENCE_MS = 180 * 1000, PAUSE_MS = 50, REASON_BYTES = 32 };

struct prepare {
    uint32_t *open; // numbers of senders that are not known yet
    uint64_t open_count;
    uint64_t asked; // of this round
    uint64_t kept;  // open ones of this round, moved to the front
    uint32_t wait_s;
    uint64_t silent; // questions of this round without an answer
    char reason[REASON_BYTES];
};

static bool next(void *arg, struct asker_question *out)
{
    struct prepare *prepare = arg;

    if (prepare->asked == prepare->open_count)
        return false;
    out->number = prepare->open[prepare->asked++];
    question_known(out->number, &out->text);
    return true;
}

// Passed or not: only who is greeted as known needs no other question.
static void answer(void *arg, const struct asker_question *question,
                   const struct asker_answer *answer)
{
    struct prepare *prepare = arg;
    const struct msg_verdict *verdict =
        answer->outcome == ASKER_ANSWERED ? &answer->reply->decision.verdicts[0] : NULL;

    if (verdict != NULL && strcmp(verdict->reason, "greylist_known") == 0)
        return;
    // No more answers than questions came, so this place of the round has been read.
    prepare->open[prepare->kept++] = (uint32_t)question->number;
    if (verdict == NULL) {
        prepare->silent++;
        return;
    }
    (void)snprintf(prepare->reason, sizeof(prepare->reason), "%s", verdict->reason);
    if (verdict->retry_after_s > prepare->wait_s)
        prepare->wait_s = verdict->retry_after_s;
}

static void play_round(struct prepare *prepare, struct asker *asker)
{
    const struct asker_plan plan = {.next = next, .answer = answer, .arg = prepare};

    prepare->asked = 0;
    prepare->kept = 0;
    prepare->wait_s = 0;
    prepare->silent = 0;
    asker_run(asker, &plan);
    prepare->open_count = prepare->kept;
}

static void sleep_until(uint64_t until_ms, const volatile sig_atomic_t *stop)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    while (clock_mono_ms() < until_ms && !*stop)
        (void)nanosleep(&pause, NULL);
}

static enum err play(struct prepare *prepare, struct asker *asker,
                     const volatile sig_atomic_t *stop, struct err_detail *detail)
{
    uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    for (;;) {
        play_round(prepare, asker);
        if (prepare->open_count == 0)
            return ERR_NONE;
        if (*stop)
            return err_say(detail, ERR_CONFLICT, "interrupted while %" PRIu64 " senders wait",
                           prepare->open_count);
        if (prepare->silent == prepare->open_count)
            return err_say(detail, ERR_UNAVAILABLE,
                           "the node does not answer %" PRIu64 " questions in time or refuses "
                           "them; is its store up?",
                           prepare->silent);
        if (clock_mono_ms() + prepare->wait_s * 1000ULL > until_ms)
            return err_say(detail, ERR_TIMEOUT,
                           "%" PRIu64 " senders do not become known (the last one got '%s'); is "
                           "greylisting on at the node, and its delay short?",
                           prepare->open_count, prepare->reason);
        sleep_until(clock_mono_ms() + prepare->wait_s * 1000ULL + PAUSE_MS, stop);
    }
}

enum err prepare_known(struct asker *asker, uint64_t population, const volatile sig_atomic_t *stop,
                       struct err_detail *detail)
{
    struct prepare prepare = {.open = mem_new_array(population, sizeof(*prepare.open)),
                              .open_count = population};

    for (uint64_t i = 0; i < population; i++)
        prepare.open[i] = (uint32_t)i;
    enum err err = play(&prepare, asker, stop, detail);

    mem_free(prepare.open);
    return err;
}
