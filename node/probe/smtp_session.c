// smtp_session.c: the states of a conversation, and what is said in each. Promises: nothing but what is written here is
// ever sent; a reply that nobody asked for, a reply that is none, and silence all end it, with words that say what it
// was.
#include "node/probe/smtp_session.h"

#include <stdio.h>
#include <string.h>

#include "node/probe/probe.h"
#include "node/probe/stream.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum session_state {
    SESSION_CONNECTING,
    SESSION_GREETING,
    SESSION_EHLO,
    SESSION_HELO,
    SESSION_STARTTLS,
    SESSION_SHAKING,
    SESSION_READY,
    SESSION_MAIL,
    SESSION_RCPT,
    SESSION_RSET,
    SESSION_OVER,
};

enum { HELO_MAX = 255, HOST_MAX = 255, COMMAND_MAX = PERSON_ADDRESS_MAX + 64 };

struct smtp_session {
    struct smtp_session_calls calls;
    struct stream *stream;
    struct loop_timer *timer;
    const struct tls_context *tls;
    uint64_t reply_ms;
    enum session_state state;
    bool is_tls;
    bool was_ready;
    bool takes_utf8;
    bool is_busy; // one of its owner's calls may be on the stack
    bool is_gone; // and it was freed there
    struct smtp_reader reader;
    char host[HOST_MAX + 1];
    char helo[HELO_MAX + 1];
    char address[PERSON_ADDRESS_MAX];
};

// What is waited for, in words.
static const char *const awaited[] = {
    [SESSION_CONNECTING] = "a connection",
    [SESSION_GREETING] = "its greeting",
    [SESSION_EHLO] = "an answer to EHLO",
    [SESSION_HELO] = "an answer to HELO",
    [SESSION_STARTTLS] = "leave for TLS",
    [SESSION_SHAKING] = "TLS",
    [SESSION_READY] = "nothing",
    [SESSION_MAIL] = "an answer to MAIL FROM",
    [SESSION_RCPT] = "an answer to RCPT TO",
    [SESSION_RSET] = "an answer to RSET",
    [SESSION_OVER] = "nothing",
};

// ---- its end

static enum smtp_end end_of(const struct smtp_session *session)
{
    if (session->was_ready)
        return SMTP_LOST;
    if (session->state == SESSION_CONNECTING)
        return SMTP_UNREACHED;
    return session->state == SESSION_SHAKING ? SMTP_NO_TLS : SMTP_UNFIT;
}

static void end(struct smtp_session *session, const char *why)
{
    const enum smtp_end how = end_of(session);

    session->state = SESSION_OVER;
    loop_timer_cancel(session->timer);
    stream_free(&session->stream);
    session->calls.down(session->calls.arg, how, why);
}

static void end_by_reply(struct smtp_session *session, const struct smtp_reply *reply)
{
    char memory[PROBE_WHY_MAX + 1];
    struct text_buf why;

    text_buf_init(&why, memory, sizeof(memory));
    text_buf_add(&why, "where %s was awaited, it said ", awaited[session->state]);
    smtp_reply_put(reply, &why);
    end(session, memory);
}

// ---- what is said

static void await(struct smtp_session *session, enum session_state state)
{
    session->state = state;
    loop_timer_set(session->timer, session->reply_ms, 0);
}

static void say(struct smtp_session *session, enum session_state state, const char *verb,
                const char *what, const char *tail)
{
    char command[COMMAND_MAX];
    const int len = snprintf(command, sizeof(command), "%s%s%s\r\n", verb, what, tail);

    await(session, state);
    stream_write(session->stream, command, (size_t)len);
}

static void be_ready(struct smtp_session *session)
{
    session->state = SESSION_READY;
    session->was_ready = true;
    loop_timer_cancel(session->timer);
    session->calls.ready(session->calls.arg);
}

