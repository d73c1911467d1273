// answer.c: answers and fallbacks. Promises: an answer always comes out, whatever a node sent; all
// its texts are there; a verdict of a node is used as a whole or not at all.
#include "client/lib/answer.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/convert.h"
#include "proto/wire.h"

// What an answer lives in: its memory follows it in the same allocation.
struct reply {
    struct reeve_answer answer; // first, so that reeve_answer_free finds the start
    struct msg_reply message;   // of a node
    struct arena arena;
};

static const struct reeve_answer empty_answer = {
    .message = "",
    .degraded_why = "",
    .node = "",
    .version = "",
    .store = "",
    .cursor = "",
};

// What a caller gets when there is no memory even for an answer. Never written to, never freed.
static struct reeve_answer no_memory_answer = {
    .error = REEVE_SYSTEM,
    .message = "out of memory",
    .fallback = true,
    .degraded_why = "",
    .node = "",
    .version = "",
    .store = "",
    .cursor = "",
};

static struct reply *reply_new(size_t room)
{
    struct reply *reply = malloc(sizeof(*reply) + room);

    if (reply == NULL)
        return NULL;
    reply->answer = empty_answer;
    reply->message = (struct msg_reply){.error = "", .node = "", .degraded_why = ""};
    arena_init(&reply->arena, reply + 1, room);
    return reply;
}

void reply_free(struct reply **reply)
{
    free(*reply);
    *reply = NULL;
}

void reeve_answer_free(struct reeve_answer **answer)
{
    if (answer == NULL)
        return;
    if (*answer != &no_memory_answer)
        free(*answer);
    *answer = NULL;
}

uint64_t reply_id(const struct reply *reply)
{
    return reply->message.id;
}

const char *reply_node(const struct reply *reply)
{
    return reply->message.node;
}

bool reply_is_draining(const struct reply *reply)
{
    return reply->message.draining;
}

bool reply_is_pong(const struct reply *reply)
{
    return reply->message.status == MSG_OK && reply->message.answer == MSG_PONG;
}

// ---- what a node sent

static enum err convert_decision(struct reply *reply)
{
    const struct msg_decision *decision = &reply->message.decision;
    struct reeve_answer *answer = &reply->answer;
    enum err err = convert_verdicts(&reply->arena, decision->verdicts, decision->verdict_count,
                                    &answer->verdicts);

    if (err == ERR_NONE && decision->has_message)
        err = convert_verdicts(&reply->arena, &decision->message, 1, &answer->end);
    answer->verdict_count = decision->verdict_count;
    answer->policy_version = decision->policy_version;
    return err;
}

static enum err convert_admin(struct reply *reply)
{
    const struct msg_admin_reply *admin = &reply->message.admin;
    struct reeve_answer *answer = &reply->answer;

    answer->row_count = admin->row_count;
    answer->cursor = admin->cursor;
    answer->document = admin->document;
    answer->document_bytes = admin->document_bytes;
    answer->policy_version = admin->policy_version;
    return convert_rows(&reply->arena, admin->rows, admin->row_count, &answer->rows);
}

static void convert_pong(struct reply *reply)
{
    const struct msg_pong *pong = &reply->message.pong;

    reply->answer.version = pong->version;
    reply->answer.store = pong->store;
    reply->answer.uptime_ms = pong->uptime_ms;
    reply->answer.policy_version = pong->policy_version;
}

static void convert_ack(struct reply *reply)
{
    const struct msg_ack *ack = &reply->message.ack;

    reply->answer.recorded = ack->recorded;
    reply->answer.queued = ack->queued;
    reply->answer.skipped_why = ack->skipped_why;
    reply->answer.skipped_count = ack->skipped_count;
}

static enum err convert_reply(struct reply *reply)
{
    const struct msg_reply *message = &reply->message;

    reply->answer.status = (enum reeve_status)message->status;
    reply->answer.node = message->node;
    reply->answer.draining = message->draining;
    reply->answer.degraded = message->degraded;
    reply->answer.degraded_why = message->degraded_why;
    switch (message->answer) {
    case MSG_DECISION:
        return convert_decision(reply);
    case MSG_ADMIN_REPLY:
        return convert_admin(reply);
    case MSG_PONG:
        convert_pong(reply);
        break;
    case MSG_ACK:
        convert_ack(reply);
        break;
    case MSG_NO_ANSWER:
        break;
    }
    return ERR_NONE;
}

