// resp.c: builds a command behind room for its head, "*<number of arguments>\r\n", which is written
// last, when the number is known. Promises: no allocation; never writes past the buffer.
#include "node/store/resp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void resp_begin(struct resp *resp, const char *verb)
{
    resp->args = 0;
    resp->used = RESP_HEAD_BYTES;
    resp->full = false;
    resp_text(resp, verb);
}

void resp_bytes(struct resp *resp, const void *bytes, size_t len)
{
    char head[RESP_HEAD_BYTES + 8];
    int head_len = snprintf(head, sizeof(head), "$%zu\r\n", len);

    if (resp->full || len > RESP_BYTES || (size_t)head_len + len + 2 > RESP_BYTES - resp->used) {
        resp->full = true;
        return;
    }
    memcpy(resp->bytes + resp->used, head, (size_t)head_len);
    resp->used += (size_t)head_len;
    memcpy(resp->bytes + resp->used, bytes, len);
    resp->used += len;
    memcpy(resp->bytes + resp->used, "\r\n", 2);
    resp->used += 2;
    resp->args++;
}

void resp_text(struct resp *resp, const char *text)
{
    resp_bytes(resp, text, strlen(text));
}

void resp_number(struct resp *resp, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    resp_text(resp, text);
}

const char *resp_finish(struct resp *resp, size_t *len)
{
    char head[RESP_HEAD_BYTES];
    int head_len = snprintf(head, sizeof(head), "*%u\r\n", resp->args);

    if (resp->full)
        return NULL;
    char *start = resp->bytes + RESP_HEAD_BYTES - head_len;

    memcpy(start, head, (size_t)head_len);
    *len = (size_t)head_len + resp->used - RESP_HEAD_BYTES;
    return start;
}
