// reports.c: `reevectl import reports`: what scanners and the operator's own rules have said of mail, by the logs, told to a node as
// reports. Promises: no verdict of a policy service is one; a message counts once, however many lines and logs speak of it and
// however often they are imported, because its event is made of its queue id and its client; so many reports are under
// way at once, and what none took ends the run.
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/import/logs.h"
#include "client/ctl/import/progress.h"
#include "client/ctl/import/send.h"
#include "client/ctl/import/verdicts.h"
#include "proto/ip.h"
#include "proto/msg.h"
#include "proto/text.h"

#define OLDEST_MS (30ULL * 24 * 3600 * 1000)
enum {
    WINDOW = 256,
    PAUSE_MS = 100,
    ID_MAX = 40,
    EVENT_MAX = 128,
};

// The words of a node for a report that it took, and for those that it did not need (Ack.skipped_why).
enum { TAKEN, SEEN, QUEUED, OFF, WEIGHTLESS, NOBODY, OTHER };
static const struct send_word WORDS[] = {
    [TAKEN] = {"taken", "taken"},
    [SEEN] = {"known", "known already: told before"},
    [QUEUED] = {"queued", "taken by the node, which waits for its store"},
    [OFF] = {"off", "not heeded: settings.reputation.mode is off"},
    [WEIGHTLESS] = {"weightless", "of no weight by settings.reputation_weights"},
    [NOBODY] = {"nobody", "of a client of our own, or of nobody"},
    [OTHER] = {"other", "not taken for a reason that this reevectl does not know"},
    {NULL, NULL},
};
const struct send_how SEND_REPORT = {NULL, NULL, WORDS};
_Static_assert((int)TAKEN == (int)SEND_TAKEN && (int)SEEN == (int)SEND_KNOWN, "as send.h has them");

struct reports {
    struct import *import;
    unsigned under_way;
    int code; // of the first report that none took
};

// One message of which something was said.
struct said {
    const char *id, *client, *sender; // client NULL = the log does not say
    enum verdicts_class class;
    enum msg_auth spf;
    bool is_own, is_returned;
    uint64_t at_ms;
};

// ---- telling

static unsigned outcome_of(const struct reeve_answer *answer)
{
    static const struct {
        const char *why;
        unsigned outcome;
    } WHY[] = {{"seen", SEEN}, {"off", OFF}, {"weightless", WEIGHTLESS}, {"nobody", NOBODY}};

    if (answer->queued)
        return QUEUED;
    if (answer->recorded > 0)
        return TAKEN;
    for (size_t i = 0; i < sizeof(WHY) / sizeof(WHY[0]) && answer->skipped_count > 0; i++) {
        if (strcmp(answer->skipped_why[0], WHY[i].why) == 0)
            return WHY[i].outcome;
    }
    return OTHER;
}

static void told(void *arg, const struct reeve_answer *answer)
{
    struct reports *reports = arg;
    struct import *import = reports->import;

    reports->under_way--;
    if (answer->error == REEVE_OK) {
        import->sent->sent++;
        import_count_add(&import->sent->outcome[outcome_of(answer)], "");
    } else if (reports->code == CTL_FINE) {
        progress_clear(import->progress);
        reports->code = ctl_fail_answer(import->ctl, import->ctl->node, answer);
        import->is_full = true; // and nothing more is read
    }
}

// wait_for: until so few are under way.
static void wait_for(struct reports *reports, unsigned most)
{
    struct reeve *reeve = reports->import->ctl->reeve;
    struct pollfd poll_fd = {.fd = reeve != NULL ? reeve_fd(reeve) : -1, .events = POLLIN};

    while (reports->under_way > most) {
        (void)poll(&poll_fd, 1, PAUSE_MS);
        reeve_dispatch(reeve);
    }
}

