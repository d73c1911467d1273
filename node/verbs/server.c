// server.c: a frame comes in, a reply goes out. Promises: every frame that can be answered is
// answered exactly once; nothing that a peer sends aborts the process or allocates outside its
// seat.
//
//      bytes -> seat -> decode -> too old? -> verb's own file -> reply bytes -> send, seat free
#include "node/verbs/internal.h"

#include <stdio.h>
#include <string.h>

#include "node/keeper/keeper.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/wire.h"

enum {
    ADMIN_SEATS = 8,
    NAMES = 4096,
    TRANSACTIONS = 4096,
    NETWORKS = 4096,
    FLUSH_MS = 5000,
    // A document of 16 MiB fits; of what is not used the kernel gives nothing.
    SCRATCH_BYTES = 8U << 20,
    REPLY_BYTES = MSG_ADMIN_BYTES_MAX
};

// ---- the policy set

// Since when each domain is declared is asked, and told, for the whole cluster.
static void declare(struct server *server, const struct policy *policy)
{
    const char **domain = mem_new_array(policy->domain_count, sizeof(*domain));

    for (size_t i = 0; i < policy->domain_count; i++)
        domain[i] = policy->domain[i].name;
    store_declare(server->store, domain, policy->domain_count);
    mem_free((void *)domain);
}

void server_set_policy(struct server *server, struct policy_hold *hold)
{
    struct policy_hold *old = server->policy;

    server->policy = hold;
    if (hold->used == NULL) {
        hold->used = used_new(hold->policy->rule_count);
        hold->used_free = used_free;
    }
    declare(server, hold->policy);
    if (old != NULL)
        used_flush(old->used, old->policy, server->store);
    hold_release(&old);
}

const struct policy *server_policy(const struct server *server)
{
    return server->policy->policy;
}

// ---- life

void server_new(struct server **out, const struct server_config *config, struct store *store,
                struct stats *stats, struct server_out out_calls)
{
    struct server *server = mem_new(sizeof(*server));

    server->config = *config;
    server->store = store;
    server->keeper = config->keeper;
    server->stats = stats;
    server->out = out_calls;
    server->seats = seats_new(config->seats, config->large_seats, ADMIN_SEATS);
    server->names = names_new(NAMES);
    server->carried = carried_new(TRANSACTIONS);
    server->sent = sent_desk_new();
    server->reports = report_desk_new(server);
    server->reported = carried_new(TRANSACTIONS);
    server->counted = carried_new(TRANSACTIONS);
    server->alarmed = mem_new_array(REPUTATION_REPORTERS, sizeof(*server->alarmed));
    server->rate = rate_new(NETWORKS);
    server->carried_rate = rate_new(NETWORKS);
    server->started_ms = clock_mono_ms();
    server->last_came_ms = server->started_ms;
    server->flushed_ms = server->started_ms;
    server->unique = (uint64_t)ticket_next(store, store_now_ms(store)).node << 32;
    arena_init(&server->scratch, mem_new(SCRATCH_BYTES), SCRATCH_BYTES);
    server->reply_size = REPLY_BYTES;
    server->reply_bytes = mem_new(REPLY_BYTES);
    *out = server;
}

void server_free(struct server **server)
{
    if (*server == NULL)
        return;
    hold_release(&(*server)->policy);
    seats_free(&(*server)->seats);
    names_free(&(*server)->names);
    carried_free(&(*server)->carried);
    sent_desk_free(&(*server)->sent);
    report_desk_free(&(*server)->reports);
    carried_free(&(*server)->reported);
    carried_free(&(*server)->counted);
    rate_free(&(*server)->rate);
    rate_free(&(*server)->carried_rate);
    mem_free((*server)->scratch.start);
    mem_free((*server)->reply_bytes);
    mem_free((*server)->alarmed);
    mem_free(*server);
    *server = NULL;
}

void server_tick(struct server *server)
{
    uint64_t now_ms = clock_mono_ms();

    sent_pump(server);
    report_pump(server);
    gateways_watch(server);
    if (now_ms - server->flushed_ms < FLUSH_MS)
        return;
    server->flushed_ms = now_ms;
    used_flush(server->policy->used, server->policy->policy, server->store);
}

void server_drain(struct server *server)
{
    server->draining = true;
}

bool server_is_draining(const struct server *server)
{
    return server->draining;
}

uint64_t server_idle_ms(const struct server *server)
{
    return clock_mono_ms() - server->last_came_ms;
}

size_t server_seats_used(const struct server *server)
{
    return seats_used(server->seats);
}

// ---- answers

static void send_reply(struct server *server, enum server_door door, const struct door_peer *peer,
                       struct msg_reply *reply)
{
    size_t len = 0;

