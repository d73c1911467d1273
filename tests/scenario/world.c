// world.c: what a scenario plays in.
#include "tests/scenario/world.h"

#include <stdlib.h>
#include <string.h>

#include "node/keeper/keeper.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "proto/wire.h"
#include "tests/scenario/places.h"
#include "tests/scenario/promises.h"
#include "tests/scenario/rehearse.h"
#include "tests/scenario/want.h"
#include "tests/support/clock_scripted.h"

enum { SCRATCH_BYTES = 16 << 20, SEATS = 64, FAILURES_MAX = 10, LARGE_SEATS = 4, BUDGET_MS = 200 };

// 2026-01-05T06:00:00Z: in the middle of a slice of 12 h and of one of 36 d.
static const uint64_t START_MS = 1767592800000;

// A request whose reply has not come.
struct question {
    struct question *next;
    uint64_t id;
    struct node *node;
    unsigned number;
    char *text;          // its line
    struct arrival *dry; // what a dry run of it answered before; NULL = none was made
};

// A reply that was not compared yet.
struct arrival {
    struct arrival *next;
    struct node *node;
    size_t len;
    char bytes[];
};

// An event that was published.
struct heard {
    struct heard *next;
    char *topic;
};

void world_init(struct world *world, const struct world_way *way, const char *path, FILE *report)
{
    *world = (struct world){.way = *way, .path = path, .report = report};
    world->memory = memory_new(way->expires);
    world->policy = mem_text("");
    world->start_ms = world->now_ms = START_MS;
    arena_init(&world->scratch, mem_new(SCRATCH_BYTES), SCRATCH_BYTES);
    clock_scripted_set(START_MS);
}

void world_fail(struct world *world, const struct place *place, const char *fmt, ...)
{
    va_list args;

    world->failures++;
    world->broken = world->broken || world->failures >= FAILURES_MAX;
    (void)fprintf(world->report, "%s:%u: %s\n    ", world->path, place->number, place->text);
    va_start(args, fmt);
    (void)vfprintf(world->report, fmt, args);
    va_end(args);
    (void)fprintf(world->report, "\n");
}

bool world_set_time(struct world *world, uint64_t now_ms)
{
    if (now_ms < world->now_ms)
        return false;
    world->now_ms = now_ms;
    clock_scripted_set(now_ms);
    for (size_t i = 0; i < world->node_count; i++)
        server_tick(world->node[i].server);
    return true;
}

// ---- Nodes

static void on_reply(void *arg, enum server_door door, const struct door_peer *peer,
                     const void *bytes, size_t len)
{
    struct node *node = arg;
    struct arrival *arrival;
    struct arrival **last = &node->world->arrived;

    (void)door;
    (void)peer;
    if (node->is_dying)
        return;
    arrival = mem_new(sizeof(*arrival) + len);
    arrival->node = node;
    arrival->len = len;
    memcpy(arrival->bytes, bytes, len);
    while (*last != NULL)
        last = &(*last)->next;
    *last = arrival;
}

static bool wants_event(void *arg, const char *topic)
{
    const struct node *node = arg;
    const char *prefix = node->world->topic;

    return prefix != NULL && strncmp(topic, prefix, strlen(prefix)) == 0;
}

static void on_event(void *arg, const char *topic, const struct msg_event *event)
{
    struct node *node = arg;
    struct heard *heard = mem_new(sizeof(*heard));

    (void)event;
    heard->topic = mem_text(topic);
    heard->next = node->world->heard;
    node->world->heard = heard;
}

// What the keeper calls.

static enum err load_policy(void *arg, struct policy **out, struct err_detail *detail)
{
    const struct node *node = arg;
    const char *text = node->policy != NULL ? node->policy : node->world->policy;

    return policy_parse("policy", text, strlen(text), out, detail);
}

static void on_policy(void *arg, struct policy_hold *hold)
{
    const struct node *node = arg;

    server_set_policy(node->server, hold);
}

struct reloading {
    enum err err;
    struct err_detail *detail;
};

static void on_reloaded(void *arg, const struct keeper_answer *answer)
{
    struct reloading *reloading = arg;

    reloading->err = err_say(reloading->detail, answer->err, "%s", answer->why);
}

static enum err set_node_policy(struct node *node, struct err_detail *detail)
{
    struct reloading reloading = {.err = ERR_NONE, .detail = detail};

    keeper_reload(node->keeper, (struct keeper_done){on_reloaded, &reloading});
    return reloading.err;
}

