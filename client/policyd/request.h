// request.h: one request of Postfix's policy delegation protocol, read as its bytes come.
//
//     request=smtpd_access_policy\n
//     protocol_state=RCPT\n
//     client_address=192.0.2.7\n
//     ...
//     \n                                  <- an empty line ends the request
//
// Source: http://www.postfix.org/SMTPD_POLICY_README.html. Attributes come in any order, unknown
// ones are skipped, and of one that comes twice the last counts. A value may hold any byte from
// space upwards except DEL, also bytes that are not UTF-8 (a mail client chose them; libreeve
// cleans them). Everything else about the form is strict: a peer that breaks it is not Postfix, and
// there is no way to find its next request, so whoever reads it should hang up.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

enum {
    POLICY_LINE_MAX = 4096, // name=value without its newline; Postfix's line_length_limit is 2048
    POLICY_NAME_MAX = 64,   // of an attribute's name
    POLICY_ATTRIBUTES_MAX = 128,  // Postfix 3.7 sends 30
    POLICY_REQUEST_MAX = 1 << 16, // bytes of a whole request, the empty line included
};

// The attributes that are known here, in the order in which Postfix sends them: texts, then numbers.
#define POLICY_TEXTS(X)         \
    X(request)                  \
    X(protocol_state)           \
    X(protocol_name)            \
    X(client_address)           \
    X(client_name)              \
    X(client_port)              \
    X(reverse_client_name)      \
    X(server_address)           \
    X(server_port)              \
    X(helo_name)                \
    X(sender)                   \
    X(recipient)                \
    X(queue_id)                 \
    X(instance)                 \
    X(etrn_domain)              \
    X(stress)                   \
    X(sasl_method)              \
    X(sasl_username)            \
    X(sasl_sender)              \
    X(ccert_subject)            \
    X(ccert_issuer)             \
    X(ccert_fingerprint)        \
    X(ccert_pubkey_fingerprint) \
    X(encryption_protocol)      \
    X(encryption_cipher)        \
    X(encryption_keysize)       \
    X(policy_context)           \
    X(compatibility_level)      \
    X(mail_version)
#define POLICY_NUMBERS(X) \
    X(recipient_count)    \
    X(size)

// Texts are never NULL: "" is "not given" or "given as empty", which Postfix does not tell apart
// either.
struct policy_request {
#define POLICY_TEXT(name)   const char *name;
#define POLICY_NUMBER(name) uint64_t name;
    POLICY_TEXTS(POLICY_TEXT)
    POLICY_NUMBERS(POLICY_NUMBER)
#undef POLICY_TEXT
#undef POLICY_NUMBER
};

enum policy_feed {
    POLICY_MORE,     // all bytes were taken; the request is not whole yet
    POLICY_COMPLETE, // the request is whole; bytes after it were not taken
    POLICY_BROKEN,   // not of the protocol; the parser says why and takes nothing more
};

// The parser: 64 KiB, of which only the part that a request fills is ever touched. It allocates
// nothing. Plain data so that it can live in a pool; its fields are its own.
struct policy_parser {
    struct policy_request request;
    struct err_detail why; // POLICY_BROKEN: what was wrong and in which line
    enum policy_feed state;
    size_t taken;        // bytes of this request so far
    unsigned line_count; // lines begun, the present one included
    unsigned next_slot;  // where the next attribute's name is looked for first
    size_t kept;         // bytes at the front of memory that hold the values of known attributes
    size_t line_bytes;   // of the present line, which grows behind them
    char memory[POLICY_REQUEST_MAX + 1];
};

// policy_parser_reset: ready for a new request. Also makes a parser out of raw memory. The old
// request's texts are gone.
void policy_parser_reset(struct policy_parser *parser);

// policy_parser_feed: takes len bytes; *taken (never NULL) says how many of them belong to this
// request: all of them unless the answer is POLICY_COMPLETE or POLICY_BROKEN. After those two it
// takes nothing until the next reset.
enum policy_feed policy_parser_feed(struct policy_parser *parser, const void *bytes, size_t len,
                                    size_t *taken);

// policy_parser_is_idle: true if no byte of a request has come since the reset.
bool policy_parser_is_idle(const struct policy_parser *parser);
