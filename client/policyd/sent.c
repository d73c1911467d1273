// sent.c: see sent.h. Promises: what is under way is bounded by libreeve, which keeps half of its room
// for questions; what no node took is counted, with one line a second at most.
#include "client/policyd/sent.h"

#include <stdbool.h>
#include <stdint.h>

#include "client/policyd/translate.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

struct sent {
    struct reeve *reeve;
    void (*idle)(void *arg); // NULL: its owner is gone, and the last answer ends it
    void *idle_arg;
    size_t under_way;
    uint64_t told;     // messages
    uint64_t recorded; // entries that nodes have set or refreshed
    uint64_t queued;   // messages that wait in a node for its store
    uint64_t lost;     // messages that no node took
    struct log_limit lost_lines;
};

struct sent *sent_new(struct reeve *reeve, void (*idle)(void *arg), void *arg)
{
    struct sent *sent = mem_new(sizeof(*sent));

    sent->reeve = reeve;
    sent->idle = idle;
    sent->idle_arg = arg;
    return sent;
}

void sent_free(struct sent **sent)
{
    if (*sent == NULL)
        return;
    (*sent)->idle = NULL;
    if ((*sent)->under_way == 0)
        mem_free(*sent);
    *sent = NULL;
}

// note_lost: libreeve has tried other nodes, and waited for one.
static void note_lost(struct sent *sent, const char *why)
{
    char quoted[LOG_QUOTE_MAX];

    sent->lost++;
    log_limited(&sent->lost_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "no node took what was sent: answers to it may have to wait why=%s",
                log_quote(quoted, why));
}

static void taken(void *arg, const struct reeve_answer *answer)
{
    struct sent *sent = arg;
    char quoted[LOG_QUOTE_MAX];

    if (answer->error != REEVE_OK)
        note_lost(sent, answer->message);
    for (size_t i = 0; i < answer->skipped_count; i++)
        log_debug("of what was sent this was not recorded why=%s",
                  log_quote(quoted, answer->skipped_why[i]));
    sent->recorded += answer->recorded;
    sent->queued += answer->queued;
    if (--sent->under_way > 0)
        return;
    if (sent->idle != NULL)
        sent->idle(sent->idle_arg);
    else
        mem_free(sent);
}

void sent_tell(struct sent *sent, const struct policy_request *request,
               const struct reeve_answer *answer)
{
    const char *recipients[MSG_RECIPIENTS_MAX];
    char login[MSG_AUTH_USER_MAX + 1];
    struct reeve_sent message = {0};

    if (sent == NULL || !translate_sent(request, answer, &message, recipients))
        return;
    message.auth_user = translate_login(request, login);
    sent->told++;
    if (reeve_submit_sent(sent->reeve, &message, taken, sent) != 0)
        sent->under_way++;
    else
        note_lost(sent, "out of memory");
}

size_t sent_under_way(const struct sent *sent)
{
    return sent == NULL ? 0 : sent->under_way;
}

void sent_report(const struct sent *sent)
{
    if (sent == NULL)
        return;
    log_info("sent told=%llu recorded=%llu queued=%llu lost=%llu", (unsigned long long)sent->told,
             (unsigned long long)sent->recorded, (unsigned long long)sent->queued,
             (unsigned long long)sent->lost);
}