static void node_start(struct node *node)
{
    const struct server_out out = {.send = on_reply,
                                   .wants_event = wants_event,
                                   .event = on_event,
                                   .country = places_on_country,
                                   .asn = places_on_asn,
                                   .lists = node->config.replay ? NULL : dns_lists_on_ask,
                                   .probe = node->config.replay ? NULL : probes_on_ask,
                                   .arg = node};
    const struct keeper_config config = {
        .node = node->name, .state_dir = "", .load = load_policy, .load_arg = node};
    struct err_detail detail = {""};

    node->store = memory_connect(node->world->memory);
    node->lists = node->config.replay ? NULL : dns_lists_open(node);
    node->keeper = keeper_new(&config, &node->stats);
    node->config.keeper = node->keeper;
    server_new(&node->server, &node->config, node->store, &node->stats, out);
    if (keeper_load(node->keeper, &detail) != ERR_NONE) // its text was accepted when it was given
        (void)fprintf(node->world->report, "%s: %s\n", node->name, detail.text);
    keeper_start(node->keeper, NULL, node->store, (struct keeper_calls){on_policy, node});
    node->stats.reloads = 0;
    (void)store_ring(node->store); // a node that starts asks the store for its secret
}

// The store goes first: it answers what waits for it, and nobody hears what the node makes of that.
static void node_stop(struct node *node)
{
    node->is_dying = true;
    probes_forget(node->world, node);
    dns_lists_close(&node->lists);
    store_free(&node->store);
    keeper_stop(node->keeper);
    server_free(&node->server);
    keeper_free(&node->keeper);
    node->is_dying = false;
}

struct node *world_node(struct world *world, const char *name)
{
    struct node *node;

    for (size_t i = 0; i < world->node_count; i++)
        if (strcmp(world->node[i].name, name) == 0)
            return &world->node[i];
    if (world->node_count == WORLD_NODES_MAX || strlen(name) >= WORLD_NAME_MAX)
        return NULL;
    node = &world->node[world->node_count++];
    node->world = world;
    (void)snprintf(node->name, sizeof(node->name), "%s", name);
    node->config = (struct server_config){.node = node->name,
                                          .version = "scenario",
                                          .budget_ms = BUDGET_MS,
                                          .seats = SEATS,
                                          .large_seats = LARGE_SEATS};
    node_start(node);
    return node;
}

static void free_question(struct question *question)
{
    mem_free(question->dry);
    mem_free(question->text);
    mem_free(question);
}

static void forget_questions(struct world *world, const struct node *node)
{
    struct question **at = &world->waiting;

    while (*at != NULL) {
        struct question *question = *at;
        struct place place = {question->number, question->text};

        if (node != NULL && question->node != node) {
            at = &question->next;
            continue;
        }
        if (strstr(question->text, "-> nothing") == NULL)
            world_fail(world, &place, "came: nothing");
        *at = question->next;
        free_question(question);
    }
}

void world_restart(struct node *node)
{
    world_settle(node->world);
    node_stop(node);
    forget_questions(node->world, node);
    node->stats = (struct stats){0};
    node_start(node);
}

enum err world_set_policy(struct world *world, struct node *node, const char *text,
                          struct err_detail *detail)
{
    char **kept = node == NULL ? &world->policy : &node->policy;
    struct policy *policy = NULL;
    enum err err = policy_parse("policy", text, strlen(text), &policy, detail);

    if (err != ERR_NONE)
        return err;
    policy_free(&policy);
    mem_free(*kept);
    *kept = mem_text(text);
    for (size_t i = 0; err == ERR_NONE && i < world->node_count; i++)
        if (node == NULL || node == &world->node[i])
            err = set_node_policy(&world->node[i], detail);
    return err;
}

void world_end(struct world *world)
{
    world_settle(world);
    forget_questions(world, NULL);
    for (size_t i = 0; i < world->node_count; i++) {
        node_stop(&world->node[i]);
        mem_free(world->node[i].policy);
    }
    while (world->heard != NULL) {
        struct heard *heard = world->heard;

        world->heard = heard->next;
        mem_free(heard->topic);
        mem_free(heard);
    }
    memory_free(&world->memory);
    mem_free(world->policy);
    mem_free(world->topic);
    mem_free(world->given);
    mem_free(world->ticket);
    mem_free(world->scratch.start);
}

// ---- Questions

static struct question *add_question(struct world *world, const struct place *place,
                                     struct node *node, uint64_t id)
{
    struct question *question = mem_new(sizeof(*question));

    *question = (struct question){.next = world->waiting,
                                  .id = id,
                                  .node = node,
                                  .number = place->number,
                                  .text = mem_text(place->text)};
    world->waiting = question;
    return question;
}

