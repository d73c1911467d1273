// names.c: a direct-mapped table. Promises: the answer is host_identity's, whatever was asked before:
// name and address are compared, not only their hash; who fills the table with names of his own
// only makes the others be worked out again. No allocation after names_new.
#include "node/verbs/names.h"

#include <string.h>

#include "proto/base/mem.h"
#include "proto/host.h"
#include "proto/msg.h"

struct entry {
    struct ip client;
    char name[MSG_CLIENT_NAME_MAX + 1]; // "" = nothing remembered
    char domain[MAIL_DOMAIN_MAX + 1];   // "" = says nothing
};

struct names {
    size_t count;
    uint64_t hits;
    struct entry *entry;
    char too_long[MAIL_DOMAIN_MAX + 1];
};

struct names *names_new(size_t count)
{
    struct names *names = mem_new(sizeof(*names));

    names->count = count;
    names->entry = mem_new_array(count, sizeof(*names->entry));
    return names;
}

void names_free(struct names **names)
{
    if (*names == NULL)
        return;
    mem_free((*names)->entry);
    mem_free(*names);
    *names = NULL;
}

// FNV-1a (Fowler, Noll, Vo): only chooses a place.
static uint32_t hash(uint32_t start, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++)
        start = (start ^ at[i]) * 16777619U;
    return start;
}

static void look_up(const char *client_name, const struct ip *client, char out[MAIL_DOMAIN_MAX + 1])
{
    if (!host_identity(client_name, client, out))
        out[0] = '\0';
}

const char *names_find(struct names *names, const char *client_name, const struct ip *client)
{
    size_t len = strlen(client_name);
    uint32_t place =
        hash(hash(2166136261U, client_name, len), client->bytes, sizeof(client->bytes));
    struct entry *entry = &names->entry[place & (names->count - 1)];

    if (len == 0)
        return "";
    if (len > MSG_CLIENT_NAME_MAX) {
        look_up(client_name, client, names->too_long);
        return names->too_long;
    }
    if (strcmp(entry->name, client_name) == 0 && ip_equal(&entry->client, client)) {
        names->hits++;
        return entry->domain;
    }
    memcpy(entry->name, client_name, len + 1);
    entry->client = *client;
    look_up(client_name, client, entry->domain);
    return entry->domain;
}

uint64_t names_hits(const struct names *names)
{
    return names->hits;
}
