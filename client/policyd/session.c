// session.c: the life of a connection. Promises: nothing a peer sends, or does not send, costs
// others more than a seat for a minute; the oldest unfinished request gives way when all seats are
// taken. A session is freed only by close_session, after which its caller returns at once.
#include "client/policyd/session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/policyd/translate.h"
#include "client/spf/evaluate.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum session_state { SESSION_READING, SESSION_STARVED, SESSION_ASKING, SESSION_WRITING };

struct session {
    struct session_hub *hub;
    TAILQ_ENTRY(session) in_all;
    TAILQ_ENTRY(session) in_waiting; // stalled or starved, never both
    struct loop_fd *watch;
    struct policy_parser *seat;
    char *unsent; // the rest of an answer
    size_t unsent_bytes;
    struct spf_waiter *spf; // NULL = does not wait for SPF
    uint64_t question;      // reeve_submit's number; 0 = none
    uint64_t stalled_ms;    // since when; 0 = is not
    uint64_t transaction;   // that was asked about last: recipients_key
    uint64_t prepended;     // the transaction that has its X-Greylist
    int fd;
    int wanted; // LOOP_READ, LOOP_WRITE or 0
    enum session_state state;
};

static void take_request(struct session *session, int events);
static void hold_back(struct session *session, int events);
static void send_rest(struct session *session, int events);

static const struct {
    int wants;
    void (*ready)(struct session *session, int events);
} STATES[] = {
    [SESSION_READING] = {LOOP_READ, take_request},
    [SESSION_STARVED] = {0, hold_back},
    [SESSION_ASKING] = {LOOP_READ, hold_back}, // seldom fires, so the watch seldom changes
    [SESSION_WRITING] = {LOOP_WRITE, send_rest},
};

static void want(struct session *session, int events)
{
    if (session->wanted == events)
        return;
    session->wanted = events;
    loop_fd_want(session->watch, events);
}

static void enter(struct session *session, enum session_state state)
{
    session->state = state;
    want(session, STATES[state].wants);
}

static void hold_back(struct session *session, int events)
{
    (void)events;
    want(session, 0);
}

static void ready(void *arg, int events)
{
    struct session *session = arg;

    STATES[session->state].ready(session, events);
}

// ---- the lists

static void begin_stall(struct session *session)
{
    if (session->stalled_ms != 0)
        return;
    session->stalled_ms = clock_mono_ms();
    TAILQ_INSERT_TAIL(&session->hub->stalled, session, in_waiting);
}

static void end_stall(struct session *session)
{
    if (session->stalled_ms == 0)
        return;
    session->stalled_ms = 0;
    TAILQ_REMOVE(&session->hub->stalled, session, in_waiting);
}

static void begin_starving(struct session *session)
{
    enter(session, SESSION_STARVED);
    TAILQ_INSERT_TAIL(&session->hub->starved, session, in_waiting);
}

static void end_starving(struct session *session)
{
    TAILQ_REMOVE(&session->hub->starved, session, in_waiting);
    enter(session, SESSION_READING);
}

// leave_seat: whoever has waited longest for a seat reads in the next turn of the loop.
static void leave_seat(struct session *session)
{
    struct session_hub *hub = session->hub;

    if (session->seat == NULL)
        return;
    policy_seats_leave(hub->seats, &session->seat);
    if (!TAILQ_EMPTY(&hub->starved))
        end_starving(TAILQ_FIRST(&hub->starved));
}

// ---- birth and death

void session_hub_init(struct session_hub *hub)
{
    TAILQ_INIT(&hub->all);
    TAILQ_INIT(&hub->stalled);
    TAILQ_INIT(&hub->starved);
}

void session_new(struct session_hub *hub, int fd)
{
    struct session *session = mem_new(sizeof(*session));

    session->hub = hub;
    session->fd = fd;
    session->watch = loop_fd_new(hub->loop, fd, ready, session);
    TAILQ_INSERT_TAIL(&hub->all, session, in_all);
    hub->count++;
    enter(session, SESSION_READING);
}

