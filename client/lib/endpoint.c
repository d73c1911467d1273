// endpoint.c: parsing and resolving of endpoints. Promises: libzmq gets only addresses that it can
// use without a resolver (it would block, and keep the first answer for ever), and whatever is
// wrong is said with the endpoint as it was written.
#include "client/lib/endpoint.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TCP_SCHEME "tcp://"
#define IPC_SCHEME "ipc://"

enum { HOST_MAX = 256, PORT_MAX = 6 };

struct host_port {
    char host[HOST_MAX];
    char port[PORT_MAX];
};

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool port_is_valid(const char *port)
{
    size_t len = strspn(port, "0123456789");
    unsigned number = 0;

    if (len == 0 || len >= PORT_MAX || port[len] != '\0')
        return false;
    for (; *port != '\0'; port++)
        number = number * 10 + (unsigned)(*port - '0');
    return number >= 1 && number <= 65535;
}

// split_host_port: "host:port" and "[v6]:port"; the brackets go. False if it is neither.
static bool split_host_port(const char *text, struct host_port *out)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);

    if (len == 0 || !port_is_valid(colon + 1))
        return false;
    if (host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (memchr(host, ':', len) != NULL) {
        return false; // an IPv6 address without brackets
    }
    if (len == 0 || len >= sizeof(out->host) || memchr(host, '*', len) != NULL)
        return false;
    (void)snprintf(out->host, sizeof(out->host), "%.*s", (int)len, host);
    (void)snprintf(out->port, sizeof(out->port), "%s", colon + 1);
    return true;
}

// prefer_ipv4: the first IPv4 address of the list, else its first address.
static const struct addrinfo *prefer_ipv4(const struct addrinfo *list)
{
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        if (at->ai_family == AF_INET)
            return at;
    }
    return list;
}

static enum err format_tcp(const struct addrinfo *address, struct endpoint *out,
                           const struct host_port *wanted, struct err_detail *detail)
{
    struct endpoint made = {.is_ipv6 = address->ai_family == AF_INET6};
    char host[HOST_MAX];
    int failed = getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), NULL, 0,
                             NI_NUMERICHOST);

    if (failed != 0)
        return err_say(detail, ERR_SYSTEM, "cannot use the address of '%s': %s", wanted->host,
                       gai_strerror(failed));
    (void)snprintf(made.text, sizeof(made.text),
                   made.is_ipv6 ? TCP_SCHEME "[%s]:%s" : TCP_SCHEME "%s:%s", host, wanted->port);
    *out = made;
    return ERR_NONE;
}

static enum err resolve_tcp(const char *text, struct endpoint *out, struct err_detail *detail)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct host_port wanted;
    struct addrinfo *list = NULL;
    enum err err;
    int failed;

    if (!split_host_port(text + strlen(TCP_SCHEME), &wanted))
        return err_say(detail, ERR_CONFIG,
                       "endpoint '%.200s': expected tcp://HOST:PORT with a port of 1 to 65535 and "
                       "an IPv6 address in brackets, like tcp://127.0.0.1:7170 or tcp://[::1]:7170",
                       text);
    failed = getaddrinfo(wanted.host, wanted.port, &hints, &list);
    if (failed != 0)
        return err_say(detail, ERR_SYSTEM,
                       "endpoint '%.200s': cannot find the address of '%s' (%s): check the name, "
                       "or write the address itself",
                       text, wanted.host, gai_strerror(failed));
    err = format_tcp(prefer_ipv4(list), out, &wanted, detail);
    freeaddrinfo(list);
    return err;
}

static enum err resolve_ipc(const char *text, struct endpoint *out, struct err_detail *detail)
{
    const size_t path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    size_t len = strlen(text) - strlen(IPC_SCHEME);

    if (len == 0 || len > path_max)
        return err_say(detail, ERR_CONFIG,
                       "endpoint '%.200s': expected ipc:// and a socket's path of 1 to %zu bytes, "
                       "like ipc:///run/reeve/admin.sock",
                       text, path_max);
    *out = (struct endpoint){.is_ipv6 = false};
    (void)snprintf(out->text, sizeof(out->text), "%s", text);
    return ERR_NONE;
}

enum err endpoint_resolve(const char *text, struct endpoint *out, struct err_detail *detail)
{
    if (has_prefix(text, TCP_SCHEME))
        return resolve_tcp(text, out, detail);
    if (has_prefix(text, IPC_SCHEME))
        return resolve_ipc(text, out, detail);
    return err_say(detail, ERR_CONFIG,
                   "endpoint '%.200s': expected tcp://HOST:PORT or ipc://PATH, like "
                   "tcp://127.0.0.1:7170",
                   text);
}
