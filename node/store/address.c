// address.c: where a Redis is, in text. Numeric only: hiredis resolves names by a call that blocks
// the whole loop.
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "node/store/redis.h"
#include "node/store/reply.h"

static enum err complain(const char *text, struct err_detail *detail)
{
    return err_say(detail, ERR_CONFIG,
                   "store.address: expected unix:/path, 10.0.0.5:6379 or [2001:db8::5]:6379 (an "
                   "address, not a name), "
                   "not '%.200s'",
                   text);
}

static enum err parse_unix(const char *path, struct redis_address *out, struct err_detail *detail)
{
    const size_t path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    if (path[0] != '/' || strlen(path) > path_max)
        return err_say(detail, ERR_CONFIG,
                       "store.address: the path of a unix socket must be absolute and at most %zu "
                       "bytes long, not '%.200s'",
                       path_max, path);
    (void)snprintf(out->host, sizeof(out->host), "%s", path);
    out->port = 0;
    return ERR_NONE;
}

static bool is_numeric(const char *host, int family)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(family, host, bytes) == 1;
}

// host is what stands before the last colon, port what stands after it.
static bool parse_tcp(const char *text, const char *colon, struct redis_address *out)
{
    size_t len = (size_t)(colon - text);
    bool bracketed = len >= 2 && text[0] == '[' && colon[-1] == ']';
    uint64_t port = 0;

    if (bracketed) {
        text++;
        len -= 2;
    }
    if (len >= sizeof(out->host) || !reply_number_parse(colon + 1, &port) || port == 0 ||
        port > 65535)
        return false;
    memcpy(out->host, text, len);
    out->host[len] = '\0';
    out->port = (int)port;
    return is_numeric(out->host, bracketed ? AF_INET6 : AF_INET);
}

enum err redis_address_parse(const char *text, struct redis_address *out, struct err_detail *detail)
{
    const char *colon = strrchr(text, ':');
    struct redis_address address = {.port = 0};

    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, out, detail);
    if (colon == NULL || !parse_tcp(text, colon, &address))
        return complain(text, detail);
    *out = address;
    return ERR_NONE;
}
