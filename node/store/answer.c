// answer.c: what another server said of a recipient, kept for all nodes. Promises: nobody waits for it; what is lost is
// asked for again.
//
//     HSET v:{address} answer "<+|-> <until_ms>[ <mailbox>]"     EXPIREAT v:{address} NX     EXPIREAT v:{address} GT
//
// The key has another field (`learnt`) with a life of its own, so its expiry is only ever moved on. GT alone would do
// nothing to a key that has none yet.
#include "node/store/inside.h"

static void put_expiry(struct store *store, const char *key, uint64_t at_ms, const char *when)
{
    struct resp resp;

    store_put_expiry(&resp, key, at_ms);
    resp_text(&resp, when);
    store_send(store, &resp);
}

void store_write_answer(struct store *store, const char *address,
                        const struct person_answer *answer, const char *mailbox)
{
    char key[PERSON_KEY_MAX];
    char value[PERSON_ANSWER_MAX];
    struct resp resp;

    (void)person_answer_key(address, key);
    resp_begin(&resp, "HSET");
    resp_text(&resp, key);
    resp_text(&resp, PERSON_ANSWER_FIELD);
    resp_bytes(&resp, value, person_answer_write(answer, mailbox, value));
    store_send(store, &resp);
    if (!store_keeps_expiry(store))
        return;
    put_expiry(store, key, answer->until_ms, "NX");
    put_expiry(store, key, answer->until_ms, "GT");
}