static void receive(struct node *node, bool admin, struct bytes *bytes, uint64_t age_ms)
{
    static const struct door_peer PEER = {.len = 4, .id = "peer"};

    server_receive(node->server, admin ? SERVER_ADMIN : SERVER_LOOKUPS, &PEER, bytes->at,
                   bytes->len, age_ms);
}

// A reply can be late only because something of its node is held.
static void settle_one(struct world *world, struct node *node)
{
    world_settle(world);
    if (memory_held(world->memory, node->store) == 0 && !probes_are_waited_for(world, node))
        forget_questions(world, node);
}

static enum err encode(struct world *world, const struct ask *ask, uint64_t id, struct bytes *out)
{
    struct ask_how how = {.id = id, .trace = world->way.trace};
    bool by_hand = world->way.trace || ask_is_raw(ask);

    return by_hand ? ask_encode_by_hand(ask, &how, &world->scratch, out)
                   : ask_encode(ask, &how, &world->scratch, out);
}

// What a dry run must leave as it was: all but the counters of requests.
struct trail {
    uint64_t stored;
    struct memory_used used;
    struct stats stats;
    uint64_t probes, lists; // questions to others
};

static struct trail trail_of(const struct world *world, const struct node *node)
{
    return (struct trail){memory_digest(world->memory), *memory_used(world->memory), node->stats,
                          world->probes.asked, world->dns_lists.asked};
}

static void compare_trails(struct world *world, const struct place *place,
                           const struct trail *before, const struct trail *after)
{
    if (before->stored != after->stored)
        world_fail(world, place, "a dry run of it changed what is stored");
    if (memory_writes_asked(&before->used) != memory_writes_asked(&after->used))
        world_fail(world, place, "a dry run of it asked the store to write");
    if (before->probes != after->probes || before->lists != after->lists)
        world_fail(world, place, "a dry run of it asked another server");
    if (before->stats.checks != after->stats.checks ||
        before->stats.events != after->stats.events ||
        memcmp(before->stats.verdicts, after->stats.verdicts, sizeof(after->stats.verdicts)) != 0 ||
        memcmp(before->stats.shadowed, after->stats.shadowed, sizeof(after->stats.shadowed)) != 0)
        world_fail(world, place, "a dry run of it was counted or published as if it were live");
}

// rehearse: the same question as a dry run. Its reply, if one came, to be freed; nobody else sees that it was asked.
static struct arrival *rehearse(struct world *world, const struct place *place, struct node *node,
                                const struct ask *live)
{
    const struct trail before = trail_of(world, node);
    struct ask dry = *live;
    struct arrival *reply;
    struct trail after;
    struct bytes bytes;

    ask_set_dry(&dry);
    if (encode(world, &dry, world->last_id, &bytes) != ERR_NONE)
        return NULL;
    receive(node, dry.admin_door, &bytes, dry.age_ms);
    after = trail_of(world, node);
    compare_trails(world, place, &before, &after);
    memory_set_used(world->memory, &before.used);
    node->stats = before.stats;
    reply = world->arrived;
    world->arrived = NULL;
    return reply;
}

// Where operations are held, the dry run's would be among them, and the script counts them.
static bool can_rehearse(const struct world *world, const struct node *node, const struct ask *ask)
{
    return world->way.rehearses && ask->verb == MSG_CHECK && !ask_is_dry(ask) &&
           !ask_is_what_if(ask) && world->arrived == NULL &&
           !memory_is_holding(world->memory, node->store);
}

void world_ask(struct world *world, const struct place *place, const struct ask *ask)
{
    struct node *node = world_node(world, ask->node);
    struct bytes bytes = {0};
    struct question *question;
    enum err err = node == NULL ? ERR_LIMIT : ERR_NONE;

    world->last_id++;
    if (err == ERR_NONE)
        err = encode(world, ask, world->last_id, &bytes);
    if (err != ERR_NONE) {
        world_fail(world, place, "the request could not be made: %s", err_text(err));
        return;
    }
    question = add_question(world, place, node, world->last_id);
    if (can_rehearse(world, node, ask))
        question->dry = rehearse(world, place, node, ask);
    const uint64_t asked = world->probes.asked + world->dns_lists.asked;

    receive(node, ask->admin_door, &bytes, ask->age_ms);
    if (world->probes.asked + world->dns_lists.asked !=
        asked) { // what another server says cannot be foretold
        mem_free(question->dry);
        question->dry = NULL;
    }
    settle_one(world, node);
}

void world_send(struct world *world, const struct place *place, struct node *node,
                struct bytes *bytes)
{
    (void)add_question(world, place, node, 0); // what cannot be read has no id
    receive(node, false, bytes, 0);
    settle_one(world, node);
}