// How much memory a frame needs is known only when it is decoded: usually a little, for a frame of
// many tiny rows much more than its size.
struct reply *reply_decode(void *bytes, size_t len)
{
    const size_t room_max = (size_t)512 << 20;
    size_t room = 4096 + 16 * len;
    enum err err = ERR_MEMORY;

    for (; err == ERR_MEMORY && room <= room_max; room *= 4) {
        struct reply *reply = reply_new(room);

        if (reply == NULL)
            return NULL;
        err = wire_decode_reply(bytes, len, &reply->arena, &reply->message, NULL);
        if (err == ERR_NONE)
            err = convert_reply(reply);
        if (err == ERR_NONE)
            return reply;
        reply_free(&reply);
    }
    return NULL;
}

// ---- does it answer the question?

static const char *decision_flaw(const struct msg_reply *message, const struct ask *ask)
{
    const struct msg_decision *decision = &message->decision;

    if (message->answer != MSG_DECISION)
        return "its reply holds no decision";
    if (decision->verdict_count != ask_verdict_count(ask))
        return "its reply holds another number of verdicts than was asked for";
    if (ask->request.check.stage == MSG_END && !decision->has_message)
        return "its reply holds no verdict for the whole message";
    if (decision->has_message && decision->message.action == MSG_NO_ACTION)
        return "its verdict is an action that this version does not know";
    for (size_t i = 0; i < decision->verdict_count; i++) {
        if (decision->verdicts[i].action == MSG_NO_ACTION)
            return "its verdict is an action that this version does not know";
    }
    return NULL;
}

// reply_flaw: why a reply cannot be used; NULL = it can.
static const char *reply_flaw(const struct msg_reply *message, const struct ask *ask)
{
    switch (message->status) {
    case MSG_OK:
        break;
    case MSG_BAD_REQUEST:
        return "it refused the request";
    case MSG_FORBIDDEN:
        return "it does not allow this client to ask that";
    case MSG_OVERLOADED:
        return "it is overloaded";
    case MSG_EXPIRED:
        return "the request reached it too late";
    case MSG_UNAVAILABLE:
        return "its store is not available";
    case MSG_INTERNAL:
        return "it has an internal error";
    }
    if (message->status != MSG_OK)
        return "its status is one that this version does not know";
    if (ask->request.verb == MSG_CHECK)
        return decision_flaw(message, ask);
    if (ask_is_news(ask) && message->answer != MSG_ACK)
        return "its reply does not say whether it took it";
    if (ask->request.verb == MSG_PING && message->answer != MSG_PONG)
        return "its reply holds no pong";
    if (ask->request.verb == MSG_ADMIN && message->answer != MSG_ADMIN_REPLY)
        return "its reply holds no rows";
    return NULL;
}

static bool is_refusal(enum msg_status status)
{
    return status == MSG_BAD_REQUEST || status == MSG_FORBIDDEN;
}

enum reply_worth reply_worth(const struct reply *reply, const struct ask *ask)
{
    if (reply_flaw(&reply->message, ask) == NULL)
        return REPLY_ANSWERS;
    return is_refusal(reply->message.status) ? REPLY_REFUSES : REPLY_ELSEWHERE;
}

// ---- the fallback

static const char *accept_code(enum msg_stage stage)
{
    if (stage == MSG_MAIL)
        return "2.1.0";
    return stage == MSG_RCPT ? "2.1.5" : "2.0.0";
}

static struct reeve_verdict fallback_verdict(enum reeve_fallback fallback, enum msg_stage stage)
{
    bool defer = fallback == REEVE_FALLBACK_DEFER;

    return (struct reeve_verdict){
        .recipient = "",
        .action = defer ? REEVE_DEFER : REEVE_ACCEPT,
        .code = defer ? 451 : 250,
        .enhanced = defer ? "4.3.0" : accept_code(stage),
        .text = defer ? "Temporary lookup failure" : "Ok",
        .reason = "fallback",
        .rule = "",
        .narrative = "",
        .direction = "",
        .ticket = "",
        .shadow = "",
    };
}

