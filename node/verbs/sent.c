// sent.c: the verb Sent: an outbound message was accepted, so whom it went to may answer (Auto Allow), and who sent it
// exists. What it teaches is core/capture.c's to say; here it is written, or waits.
//
//      the store is there:  (HGET d: where the owner may be an alias)  EVAL ...  -> Ack recorded
//      it is away, or was too slow:   -> Ack queued; a ring in memory, written in order as soon as it is back, before
//                                        anything newer
//
// Promises: lookups do not wait for it; nothing is lost but what a full ring drops (the oldest, counted) and what waits
// when the node ends (logged); noted twice is noted once.
#include <string.h>

#include "node/core/capture.h"
#include "node/verbs/internal.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum { QUEUE_BYTES = 16 << 20 }; // some 150,000 entries

// One Sent under way; lives in its seat.
struct sent_work {
    struct capture capture;
    struct store_allow *list;
    size_t count;               // of entries
    struct store_person person; // what the directory says of the owner
    struct person_facts *facts; // NULL = it is not asked
};

struct sent_desk {
    struct sent_queue *queue;
    bool writing; // a batch of the queue is under way
    bool pumping; // sent_pump is on the stack
    struct log_limit full_lines;
};

struct sent_desk *sent_desk_new(void)
{
    struct sent_desk *sent = mem_new(sizeof(*sent));

    sent->queue = sent_queue_new(QUEUE_BYTES);
    return sent;
}

void sent_desk_free(struct sent_desk **sent)
{
    if (*sent == NULL)
        return;
    if (sent_queue_count((*sent)->queue) > 0)
        log_warn("sent mail that waited for the store is forgotten entries=%zu",
                 sent_queue_count((*sent)->queue));
    sent_queue_free(&(*sent)->queue);
    mem_free(*sent);
    *sent = NULL;
}

size_t server_sent_waiting(const struct server *server)
{
    return sent_queue_count(server->sent->queue);
}

// ---- preparing

// add: entries are made from the last to the first.
static void add(struct sent_work *work, const char *owner, const char *external)
{
    struct store_allow *entry = work->list - 1;

    *entry = (struct store_allow){.next = work->count > 0 ? work->list : NULL,
                                  .owner = owner,
                                  .external = external,
                                  .sent_ms = work->capture.sent_ms};
    work->list = entry;
    work->count++;
}

// Entries of one owner stand together: they are one command.
static bool list_entries(struct seat *seat, struct sent_work *work)
{
    const struct capture *capture = &work->capture;
    const bool org = seat_policy(seat)->settings.auto_allow.scope == POLICY_SCOPE_ORG;
    const size_t most = capture->external_count * (org ? 2 : 1) + capture->exists_count;
    struct store_allow *room = arena_alloc(&seat->arena, (most + 1) * sizeof(*room));
    char(*parts)[PERSON_ORG_OWNER_MAX] =
        arena_alloc(&seat->arena, capture->external_count * sizeof(*parts) + 1);

    if (room == NULL || parts == NULL)
        return false;
    work->list = room + most + 1;
    for (size_t i = 0; i < capture->exists_count; i++)
        add(work, capture->exists[i], NULL);
    for (size_t i = 0; i < capture->external_count && org; i++) {
        person_org_owner(capture->external[i], parts[i]);
        add(work, parts[i], capture->external[i]);
    }
    for (size_t i = capture->external_count; i-- > 0;)
        add(work, capture->owner, capture->external[i]);
    return true;
}

// The directory may say that the owner is another mailbox's address: then the entries are that one's. False: the
// arena is full.
static bool prepare_directory(const struct server *server, struct seat *seat,
                              struct sent_work *work)
{
    const struct capture *capture = &work->capture;
    struct store_person *person = &work->person;

    if (capture->directory == NULL || capture->external_count == 0 ||
        !store_directory(server->store, capture->directory->name, &person->directory) ||
        person->directory.version == 0)
        return true;
    work->facts = arena_alloc(&seat->arena, sizeof(*work->facts));
    if (work->facts == NULL)
        return false;
    person_facts_clear(work->facts);
    person->mailbox = capture->owner;
    person->address = capture->owner;
    person->facts = work->facts;
    return true;
}

enum err sent_prepare(struct server *server, struct seat *seat, struct err_detail *detail)
{
    const struct msg_sent *sent = &seat->request.sent;
    struct sent_work *work = arena_zalloc(&seat->arena, sizeof(*work));
    struct capture_in in = {.policy = seat_policy(seat),
                            .sent = sent,
                            .login = asker_login(seat, sent->auth_user),
                            .now_ms = store_now_ms(server->store)};
    enum err err = work == NULL || in.login == NULL ? ERR_MEMORY : ERR_NONE;

    if (err == ERR_NONE && !asker_client(sent->client_ip, &in.client, detail))
        err = ERR_SYNTAX;
    if (err == ERR_NONE)
        err = capture_read(&in, &seat->arena, &work->capture);
    if (err == ERR_NONE && (!list_entries(seat, work) || !prepare_directory(server, seat, work)))
        err = ERR_MEMORY;
    seat->work = work;
    return err;
}

// ---- what waits

static void wrote_batch(void *arg, uint64_t token, enum store_state state);

