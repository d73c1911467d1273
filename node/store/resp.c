// resp.c: builds a command behind room for its head, "*<number of arguments>\r\n", which is written
// last, when the number is known. Promises: no allocation; never writes past the buffer.
#include "node/store/resp.h"

#include <string.h>

#include "proto/text.h"

enum { HEAD_MAX = 1 + TEXT_NUMBER_MAX + 2 };

// "$12\r\n" or "*3\r\n", not terminated; returns its length.
static size_t put_head(char out[HEAD_MAX], char kind, uint64_t number)
{
    size_t len = 1;

    out[0] = kind;
    len += text_number(out + 1, number);
    out[len++] = '\r';
    out[len++] = '\n';
    return len;
}

void resp_begin(struct resp *resp, const char *verb)
{
    resp->args = 0;
    resp->used = RESP_HEAD_BYTES;
    resp->full = false;
    resp_text(resp, verb);
}

void resp_bytes(struct resp *resp, const void *bytes, size_t len)
{
    char head[HEAD_MAX];
    size_t head_len = put_head(head, '$', len);

    if (resp->full || len > RESP_BYTES || head_len + len + 2 > RESP_BYTES - resp->used) {
        resp->full = true;
        return;
    }
    memcpy(resp->bytes + resp->used, head, head_len);
    resp->used += head_len;
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
    char text[TEXT_NUMBER_MAX];

    (void)text_number(text, number);
    resp_text(resp, text);
}

const char *resp_finish(struct resp *resp, size_t *len)
{
    char head[HEAD_MAX];
    size_t head_len = put_head(head, '*', resp->args); // at most 4 digits: an argument takes bytes

    if (resp->full)
        return NULL;
    char *start = resp->bytes + RESP_HEAD_BYTES - head_len;

    memcpy(start, head, head_len);
    *len = head_len + resp->used - RESP_HEAD_BYTES;
    return start;
}
