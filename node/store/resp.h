// resp.h: one Redis command in its wire form (RESP, https://redis.io/docs/reference/protocol-spec),
// built in place so that sending it allocates nothing of ours.
//
//     struct resp resp;
//     resp_begin(&resp, "HMGET");
//     resp_text(&resp, key);
//     resp_bytes(&resp, field, sizeof(field));
//
// A command that does not fit is marked full and never sent.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESP_BYTES = 8192, RESP_HEAD_BYTES = 16 };

struct resp {
    unsigned args;
    size_t used; // of bytes, the room for the head included
    bool full;
    char bytes[RESP_BYTES];
};

void resp_begin(struct resp *resp, const char *verb);
void resp_bytes(struct resp *resp, const void *bytes, size_t len);
void resp_text(struct resp *resp, const char *text);
void resp_number(struct resp *resp, uint64_t number);
// resp_finish: the command's first byte and its length; NULL if it did not fit.
const char *resp_finish(struct resp *resp, size_t *len);
