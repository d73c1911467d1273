// Fuzzes the decoders of proto/wire.h. The first byte chooses the decoder and the size of the
// arena. Whatever was decoded is encoded, decoded and encoded again: both encodings must be the
// same bytes, so nothing is lost or changed on the way.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 8 << 20, ENCODED_BYTES = 2 << 20 };

enum kind { REQUEST, REPLY, STATS, EVENT };

union decoded {
    struct msg_request request;
    struct msg_reply reply;
    struct msg_stats stats;
    struct msg_event event;
};

struct encoded {
    unsigned char bytes[ENCODED_BYTES];
    size_t len;
};

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static enum err decode(enum kind kind, void *bytes, size_t len, struct arena *arena,
                       union decoded *out)
{
    struct err_detail detail = {""};
    enum err err = ERR_SYSTEM;

    switch (kind) {
    case REQUEST:
        err = wire_decode_request(bytes, len, arena, &out->request, &detail);
        break;
    case REPLY:
        err = wire_decode_reply(bytes, len, arena, &out->reply, &detail);
        break;
    case STATS:
        err = wire_decode_stats(bytes, len, arena, &out->stats, &detail);
        break;
    case EVENT:
        err = wire_decode_event(bytes, len, arena, &out->event, &detail);
        break;
    }
    expect(err == ERR_NONE || err == ERR_SYNTAX || err == ERR_LIMIT || err == ERR_MEMORY);
    expect((err == ERR_NONE) == (detail.text[0] == '\0'));
    return err;
}

static enum err encode(enum kind kind, const union decoded *from, struct encoded *out)
{
    static unsigned char memory[ARENA_BYTES];
    struct arena scratch;

    arena_init(&scratch, memory, sizeof(memory));
    switch (kind) {
    case REQUEST:
        return wire_encode_request(&from->request, &scratch, out->bytes, sizeof(out->bytes),
                                   &out->len);
    case REPLY:
        return wire_encode_reply(&from->reply, &scratch, out->bytes, sizeof(out->bytes), &out->len);
    case STATS:
        return wire_encode_stats(&from->stats, &scratch, out->bytes, sizeof(out->bytes), &out->len);
    case EVENT:
        return wire_encode_event(&from->event, &scratch, out->bytes, sizeof(out->bytes), &out->len);
    }
    return ERR_SYSTEM;
}

static void expect_clean(const char *text, size_t limit)
{
    expect(text != NULL && text_is_clean(text, strlen(text), limit));
}

static void expect_sent(const struct msg_sent *sent)
{
    expect_clean(sent->transaction, MSG_TRANSACTION_MAX);
    expect_clean(sent->auth_user, MSG_AUTH_USER_MAX);
    expect_clean(sent->client_ip, 64);
    expect_clean(sent->sender, MSG_ADDRESS_MAX);
    expect(sent->recipient_total <= MSG_RECIPIENTS_MAX && sent->header_count <= MSG_HEADERS_MAX);
    for (size_t i = 0; i < sent->recipient_total; i++)
        expect_clean(sent->recipients[i], MSG_ADDRESS_MAX);
    for (size_t i = 0; i < sent->header_count; i++) {
        expect_clean(sent->headers[i].name, MSG_HEADER_NAME_MAX);
        expect_clean(sent->headers[i].value, MSG_HEADER_VALUE_MAX);
    }
}

static void expect_report(const struct msg_report *report, bool is_asked)
{
    expect_clean(report->event, MSG_EVENT_MAX);
    expect_clean(report->client_ip, 64);
    expect_clean(report->sender, MSG_ADDRESS_MAX);
    expect_clean(report->recipient, MSG_ADDRESS_MAX);
    expect_clean(report->spf_domain, 255);
    expect_clean(report->country, 2);
    expect(report->weight >= 0 && report->weight <= MSG_WEIGHT_MAX); // so it is a number
    expect(report->evidence <= MSG_UNKNOWN_RECIPIENT);
    expect(!is_asked || (report->event[0] != '\0' && report->evidence != MSG_NO_EVIDENCE));
}

// What every reader of a request relies on.
static void expect_request(const struct msg_request *request)
{
    const struct msg_check *check = &request->check;

    expect(request->verb != MSG_NONE);
    expect_clean(request->gateway, MSG_GATEWAY_MAX);
    expect_clean(check->transaction, MSG_TRANSACTION_MAX);
    expect_clean(check->client_ip, 64);
    expect_clean(check->client_name, MSG_CLIENT_NAME_MAX);
    expect_clean(check->helo, MSG_HELO_MAX);
    expect_clean(check->auth_user, MSG_AUTH_USER_MAX);
    expect_clean(check->sender, MSG_ADDRESS_MAX);
    expect(check->stage != MSG_STAGE_UNSPECIFIED && check->recipient_total <= MSG_RECIPIENTS_MAX);
    for (size_t i = 0; i < check->recipient_total; i++)
        expect_clean(check->recipients[i], MSG_ADDRESS_MAX);
    expect_sent(&request->sent);
    expect_report(&request->report, request->verb == MSG_REPORT);
    expect(request->admin.arg_count <= MSG_ADMIN_ARGS_MAX);
}

static void expect_the_same_bytes(enum kind kind, const union decoded *from)
{
    static unsigned char memory[ARENA_BYTES];
    static struct encoded first;
    static struct encoded second;
    struct arena arena;
    union decoded again;

    if (encode(kind, from, &first) != ERR_NONE)
        return; // a copy of it may need more room than it came in
    arena_init(&arena, memory, sizeof(memory));
    memcpy(second.bytes, first.bytes, first.len);
    if (decode(kind, second.bytes, first.len, &arena, &again) != ERR_NONE)
        abort();
    expect(encode(kind, &again, &second) == ERR_NONE);
    expect(first.len == second.len && memcmp(first.bytes, second.bytes, first.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char memory[ARENA_BYTES];
    enum kind kind = REQUEST;
    struct arena arena;
    union decoded decoded;
    unsigned char *bytes;

    if (size == 0)
        return 0;
    bytes = malloc(size - 1);
    if (bytes == NULL)
        return 0;
    kind = (enum kind)(data[0] & 3);
    arena_init(&arena, memory, data[0] < 0x80 ? sizeof(memory) : (size_t)(data[0] & 0x7C) * 16);
    memcpy(bytes, data + 1, size - 1);
    if (decode(kind, bytes, size - 1, &arena, &decoded) == ERR_NONE) {
        if (kind == REQUEST)
            expect_request(&decoded.request);
        expect_the_same_bytes(kind, &decoded);
    }
    free(bytes);
    return 0;
}
