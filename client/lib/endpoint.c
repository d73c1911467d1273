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

enum { LABEL_MAX = 63, LOOKUP_MAX = 256 };

struct host_port {
    struct endpoint_name name;
    bool in_brackets;
};

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool port_is_valid(const char *port)
{
    size_t len = strspn(port, "0123456789");
    unsigned number = 0;

    if (len == 0 || len >= ENDPOINT_PORT_MAX || port[len] != '\0')
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
    out->in_brackets = host[0] == '[' && host[len - 1] == ']';
    if (out->in_brackets) {
        host++;
        len -= 2;
    } else if (memchr(host, ':', len) != NULL) {
        return false; // an IPv6 address without brackets
    }
    if (len == 0 || len >= sizeof(out->name.host) || memchr(host, '*', len) != NULL)
        return false;
    (void)snprintf(out->name.host, sizeof(out->name.host), "%.*s", (int)len, host);
    (void)snprintf(out->name.port, sizeof(out->name.port), "%s", colon + 1);
    return true;
}

// is_host_name: labels of letters, digits, - and _ with dots between. A last label of digits alone
// is no top-level domain but an IPv4 address with a mistake in it.
static bool is_host_name(const char *host)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    static const char digits[] = "0123456789";
    bool is_number = true;

    while (*host != '\0') {
        size_t len = strcspn(host, ".");

        if (len == 0 || len > LABEL_MAX)
            return false;
        is_number = strspn(host, digits) == len;
        for (size_t i = 0; i < len; i++) {
            if (strchr(letters, host[i]) == NULL && strchr(digits, host[i]) == NULL)
                return false;
        }
        host += len;
        host += *host == '.';
    }
    return !is_number;
}

static bool format_tcp(const struct addrinfo *address, const char *port, struct endpoint *out)
{
    struct endpoint made = {.is_ipv6 = address->ai_family == AF_INET6};
    char host[NI_MAXHOST];

    if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), NULL, 0,
                    NI_NUMERICHOST) != 0 ||
        strlen(host) > ENDPOINT_HOST_MAX)
        return false;
    (void)snprintf(made.text, sizeof(made.text),
                   made.is_ipv6 ? TCP_SCHEME "[%.254s]:%s" : TCP_SCHEME "%.254s:%s", host, port);
    *out = made;
    return true;
}

// format_numeric: the address itself as libzmq wants it. False: it is none. Asks no resolver.
static bool format_numeric(const struct host_port *wanted, struct endpoint *out)
{
    const struct addrinfo hints = {
        .ai_family = wanted->in_brackets ? AF_INET6 : AF_INET,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
    };
    struct addrinfo *list = NULL;
    bool done;

    if (getaddrinfo(wanted->name.host, wanted->name.port, &hints, &list) != 0)
        return false;
    done = format_tcp(list, wanted->name.port, out);
    freeaddrinfo(list);
    return done;
}

static enum err parse_tcp(const char *text, struct endpoint *out, struct endpoint_name *name,
                          struct err_detail *detail)
{
    struct host_port wanted = {.in_brackets = false};

    if (!split_host_port(text + strlen(TCP_SCHEME), &wanted))
        return err_say(detail, ERR_CONFIG,
                       "endpoint '%.200s': expected tcp://HOST:PORT with a port of 1 to 65535 and "
                       "an IPv6 address in brackets, like tcp://127.0.0.1:7170 or tcp://[::1]:7170",
                       text);
    if (format_numeric(&wanted, out)) {
        name->host[0] = '\0';
        return ERR_NONE;
    }
    if (wanted.in_brackets || !is_host_name(wanted.name.host))
        return err_say(detail, ERR_CONFIG,
                       "endpoint '%.200s': '%.100s' is neither a host name nor an address: check "
                       "the spelling, or write an address like tcp://127.0.0.1:7170",
                       text, wanted.name.host);
    *name = wanted.name;
    out->text[0] = '\0';
    return ERR_NONE;
}

static enum err parse_ipc(const char *text, struct endpoint *out, struct endpoint_name *name,
                          struct err_detail *detail)
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
    name->host[0] = '\0';
    return ERR_NONE;
}

enum err endpoint_parse(const char *text, struct endpoint *out, struct endpoint_name *name,
                        struct err_detail *detail)
{
    if (has_prefix(text, TCP_SCHEME))
        return parse_tcp(text, out, name, detail);
    if (has_prefix(text, IPC_SCHEME))
        return parse_ipc(text, out, name, detail);
    return err_say(detail, ERR_CONFIG,
                   "endpoint '%.200s': expected tcp://HOST:PORT or ipc://PATH, like "
                   "tcp://127.0.0.1:7170",
                   text);
}

// ---- names

static bool is_known(const struct endpoint *list, size_t count, const struct endpoint *one)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].text, one->text) == 0)
            return true;
    }
    return false;
}

static size_t keep_addresses(const struct addrinfo *list, const char *port, struct endpoint *out,
                             size_t max)
{
    size_t count = 0;

    for (; list != NULL && count < max; list = list->ai_next) {
        if ((list->ai_family == AF_INET || list->ai_family == AF_INET6) &&
            format_tcp(list, port, &out[count]) && !is_known(out, count, &out[count]))
            count++;
    }
    return count;
}

enum err endpoint_lookup(const struct endpoint_name *name, struct endpoint *out, size_t max,
                         size_t *count, struct err_detail *detail)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    size_t found = 0;
    int failed = getaddrinfo(name->host, name->port, &hints, &list);

    if (failed == 0) {
        found = keep_addresses(list, name->port, out, max);
        freeaddrinfo(list);
    }
    if (failed == 0 && found > 0) {
        *count = found;
        return ERR_NONE;
    }
    return err_say(detail,
                   failed == EAI_NONAME || failed == EAI_NODATA || failed == 0 ? ERR_NOT_FOUND
                                                                               : ERR_SYSTEM,
                   "cannot find the address of '%s' (%s): check the name, or write the address "
                   "itself",
                   name->host, failed == 0 ? "none of use" : gai_strerror(failed));
}

enum err endpoint_resolve(const char *text, struct endpoint *out, struct err_detail *detail)
{
    struct endpoint made = {.text = ""}, found[LOOKUP_MAX];
    struct endpoint_name name = {.host = ""};
    struct err_detail why = {.text = ""};
    size_t count = 0, chosen = 0;
    enum err err = endpoint_parse(text, &made, &name, detail);

    if (err != ERR_NONE)
        return err;
    if (name.host[0] == '\0') {
        *out = made;
        return ERR_NONE;
    }
    if (endpoint_lookup(&name, found, LOOKUP_MAX, &count, &why) != ERR_NONE)
        return err_say(detail, ERR_SYSTEM, "endpoint '%.150s': %s", text, why.text);
    while (chosen < count && found[chosen].is_ipv6)
        chosen++;
    *out = found[chosen < count ? chosen : 0];
    return ERR_NONE;
}