size_t world_waiting(const struct world *world)
{
    size_t count = 0;

    for (const struct question *question = world->waiting; question != NULL;
         question = question->next)
        count++;
    return count;
}

size_t world_heard(const struct world *world, const char *topic)
{
    size_t count = 0;

    for (const struct heard *heard = world->heard; heard != NULL; heard = heard->next)
        count += strncmp(heard->topic, topic, strlen(topic)) == 0;
    return count;
}

// ---- Replies

static struct question *take_question(struct world *world, const struct node *node, uint64_t id)
{
    struct question **at = &world->waiting;
    struct question *question;

    while (*at != NULL && ((*at)->id != id || (*at)->node != node))
        at = &(*at)->next;
    question = *at;
    if (question != NULL)
        *at = question->next;
    return question;
}

static void keep_ticket(struct world *world, const struct msg_reply *reply)
{
    for (size_t i = 0; i < reply->decision.verdict_count; i++) {
        const char *ticket = reply->decision.verdicts[i].ticket;

        if (*ticket != '\0') {
            mem_free(world->ticket);
            world->ticket = mem_text(ticket);
            return;
        }
    }
}

// What a line asked, read again now that its reply is there.
static enum err read_line(struct world *world, const char *text, struct ask *ask, struct want *want,
                          struct err_detail *detail)
{
    struct words words;
    size_t used = 0;
    enum err err = script_words(text, &world->scratch, &words, detail);

    if (err == ERR_NONE && strcmp(words.word[0], "check") == 0)
        err = ask_check(&words, &used, &world->scratch, ask, detail);
    while (err == ERR_NONE && used < words.count && strcmp(words.word[used], "->") != 0)
        used++;
    if (err == ERR_NONE && used == words.count)
        err = err_say(detail, ERR_SYNTAX, "the line has no ->");
    if (err == ERR_NONE)
        err = want_parse(words.word + used + 1, words.count - used - 1, &world->scratch, want,
                         detail);
    return err;
}

// What the dry run foretold. With trouble in the store the two may differ: a write is refused, where a dry run only reads.
static bool is_foretold(struct world *world, const struct question *question,
                        const struct msg_reply *live, FILE *out)
{
    struct err_detail detail = {""};
    struct msg_reply dry;

    if (question->dry == NULL || !memory_is_calm(question->node->store))
        return true;
    if (wire_decode_reply(question->dry->bytes, question->dry->len, &world->scratch, &dry,
                          &detail) == ERR_NONE)
        return rehearse_same(&dry, live, out);
    (void)fprintf(out, "    the dry run's reply cannot be decoded: %s\n", detail.text);
    return false;
}

static void compare(struct world *world, const struct question *question,
                    const struct msg_reply *reply)
{
    const struct place place = {question->number, question->text};
    struct err_detail detail = {""};
    struct ask ask = {0};
    struct promised promised = {.ask = &ask, .node = question->node->name};
    struct want want;
    char *why = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&why, &size);
    bool holds = read_line(world, question->text, &ask, &want, &detail) == ERR_NONE;

    if (!holds)
        (void)fprintf(out, "    %s\n", detail.text);
    else if (want.nothing)
        (void)fprintf(out, "    wanted no reply\n");
    promised.trace = world->way.trace || ask_wants_trace(&ask);
    holds = holds && !want.nothing && want_holds(&want, reply, world->way.trace, out);
    holds = promises_hold(&promised, reply, &world->scratch, out) && holds;
    holds = is_foretold(world, question, reply, out) && holds;
    (void)fclose(out);
    if (!holds) {
        world_fail(world, &place, "does not hold:");
        (void)fputs(why, world->report);
    }
    free(why);
}

static void settle_arrival(struct world *world, struct arrival *arrival)
{
    struct place place = {0, "a reply"};
    struct err_detail detail = {""};
    struct msg_reply reply;
    struct question *question;

    arena_reset(&world->scratch);
    if (wire_decode_reply(arrival->bytes, arrival->len, &world->scratch, &reply, &detail) !=
        ERR_NONE) {
        world_fail(world, &place, "cannot be decoded: %s", detail.text);
        return;
    }
    question = take_question(world, arrival->node, reply.id);
    if (question == NULL) {
        world_fail(world, &place, "to no question (node %s, id %llu)", arrival->node->name,
                   (unsigned long long)reply.id);
        return;
    }
    keep_ticket(world, &reply);
    compare(world, question, &reply);
    free_question(question);
}

void world_settle(struct world *world)
{
    while (world->arrived != NULL) {
        struct arrival *arrival = world->arrived;

        world->arrived = arrival->next;
        settle_arrival(world, arrival);
        mem_free(arrival);
    }
}
