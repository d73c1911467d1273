// Fuzzes proto/mail.c behind proto/text.c, as a request does it: any bytes are cleaned, then
// parsed, then made into keys. What is normal must be normal again, and a key of a key's sender
// must not change.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mail.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 16384 };

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void expect_texts(const struct mail_address *address)
{
    expect(text_is_utf8(address->local, strlen(address->local)));
    expect(text_is_utf8(address->base, strlen(address->base)));
    expect(text_is_ascii(address->domain) && strlen(address->domain) <= MAIL_DOMAIN_MAX);
    if (address->flaw != MAIL_OK || address->null)
        expect(address->local[0] == '\0' && address->base[0] == '\0' && address->domain[0] == '\0');
    else
        expect(address->local[0] != '\0' && address->base[0] != '\0');
}

static void expect_keys(const struct mail_address *address, struct arena *arena)
{
    expect(mail_sender_key(address, true, arena)[0] != '\0');
    expect(mail_sender_key(address, false, arena)[0] != '\0');
    expect(mail_recipient_key(address, arena) != NULL);
}

static void expect_normal(const struct mail_address *address, struct arena *arena)
{
    char text[2 * MAIL_ADDRESS_MAX];
    struct mail_address again;
    int len = snprintf(text, sizeof(text), "%s@%s", address->local, address->domain);

    if (address->domain[0] == '\0' || len > MAIL_ADDRESS_MAX)
        return; // postmaster, or what has grown by folding
    expect(mail_parse(text, arena, &again) == ERR_NONE);
    expect(again.flaw == MAIL_OK);
    expect(strcmp(again.domain, address->domain) == 0);
    expect(strcmp(again.local, address->local) == 0 && strcmp(again.base, address->base) == 0);
}

// With any less memory it is ERR_MEMORY or NULL, never more than the arena.
static void try_small_arena(const char *text, size_t bytes)
{
    unsigned char *memory = malloc(bytes);
    struct mail_address address;
    struct arena arena;

    if (memory == NULL)
        return;
    arena_init(&arena, memory, bytes);
    if (mail_parse(text, &arena, &address) == ERR_NONE)
        (void)mail_sender_key(&address, true, &arena);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char memory[ARENA_BYTES];
    char text[MAIL_ADDRESS_MAX + 1];
    struct mail_address address;
    struct arena arena;

    (void)text_clean(text, MAIL_ADDRESS_MAX, (const char *)data, size);
    arena_init(&arena, memory, sizeof(memory));
    expect(mail_parse(text, &arena, &address) == ERR_NONE);
    expect_texts(&address);
    expect_keys(&address, &arena);
    if (address.flaw == MAIL_OK && !address.null)
        expect_normal(&address, &arena);
    try_small_arena(text, size % 700);
    return 0;
}
