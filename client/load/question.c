// question.c: see question.h. Promises: same numbers, same bytes. Letters only, because the node
// folds digits in a sender (fold_sender), which would make one triplet of many.
#include "client/load/question.h"

#include <assert.h>
#include <string.h>

#include "proto/base/mem.h"
#include "proto/wire.h"

// Where text differs the template holds these; nothing else in it looks like them.
#define LOCAL_PLACE  "QQQQQQQQQQQQQQ"
#define DOMAIN_PLACE "XXXXXX"
#define IP_PLACE     "198.100.100.100"
// A sender's machines are a provider's: SPF passes for another domain than their names are of.
#define HOST_SUFFIX "-host.example"

enum {
    DOMAINS = 50000,  // of the senders
    SEED_LETTERS = 6, // of the local part, behind the letter of its kind; the rest is the number
    ID_BYTES = 5,
    MEMORY_BYTES = 1 << 14,
};

uint64_t question_mix(uint64_t number)
{
    number += 0x9e3779b97f4a7c15U;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
    return number ^ (number >> 31);
}

// ---- the template

static struct msg_request describe(enum question_identity identity, enum msg_stage stage,
                                   uint32_t budget_ms)
{
    static const char *const recipients[] = {QUESTION_RECIPIENT};
    bool named = identity != QUESTION_NET;
    bool passed = identity == QUESTION_SPF;
    bool ours = identity == QUESTION_LOGIN;
    size_t total = stage == MSG_MAIL ? 0 : 1;

    return (struct msg_request){
        .id = QUESTION_ID_MIN,
        .budget_ms = budget_ms,
        .gateway = "load",
        .verb = MSG_CHECK,
        .check =
            {
                .stage = stage,
                .client_ip = IP_PLACE,
                .client_name = named ? "mx." DOMAIN_PLACE HOST_SUFFIX : "",
                .helo = "mx." DOMAIN_PLACE HOST_SUFFIX,
                .auth_user = ours ? LOCAL_PLACE "@" QUESTION_OURS : "",
                .sender =
                    ours ? LOCAL_PLACE "@" QUESTION_OURS : LOCAL_PLACE "@" DOMAIN_PLACE ".example",
                .recipients = recipients,
                .recipient_total = total,
                .recipient_count = (uint32_t)total,
                .spf = passed ? MSG_AUTH_PASS : MSG_AUTH_UNSPECIFIED,
                .spf_domain = passed ? DOMAIN_PLACE ".example" : "",
            },
    };
}

// The offset of the next place at or behind from, or the template's length.
static size_t find(const struct question_template *template, size_t from, const char *place)
{
    const unsigned char *found =
        memmem(template->bytes + from, template->len - from, place, strlen(place));

    return found == NULL ? template->len : (size_t)(found - template->bytes);
}

static unsigned find_all(const struct question_template *template, const char *place,
                         size_t out[QUESTION_COPIES])
{
    unsigned count = 0;

    for (size_t at = find(template, 0, place); at < template->len && count < QUESTION_COPIES;
         at = find(template, at + 1, place))
        out[count++] = at;
    return count;
}

static void encode_template(struct question_template *out, const struct msg_request *request)
{
    static unsigned char memory[MEMORY_BYTES];
    struct arena arena;

    *out = (struct question_template){.len = 0};
    arena_init(&arena, memory, sizeof(memory));
    enum err err = wire_encode_request(request, &arena, out->bytes, sizeof(out->bytes), &out->len);

    assert(err == ERR_NONE);
    (void)err;
    out->ip = find(out, 0, IP_PLACE);
    out->locals = find_all(out, LOCAL_PLACE, out->local);
    out->domains = find_all(out, DOMAIN_PLACE, out->domain);
}

void question_template_init(struct question_template *out, enum question_identity identity,
                            enum msg_stage stage, uint32_t budget_ms)
{
    const struct msg_request request = describe(identity, stage, budget_ms);

    encode_template(out, &request);
}