// The oldest that wait, if nobody is at it and there is somebody to tell.
static void begin_batch(struct server *server)
{
    struct sent_desk *sent = server->sent;
    struct store_allow *list = NULL;

    if (sent->writing || store_state(server->store) != STORE_UP)
        return;
    list = sent_queue_batch(sent->queue);
    if (list == NULL)
        return;
    sent->writing = true;
    store_allow_note(server->store, list, server_policy(server)->settings.auto_allow.life_ms, false,
                     (struct store_done){.fn = wrote_batch, .arg = server});
}

void sent_pump(struct server *server)
{
    struct sent_desk *sent = server->sent;
    size_t before = 0;

    if (sent->pumping) // the store answered at once
        return;
    sent->pumping = true;
    do {
        before = sent_queue_count(sent->queue);
        begin_batch(server);
    } while (!sent->writing && sent_queue_count(sent->queue) < before);
    sent->pumping = false;
}

// A store that is there and will not have it is not asked for ever.
static void wrote_batch(void *arg, uint64_t token, enum store_state state)
{
    struct server *server = arg;
    struct sent_desk *sent = server->sent;

    (void)token;
    sent->writing = false;
    if (state != STORE_UP && state != STORE_ERROR)
        return;
    const size_t count = sent_queue_drop(sent->queue);

    *(state == STORE_UP ? &server->stats->sent_recorded : &server->stats->sent_lost) += count;
    if (sent_queue_count(sent->queue) == 0)
        log_info("sent mail that waited for the store is recorded");
    sent_pump(server);
}

void sent_keep(struct server *server, const struct store_allow *list)
{
    struct sent_desk *sent = server->sent;
    size_t lost = 0;

    if (sent_queue_count(sent->queue) == 0)
        log_info("sent mail waits for the store");
    for (const struct store_allow *entry = list; entry != NULL; entry = entry->next) {
        lost += sent_queue_add(sent->queue, entry);
        server->stats->sent_queued++;
    }
    server->stats->sent_lost += lost;
    if (lost > 0)
        log_limited(&sent->full_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                    "too much sent mail waits for the store, the oldest is forgotten entries=%zu",
                    lost);
}

// ---- answering

static void answer(struct server *server, struct seat *seat, bool queued)
{
    const struct sent_work *work = seat->work;
    struct msg_reply reply = {
        .answer = MSG_ACK,
        .ack = {.recorded = queued ? 0 : (uint32_t)work->capture.external_count,
                .queued = queued,
                .skipped_why = work->capture.skipped,
                .skipped_count = work->capture.skipped_count}};

    server_answer(server, seat, &reply);
}

static void wrote(void *arg, uint64_t token, enum store_state state)
{
    struct server *server = arg;
    struct seat *seat = seats_find(server->seats, token);

    if (seat == NULL)
        return;
    const struct sent_work *work = seat->work;

    if (state == STORE_UP)
        server->stats->sent_recorded += work->count;
    else
        sent_keep(server, work->list);
    answer(server, seat, state != STORE_UP);
}

static struct store_done when(void (*fn)(void *arg, uint64_t token, enum store_state state),
                              struct server *server, const struct seat *seat)
{
    const uint64_t now_ms = clock_mono_ms();

    return (struct store_done){.fn = fn,
                               .arg = server,
                               .token = seat_token(seat),
                               .within_ms =
                                   seat->deadline_ms > now_ms ? seat->deadline_ms - now_ms : 1};
}

static void write_list(struct server *server, struct seat *seat)
{
    const struct sent_work *work = seat->work;

    store_allow_note(server->store, work->list, seat_policy(seat)->settings.auto_allow.life_ms,
                     false, when(wrote, server, seat));
}

// What the directory did not say changes nothing.
static void found_owner(void *arg, uint64_t token, enum store_state state)
{
    struct server *server = arg;
    struct seat *seat = seats_find(server->seats, token);

    (void)state;
    if (seat == NULL)
        return;
    const struct sent_work *work = seat->work;
    const struct person_row *row = &work->facts->row;

    for (struct store_allow *entry = work->list; entry != NULL; entry = entry->next)
        if (row->state == FACT_PRESENT && row->mailbox[0] != '\0' &&
            entry->owner == work->capture.owner && entry->external != NULL)
            entry->owner = row->mailbox;
    write_list(server, seat);
}

static void count_used(const struct seat *seat, const struct capture *capture, uint64_t now_ms)
{
    struct verdict verdict = {.rule = "", .shadow_rule = ""};

    for (size_t i = 0; i < capture->used_count; i++)
        verdict.used[i] = (struct used_rule){capture->used[i].rule, capture->used[i].in_shadow};
    verdict.used_count = (unsigned)capture->used_count;
    used_count(seat->policy->used, seat_policy(seat), &verdict, now_ms);
}

// What is newer than what waits waits behind it.
void sent_go(struct server *server, struct seat *seat)
{
    struct sent_work *work = seat->work;

    server->stats->sent++;
    count_used(seat, &work->capture, store_now_ms(server->store));
    if (work->count == 0) {
        answer(server, seat, false);
    } else if (sent_queue_count(server->sent->queue) > 0) {
        sent_keep(server, work->list);
        answer(server, seat, true);
        sent_pump(server);
    } else if (work->facts != NULL) {
        store_read_person(server->store, &work->person, when(found_owner, server, seat));
    } else {
        write_list(server, seat);
    }
}
