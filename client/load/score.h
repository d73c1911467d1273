// score.h: how well scores tell spam from ham. Pure; what cannot be told, because there is no spam or no ham, is NAN.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct score {
    double p; // the higher, the more likely spam; finite
    bool is_spam;
};

// score_sort: by p, ascending. The next two want them so.
void score_sort(struct score *score, size_t count);

// score_auc: of two mails, one spam and one ham, how often spam has the higher score; an equal one is half (the area under the ROC curve).
double score_auc(const struct score *score, size_t count);

// score_at_rate: the share of spam above the lowest threshold that no more than rate of ham is above. Ties are against us: spam
// with the score of the ham that is the last one not above it does not count. *threshold: flagged is what is greater.
double score_at_rate(const struct score *score, size_t count, double rate, double *threshold);

// score_brier: the mean of (p - truth)^2, for probabilities.
double score_brier(const struct score *score, size_t count);

// A calibration in ten bins of equal width: of the mails whose p was about so, how many were spam?
enum { SCORE_BINS = 10 };
struct score_bin {
    size_t count, spam;
    double sum; // of p
};
void score_calibrate(const struct score *score, size_t count, struct score_bin bin[SCORE_BINS]);
// score_ece: expected calibration error: |mean p - share of spam|, weighed by how many are in each bin.
double score_ece(const struct score_bin bin[SCORE_BINS]);
