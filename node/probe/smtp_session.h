// smtp_session.h: one conversation with an SMTP server that only asks whether recipients exist: it never comes to DATA.
//
//      connect -> greeting -> EHLO [-> STARTTLS -> EHLO] -> ready -> MAIL FROM:<> -> RCPT TO -> RSET -> ready ...
//                               \-> HELO, where EHLO is refused
//
// Each step has a deadline, for the whole reply and not for its next byte.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "node/probe/smtp_reply.h"
#include "node/probe/tls.h"
#include "proto/base/loop.h"

struct smtp_session;

struct smtp_session_config {
    struct loop *loop;
    const struct sockaddr *address;
    socklen_t address_len;
    const char *host;              // its name, for TLS
    const char *helo;              // ours
    const struct tls_context *tls; // NULL = always in the clear; else in TLS where that is offered
    uint64_t reply_ms;
};

// How far it came.
enum smtp_end {
    SMTP_UNREACHED, // no connection
    SMTP_UNFIT,     // a greeting that is none, or no leave to ask
    SMTP_NO_TLS,    // TLS was offered and failed
    SMTP_LOST,      // it was ready before
};

// Called on the loop. From inside of each the session may be freed.
struct smtp_session_calls {
    void (*ready)(void *arg); // it may be asked
    // said: of the recipient that it was asked for; then it is not ready yet. why is valid during the call.
    void (*said)(void *arg, enum facts_probe said, const char *why);
    // down: the last call; free it. What it was asked for, if that was not said, never will be. why: likewise.
    void (*down)(void *arg, enum smtp_end end, const char *why);
    void *arg;
};

// smtp_session_new: begins to connect. NULL: no socket is to be had. Everything of the config but tls is borrowed until it
// returns.
struct smtp_session *smtp_session_new(const struct smtp_session_config *config,
                                      struct smtp_session_calls calls);
// smtp_session_free: says QUIT, if anything can be said now, and closes. NULL-safe, NULLs.
void smtp_session_free(struct smtp_session **session);

// smtp_session_ask: of a session that is ready. address as mail.h normalises it, which is how it stands in a command. said
// may be called before this returns, for an address that this server cannot be told.
void smtp_session_ask(struct smtp_session *session, const char *address);

bool smtp_session_is_tls(const struct smtp_session *session);