static void close_session(struct session *session)
{
    struct session_hub *hub = session->hub;

    spf_desk_forget(hub->spf, &session->spf);
    if (session->question != 0)
        reeve_cancel(hub->reeve, session->question);
    if (session->state == SESSION_STARVED)
        end_starving(session);
    end_stall(session);
    leave_seat(session);
    TAILQ_REMOVE(&hub->all, session, in_all);
    hub->count--;
    loop_fd_free(&session->watch);
    (void)close(session->fd);
    mem_free(session->unsent);
    mem_free(session);
    hub->gone(hub->gone_arg);
}

static void close_for(struct session *session, const char *what, const char *why)
{
    journal_peer(&session->hub->journal, session->fd, what, why, clock_mono_ms());
    close_session(session);
}

// ---- writing

// has_bytes: also true at the end of the stream, which the next read finds.
static bool has_bytes(const struct session *session)
{
    char byte = 0;

    return recv(session->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

// answered: the answer is with the kernel; on to the next request.
static void answered(struct session *session)
{
    end_stall(session);
    enter(session, SESSION_READING);
    if (session->hub->draining && !has_bytes(session))
        close_session(session);
}

static void send_rest(struct session *session, int events)
{
    ssize_t sent = send(session->fd, session->unsent, session->unsent_bytes, MSG_NOSIGNAL);

    (void)events;
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        close_session(session);
        return;
    }
    if (sent > 0) {
        session->unsent_bytes -= (size_t)sent;
        memmove(session->unsent, session->unsent + sent, session->unsent_bytes);
    }
    if (session->unsent_bytes > 0)
        return;
    mem_free(session->unsent);
    session->unsent = NULL;
    answered(session);
}

static void send_answer(struct session *session, const struct text_buf *text)
{
    ssize_t sent = send(session->fd, text->start, text->used, MSG_NOSIGNAL);

    leave_seat(session);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        close_session(session);
        return;
    }
    if (sent == (ssize_t)text->used) {
        answered(session);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    session->unsent_bytes = text->used - (size_t)sent;
    session->unsent = mem_text_n(text->start + sent, session->unsent_bytes);
    begin_stall(session);
    enter(session, SESSION_WRITING);
}

// ---- asking

// wants_header: X-Greylist goes once into a message, however many of its recipients had to wait.
static bool wants_header(struct session *session, const struct reeve_verdict *verdict)
{
    const struct policy_request *request = &session->seat->request;

    if (!session->hub->config->prepend || verdict == NULL ||
        !translate_is_prepended(request, verdict) ||
        (session->prepended == session->transaction && session->prepended != 0))
        return false;
    session->prepended = session->transaction;
    return true;
}

// keep_recipient: what the end of the message will not say again, or does not need any more.
static void keep_recipient(struct session *session, const struct reeve_verdict *verdict)
{
    const struct policy_request *request = &session->seat->request;
    struct session_hub *hub = session->hub;

    if (translate_is_end(request))
        recipients_end(hub->recipients, session->transaction);
    else if (translate_is_rcpt(request) &&
             translate_is_taken(verdict, (enum reeve_fallback)hub->config->fallback))
        recipients_accept(hub->recipients, session->transaction, request->recipient,
                          clock_mono_ms());
}

static void take_answer(void *arg, const struct reeve_answer *answer)
{
    struct session *session = arg;
    struct session_hub *hub = session->hub;
    const enum reeve_fallback fallback = (enum reeve_fallback)hub->config->fallback;
    struct translate_action action = {
        .verdict = translate_verdict(answer),
        .fallback = fallback,
        .node = answer->node,
        .wall_ms = clock_wall_ms(),
    };
    char memory[TRANSLATE_ACTION_MAX];
    struct text_buf text;

    session->question = 0;
    action.prepend = wants_header(session, action.verdict);
    keep_recipient(session, action.verdict);
    journal_answer(&hub->journal, &session->seat->request, answer, fallback, clock_mono_ms());
    text_buf_init(&text, memory, sizeof(memory));
    translate_action(&text, &action);
    sent_tell(hub->sent, &session->seat->request, answer); // now: the request goes with its seat
    send_answer(session, &text);
}

// answer_unasked: libreeve had no memory even to remember the question.
static void answer_unasked(struct session *session)
{
    const struct reeve_answer answer = {
        .error = REEVE_SYSTEM, .message = "out of memory", .fallback = true, .node = ""};

    take_answer(session, &answer);
}

static void send_dunno(struct session *session)
{
    char memory[] = "action=DUNNO\n\n";
    const struct text_buf text = {memory, sizeof(memory), sizeof(memory) - 1, false};

    send_answer(session, &text);
}

// name_recipients: who else there is in the transaction. False if not all are known.
static bool name_recipients(struct session *session, struct reeve_check *check,
                            const char *names[MSG_RECIPIENTS_MAX])
{
    const struct policy_request *request = &session->seat->request;
    struct recipients *recipients = session->hub->recipients;
    const uint64_t now_ms = clock_mono_ms();

    if (translate_is_rcpt(request) && check->recipient_count == 0)
        check->recipient_count =
            recipients_count(recipients, session->transaction, request->recipient, now_ms);
    if (check->recipient_total > 0 || check->stage != REEVE_END)
        return true;
    check->recipient_total =
        recipients_all(recipients, session->transaction, request->recipient_count, names, now_ms);
    check->recipients = names;
    check->recipient_count = (uint32_t)check->recipient_total;
    return check->recipient_total > 0;
}

// ask_node: with what SPF says of the sender's domain (NULL = SPF was not asked).
static void ask_node(struct session *session, const struct spf_subject *subject,
                     enum spf_outcome outcome)
{
    const char *names[MSG_RECIPIENTS_MAX];
    char login[MSG_AUTH_USER_MAX + 1];
    struct session_hub *hub = session->hub;
    struct reeve_check check = {0};

    (void)translate_request(&session->seat->request, &check);
    check.auth_user = translate_login(&session->seat->request, login);
    if (!name_recipients(session, &check, names)) {
        journal_unnamed(&hub->journal, &session->seat->request, clock_mono_ms());
        send_dunno(session);
        return;
    }
    if (subject != NULL && outcome != SPF_UNKNOWN) {
        check.spf = (int)outcome;
        check.spf_domain = subject->domain;
    }
    session->question = reeve_submit(hub->reeve, &check, take_answer, session);
    if (session->question == 0)
        answer_unasked(session);
}

static void spf_came(void *arg, enum spf_outcome outcome)
{
    struct session *session = arg;
    struct spf_subject subject;

    session->spf = NULL;
    (void)translate_spf(&session->seat->request, &subject);
    ask_node(session, &subject, outcome);
}

// ask: SPF first, where there is anything to ask about.
static void ask(struct session *session)
{
    struct session_hub *hub = session->hub;
    enum spf_outcome outcome = SPF_UNKNOWN;
    struct spf_subject subject;

    enter(session, SESSION_ASKING);
    if (hub->spf == NULL || !translate_spf(&session->seat->request, &subject)) {
        ask_node(session, NULL, SPF_UNKNOWN);
        return;
    }
    session->spf = spf_desk_ask(hub->spf, &subject, spf_came, session, &outcome);
    if (session->spf == NULL)
        ask_node(session, &subject, outcome);
}

// follow: which transaction the connection is at; the one before is over.
static void follow(struct session *session)
{
    uint64_t key = recipients_key(session->seat->request.instance);

    if (key != session->transaction)
        recipients_left(session->hub->recipients, session->transaction);
    session->transaction = key;
}

static void serve(struct session *session)
{
    const struct policy_request *request = &session->seat->request;
    struct session_hub *hub = session->hub;
    struct reeve_check check = {0};
    char quoted[LOG_QUOTE_MAX];

    end_stall(session);
    follow(session);
    switch (translate_request(request, &check)) {
    case TRANSLATE_ASK:
    case TRANSLATE_ASK_ALL:
        ask(session);
        return;
    case TRANSLATE_FOREIGN:
        journal_peer(&hub->journal, session->fd,
                     "answered DUNNO to a request that is not smtpd_access_policy",
                     log_quote(quoted, request->request), clock_mono_ms());
        send_dunno(session);
        return;
    case TRANSLATE_DUNNO:
        send_dunno(session);
        return;
    }
}

// ---- reading

static bool evict_oldest_request(struct session_hub *hub)
{
    struct session *session = NULL;

    TAILQ_FOREACH(session, &hub->stalled, in_waiting)
    {
        if (session->seat != NULL)
            break;
    }
    if (session == NULL)
        return false;
    close_for(session, "closed a connection",
              "its request was unfinished for longest while all seats were taken");
    return true;
}

static bool take_seat(struct session *session)
{
    struct policy_seats *seats = session->hub->seats;

    if (session->seat != NULL)
        return true;
    session->seat = policy_seats_take(seats);
    if (session->seat == NULL && evict_oldest_request(session->hub))
        session->seat = policy_seats_take(seats);
    return session->seat != NULL;
}

// found_nothing: the end of the stream, an error, or a wake-up without bytes (recv's result and
// errno).
static void found_nothing(struct session *session, ssize_t got, int events)
{
    bool is_trouble = (events & LOOP_WRITE) != 0; // not asked for: the loop saw an error
    bool is_false_alarm = got < 0 && (errno == EAGAIN || errno == EINTR) && !is_trouble;

    if (!is_false_alarm)
        close_session(session);
    else if (policy_parser_is_idle(session->seat))
        leave_seat(session);
}

// take_request: looks at what has come, takes from the socket what belongs to one request, and
// leaves the rest there.
static void take_request(struct session *session, int events)
{
    struct session_hub *hub = session->hub;
    size_t taken = 0;
    ssize_t got = 0;

    if (!take_seat(session)) {
        begin_starving(session);
        return;
    }
    got = recv(session->fd, hub->scratch, sizeof(hub->scratch), MSG_PEEK | MSG_DONTWAIT);
    if (got <= 0) {
        found_nothing(session, got, events);
        return;
    }
    enum policy_feed feed = policy_parser_feed(session->seat, hub->scratch, (size_t)got, &taken);
    (void)recv(session->fd, hub->scratch, taken, MSG_DONTWAIT); // the same bytes: cannot fail
    if (feed == POLICY_COMPLETE)
        serve(session);
    else if (feed == POLICY_BROKEN)
        close_for(session, "closed a connection that does not speak the policy protocol",
                  session->seat->why.text);
    else
        begin_stall(session);
}

// ---- all of them

void session_sweep(struct session_hub *hub)
{
    uint64_t now_ms = clock_mono_ms();
    struct session *session = NULL;

    while ((session = TAILQ_FIRST(&hub->stalled)) != NULL &&
           now_ms - session->stalled_ms >= hub->config->stall_ms)
        close_for(session, "closed a connection",
                  session->state == SESSION_WRITING ? "it did not read its answer in time"
                                                    : "its request was not finished in time");
}

void session_drain_all(struct session_hub *hub)
{
    struct session *session = TAILQ_FIRST(&hub->all);

    hub->draining = true;
    while (session != NULL) {
        struct session *next = TAILQ_NEXT(session, in_all);

        if (session->state == SESSION_READING && session->seat == NULL && !has_bytes(session))
            close_session(session);
        session = next;
    }
}

void session_close_all(struct session_hub *hub)
{
    while (!TAILQ_EMPTY(&hub->all))
        close_session(TAILQ_FIRST(&hub->all));
}
