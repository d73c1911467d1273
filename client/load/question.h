// question.h: the questions of a load, and what it says of mail that was sent or reported: made from numbers, so that a run can be repeated, another
// program (tests/bench) can fill a store with the same triplets, and asking costs next to nothing.
//
// A question is encoded once, with letters in place of what differs; question_encode writes the
// differing letters and the id over a copy. All questions of a load are so of one length.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/msg.h"

// What the client of a question can be recognised by (node/core/key.h): its network always, then
// also its confirmed name, then also the domain that SPF passed for. Or it has logged in: then it is a user of
// QUESTION_OURS, who sends mail to the world under its own address.
enum question_identity {
    QUESTION_NET = 0,
    QUESTION_NAME = 1,
    QUESTION_SPF = 2,
    QUESTION_LOGIN = 3,
};

enum {
    QUESTION_BYTES_MAX = 512,
    QUESTION_LOCAL = 14, // letters of the sender's local part
    QUESTION_DOMAIN = 6, // letters of the sender's domain
    QUESTION_IP = 15,    // "198.1xx.1xx.1xx"
    QUESTION_COPIES = 4, // places of one question where the domain stands, or the local part
};
#define QUESTION_RECIPIENT "bob@recipient.example"
#define QUESTION_OURS      "submission.example"

// The first id, and the first beyond the last: all are of five bytes on the wire.
#define QUESTION_ID_MIN (1ULL << 28)
#define QUESTION_ID_END (1ULL << 35)

struct question_template {
    unsigned char bytes[QUESTION_BYTES_MAX];
    size_t len;
    size_t ip, local[QUESTION_COPIES], domain[QUESTION_COPIES]; // offsets
    unsigned locals, domains;
    size_t evidence; // offset of a report's; 0 = it is none
};

// What differs from question to question. Not terminated.
struct question_text {
    char local[QUESTION_LOCAL];
    char domain[QUESTION_DOMAIN];
    char ip[QUESTION_IP];
};

// question_template_init: of questions at that stage (MSG_MAIL, MSG_RCPT) whose reply the asker awaits for budget_ms.
void question_template_init(struct question_template *out, enum question_identity identity,
                            enum msg_stage stage, uint32_t budget_ms);

// question_template_sent: likewise of mail that was sent: a user of QUESTION_OURS, who is logged in, wrote to somebody in the
// question's domain.
void question_template_sent(struct question_template *out, uint32_t budget_ms);

// question_template_report: likewise of what mail of such a sender was: each second is ham, and the sender's local part names the event.
void question_template_report(struct question_template *out, uint32_t budget_ms);

// question_known: the number-th sender of those who are known; the same in every run.
// question_stranger: the number-th sender of this seed, whom no other seed and no known one equals
// (but for one chance in 300 million).
void question_known(uint64_t number, struct question_text *out);
void question_stranger(uint64_t seed, uint64_t number, struct question_text *out);

// question_encode: the request's bytes into out; returns their length. id from QUESTION_ID_MIN on.
size_t question_encode(const struct question_template *template, const struct question_text *text,
                       uint64_t id, unsigned char out[QUESTION_BYTES_MAX]);

// question_mix: a number that looks random, made from a number (SplitMix64; Steele, Lea, Flood
// 2014).
uint64_t question_mix(uint64_t number);
