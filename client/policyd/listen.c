// listen.c: listening sockets. Promises: on failure nothing is left open and no file is left
// behind; a file that is not a socket is never removed, and neither is a socket that answers.
#include "client/policyd/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 4096 // the kernel takes the lesser of this and net.core.somaxconn

static enum err bad_address(struct err_detail *detail, const char *text)
{
    return err_say(detail, ERR_CONFIG,
                   "'%.100s' is no address; write 127.0.0.1:10045, [::1]:10045 or "
                   "unix:/run/reeve-policyd/policy.sock",
                   text);
}

static enum err parse_unix(const char *path, const char *text, struct listen_address *out,
                           struct err_detail *detail)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (path[0] != '/')
        return bad_address(detail, text);
    if (len >= sizeof(name.sun_path))
        return err_say(detail, ERR_CONFIG,
                       "the path of a unix socket has at most %zu bytes, '%.120s' has %zu",
                       sizeof(name.sun_path) - 1, path, len);
    memcpy(name.sun_path, path, len);
    *out = (struct listen_address){.bytes = sizeof(name)};
    memcpy(&out->socket, &name, sizeof(name));
    return ERR_NONE;
}

static bool parse_port(const char *text, in_port_t *out)
{
    char *end = NULL;
    unsigned long port = 0;

    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    port = strtoul(text, &end, 10);
    if (port > 65535)
        return false;
    *out = htons((in_port_t)port);
    return true;
}

// parse_host: host is "127.0.0.1" or "[::1]".
static bool parse_host(const char *host, in_port_t port, struct listen_address *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
    char inner[INET6_ADDRSTRLEN] = "";
    size_t len = strlen(host);

    *out = (struct listen_address){0};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&out->socket, &v4, sizeof(v4));
        out->bytes = sizeof(v4);
        return true;
    }
    if (len < 4 || len - 2 >= sizeof(inner) || host[0] != '[' || host[len - 1] != ']')
        return false;
    memcpy(inner, host + 1, len - 2);
    if (inet_pton(AF_INET6, inner, &v6.sin6_addr) != 1)
        return false;
    memcpy(&out->socket, &v6, sizeof(v6));
    out->bytes = sizeof(v6);
    return true;
}

enum err listen_parse(const char *text, struct listen_address *out, struct err_detail *detail)
{
    const char *colon = strrchr(text, ':');
    struct listen_address address = {0};
    char host[64] = "";
    in_port_t port = 0;

    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, text, out, detail);
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || !parse_port(colon + 1, &port))
        return bad_address(detail, text);
    memcpy(host, text, (size_t)(colon - text));
    if (!parse_host(host, port, &address))
        return bad_address(detail, text);
    *out = address;
    return ERR_NONE;
}

static const char *unix_path(const struct listen_address *address)
{
    const struct sockaddr_un *name = (const void *)&address->socket;

    return address->socket.ss_family == AF_UNIX ? name->sun_path : NULL;
}

const char *listen_format(const struct listen_address *address, char out[LISTEN_TEXT_MAX])
{
    const struct sockaddr_in *v4 = (const void *)&address->socket;
    const struct sockaddr_in6 *v6 = (const void *)&address->socket;
    char host[INET6_ADDRSTRLEN] = "?";

    if (unix_path(address) != NULL) {
        (void)snprintf(out, LISTEN_TEXT_MAX, "unix:%s", unix_path(address));
    } else if (address->socket.ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        (void)snprintf(out, LISTEN_TEXT_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        (void)snprintf(out, LISTEN_TEXT_MAX, "%s:%u", host, ntohs(v4->sin_port));
    }
    return out;
}

const char *listen_name(int fd, char out[LISTEN_TEXT_MAX])
{
    struct listen_address address = {.bytes = sizeof(address.socket)};

    (void)getsockname(fd, (struct sockaddr *)&address.socket, &address.bytes);
    return listen_format(&address, out);
}

const char *listen_peer(int fd, char out[LISTEN_TEXT_MAX])
{
    struct listen_address address = {.bytes = sizeof(address.socket)};
    struct ucred who = {0};
    socklen_t who_bytes = sizeof(who);

    if (getpeername(fd, (struct sockaddr *)&address.socket, &address.bytes) != 0)
        (void)snprintf(out, LISTEN_TEXT_MAX, "(gone)");
    else if (address.socket.ss_family != AF_UNIX)
        return listen_format(&address, out);
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_bytes) == 0)
        (void)snprintf(out, LISTEN_TEXT_MAX, "unix(pid %ld)", (long)who.pid);
    else
        (void)snprintf(out, LISTEN_TEXT_MAX, "unix");
    return out;
}

