// asker.c: see asker.h. Promises: one thread, no wait longer than WAIT_MS without a look at the
// deadlines, nothing allocated while asking; a peer's bytes go through wire_decode_reply alone.
#include "client/load/asker.h"

#include <assert.h>
#include <zmq.h>

#include "client/lib/link.h"
#include "client/load/connect.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/wire.h"

enum {
    WAIT_MS = 10,
    ARENA_BYTES = 1 << 16,
    REPLY_BYTES_MAX = 1 << 16,
};

enum place_state {
    PLACE_IDLE,
    PLACE_UNSENT, // the connection did not take the question yet
    PLACE_ASKED,
};

struct place {
    struct link *link; // the node that it asks
    enum place_state state;
    uint64_t id;       // PLACE_ASKED
    uint64_t since_us; // when it was to be asked
    struct asker_question question;
};

struct asker {
    struct asker_config config;
    struct question_template template;
    void *zmq;
    struct link link[ASKER_NODES_MAX];
    zmq_pollitem_t poll[ASKER_NODES_MAX];
    struct place *place;
    unsigned busy; // places that are not idle
    uint64_t turn; // ids are QUESTION_ID_MIN + turn * window + place
    uint64_t looked_us;
    const struct asker_plan *plan;
    uint64_t late, unsent;
    unsigned char memory[ARENA_BYTES];
};

// ---- asking

static uint64_t next_id(struct asker *asker, unsigned place)
{
    uint64_t id = QUESTION_ID_MIN + asker->turn * asker->config.window + place;

    asker->turn = id + asker->config.window < QUESTION_ID_END ? asker->turn + 1 : 0;
    return id;
}

static void send_question(struct asker *asker, unsigned index)
{
    struct place *place = &asker->place[index];
    unsigned char bytes[QUESTION_BYTES_MAX];
    uint64_t id = next_id(asker, index);
    size_t len = question_encode(&asker->template, &place->question.text, id, bytes);

    if (!link_send(place->link, bytes, len)) {
        asker->unsent++;
        return;
    }
    place->state = PLACE_ASKED;
    place->id = id;
}

static void begin(struct asker *asker, unsigned index, uint64_t now_us)
{
    struct place *place = &asker->place[index];

    if (!asker->plan->next(asker->plan->arg, &place->question))
        return;
    place->state = PLACE_UNSENT;
    place->since_us = now_us;
    asker->busy++;
    send_question(asker, index);
}

// ---- answers

static void close_place(struct asker *asker, struct place *place, enum asker_outcome outcome,
                        const struct msg_reply *reply, uint64_t now_us)
{
    const struct asker_answer answer = {outcome, reply, now_us - place->since_us};

    place->state = PLACE_IDLE;
    asker->busy--;
    asker->plan->answer(asker->plan->arg, &place->question, &answer);
}

static enum asker_outcome judge(const struct asker *asker, enum err err,
                                const struct msg_reply *reply)
{
    const bool is_check = asker->config.verb == MSG_CHECK;

    if (err != ERR_NONE)
        return ASKER_DAMAGED;
    if (reply->status != MSG_OK)
        return ASKER_REFUSED;
    if (reply->answer == MSG_ACK)
        return is_check ? ASKER_DAMAGED : ASKER_ANSWERED;
    return is_check && reply->decision.verdict_count == 1 ? ASKER_ANSWERED : ASKER_DAMAGED;
}

static void take_reply(void *arg, void *bytes, size_t len)
{
    struct asker *asker = arg;
    struct msg_reply reply = {.id = 0};
    struct arena arena;

    if (bytes == NULL) {
        asker->late++; // a message of another form
        return;
    }
    arena_init(&arena, asker->memory, sizeof(asker->memory));
    enum err err = wire_decode_reply(bytes, len, &arena, &reply, NULL);
    unsigned index = (unsigned)((reply.id - QUESTION_ID_MIN) % asker->config.window);
    struct place *place = &asker->place[index];

    if (place->state != PLACE_ASKED || place->id != reply.id) {
        asker->late++;
        return;
    }
    uint64_t now_us = clock_mono_us();

    close_place(asker, place, judge(asker, err, &reply), &reply, now_us);
    begin(asker, index, now_us);
}

