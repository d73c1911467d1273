// Fuzzes node/probe/smtp_reply.c: what an SMTP server says. The first byte is the size of the pieces in which the rest
// comes: the same replies are read, however they were cut.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/probe/smtp_reply.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPLIES_MAX = 64 };

struct heard {
    size_t count;
    enum smtp_read last;
    struct smtp_reply reply[REPLIES_MAX];
};

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void look_at(const struct smtp_reply *reply)
{
    char memory[64];
    struct text_buf text;

    expect(reply->code >= 200 && reply->code <= 599);
    expect(reply->subject >= 0 && reply->subject <= 999 && reply->detail >= 0 &&
           reply->detail <= 999);
    expect(text_is_clean(reply->text, strlen(reply->text), SMTP_TEXT_MAX));
    expect((smtp_reply_says(reply) == FACTS_EXISTS) == (reply->code < 300));
    expect(smtp_reply_says(reply) != FACTS_NOBODY || reply->code >= 500);
    text_buf_init(&text, memory, sizeof(memory));
    smtp_reply_put(reply, &text);
    expect(text.used >= 3 && text_is_utf8(memory, text.used));
}

static void hear(const char *bytes, size_t len, size_t piece, struct heard *out)
{
    struct smtp_reader reader;
    size_t at = 0;

    smtp_reader_reset(&reader);
    out->count = 0;
    out->last = SMTP_MORE;
    while (at < len && out->last != SMTP_GARBAGE && out->count < REPLIES_MAX) {
        size_t used = 0;
        const size_t left = len - at < piece ? len - at : piece;

        out->last = smtp_reader_take(&reader, bytes + at, left, &used);
        expect(used <= left && (used == left || out->last != SMTP_MORE) &&
               reader.used <= SMTP_LINE_MAX);
        at += used;
        if (out->last != SMTP_REPLY)
            continue;
        look_at(&reader.reply);
        out->reply[out->count++] = reader.reply;
        smtp_reader_reset(&reader);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct heard whole, pieces;
    const char *bytes = (const char *)data + 1;

    if (size < 2)
        return 0;
    hear(bytes, size - 1, size, &whole);
    hear(bytes, size - 1, data[0] % 8 + 1U, &pieces);
    expect(whole.count == pieces.count && whole.last == pieces.last);
    for (size_t i = 0; i < whole.count; i++)
        expect(whole.reply[i].code == pieces.reply[i].code &&
               strcmp(whole.reply[i].text, pieces.reply[i].text) == 0 &&
               whole.reply[i].starttls == pieces.reply[i].starttls);
    return 0;
}