static enum err say_errno(struct err_detail *detail, const struct listen_address *address,
                          const char *what, int number)
{
    char text[LISTEN_TEXT_MAX];
    enum err err = number == EADDRINUSE ? ERR_CONFLICT : ERR_SYSTEM;

    return err_say(detail, err, "listen: %s: %s: %s%s", listen_format(address, text), what,
                   strerror(number),
                   number == EADDRINUSE ? " (is another reeve-policyd running?)" : "");
}

// bind_with_mode: the file of a unix socket never exists with more rights than mode.
static int bind_with_mode(int fd, const struct listen_address *address, unsigned mode)
{
    mode_t before = umask((mode_t)(~mode & 0777U));
    int result = bind(fd, (const struct sockaddr *)&address->socket, address->bytes);
    int number = errno;

    (void)umask(before);
    errno = number;
    return result;
}

// remove_stale: removes the file of a unix socket at which nobody listens.
static enum err remove_stale(const struct listen_address *address, struct err_detail *detail)
{
    const char *path = unix_path(address);
    struct stat file = {0};
    int fd = -1;
    int number = 0;

    if (lstat(path, &file) == 0 && !S_ISSOCK(file.st_mode))
        return err_say(detail, ERR_CONFLICT, "listen: %s exists and is not a socket", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return say_errno(detail, address, "socket", errno);
    if (connect(fd, (const struct sockaddr *)&address->socket, address->bytes) != 0)
        number = errno;
    (void)close(fd);
    if (number != ECONNREFUSED && number != ENOENT) // answers, or we cannot know
        return say_errno(detail, address, "bind", EADDRINUSE);
    if (unlink(path) != 0 && errno != ENOENT)
        return say_errno(detail, address, "unlink", errno);
    return ERR_NONE;
}

static enum err bind_and_listen(int fd, const struct listen_address *address, unsigned mode,
                                struct err_detail *detail)
{
    const int on = 1;

    if (address->socket.ss_family != AF_UNIX)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->socket.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind_with_mode(fd, address, mode) != 0) {
        enum err err = ERR_NONE;

        if (errno != EADDRINUSE || unix_path(address) == NULL)
            return say_errno(detail, address, "bind", errno);
        err = remove_stale(address, detail);
        if (err != ERR_NONE)
            return err;
        if (bind_with_mode(fd, address, mode) != 0)
            return say_errno(detail, address, "bind", errno);
    }
    if (listen(fd, BACKLOG) != 0)
        return say_errno(detail, address, "listen", errno);
    return ERR_NONE;
}

enum err listen_open(const struct listen_address *address, unsigned mode, int *out_fd,
                     struct err_detail *detail)
{
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum err err = ERR_NONE;

    if (fd < 0)
        return say_errno(detail, address, "socket", errno);
    err = bind_and_listen(fd, address, mode, detail);
    if (err != ERR_NONE) {
        (void)close(fd);
        return err;
    }
    *out_fd = fd;
    return ERR_NONE;
}

void listen_close(const struct listen_address *address, int *fd)
{
    if (*fd < 0)
        return;
    if (unix_path(address) != NULL)
        (void)unlink(unix_path(address));
    (void)close(*fd);
    *fd = -1;
}
