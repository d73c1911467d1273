// endpoint.c: bind and explain. Promises: an ipc socket is never reachable with a wider mode than
// asked for.
#include "node/net/endpoint.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

void endpoint_set(void *zmq_socket, const struct endpoint_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int failed = zmq_setsockopt(zmq_socket, options[i].option, &options[i].value,
                                    sizeof(options[i].value));

        assert(failed == 0);
        (void)failed;
    }
}

// ZeroMQ would silently take over the path of a living listener.
static bool is_listened_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    memcpy(address.sun_path, path, strlen(path));
    bool answered =
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN;

    (void)close(fd);
    return answered;
}

static enum err explain(const char *endpoint, int failed, struct err_detail *detail)
{
    if (failed == EADDRINUSE)
        return err_say(detail, ERR_CONFLICT,
                       "cannot listen on %s: another process does; stop it or choose another port",
                       endpoint);
    if (failed == ENOENT || failed == ENOTDIR)
        return err_say(detail, ERR_SYSTEM,
                       "cannot listen on %s: its directory does not exist; make it", endpoint);
    if (failed == EADDRNOTAVAIL || failed == ENODEV)
        return err_say(detail, ERR_SYSTEM, "cannot listen on %s: this host has no such address",
                       endpoint);
    return err_say(detail, ERR_SYSTEM, "cannot listen on %s: %s", endpoint, zmq_strerror(failed));
}

static const char *ipc_path(const char *endpoint)
{
    return strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] != '@' ? endpoint + 6 : NULL;
}

// An IPv6 socket would also serve IPv4, but tell every address as ::ffff:192.0.2.1: only where IPv6 is
// meant. "*" means both.
static void choose_family(void *zmq_socket, const char *endpoint)
{
    int ipv6 = strchr(endpoint, '[') != NULL || strstr(endpoint, "//*:") != NULL;

    (void)zmq_setsockopt(zmq_socket, ZMQ_IPV6, &ipv6, sizeof(ipv6));
}

static enum err let_in(const char *path, struct endpoint_access access, struct err_detail *detail)
{
    if (access.group != ENDPOINT_NO_GROUP && chown(path, (uid_t)-1, (gid_t)access.group) != 0)
        return err_say(detail, ERR_SYSTEM,
                       "cannot give %s to group %u: %s (the node must be root, or in that group)",
                       path, (unsigned)access.group, strerror(errno));
    if (chmod(path, access.mode) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot set the mode of %s: %s", path, strerror(errno));
    return ERR_NONE;
}

enum err endpoint_bind(void *zmq_socket, const char *endpoint, struct endpoint_access access,
                       char bound[ENDPOINT_MAX], struct err_detail *detail)
{
    const char *path = ipc_path(endpoint);
    size_t size = ENDPOINT_MAX;

    if (path != NULL && is_listened_on(path))
        return explain(endpoint, EADDRINUSE, detail);
    choose_family(zmq_socket, endpoint);
    mode_t before = umask(077); // the file is born for its owner alone
    int failed = zmq_bind(zmq_socket, endpoint) == 0 ? 0 : errno;

    (void)umask(before);
    if (failed != 0)
        return explain(endpoint, failed, detail);
    if (path != NULL && let_in(path, access, detail) != ERR_NONE)
        return ERR_SYSTEM;
    if (zmq_getsockopt(zmq_socket, ZMQ_LAST_ENDPOINT, bound, &size) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot tell what %s was bound to: %s", endpoint,
                       zmq_strerror(errno));
    return ERR_NONE;
}