void question_template_sent(struct question_template *out, uint32_t budget_ms)
{
    static const char *const recipients[] = {LOCAL_PLACE "@" DOMAIN_PLACE ".example"};
    const struct msg_request request = {
        .id = QUESTION_ID_MIN,
        .budget_ms = budget_ms,
        .gateway = "load",
        .verb = MSG_SENT,
        .sent = {.auth_user = LOCAL_PLACE "@" QUESTION_OURS,
                 .client_ip = IP_PLACE,
                 .sender = LOCAL_PLACE "@" QUESTION_OURS,
                 .recipients = recipients,
                 .recipient_total = 1},
    };

    encode_template(out, &request);
}

void question_template_report(struct question_template *out, uint32_t budget_ms)
{
    const struct msg_request request = {
        .id = QUESTION_ID_MIN,
        .budget_ms = budget_ms,
        .gateway = "load",
        .verb = MSG_REPORT,
        .report = {.event = LOCAL_PLACE,
                   .evidence = MSG_SPAM,
                   .client_ip = IP_PLACE,
                   .sender = LOCAL_PLACE "@" DOMAIN_PLACE ".example",
                   .spf = MSG_AUTH_PASS,
                   .spf_domain = DOMAIN_PLACE ".example"},
    };

    encode_template(out, &request);
    out->evidence = out->local[0] + QUESTION_LOCAL + 1; // behind the event and its own tag
    assert(out->bytes[out->evidence] == MSG_SPAM);
}

// ---- what differs

static void put_letters(char *out, unsigned count, uint64_t number)
{
    for (unsigned i = 0; i < count; i++, number /= 26)
        out[i] = (char)('a' + number % 26);
}

// Three digits at a place of the address: 100 to 199.
static void put_octet(char *out, uint64_t number)
{
    out[0] = '1';
    out[1] = (char)('0' + number / 10 % 10);
    out[2] = (char)('0' + number % 10);
}

// A domain sends from one network.
static void put_client(struct question_text *out, uint64_t number)
{
    uint64_t domain = question_mix(number) % DOMAINS;

    put_letters(out->domain, QUESTION_DOMAIN, domain);
    memcpy(out->ip, IP_PLACE, QUESTION_IP);
    put_octet(out->ip + 4, domain / 100);
    put_octet(out->ip + 8, domain);
    put_octet(out->ip + 12, number);
}

static void put_local(struct question_text *out, char kind, uint64_t seed, uint64_t number)
{
    out->local[0] = kind;
    put_letters(out->local + 1, SEED_LETTERS, question_mix(seed));
    put_letters(out->local + 1 + SEED_LETTERS, QUESTION_LOCAL - 1 - SEED_LETTERS, number);
}

void question_known(uint64_t number, struct question_text *out)
{
    put_local(out, 'k', 0, number);
    put_client(out, number);
}

void question_stranger(uint64_t seed, uint64_t number, struct question_text *out)
{
    put_local(out, 'n', seed, number);
    put_client(out, question_mix(seed) + number);
}

// ---- encoding

// The id is the request's first field: its tag is one byte, then seven bits a byte, lowest first
// (protobuf's varint).
static void put_id(unsigned char *bytes, uint64_t id)
{
    for (unsigned i = 0; i < ID_BYTES; i++, id >>= 7)
        bytes[1 + i] = (unsigned char)((id & 0x7f) | (i + 1 < ID_BYTES ? 0x80 : 0));
}

size_t question_encode(const struct question_template *template, const struct question_text *text,
                       uint64_t id, unsigned char out[QUESTION_BYTES_MAX])
{
    memcpy(out, template->bytes, template->len);
    put_id(out, id);
    memcpy(out + template->ip, text->ip, QUESTION_IP);
    for (unsigned i = 0; i < template->locals; i++)
        memcpy(out + template->local[i], text->local, QUESTION_LOCAL);
    for (unsigned i = 0; i < template->domains; i++)
        memcpy(out + template->domain[i], text->domain, QUESTION_DOMAIN);
    if (template->evidence != 0)
        out[template->evidence] = text->ip[QUESTION_IP - 1] % 2 == 0 ? MSG_SPAM : MSG_HAM;
    return template->len;
}