// What every place does that is not waiting for an answer in time.
static void look_after(struct asker *asker, unsigned index, uint64_t now_us)
{
    struct place *place = &asker->place[index];

    if (place->state != PLACE_IDLE &&
        now_us - place->since_us > asker->config.deadline_ms * 1000ULL)
        close_place(asker, place, ASKER_TIMED_OUT, NULL, now_us);
    if (place->state == PLACE_IDLE)
        begin(asker, index, now_us);
    else if (place->state == PLACE_UNSENT)
        send_question(asker, index);
}

static void look_after_all(struct asker *asker)
{
    asker->looked_us = clock_mono_us();
    for (size_t i = 0; i < asker->config.node_count; i++) {
        link_look(&asker->link[i], asker->looked_us / 1000);
        link_renew(&asker->link[i], asker->looked_us / 1000);
    }
    for (unsigned i = 0; i < asker->config.window; i++)
        look_after(asker, i, asker->looked_us);
}

void asker_run(struct asker *asker, const struct asker_plan *plan)
{
    asker->plan = plan;
    look_after_all(asker);
    while (asker->busy > 0 || (plan->waits != NULL && plan->waits(plan->arg))) {
        (void)zmq_poll(asker->poll, (int)asker->config.node_count, WAIT_MS);
        for (size_t i = 0; i < asker->config.node_count; i++) {
            while (link_receive(&asker->link[i], take_reply, asker))
                continue;
        }
        if (clock_mono_us() - asker->looked_us >= WAIT_MS * 1000U)
            look_after_all(asker);
    }
}

uint64_t asker_late(const struct asker *asker)
{
    return asker->late;
}

uint64_t asker_unsent(const struct asker *asker)
{
    return asker->unsent;
}

// ---- life

static enum err connect_one(struct asker *asker, size_t index, struct err_detail *detail)
{
    struct link *link = &asker->link[index];
    const struct connect_plan plan = {
        .context = asker->zmq,
        .node = asker->config.node[index],
        .serial = index,
        .queue_max = ASKER_WINDOW_MAX,
        .message_max = REPLY_BYTES_MAX,
    };
    enum err err = connect_node(link, &plan, detail);

    asker->poll[index] = (zmq_pollitem_t){.socket = link->socket, .events = ZMQ_POLLIN};
    return err;
}

enum err asker_new(struct asker **out, const struct asker_config *config, struct err_detail *detail)
{
    struct asker *asker = mem_new(sizeof(*asker));
    enum err err = ERR_NONE;

    assert(config->node_count > 0 && config->window > 0);
    asker->config = *config;
    asker->place = mem_new_array(config->window, sizeof(*asker->place));
    asker->zmq = zmq_ctx_new();
    if (config->verb == MSG_SENT)
        question_template_sent(&asker->template, config->deadline_ms);
    else if (config->verb == MSG_REPORT)
        question_template_report(&asker->template, config->deadline_ms);
    else
        question_template_init(&asker->template, config->identity, config->stage,
                               config->deadline_ms);
    for (size_t i = 0; i < config->node_count; i++)
        asker->link[i] = (struct link){.socket = NULL, .fd = -1};
    for (size_t i = 0; i < config->window; i++)
        asker->place[i].link = &asker->link[i % config->node_count];
    for (size_t i = 0; i < config->node_count && err == ERR_NONE; i++)
        err = connect_one(asker, i, detail);
    if (err != ERR_NONE) {
        asker_free(&asker);
        return err;
    }
    *out = asker;
    return ERR_NONE;
}

void asker_free(struct asker **asker)
{
    if (*asker == NULL)
        return;
    for (size_t i = 0; i < (*asker)->config.node_count; i++)
        link_close(&(*asker)->link[i]);
    (void)zmq_ctx_term((*asker)->zmq);
    mem_free((*asker)->place);
    mem_free(*asker);
    *asker = NULL;
}
