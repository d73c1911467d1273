// report.c: see report.h. Promises: a node that comes and goes writes a few lines a second at most;
// what it calls itself is quoted.
#include "client/policyd/report.h"

#include "proto/base/clock.h"

static const struct {
    enum log_level level;
    const char *word, *text;
} STATES[] = {
    [REEVE_NODE_AWAY] = {LOG_WARN_LEVEL, "away", "a node is away"},
    [REEVE_NODE_UP] = {LOG_INFO_LEVEL, "up", "a node is up"},
    [REEVE_NODE_SUSPECT] = {LOG_WARN_LEVEL, "suspect",
                            "a node is suspect: it was late, refused or sent damage"},
    [REEVE_NODE_DRAINING] = {LOG_INFO_LEVEL, "draining", "a node is draining"},
    [REEVE_NODE_GONE] = {LOG_INFO_LEVEL, "gone", "a node is gone: its name does not lead to it"},
};

void report_node(void *arg, const struct reeve_node *node)
{
    struct report *report = arg;
    struct log_limit *limit = &report->lines[report->used++ % REPORT_BURST];
    char name[LOG_QUOTE_MAX];

    log_limited(limit, clock_mono_ms(), STATES[node->state].level, "%s endpoint=%s node=%s",
                STATES[node->state].text, node->endpoint, log_quote(name, node->node));
}

void report_totals(const struct reeve *reeve)
{
    const struct reeve_counters *all = reeve_counters(reeve);

    log_info("questions questions=%llu answered=%llu fallbacks=%llu hedges=%llu retries=%llu "
             "resends=%llu unhelped=%llu late=%llu",
             (unsigned long long)all->questions, (unsigned long long)all->answered,
             (unsigned long long)all->fallbacks, (unsigned long long)all->hedges,
             (unsigned long long)all->retries, (unsigned long long)all->resends,
             (unsigned long long)all->unhelped, (unsigned long long)all->late);
}

void report_all(struct reeve *reeve)
{
    const struct reeve_node *node;
    char name[LOG_QUOTE_MAX];

    for (size_t i = 0; (node = reeve_node_at(reeve, i)) != NULL; i++)
        log_info("node endpoint=%s node=%s state=%s in_flight=%zu asked=%llu answered=%llu "
                 "slow=%llu refused=%llu late=%llu lost=%llu damaged=%llu connects=%llu",
                 node->endpoint, log_quote(name, node->node), STATES[node->state].word,
                 node->in_flight, (unsigned long long)node->asked,
                 (unsigned long long)node->answered, (unsigned long long)node->slow,
                 (unsigned long long)node->refused, (unsigned long long)node->late,
                 (unsigned long long)node->lost, (unsigned long long)node->damaged,
                 (unsigned long long)node->connects);
    report_totals(reeve);
}