static void tell(struct smtp_session *session, enum facts_probe said,
                 const struct smtp_reply *reply)
{
    char memory[PROBE_WHY_MAX + 1];
    struct text_buf why;

    text_buf_init(&why, memory, sizeof(memory));
    text_buf_add(&why, "%s was answered with ",
                 session->state == SESSION_MAIL ? "MAIL FROM:<>" : "RCPT TO");
    smtp_reply_put(reply, &why);
    say(session, SESSION_RSET, "RSET", "", "");
    session->calls.said(session->calls.arg, said, memory);
}

// ---- what is heard, in each state

static bool is_yes(const struct smtp_reply *reply)
{
    return reply->code / 100 == 2;
}

static void heard_greeting(struct smtp_session *session, const struct smtp_reply *reply)
{
    if (is_yes(reply))
        say(session, SESSION_EHLO, "EHLO ", session->helo, "");
    else
        end_by_reply(session, reply);
}

static void heard_ehlo(struct smtp_session *session, const struct smtp_reply *reply)
{
    session->takes_utf8 = is_yes(reply) && reply->smtputf8;
    if (reply->code / 100 == 5)
        say(session, SESSION_HELO, "HELO ", session->helo, "");
    else if (!is_yes(reply))
        end_by_reply(session, reply);
    else if (reply->starttls && session->tls != NULL && !session->is_tls)
        say(session, SESSION_STARTTLS, "STARTTLS", "", "");
    else
        be_ready(session);
}

static void heard_helo(struct smtp_session *session, const struct smtp_reply *reply)
{
    if (is_yes(reply))
        be_ready(session);
    else
        end_by_reply(session, reply);
}

// Offered and then refused: in the clear, as if it had not been offered.
static void heard_starttls(struct smtp_session *session, const struct smtp_reply *reply)
{
    if (!is_yes(reply)) {
        be_ready(session);
        return;
    }
    await(session, SESSION_SHAKING);
    stream_start_tls(session->stream, session->tls, session->host);
}

static void heard_mail(struct smtp_session *session, const struct smtp_reply *reply)
{
    if (is_yes(reply))
        say(session, SESSION_RCPT, "RCPT TO:<", session->address, ">");
    else
        tell(session, FACTS_REFUSED, reply);
}

static void heard_rcpt(struct smtp_session *session, const struct smtp_reply *reply)
{
    tell(session, smtp_reply_says(reply), reply);
}

static void heard_rset(struct smtp_session *session, const struct smtp_reply *reply)
{
    if (is_yes(reply))
        be_ready(session);
    else
        end_by_reply(session, reply);
}

static void (*const hears[])(struct smtp_session *session, const struct smtp_reply *reply) = {
    [SESSION_GREETING] = heard_greeting, [SESSION_EHLO] = heard_ehlo, [SESSION_HELO] = heard_helo,
    [SESSION_STARTTLS] = heard_starttls, [SESSION_MAIL] = heard_mail, [SESSION_RCPT] = heard_rcpt,
    [SESSION_RSET] = heard_rset,         [SESSION_OVER] = NULL,
};

// 421: it says goodbye, whatever it was asked.
static void heard(struct smtp_session *session, const struct smtp_reply *reply)
{
    if (reply->code == 421 || hears[session->state] == NULL)
        end_by_reply(session, reply);
    else
        hears[session->state](session, reply);
}

// ---- what the stream calls

static void leave(struct smtp_session *session)
{
    session->is_busy = false;
    if (session->is_gone)
        mem_free(session);
}

static bool is_alive(const struct smtp_session *session)
{
    return !session->is_gone && session->state != SESSION_OVER;
}

static void stream_is_up(void *arg)
{
    struct smtp_session *session = arg;

    smtp_reader_reset(&session->reader);
    if (session->state != SESSION_SHAKING) {
        await(session, SESSION_GREETING);
        return;
    }
    session->is_tls = true;
    say(session, SESSION_EHLO, "EHLO ", session->helo, "");
}

