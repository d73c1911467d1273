// rspamd_key.c: see rspamd_key.h.
#include "client/ctl/import/rspamd_key.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ip.h"

enum { HASH_BYTES = 64, MASK_IPV4 = 19, MASK_IPV6 = 64 };

// encode: rspamd's base32: the letters of z-base-32, five bits at a time from the low end of each byte.
static void encode(const unsigned char *bytes, char out[RSPAMD_HASH_LEN + 1])
{
    static const char letters[] = "ybndrfg8ejkmcpqxot1uwisza345h769";
    unsigned remain = 0, bits = 0;

    for (size_t i = 0; i < RSPAMD_HASH_LEN; i++) {
        if (bits < 5) {
            remain |= (unsigned)*bytes++ << bits;
            bits += 8;
        }
        out[i] = letters[remain & 31];
        remain >>= 5;
        bits -= 5;
    }
    out[RSPAMD_HASH_LEN] = '\0';
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add(crypto_generichash_state *state, const char *text)
{
    (void)crypto_generichash_update(state, (const unsigned char *)text, strlen(text));
}

bool rspamd_key(const char *prefix, const struct rspamd_envelope *envelope,
                char out[RSPAMD_KEY_MAX])
{
    crypto_generichash_state state;
    unsigned char hash[HASH_BYTES];
    char text[RSPAMD_HASH_LEN + 1];
    char net_text[IP_TEXT_MAX];
    struct ip_net net;
    struct ip ip;

    if (!ip_parse(envelope->client, &ip) || strlen(prefix) + 1 + RSPAMD_HASH_LEN >= RSPAMD_KEY_MAX)
        return false;
    net = ip_net_of(&ip, ip.family == 4 ? MASK_IPV4 : MASK_IPV6);
    qsort((void *)envelope->recipient, envelope->count, sizeof(char *), compare);
    (void)crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
    add(&state, envelope->sender);
    for (size_t i = 0; i < envelope->count; i++)
        add(&state, envelope->recipient[i]);
    add(&state, ip_format(&net.ip, net_text));
    (void)crypto_generichash_final(&state, hash, HASH_BYTES);
    encode(hash, text);
    (void)snprintf(out, RSPAMD_KEY_MAX, "%sm%s", prefix, text);
    return true;
}
