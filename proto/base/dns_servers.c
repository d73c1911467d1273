// dns_servers.c: what a name server is written as. Apart from dns.c, so that who only checks a file needs no c-ares.
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/dns.h"
#include "proto/ip.h"

static bool is_port(const char *text)
{
    char *end = NULL;
    long port = strtol(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port > 0 && port <= 65535;
}

// is_server: 192.0.2.1:53 or [2001:db8::1]:53.
static bool is_server(const char *text)
{
    const char *colon = strrchr(text, ':');
    const size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    const bool is_bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    unsigned char bytes[16];
    char address[IP_TEXT_MAX];

    if (colon == NULL || len >= sizeof(address) || !is_port(colon + 1))
        return false;
    memcpy(address, text + is_bracketed, len - 2 * (size_t)is_bracketed);
    address[len - 2 * (size_t)is_bracketed] = '\0';
    return inet_pton(is_bracketed ? AF_INET6 : AF_INET, address, bytes) == 1;
}

enum err dns_servers_check(const struct yaml_texts *servers, struct err_detail *detail)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (!is_server(servers->text[i]))
            return err_say(detail, ERR_CONFIG,
                           "'%s' is no name server: write 127.0.0.1:53 or [::1]:53",
                           servers->text[i]);
    }
    return ERR_NONE;
}
