// Fuzzes proto/ip.c: whatever parses is written in one canonical form, which parses to the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void try_address(const char *text)
{
    char written[IP_TEXT_MAX];
    struct ip ip;
    struct ip again;

    if (!ip_parse(text, &ip))
        return;
    expect(ip_parse(ip_format(&ip, written), &again));
    expect(ip_equal(&ip, &again));
    for (unsigned bits = 0; bits <= 129; bits++) {
        struct ip_net net = ip_net_of(&ip, bits);

        expect(ip_net_contains(&net, &ip) && ip_net_compare(&net, &net) == 0);
    }
}

static void try_net(const char *text)
{
    char written[IP_NET_TEXT_MAX];
    struct err_detail detail = {""};
    struct ip_net net;
    struct ip_net again;

    if (ip_net_parse(text, &net, &detail) != ERR_NONE) {
        expect(detail.text[0] != '\0');
        return;
    }
    expect(ip_net_contains(&net, &net.ip));
    expect(ip_net_parse(ip_net_format(&net, written), &again, NULL) == ERR_NONE);
    expect(ip_net_compare(&net, &again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    try_address(text);
    try_net(text);
    free(text);
    return 0;
}