// One reply out of what came; how much of it that took.
static size_t read_reply(struct smtp_session *session, const char *bytes, size_t len)
{
    size_t used = 0;
    const enum smtp_read read = smtp_reader_take(&session->reader, bytes, len, &used);

    if (read == SMTP_GARBAGE) {
        end(session, "what it said is no SMTP reply");
    } else if (read == SMTP_REPLY && session->state == SESSION_STARTTLS && used < len) {
        end(session, "it said more in the clear than its leave for TLS");
    } else if (read == SMTP_REPLY) {
        const struct smtp_reply reply = session->reader.reply;

        smtp_reader_reset(&session->reader);
        heard(session, &reply);
    }
    return used;
}

static void bytes_came(void *arg, const char *bytes, size_t len)
{
    struct smtp_session *session = arg;

    session->is_busy = true;
    for (size_t at = 0; at < len && is_alive(session);)
        at += read_reply(session, bytes + at, len - at);
    leave(session);
}

static void stream_is_down(void *arg, const char *why)
{
    struct smtp_session *session = arg;
    char memory[PROBE_WHY_MAX + 1];

    (void)snprintf(memory, sizeof(memory), "where %s was awaited: %s", awaited[session->state],
                   why);
    session->is_busy = true;
    end(session, memory);
    leave(session);
}

static void time_is_over(void *arg)
{
    struct smtp_session *session = arg;

    stream_is_down(session, "it did not come in time");
}

// ---- its life

struct smtp_session *smtp_session_new(const struct smtp_session_config *config,
                                      struct smtp_session_calls calls)
{
    struct smtp_session *session = mem_new(sizeof(*session));
    const struct stream_calls stream_calls = {stream_is_up, bytes_came, stream_is_down, session};

    session->stream = stream_open(config->loop, config->address, config->address_len, stream_calls);
    if (session->stream == NULL) {
        mem_free(session);
        return NULL;
    }
    session->calls = calls;
    session->tls = config->tls;
    session->reply_ms = config->reply_ms;
    (void)snprintf(session->host, sizeof(session->host), "%s", config->host);
    (void)snprintf(session->helo, sizeof(session->helo), "%s", config->helo);
    session->timer = loop_timer_new(config->loop, time_is_over, session);
    await(session, SESSION_CONNECTING);
    return session;
}

void smtp_session_free(struct smtp_session **session)
{
    if (*session == NULL)
        return;
    if ((*session)->state >= SESSION_READY && (*session)->state != SESSION_OVER)
        stream_write((*session)->stream, "QUIT\r\n", 6);
    stream_free(&(*session)->stream);
    loop_timer_free(&(*session)->timer);
    (*session)->is_gone = true;
    if (!(*session)->is_busy)
        mem_free(*session);
    *session = NULL;
}

// Normalised, it has none; but a line break in a command would be another command.
static bool has_control(const char *address)
{
    for (; *address != '\0'; address++)
        if ((unsigned char)*address < ' ' || *address == 0x7F)
            return true;
    return false;
}

// Why it cannot be asked of this server; NULL: it can.
static const char *unaskable(const struct smtp_session *session, const char *address)
{
    if (has_control(address) || strlen(address) >= sizeof(session->address))
        return "the address cannot be put into a command";
    return text_is_ascii(address) || session->takes_utf8
               ? NULL
               : "it takes no addresses beyond ASCII (no SMTPUTF8)";
}

void smtp_session_ask(struct smtp_session *session, const char *address)
{
    const char *why = unaskable(session, address);

    if (why != NULL) {
        say(session, SESSION_RSET, "RSET", "", "");
        session->calls.said(session->calls.arg, FACTS_REFUSED, why);
        return;
    }
    (void)snprintf(session->address, sizeof(session->address), "%s", address);
    say(session, SESSION_MAIL, "MAIL FROM:<>", text_is_ascii(address) ? "" : " SMTPUTF8", "");
}

bool smtp_session_is_tls(const struct smtp_session *session)
{
    return session->is_tls;
}