static void tell(struct reports *reports, const struct said *said, const struct ip *client)
{
    char address[IP_TEXT_MAX];
    char id[ID_MAX + 1];
    char event[EVENT_MAX + 1];
    char sender[MSG_ADDRESS_MAX + 1];
    const char *at;

    (void)ip_format(client, address);
    (void)text_clean(sender, MSG_ADDRESS_MAX, said->sender, strlen(said->sender));
    (void)text_clean(id, ID_MAX, said->id, strlen(said->id));
    if (id[0] != '\0')
        (void)snprintf(event, sizeof(event), "log:%s:%s", id, address);
    else
        (void)snprintf(event, sizeof(event), "log:%llu:%s", (unsigned long long)said->at_ms,
                       address);
    at = strrchr(sender, '@');
    const struct reeve_report report = {
        .event = event,
        .evidence = said->class == VERDICTS_SPAM ? REEVE_SPAM : REEVE_HAM,
        .client_ip = address,
        .sender = sender,
        .spf = (int)said->spf,
        .spf_domain = said->spf == MSG_AUTH_PASS && at != NULL ? at + 1 : NULL,
        .reported_ms = said->at_ms,
        .at_ms = reports->import->ctl->at_ms,
    };

    wait_for(reports, WINDOW - 1);
    if (reports->code != CTL_FINE)
        return;
    reports->under_way++;
    if (reeve_submit_report(reports->import->ctl->reeve, &report, told, reports) == 0) {
        reports->under_way--;
        reports->code = import_fail(reports->import, "there is no memory for a report");
    }
}

static void take(struct reports *reports, const struct said *said)
{
    struct import *import = reports->import;
    const char *what = said->client != NULL ? said->client : said->id;
    struct ip client;

    if (said->class == VERDICTS_UNDECIDED)
        import_leave(import, IMPORT_UNDECIDED, what);
    else if (said->is_own)
        import_leave(import, IMPORT_OUTBOUND, said->sender);
    else if (said->is_returned)
        import_leave(import, IMPORT_RETURNED, what);
    else if (said->client == NULL || !ip_parse(said->client, &client))
        import_leave(import, IMPORT_NO_LOG, what);
    else if (said->at_ms + OLDEST_MS < import->ctl->now_ms)
        import_leave(import, IMPORT_OLD, what);
    else {
        import->sent->rows++;
        if (import->options.dry_run)
            import_count_add(&import->sent->outcome[TAKEN], "");
        else if (reports->code == CTL_FINE)
            tell(reports, said, &client);
    }
}

// ---- what the logs say

static enum msg_auth spf_of(const struct verdicts_line *line)
{
    if (line->spf_passed || line->spf_failed)
        return line->spf_passed ? MSG_AUTH_PASS : MSG_AUTH_FAIL;
    return MSG_AUTH_UNSPECIFIED;
}

static bool take_line(void *arg, struct queue *queue, char *text, uint64_t at_ms)
{
    struct reports *reports = arg;
    struct verdicts_line line;

    verdicts_read(text, &line);
    const struct said said = {.id = line.id,
                              .client = line.client,
                              .sender = line.sender,
                              .class = line.class,
                              .spf = spf_of(&line),
                              .is_own = line.is_own,
                              .is_returned = line.is_returned,
                              .at_ms = at_ms};

    switch (line.kind) {
    case VERDICTS_WHOLE:
        take(reports, &said);
        break;
    case VERDICTS_ID:
        if (line.class == VERDICTS_UNDECIDED)
            import_leave(reports->import, IMPORT_UNDECIDED, line.id);
        if (line.sender[0] != '\0')
            queue_sender(queue, line.id, line.sender);
        queue_judged(queue, line.id, (int)line.class, at_ms);
        break;
    case VERDICTS_MESSAGE:
        if (!queue_judged_by_name(queue, line.message_id, (int)line.class, at_ms))
            import_leave(reports->import, IMPORT_NO_LOG, line.message_id);
        break;
    case VERDICTS_NAMED:
        queue_named(queue, line.id, line.message_id);
        break;
    case VERDICTS_OTHER:
        return false;
    }
    return true;
}

static void take_mail(void *arg, const struct queue_mail *mail)
{
    const struct said said = {.id = mail->id,
                              .client = mail->client,
                              .sender = mail->sender != NULL ? mail->sender : "",
                              .class = (enum verdicts_class)mail->class,
                              .spf = MSG_AUTH_UNSPECIFIED,
                              .is_own = mail->is_own,
                              .is_returned = mail->is_returned,
                              .at_ms = mail->judged_ms};

    if (mail->class != VERDICTS_UNDECIDED)
        take(arg, &said);
}

int import_reports(struct import *import, char **sources, int count)
{
    struct reports reports = {.import = import, .code = CTL_FINE};
    const struct logs_how how = {.line = take_line, .tell = take_mail, .arg = &reports};
    int code = import->options.dry_run ? CTL_FINE : ctl_client(import->ctl);

    if (code == CTL_FINE)
        code = logs_read(import, (const char *const *)sources, (size_t)count, &how);
    if (code == CTL_FINE || reports.under_way > 0)
        wait_for(&reports, 0);
    return reports.code != CTL_FINE ? reports.code : code;
}
