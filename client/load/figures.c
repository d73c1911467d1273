// figures.c: see figures.h.
#include "client/load/figures.h"

#include <math.h>

#include "proto/base/mem.h"

const char *figures_kind_name(enum figures_kind kind)
{
    static const char *const names[] = {
#define FIGURES_NAME(name, what) #name,
        FIGURES_KINDS(FIGURES_NAME)
#undef FIGURES_NAME
    };

    return names[kind];
}

enum part { PART_ALL, PART_FIRST, PART_REPEAT };

struct choice {
    const struct messages *messages;
    const struct prediction *prediction;
    enum figures_kind kind;
    bool ipv4_only;
};

static bool is_chosen(const struct choice *choice, enum part part, size_t i)
{
    const struct message *message = &choice->messages->item[i];

    return choice->prediction[i].is_judged && (message->is_ipv4 || !choice->ipv4_only) &&
           (part == PART_ALL || message->is_first == (part == PART_FIRST));
}

// The scores of the part, sorted; room for all at score.
static size_t choose(const struct choice *choice, enum part part, struct score *score)
{
    size_t count = 0;

    for (size_t i = 0; i < choice->messages->count; i++) {
        if (is_chosen(choice, part, i))
            score[count++] = (struct score){choice->prediction[i].p[choice->kind],
                                            choice->messages->item[i].is_spam};
    }
    score_sort(score, count);
    return count;
}

// What an address did so far.
struct suspect {
    size_t spams;
    bool is_flagged;
};

static void count_until_flagged(const struct choice *choice, struct figures *out)
{
    const struct messages *messages = choice->messages;
    struct suspect *suspects = mem_new_array(messages->addresses, sizeof(*suspects));
    size_t sum = 0;

    for (size_t i = 0; i < messages->count; i++) {
        struct suspect *suspect = &suspects[messages->item[i].address];

        if (!is_chosen(choice, PART_ALL, i) || !messages->item[i].is_spam || suspect->is_flagged)
            continue;
        out->spammers += suspect->spams == 0;
        suspect->spams++;
        suspect->is_flagged = choice->prediction[i].p[choice->kind] > out->threshold_1;
        out->flagged += suspect->is_flagged;
        out->at_once += suspect->is_flagged && suspect->spams == 1;
        sum += suspect->is_flagged ? suspect->spams : 0;
    }
    out->mean_until = out->flagged == 0 ? NAN : (double)sum / (double)out->flagged;
    mem_free(suspects);
}

void figures_make(const struct messages *messages, const struct prediction *prediction,
                  enum figures_kind kind, bool ipv4_only, struct figures *out)
{
    const struct choice choice = {messages, prediction, kind, ipv4_only};
    struct score *score = mem_new_array(messages->count, sizeof(*score));

    *out = (struct figures){.count = choose(&choice, PART_FIRST, score)};
    out->auc_first = score_auc(score, out->count);
    out->count = choose(&choice, PART_REPEAT, score);
    out->auc_repeat = score_auc(score, out->count);
    out->count = choose(&choice, PART_ALL, score);
    for (size_t i = 0; i < out->count; i++)
        out->spam += score[i].is_spam;
    out->auc = score_auc(score, out->count);
    out->tpr_01 = score_at_rate(score, out->count, .001, &out->threshold_01);
    out->tpr_1 = score_at_rate(score, out->count, .01, &out->threshold_1);
    out->brier = score_brier(score, out->count);
    score_calibrate(score, out->count, out->bin);
    out->ece = score_ece(out->bin);
    count_until_flagged(&choice, out);
    mem_free(score);
}
