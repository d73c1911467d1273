// Fuzzes node/core/ldap_text.c: the first line is a filter as an operator writes it, the second an address as a mail client
// does. Whatever the address is, a filter without flaw stays one, of as many parentheses.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/ldap_text.h"
#include "proto/mail.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EXPANDED_MAX = 3 * (MAIL_ADDRESS_MAX + 1) * (LDAP_TEXT_MAX / 2) + LDAP_TEXT_MAX };

static char expanded[EXPANDED_MAX + 1];
static uint8_t memory[1 << 16];

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static unsigned count(const char *text, char wanted)
{
    unsigned found = 0;

    for (; *text != '\0'; text++)
        found += *text == wanted;
    return found;
}

static void try_filter(const char *filter, const struct mail_address *address)
{
    struct text_buf out;

    text_buf_init(&out, expanded, sizeof(expanded));
    ldap_text_expand(LDAP_TEXT_FILTER, filter, address->base, address->domain, &out);
    expect(!out.full);
    expect(ldap_text_is_filter(expanded));
    expect(count(expanded, '(') == count(filter, '(') &&
           count(expanded, ')') == count(filter, ')'));
    expect(count(expanded, '*') == count(filter, '*'));
}

static void try_base(const char *base, const struct mail_address *address)
{
    struct text_buf out;

    text_buf_init(&out, expanded, sizeof(expanded));
    ldap_text_expand(LDAP_TEXT_BASE, base, address->base, address->domain, &out);
    expect(!out.full);
    expect(count(expanded, ',') == count(base, ',') && count(expanded, '+') == count(base, '+'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    const size_t first = end != NULL ? (size_t)(end - data) : size;
    char text[LDAP_TEXT_MAX + 2];
    char given[MAIL_ADDRESS_MAX + 1];
    struct mail_address address;
    struct arena arena;

    if (first > LDAP_TEXT_MAX + 1)
        return 0;
    memcpy(text, data, first);
    text[first] = '\0';
    (void)text_clean(given, MAIL_ADDRESS_MAX, end != NULL ? (const char *)end + 1 : "",
                     end != NULL ? size - first - 1 : 0);
    arena_init(&arena, memory, sizeof(memory));
    if (mail_parse(given, &arena, &address) != ERR_NONE || address.flaw != MAIL_OK)
        return 0;
    if (ldap_text_flaw(LDAP_TEXT_FILTER, text) == NULL)
        try_filter(text, &address);
    if (ldap_text_flaw(LDAP_TEXT_BASE, text) == NULL)
        try_base(text, &address);
    return 0;
}
