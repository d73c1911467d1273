// talk.c: see talk.h. Promises: one thread; a peer's bytes go through wire_decode_reply alone; an answer that comes after its
// request was given up, or to none, is dropped.
#include "client/load/talk.h"

#include <assert.h>
#include <zmq.h>

#include "client/lib/link.h"
#include "client/load/connect.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/wire.h"

enum {
    WAIT_MS = 10,
    ARENA_BYTES = 1 << 18,
    REQUEST_BYTES_MAX = 1 << 13,
    REPLY_BYTES_MAX = 1 << 17,
};

struct place {
    uint64_t id; // 0 = free
    size_t index;
    size_t node;
    bool is_sent;
    uint64_t until_ms;
    size_t len;
    unsigned char bytes[REQUEST_BYTES_MAX];
};

struct talk {
    struct talk_config config;
    void *zmq;
    struct link link[TALK_NODES_MAX];
    zmq_pollitem_t poll[TALK_NODES_MAX];
    struct place *place;
    uint64_t asked; // since the beginning: whose turn it is
    unsigned busy;
    const struct talk_plan *plan;
    enum err err; // that ended it
    struct err_detail *detail;
    unsigned char memory[ARENA_BYTES];
};

static void fail(struct talk *talk, enum err err)
{
    if (talk->err == ERR_NONE)
        talk->err = err;
}

// ---- asking

static void send_place(struct talk *talk, struct place *place)
{
    place->is_sent = link_send(&talk->link[place->node], place->bytes, place->len);
}

static void begin(struct talk *talk, unsigned slot, size_t index)
{
    struct place *place = &talk->place[slot];
    struct msg_request request = {.id = 0};
    struct arena arena;

    if (!talk->plan->ask(talk->plan->arg, index, &request))
        return;
    place->node = talk->asked % talk->config.node_count;
    place->index = index;
    place->id = ++talk->asked * talk->config.window + slot;
    place->until_ms = clock_mono_ms() + talk->config.deadline_ms;
    request.id = place->id;
    request.budget_ms = talk->config.deadline_ms;
    arena_init(&arena, talk->memory, sizeof(talk->memory));
    enum err err =
        wire_encode_request(&request, &arena, place->bytes, sizeof(place->bytes), &place->len);

    if (err != ERR_NONE) {
        place->id = 0;
        fail(talk, err_say(talk->detail, err, "a request does not fit into %d bytes",
                           (int)REQUEST_BYTES_MAX));
        return;
    }
    talk->busy++;
    send_place(talk, place);
}

// ---- answers

static enum err judge(struct talk *talk, const struct place *place, enum err decoded,
                      const struct msg_reply *reply)
{
    const char *node = talk->config.node[place->node];

    if (decoded != ERR_NONE)
        return err_say(talk->detail, ERR_SYNTAX, "%s: what came is no answer of a node", node);
    if (reply->status != MSG_OK)
        return err_say(talk->detail, ERR_UNAVAILABLE, "%s refused: %s", node,
                       reply->error[0] != '\0' ? reply->error : "without a word");
    return talk->plan->answer(talk->plan->arg, place->index, reply, talk->detail);
}

static void take_reply(void *arg, void *bytes, size_t len)
{
    struct talk *talk = arg;
    struct msg_reply reply = {.id = 0};
    struct arena arena;

    if (bytes == NULL || talk->err != ERR_NONE)
        return;
    arena_init(&arena, talk->memory, sizeof(talk->memory));
    enum err decoded = wire_decode_reply(bytes, len, &arena, &reply, NULL);
    struct place *place = &talk->place[reply.id % talk->config.window];

    if (reply.id == 0 || place->id != reply.id)
        return;
    place->id = 0;
    talk->busy--;
    fail(talk, judge(talk, place, decoded, &reply));
}

static void look_after(struct talk *talk, struct place *place, uint64_t now_ms)
{
    if (place->id == 0)
        return;
    if (!place->is_sent)
        send_place(talk, place);
    if (now_ms > place->until_ms)
        fail(talk, err_say(talk->detail, ERR_TIMEOUT, "%s did not answer within %u ms",
                           talk->config.node[place->node], talk->config.deadline_ms));
}

static void look_after_all(struct talk *talk)
{
    const uint64_t now_ms = clock_mono_ms();

    for (size_t i = 0; i < talk->config.node_count; i++) {
        link_look(&talk->link[i], now_ms);
        link_renew(&talk->link[i], now_ms);
    }
    for (unsigned i = 0; i < talk->config.window; i++)
        look_after(talk, &talk->place[i], now_ms);
}

// wait_a_little: until something came, or WAIT_MS.
static void wait_a_little(struct talk *talk)
{
    int came = zmq_poll(talk->poll, (int)talk->config.node_count, WAIT_MS);

    for (size_t i = 0; i < talk->config.node_count; i++) {
        while (link_receive(&talk->link[i], take_reply, talk))
            continue;
    }
    if (came <= 0)
        look_after_all(talk);
}

enum err talk_run(struct talk *talk, const struct talk_plan *plan, size_t first, size_t end,
                  struct err_detail *detail)
{
    talk->plan = plan;
    talk->detail = detail;
    while ((first < end || talk->busy > 0) && talk->err == ERR_NONE) {
        for (unsigned slot = 0; slot < talk->config.window && first < end; slot++) {
            if (talk->place[slot].id == 0 && talk->err == ERR_NONE)
                begin(talk, slot, first++);
        }
        if (talk->busy > 0)
            wait_a_little(talk);
    }
    return talk->err;
}

// ---- life

enum err talk_new(struct talk **out, const struct talk_config *config, struct err_detail *detail)
{
    struct talk *talk = mem_new(sizeof(*talk));
    enum err err = ERR_NONE;

    assert(config->node_count > 0 && config->window > 0);
    talk->config = *config;
    talk->place = mem_new_array(config->window, sizeof(*talk->place));
    talk->zmq = zmq_ctx_new();
    for (size_t i = 0; i < config->node_count; i++)
        talk->link[i] = (struct link){.socket = NULL, .fd = -1};
    for (size_t i = 0; i < config->node_count && err == ERR_NONE; i++) {
        const struct connect_plan plan = {
            .context = talk->zmq,
            .node = config->node[i],
            .serial = i,
            .queue_max = TALK_WINDOW_MAX,
            .message_max = REPLY_BYTES_MAX,
        };

        err = connect_node(&talk->link[i], &plan, detail);
        talk->poll[i] = (zmq_pollitem_t){.socket = talk->link[i].socket, .events = ZMQ_POLLIN};
    }
    if (err != ERR_NONE)
        talk_free(&talk);
    else
        *out = talk;
    return err;
}

void talk_free(struct talk **talk)
{
    if (*talk == NULL)
        return;
    for (size_t i = 0; i < (*talk)->config.node_count; i++)
        link_close(&(*talk)->link[i]);
    (void)zmq_ctx_term((*talk)->zmq);
    mem_free((*talk)->place);
    mem_free(*talk);
    *talk = NULL;
}