    reply->node = server->config.node;
    reply->draining = server->draining;
    arena_reset(&server->scratch);
    if (wire_encode_reply(reply, &server->scratch, server->reply_bytes, server->reply_size, &len) !=
        ERR_NONE) {
        struct msg_reply sorry = {.id = reply->id,
                                  .status = MSG_INTERNAL,
                                  .error =
                                      "the reply is too large; ask for less, or without a trace",
                                  .node = reply->node,
                                  .draining = reply->draining};

        arena_reset(&server->scratch);
        if (wire_encode_reply(&sorry, &server->scratch, server->reply_bytes, server->reply_size,
                              &len) != ERR_NONE)
            return; // cannot be: a few hundred bytes into megabytes
    }
    server->out.send(server->out.arg, door, peer, server->reply_bytes, len);
}

void server_answer(struct server *server, struct seat *seat, struct msg_reply *reply)
{
    reply->id = seat->request.id;
    send_reply(server, seat->door, &seat->peer, reply);
    hold_release(&seat->policy);
    seats_leave(server->seats, seat);
}

static void count_status(struct stats *stats, enum msg_status status)
{
    switch (status) {
    case MSG_BAD_REQUEST:
        stats->bad_requests++;
        return;
    case MSG_OVERLOADED:
        stats->overloaded++;
        return;
    case MSG_EXPIRED:
        stats->expired++;
        return;
    case MSG_UNAVAILABLE:
        stats->unavailable++;
        return;
    case MSG_OK:
    case MSG_FORBIDDEN:
    case MSG_INTERNAL:
        return;
    }
}

void server_refuse(struct server *server, struct seat *seat, enum msg_status status,
                   const char *error)
{
    struct msg_reply reply = {.status = status, .error = error};

    count_status(server->stats, status);
    server_answer(server, seat, &reply);
}

// No seat: the id alone is read, in a little memory of the stack.
static void refuse_crowd(struct server *server, enum server_door door, const struct door_peer *peer,
                         void *bytes, size_t len)
{
    unsigned char memory[1024];
    struct arena arena;
    struct msg_request request = {0};
    struct msg_reply reply = {.status = MSG_OVERLOADED,
                              .error = "too many requests are under way; ask another node"};

    arena_init(&arena, memory, sizeof(memory));
    enum err ignored = wire_decode_request(bytes, len, &arena, &request,
                                           NULL); // the id is set also where the rest did not fit

    (void)ignored;
    reply.id = request.id;
    count_status(server->stats, MSG_OVERLOADED);
    send_reply(server, door, peer, &reply);
}

// ---- verbs

static void add_refused(const struct server *server, struct text_buf *text)
{
    struct keeper_status status;

    keeper_status(server->keeper, &status);
    if (status.state == KEEPER_REFUSED)
        text_buf_add(text, "; policy version %llu refused: %s", (unsigned long long)status.newest,
                     status.error);
}

static void answer_ping(struct server *server, struct seat *seat)
{
    char memory[512];
    struct text_buf text;
    struct msg_reply reply = {.answer = MSG_PONG};

    text_buf_init(&text, memory, sizeof(memory));
    store_describe(server->store, &text);
    if (server->config.replay)
        text_buf_add(&text, ", replay: time comes from requests");
    add_refused(server, &text);
    reply.pong = (struct msg_pong){.version = server->config.version,
                                   .uptime_ms = clock_mono_ms() - server->started_ms,
                                   .policy_version = server_policy(server)->version,
                                   .store = memory};
    server_answer(server, seat, &reply);
}

static void refuse_verb(struct server *server, struct seat *seat)
{
    server_refuse(server, seat, MSG_BAD_REQUEST, "not supported by this version");
}

// Which verb is answered at which door, and by whom. A verb that is not here does not exist yet.
static const struct verb_row {
    enum msg_verb verb;
    bool lookups, admin; // doors
    void (*run)(struct server *server, struct seat *seat);
} verbs[] = {
    {MSG_CHECK, true, false, check_go},   {MSG_PING, true, true, answer_ping},
    {MSG_ADMIN, false, true, admin_run},  {MSG_REPORT, true, false, report_go},
    {MSG_SENT, true, false, sent_go},     {MSG_ACCESS, true, false, refuse_verb},
    {MSG_HELD, true, false, refuse_verb},
};

static void run_verb(struct server *server, struct seat *seat)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (verbs[i].verb != seat->request.verb)
            continue;
        if (seat->door == SERVER_LOOKUPS ? verbs[i].lookups : verbs[i].admin)
            verbs[i].run(server, seat);
        else
            server_refuse(server, seat, MSG_BAD_REQUEST,
                          seat->door == SERVER_LOOKUPS
                              ? "this verb is answered at the admin door (admin.listen)"
                              : "this verb is answered at the lookups door (lookups.listen)");
        return;
    }
    server_refuse(server, seat, MSG_BAD_REQUEST,
                  "the request names no verb that this version knows");
}

// ---- requests

// Who tells the time. What no ticket and no stored stamp could hold would stay "now" for ever,
// since a replayed clock never goes back.
static enum err take_time(struct server *server, uint64_t at_ms, struct err_detail *detail)
{
    if (!server->config.replay && at_ms != 0)
        return err_say(detail, ERR_SYNTAX,
                       "at_ms is for a node started with --replay; this one has its own clock");
    if (!server->config.replay)
        return ERR_NONE;
    if (at_ms == 0)
        return err_say(detail, ERR_SYNTAX,
                       "this node was started with --replay: every request needs at_ms");
    if (at_ms > TICKET_AT_MAX_MS)
        return err_say(detail, ERR_SYNTAX, "at_ms: %llu is past %llu, in the year 2248",
                       (unsigned long long)at_ms, (unsigned long long)TICKET_AT_MAX_MS);
    store_replay(server->store, at_ms);
    return ERR_NONE;
}

