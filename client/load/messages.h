// messages.h: mail that is known to have been spam or not, read from a CSV file (RFC 4180) whose first line names the columns:
//
//     ts       when it came: Unix seconds, with or without decimals, milliseconds, or 2002-08-22T12:36:23Z       needed
//     ip       the client's address                                                                              needed
//     label    1, spam, true, yes; or 0, ham, false, no                                                          needed
//     asn      AS number of the client: 64500, AS64500                             cc    its country: DE
//     dom      domain of the envelope sender                              mfrom_h    what stands before the @
//     sender   its address, instead of the two: ann@sender.example        helo       name that the client greeted with
//     rcpt_h   the recipient, before the @
//     spf      none, pass, fail, softfail, neutral, temperror, permerror       spf_domain    what it was found out for
//
// Upper and lower case, and the order, do not matter; common other names are understood (messages.c). Columns with other names
// are not read. An empty field, "-" and an AS 0 are "not known". The file may be compressed by gzip.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/msg.h"

enum { MESSAGES_COUNTRY_MAX = 3, MESSAGES_ASN_MAX = UINT32_MAX };

struct message {
    uint64_t at_ms; // Unix
    char *ip;       // canonical
    char *helo;
    char *sender;    // "" = none
    char *recipient; // what stands before the @; "" = not known
    char *spf_domain;
    enum msg_auth spf; // MSG_AUTH_UNSPECIFIED = nobody looked
    uint32_t asn;      // 0 = not known
    char country[MESSAGES_COUNTRY_MAX];
    bool is_spam;
    bool is_ipv4;
    bool is_first;    // the first one from its address
    uint64_t address; // which of the different addresses it came from, from 0
    uint64_t line;    // of the file
};

struct messages {
    struct message *item; // by time, those of one moment as in the file
    size_t count, spam;
    size_t addresses; // different ones
    size_t left_out;  // rows that could not be read (skip_bad)
    uint64_t left_out_line;
    struct err_detail left_out_why; // of the first of them
};

// messages_read: path "-" = standard input. skip_bad: a row that is none is left out and counted, instead of ending it.
// ERR_SYSTEM: the file cannot be read. ERR_SYNTAX: a column is missing or there twice, or a row is wrong, or there is none; the detail says file, line,
// what is there and what was expected.
MUST_USE enum err messages_read(struct messages *out, const char *path, bool skip_bad,
                                struct err_detail *detail);
void messages_clear(struct messages *messages);

// messages_read_time: see ts above; false if it is none, or before 1970 or after 2248.
bool messages_read_time(const char *text, uint64_t *at_ms);
