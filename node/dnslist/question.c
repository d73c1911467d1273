// question.c: see question.h. Promises: nothing is cut: a name that is too long is not asked for.
#include "node/dnslist/question.h"

#include <stdio.h>

enum { REVERSE_MAX = 65 }; // 32 nibbles and their dots

static const char *reverse(const struct ip *ip, char out[REVERSE_MAX])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;

    if (ip->family == 4) {
        (void)snprintf(out, REVERSE_MAX, "%u.%u.%u.%u.", ip->bytes[3], ip->bytes[2], ip->bytes[1],
                       ip->bytes[0]);
        return out;
    }
    for (size_t i = sizeof(ip->bytes); i-- > 0;) {
        *at++ = digits[ip->bytes[i] & 15];
        *at++ = '.';
        *at++ = digits[ip->bytes[i] >> 4];
        *at++ = '.';
    }
    *at = '\0';
    return out;
}

static bool join(const char *left, const char *dot, const char *zone, char out[DNSLIST_NAME_MAX])
{
    const int len = snprintf(out, DNSLIST_NAME_MAX, "%s%s%s", left, dot, zone);

    return len > 0 && len < DNSLIST_NAME_MAX;
}

bool dnslist_name(const struct policy_dns_list *list, const struct ip *client, const char *domain,
                  char out[DNSLIST_NAME_MAX])
{
    char address[REVERSE_MAX + 1];

    if (list->of_sender) // an address literal is no name
        return domain[0] != '\0' && domain[0] != '[' && join(domain, ".", list->zone, out);
    return client->family != 0 && join(reverse(client, address), "", list->zone, out);
}

bool dnslist_test_name(const char *zone, bool of_sender, enum dnslist_test test,
                       char out[DNSLIST_NAME_MAX])
{
    static const char *const names[2][2] = {
        [DNSLIST_NEVER] = {"1.0.0.127", "invalid"}, [DNSLIST_ALWAYS] = {"2.0.0.127", "test"}};

    return join(names[test][of_sender ? 1 : 0], ".", zone, out);
}
