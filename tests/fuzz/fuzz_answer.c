// fuzz_answer.c: bytes of a node -> the answer that a gateway gets. The first byte says what was
// asked. Whatever comes, the answer can be used as it is: the right number of verdicts, each an
// action that the caller knows, no text missing.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/answer.h"
#include "client/lib/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ask *ask_for(uint8_t what)
{
    static const char *const recipients[] = {"a@example.org", "b@example.org", "c@example.org"};
    const struct msg_request ping = {.verb = MSG_PING}, admin = {.verb = MSG_ADMIN};
    const struct reeve_check check = {
        .stage = (enum reeve_stage)(what % 5),
        .recipients = recipients,
        .recipient_total = what % 4,
    };

    if (what >= 0xF8)
        return ask_new(&ping);
    return what >= 0xF0 ? ask_new(&admin) : ask_new_check(&check);
}

static void look_at_verdict(const struct reeve_verdict *verdict)
{
    assert(verdict->action >= REEVE_ACCEPT && verdict->action <= REEVE_SECURE);
    assert(verdict->recipient != NULL && verdict->enhanced != NULL && verdict->reason != NULL);
    assert(verdict->rule != NULL && verdict->narrative != NULL && verdict->direction != NULL);
    assert(verdict->ticket != NULL && verdict->shadow != NULL);
    assert(strpbrk(verdict->text, "\r\n") == NULL);
    for (size_t i = 0; i < verdict->trace_count; i++)
        assert(verdict->trace[i].step != NULL && verdict->trace[i].why != NULL);
}

static void look_at(const struct reeve_answer *answer, const struct ask *ask)
{
    size_t wanted = ask_verdict_count(ask);

    assert(answer->message != NULL && answer->node != NULL && answer->cursor != NULL);
    assert((answer->error == REEVE_OK) == (answer->message[0] == '\0'));
    if (ask->request.verb == MSG_CHECK) {
        assert(answer->verdict_count == wanted || (answer->fallback && wanted == 0));
        assert((answer->end != NULL) == (ask->request.check.stage == MSG_END));
        for (size_t i = 0; i < answer->verdict_count; i++)
            look_at_verdict(&answer->verdicts[i]);
        if (answer->end != NULL)
            look_at_verdict(answer->end);
    }
    for (size_t i = 0; i < answer->row_count; i++) {
        for (size_t k = 0; k < answer->rows[i].field_count; k++)
            assert(answer->rows[i].fields[k].key != NULL &&
                   answer->rows[i].fields[k].value != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    struct reeve_answer *answer;
    struct reply *reply;
    struct ask *ask;

    if (size > 0)
        memcpy(bytes, data, size);
    reply = size == 0 ? NULL : reply_decode(bytes + 1, size - 1);
    if (reply != NULL) {
        ask = ask_for(data[0]);
        answer = answer_from_reply(&reply, ask,
                                   data[0] % 2 == 0 ? REEVE_FALLBACK_ACCEPT : REEVE_FALLBACK_DEFER);
        assert(reply == NULL);
        look_at(answer, ask);
        reeve_answer_free(&answer);
        ask_free(&ask);
    }
    free(bytes);
    return 0;
}
