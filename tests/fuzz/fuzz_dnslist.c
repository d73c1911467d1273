// fuzz_dnslist.c: what a DNS list answers -> is it a hit? The input: a byte whose lowest bits say what the resolver made of it, then the
// message.
//
// Whatever comes, an answer has as many codes as it says, an error code is never among those of a listing, and what is no listing is
// never a hit.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/dnslist/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dnslist_answer *answer)
{
    static const struct policy_dns_code codes[] = {{0x7f000000, 0x7fffffff}, {0, UINT32_MAX}};
    const struct policy_dns_list any = {.zone = "bl.example"};
    const struct policy_dns_list all = {.zone = "bl.example", .code = codes, .code_count = 2};
    const struct facts_list by_any = dnslist_judge(&any, answer);
    const struct facts_list by_all = dnslist_judge(&all, answer);
    const bool is_listed = answer->said == DNSLIST_LISTED;

    assert(answer->count <= DNSLIST_CODES_MAX);
    assert((answer->count > 0) == (is_listed || answer->said == DNSLIST_UNSOUND));
    for (unsigned i = 0; i < answer->count; i++)
        assert(dnslist_is_error(answer->code[i]) == !is_listed);
    assert((by_any.said == FACTS_LIST_HIT) == is_listed && by_all.said == by_any.said);
    assert(by_any.code == (is_listed ? answer->code[0] : 0));
    assert((by_any.said == FACTS_LIST_CLEAR) == (answer->said == DNSLIST_CLEAR));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t len = size > 0 ? size - 1 : 0;
    const enum dns_state state = size > 0 ? (enum dns_state)(data[0] % 3) : DNS_VOID;
    unsigned char *exact = malloc(len > 0 ? len : 1); // so that a reader beyond its end is found
    struct dnslist_answer answer;

    assert(exact != NULL);
    memcpy(exact, data + (size > 0), len);
    const struct dns_reply reply = {.state = state, .bytes = exact, .len = len};

    dnslist_answer_read(&reply, &answer);
    check(&answer);
    if (state == DNS_FAILED)
        assert(answer.said == DNSLIST_FAILED);
    if (state == DNS_VOID)
        assert(answer.said == DNSLIST_CLEAR);
    free(exact);
    return 0;
}