// fill_verdicts: one a recipient; a Check at RCPT without any (the caller's mistake) gets one all
// the same, so that nobody reads past the end of nothing.
static void fill_verdicts(struct reply *reply, const struct ask *ask, enum reeve_fallback fallback,
                          size_t count)
{
    const struct msg_check *check = &ask->request.check;
    struct reeve_verdict *verdict = arena_alloc(&reply->arena, (count + 1) * sizeof(*verdict));

    for (size_t i = 0; i <= count; i++) {
        verdict[i] = fallback_verdict(fallback, check->stage);
        if (i < count && i < check->recipient_total)
            verdict[i].recipient =
                arena_text(&reply->arena, check->recipients[i], strlen(check->recipients[i]));
    }
    reply->answer.fallback = true;
    reply->answer.verdicts = verdict;
    reply->answer.verdict_count = count;
    if (check->stage == MSG_END)
        reply->answer.end = &verdict[count];
}

static size_t fallback_room(const struct ask *ask, size_t count)
{
    const struct msg_check *check = &ask->request.check;
    size_t room = (count + 1) * (sizeof(struct reeve_verdict) + alignof(max_align_t));

    for (size_t i = 0; i < check->recipient_total; i++)
        room += strlen(check->recipients[i]) + 1 + alignof(max_align_t);
    return room;
}

// fallback_new: with room for extra bytes of texts.
static struct reply *fallback_new(const struct ask *ask, enum reeve_fallback fallback, size_t extra)
{
    bool is_check = ask->request.verb == MSG_CHECK;
    size_t count = ask_verdict_count(ask);
    struct reply *reply;

    if (is_check && count == 0)
        count = 1;
    reply = reply_new(extra + (is_check ? fallback_room(ask, count) : 0));
    if (reply != NULL && is_check)
        fill_verdicts(reply, ask, fallback, count);
    return reply;
}

struct reeve_answer *answer_fallback(const struct ask *ask, enum reeve_fallback fallback,
                                     enum reeve_error error, const char *message)
{
    size_t extra = strlen(message) + 1 + alignof(max_align_t);
    struct reply *reply = ask == NULL ? NULL : fallback_new(ask, fallback, extra);

    if (reply == NULL)
        return &no_memory_answer;
    reply->answer.error = error;
    reply->answer.message = arena_text(&reply->arena, message, strlen(message));
    return &reply->answer;
}

// ---- together

// explain_flaw: "node 'mx1-a': it is overloaded: 4096 requests are waiting".
static void explain_flaw(char *out, size_t size, const struct msg_reply *message, const char *flaw)
{
    (void)snprintf(out, size, "%s%s%s%s%s%s", message->node[0] == '\0' ? "the node" : "node '",
                   message->node, message->node[0] == '\0' ? ": " : "': ", flaw,
                   message->error[0] == '\0' ? "" : ": ", message->error);
}

static struct reeve_answer *answer_flawed(const struct reply *from, const struct ask *ask,
                                          enum reeve_fallback fallback, const char *flaw)
{
    const struct msg_reply *message = &from->message;
    size_t size = strlen(message->node) + strlen(flaw) + strlen(message->error) + 32;
    size_t node_size = strlen(message->node) + 1;
    struct reply *reply = fallback_new(ask, fallback, size + node_size + 2 * alignof(max_align_t));
    char *text;

    if (reply == NULL)
        return &no_memory_answer;
    text = arena_alloc(&reply->arena, size);
    explain_flaw(text, size, message, flaw);
    reply->answer.message = text;
    reply->answer.error = is_refusal(message->status) ? REEVE_REFUSED : REEVE_UNREACHABLE;
    reply->answer.status = (enum reeve_status)message->status;
    reply->answer.node = arena_text(&reply->arena, message->node, node_size - 1);
    reply->answer.draining = message->draining;
    reply->answer.degraded = message->degraded;
    return &reply->answer;
}

struct reeve_answer *answer_from_reply(struct reply **reply, const struct ask *ask,
                                       enum reeve_fallback fallback)
{
    struct reply *taken = *reply;
    const char *flaw = reply_flaw(&taken->message, ask);
    struct reeve_answer *answer;

    *reply = NULL;
    if (ask->request.check.stage != MSG_END)
        taken->answer.end = NULL; // nobody asked for it
    if (flaw == NULL)
        return &taken->answer;
    answer = answer_flawed(taken, ask, fallback, flaw);
    reply_free(&taken);
    return answer;
}
