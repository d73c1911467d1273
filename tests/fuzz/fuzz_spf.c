// fuzz_spf.c: what strangers publish in DNS -> an outcome of SPF. The input is a script of answers;
// each question of the evaluation takes the next one:
//
//     byte 0: bit 0 = an IPv6 client, bit 1 = the null sender
//     then:   kind, length (2 bytes), bytes
//             kind % 4: 0 = nothing there, 1 = failed, 2 = bytes are a DNS message,
//                       3 = bytes are the data of one record of the type that was asked for
//
// Whatever comes, there is an outcome after a bounded number of questions, each is new, and each
// name is one that DNS can hold.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/spf/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
    const uint8_t *at;
    size_t left;
    unsigned char message[65536 + 64];
    size_t message_len;
};

// wrap: a message with one record around the data.
static void wrap(struct script *script, enum spf_type type, const uint8_t *data, size_t len)
{
    const unsigned char head[] = {0,
                                  0,
                                  0x81,
                                  0x80,
                                  0,
                                  0,
                                  0,
                                  1,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  0,
                                  (unsigned char)type,
                                  0,
                                  1,
                                  0,
                                  0,
                                  0,
                                  60,
                                  (unsigned char)(len >> 8),
                                  (unsigned char)len};

    memcpy(script->message, head, sizeof(head));
    memcpy(script->message + sizeof(head), data, len);
    script->message_len = sizeof(head) + len;
}

static enum dns_state next_answer(struct script *script, enum spf_type type)
{
    size_t len = 0;
    unsigned kind = 0;

    script->message_len = 0;
    if (script->left < 3)
        return DNS_VOID;
    kind = script->at[0] % 4U;
    len = (size_t)script->at[1] << 8 | script->at[2];
    len = len < script->left - 3 ? len : script->left - 3;
    if (kind == 2) {
        memcpy(script->message, script->at + 3, len);
        script->message_len = len;
    } else if (kind == 3) {
        wrap(script, type, script->at + 3, len);
    }
    script->at += 3 + len;
    script->left -= 3 + len;
    return kind == 0 ? DNS_VOID : kind == 1 ? DNS_FAILED : DNS_FOUND;
}

// add: in memory of its exact size, so that a reader beyond its end is found.
static enum err add(struct spf_facts *facts, const struct spf_query *query, struct script *script)
{
    enum dns_state state = next_answer(script, query->type);
    unsigned char *exact = malloc(script->message_len > 0 ? script->message_len : 1);
    enum err err = ERR_NONE;

    assert(exact != NULL);
    memcpy(exact, script->message, script->message_len);
    err = spf_facts_add(facts, query->name, query->type, state, exact, script->message_len);
    free(exact);
    return err;
}

static void run(const struct spf_subject *subject, struct spf_facts *facts, struct script *script)
{
    struct spf_result result = {0};
    unsigned asked = 0;

    spf_facts_init(facts);
    for (;;) {
        spf_evaluate(subject, facts, &result);
        assert((int)result.outcome < (int)SPF_OUTCOMES);
        if (result.outcome != SPF_UNKNOWN)
            return;
        assert(++asked <= SPF_ANSWERS_MAX && spf_name_is_fit(result.query.name));
        assert(spf_facts_find(facts, result.query.name, result.query.type) == NULL);
        if (add(facts, &result.query, script) != ERR_NONE)
            return;
        assert(facts->ttl_s <= SPF_TTL_MAX_S);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script *script = malloc(sizeof(*script));
    struct spf_facts *facts = malloc(sizeof(*facts));
    struct spf_subject subject;
    const unsigned flags = size > 0 ? data[0] : 0;

    assert(script != NULL && facts != NULL);
    script->at = data + (size > 0);
    script->left = size > 0 ? size - 1 : 0;
    assert(spf_subject_init(&subject, (flags & 1) != 0 ? "2001:db8::7" : "192.0.2.7",
                            (flags & 2) != 0 ? "" : "ann.lee+x@mail.sender.example",
                            "mx.helo.example"));
    run(&subject, facts, script);
    free(facts);
    free(script);
    return 0;
}
