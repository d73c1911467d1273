// Fuzzes proto/host.c: a name that a client's DNS chose, behind proto/text.c as a request cleans it, with an address of either family.
// Whatever it is, the answer is a domain of that name, the same again for itself, or nothing and the buffer as it was.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/host.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ADDRESS_BYTES = 4, NAME_MAX_BYTES = 1000 };

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void try_name(const char *name, const struct ip *ip)
{
    char domain[MAIL_DOMAIN_MAX + 1] = "untouched";
    char again[MAIL_DOMAIN_MAX + 1] = "";
    char host[MAIL_DOMAIN_MAX + 1];

    if (!host_identity(name, ip, domain)) {
        expect(strcmp(domain, "untouched") == 0);
        return;
    }
    expect(mail_domain_normalise(name, host));
    size_t host_len = strlen(host);
    size_t domain_len = strlen(domain);

    expect(domain_len > 0 && domain_len <= host_len);
    expect(strcmp(host + host_len - domain_len, domain) == 0);
    expect(domain_len == host_len || host[host_len - domain_len - 1] == '.');
    expect(host_identity(domain, ip, again) && strcmp(again, domain) == 0);
}

// The first bytes are the IPv4 address, the rest the name.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ip v4 = {.family = 4};
    struct ip v6 = {.family = 6};
    char name[NAME_MAX_BYTES + 1];

    if (size < ADDRESS_BYTES)
        return 0;
    memcpy(v4.bytes, data, ADDRESS_BYTES);
    memcpy(v6.bytes, data, ADDRESS_BYTES);
    (void)text_clean(name, NAME_MAX_BYTES, (const char *)data + ADDRESS_BYTES,
                     size - ADDRESS_BYTES);
    try_name(name, &v4);
    try_name(name, &v6);
    return 0;
}
