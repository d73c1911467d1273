// rspamd_key.h: how rspamd's module greylist names what it stores of an envelope. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { RSPAMD_KEY_MAX = 96, RSPAMD_HASH_LEN = 20 };

// rspamd_key: prefix, "m" and 20 letters of base32 (rspamd's own) of BLAKE2b-512 over the sender (the
// null one as ""), the sorted recipients, and the client's network (IPv4 /19, IPv6 /64). False if the
// client is no address or the prefix is too long. Sorts the recipients.
// Source: rspamd, src/plugins/lua/greylist.lua, envelope_key.
struct rspamd_envelope {
    const char *sender, *client;
    char **recipient;
    size_t count;
};
bool rspamd_key(const char *prefix, const struct rspamd_envelope *envelope,
                char out[RSPAMD_KEY_MAX]);
