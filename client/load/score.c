// score.c: see score.h. Promises: an order of equal scores changes nothing.
#include "client/load/score.h"

#include <math.h>
#include <stdlib.h>

static int by_p(const void *a, const void *b)
{
    const struct score *left = a, *right = b;

    return (left->p > right->p) - (left->p < right->p);
}

void score_sort(struct score *score, size_t count)
{
    qsort(score, count, sizeof(*score), by_p);
}

static size_t count_spam(const struct score *score, size_t count)
{
    size_t spam = 0;

    for (size_t i = 0; i < count; i++)
        spam += score[i].is_spam;
    return spam;
}

double score_auc(const struct score *score, size_t count)
{
    const size_t spam = count_spam(score, count);
    double won = 0; // pairs
    size_t ham_below = 0;

    if (spam == 0 || spam == count)
        return NAN;
    for (size_t i = 0, end; i < count; i = end) {
        size_t spam_here = 0;

        for (end = i; end < count && !(score[end].p > score[i].p); end++)
            spam_here += score[end].is_spam;
        size_t ham_here = end - i - spam_here;

        won += (double)spam_here * ((double)ham_below + (double)ham_here / 2);
        ham_below += ham_here;
    }
    return won / ((double)spam * (double)(count - spam));
}

double score_at_rate(const struct score *score, size_t count, double rate, double *threshold)
{
    const size_t spam = count_spam(score, count), ham = count - spam;
    size_t allowed = (size_t)(rate * (double)ham + 1e-9);
    size_t above = 0;

    *threshold = NAN;
    if (spam == 0 || ham == 0)
        return NAN;
    if (allowed >= ham)
        allowed = ham - 1;
    for (size_t i = count; i-- > 0 && isnan(*threshold);) {
        if (!score[i].is_spam && allowed-- == 0)
            *threshold = score[i].p;
    }
    for (size_t i = count; i-- > 0 && score[i].p > *threshold;)
        above += score[i].is_spam;
    return (double)above / (double)spam;
}

double score_brier(const struct score *score, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        double off = score[i].p - (score[i].is_spam ? 1 : 0);

        sum += off * off;
    }
    return count == 0 ? NAN : sum / (double)count;
}

void score_calibrate(const struct score *score, size_t count, struct score_bin bin[SCORE_BINS])
{
    for (size_t i = 0; i < SCORE_BINS; i++)
        bin[i] = (struct score_bin){.count = 0};
    for (size_t i = 0; i < count; i++) {
        double at = score[i].p * SCORE_BINS;
        size_t which = at >= SCORE_BINS ? SCORE_BINS - 1 : at > 0 ? (size_t)at : 0;

        bin[which].count++;
        bin[which].spam += score[i].is_spam;
        bin[which].sum += score[i].p;
    }
}

double score_ece(const struct score_bin bin[SCORE_BINS])
{
    double sum = 0;
    size_t count = 0;

    for (size_t i = 0; i < SCORE_BINS; i++) {
        sum += fabs(bin[i].sum - (double)bin[i].spam);
        count += bin[i].count;
    }
    return count == 0 ? NAN : sum / (double)count;
}