struct policy_hold *server_find_set(const struct server *server, const char *document)
{
    return keeper_find(server->keeper, document);
}

// What if: by which set, and as of when. The decoder has seen to it that such a question changes nothing.
static enum err take_what_if(struct server *server, struct seat *seat, struct err_detail *detail)
{
    const struct msg_check *check = &seat->request.check;
    struct policy_hold *set = seat->policy;

    if (check->at_ms > TICKET_AT_MAX_MS)
        return err_say(detail, ERR_SYNTAX, "Check.at_ms: %llu is past %llu, in the year 2248",
                       (unsigned long long)check->at_ms, (unsigned long long)TICKET_AT_MAX_MS);
    if (check->policy[0] != '\0')
        set = server_find_set(server, check->policy);
    if (set == NULL)
        return err_say(detail, ERR_SYNTAX,
                       "Check.policy: this node does not hold document %s; stage it (policy.stage)",
                       check->policy);
    (void)hold_take(set);
    hold_release(&seat->policy);
    seat->policy = set;
    return ERR_NONE;
}

// Decodes into the seat. ERR_MEMORY: a larger seat might hold it.
static enum err fill_seat(struct server *server, struct seat *seat, void *bytes, size_t len,
                          struct err_detail *detail)
{
    enum err err = wire_decode_request(bytes, len, &seat->arena, &seat->request, detail);

    if (err == ERR_NONE)
        err = take_time(server, seat->request.at_ms, detail);
    if (err == ERR_NONE && seat->request.verb == MSG_CHECK)
        err = take_what_if(server, seat, detail);
    if (err == ERR_NONE && seat->request.verb == MSG_CHECK)
        err = check_prepare(server, seat, detail);
    if (err == ERR_NONE && seat->request.verb == MSG_SENT)
        err = sent_prepare(server, seat, detail);
    if (err == ERR_NONE && seat->request.verb == MSG_REPORT)
        err = report_prepare(server, seat, detail);
    return err;
}

static struct seat *take_seat(struct server *server, enum server_door door,
                              const struct door_peer *peer, enum seat_size size)
{
    struct seat *seat = seats_take(server->seats, size);

    if (seat == NULL)
        return NULL;
    seat->door = door;
    seat->peer = *peer;
    seat->policy = hold_take(server->policy);
    seat->came_us = clock_mono_us();
    return seat;
}

static void leave_for_larger(struct server *server, struct seat *seat)
{
    hold_release(&seat->policy);
    seats_leave(server->seats, seat);
}

// The smallest seat that holds the request, filled; NULL = none is free. *err says how filling
// went.
static struct seat *seat_request(struct server *server, enum server_door door,
                                 const struct door_peer *peer, void *bytes, size_t len,
                                 enum err *err, struct err_detail *detail)
{
    enum seat_size first = door == SERVER_ADMIN       ? SEAT_ADMIN
                           : len > SERVER_SMALL_BYTES ? SEAT_LARGE
                                                      : SEAT_SMALL;
    struct seat *seat = take_seat(server, door, peer, first);

    if (seat == NULL)
        return NULL;
    *err = fill_seat(server, seat, bytes, len, detail);
    if (*err != ERR_MEMORY || first != SEAT_SMALL)
        return seat;
    leave_for_larger(server, seat);
    seat = take_seat(server, door, peer, SEAT_LARGE);
    if (seat != NULL)
        *err = fill_seat(server, seat, bytes, len, detail);
    return seat;
}

void server_receive(struct server *server, enum server_door door, const struct door_peer *peer,
                    void *bytes, size_t len, uint64_t age_ms)
{
    struct err_detail detail = {""};
    enum err err = ERR_NONE;
    struct seat *seat = seat_request(server, door, peer, bytes, len, &err, &detail);

    server->stats->requests++;
    server->last_came_ms = clock_mono_ms();
    if (seat == NULL) {
        refuse_crowd(server, door, peer, bytes, len);
        return;
    }
    if (err != ERR_NONE) {
        server_refuse(server, seat, MSG_BAD_REQUEST,
                      detail.text[0] != '\0' ? detail.text : err_text(err));
        return;
    }
    uint64_t budget_ms =
        seat->request.budget_ms > 0 ? seat->request.budget_ms : server->config.budget_ms;

    if (door == SERVER_LOOKUPS && age_ms > budget_ms) {
        server_refuse(server, seat, MSG_EXPIRED,
                      "it waited longer than its budget before the node could read it");
        return;
    }
    seat->deadline_ms = clock_mono_ms() + budget_ms - (age_ms < budget_ms ? age_ms : 0);
    run_verb(server, seat);
}
