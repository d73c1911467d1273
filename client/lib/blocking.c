// blocking.c: the calls that wait. Promises: they return by their deadline with an answer in hand,
// whatever the node does.
#include <poll.h>

#include "client/lib/answer.h"
#include "client/lib/client.h"
#include "proto/base/clock.h"

// wait_once: until there is something to dispatch, and no longer than the question may live.
static void wait_once(struct reeve *reeve, uint64_t until_ms)
{
    struct pollfd watch = {.fd = reeve_fd(reeve), .events = POLLIN};
    uint64_t now_ms = clock_mono_ms();

    if (now_ms < until_ms)
        (void)poll(&watch, 1, (int)(until_ms - now_ms)); // interrupted: looks again
    reeve_dispatch(reeve);
}

// ask_and_wait: takes the question; NULL = there was no memory for it.
static enum reeve_error ask_and_wait(struct reeve *reeve, struct ask *ask, uint64_t wait_ms,
                                     struct reeve_answer **out)
{
    struct reeve_answer *answer = NULL;
    uint64_t until_ms = 0;

    if (ask == NULL || reeve->is_closing) {
        answer = answer_fallback(ask, reeve->fallback, REEVE_SYSTEM, "the client is being closed");
        ask_free(&ask);
    } else {
        ask->kept = &answer;
        client_start(reeve, ask, wait_ms);
        until_ms = ask->deadline_ms;
    }
    while (answer == NULL)
        wait_once(reeve, until_ms);
    *out = answer;
    return answer->error;
}

enum reeve_error reeve_check(struct reeve *reeve, const struct reeve_check *check,
                             struct reeve_answer **out)
{
    return ask_and_wait(reeve, ask_new_check(check), reeve->deadline_ms, out);
}

enum reeve_error reeve_sent(struct reeve *reeve, const struct reeve_sent *sent,
                            struct reeve_answer **out)
{
    return ask_and_wait(reeve, ask_new_sent(sent), reeve->deadline_ms, out);
}

enum reeve_error reeve_report(struct reeve *reeve, const struct reeve_report *report,
                              struct reeve_answer **out)
{
    return ask_and_wait(reeve, ask_new_report(report), reeve->deadline_ms, out);
}

enum reeve_error reeve_ping(struct reeve *reeve, struct reeve_answer **out)
{
    const struct msg_request request = {.verb = MSG_PING};

    return ask_and_wait(reeve, ask_new(&request), reeve->deadline_ms, out);
}

// borrow_args: the wire's pairs are the library's pairs under another name. One more than the limit
// is kept, so that too many are refused and not cut.
static size_t borrow_args(struct msg_pair *out, const struct reeve_pair *args, size_t count)
{
    size_t used = 0;

    for (; used < count && used <= MSG_ADMIN_ARGS_MAX; used++)
        out[used] = (struct msg_pair){.key = args[used].key, .value = args[used].value};
    return used;
}

enum reeve_error reeve_admin_ask(struct reeve *reeve, const struct reeve_admin_request *request,
                                 struct reeve_answer **out)
{
    struct msg_pair pairs[MSG_ADMIN_ARGS_MAX + 1];
    const struct msg_request wire = {
        .verb = MSG_ADMIN,
        .at_ms = request->at_ms,
        .admin =
            {
                .verb = request->verb,
                .args = pairs,
                .arg_count = borrow_args(pairs, request->args, request->arg_count),
                .document = request->document,
                .document_bytes = request->document_bytes,
                .dry_run = request->dry_run,
            },
    };

    return ask_and_wait(reeve, ask_new(&wire), reeve->admin_deadline_ms, out);
}

enum reeve_error reeve_admin(struct reeve *reeve, const char *verb, const struct reeve_pair *args,
                             size_t arg_count, bool dry_run, uint64_t at_ms,
                             struct reeve_answer **out)
{
    const struct reeve_admin_request request = {
        .verb = verb, .args = args, .arg_count = arg_count, .dry_run = dry_run, .at_ms = at_ms};

    return reeve_admin_ask(reeve, &request, out);
}
