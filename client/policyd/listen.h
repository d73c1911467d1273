// listen.h: listening sockets of the policy service, TCP and unix.
#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/err.h"

enum { LISTEN_TEXT_MAX = 128 };

// An address in its parts. Pure data.
struct listen_address {
    struct sockaddr_storage socket;
    socklen_t bytes;
};

// listen_parse: "127.0.0.1:10045", "[::1]:10045" (numbers, not names; port 0 = any free one) or
// "unix:/absolute/path".
MUST_USE enum err listen_parse(const char *text, struct listen_address *out,
                               struct err_detail *detail);

// listen_open: a non-blocking listening socket. A unix socket gets mode; one that a dead process
// left behind is replaced, one at which somebody listens is ERR_CONFLICT, as is a taken port.
// ERR_SYSTEM with what the system said for the rest.
MUST_USE enum err listen_open(const struct listen_address *address, unsigned mode, int *out_fd,
                              struct err_detail *detail);

// listen_close: closes the socket (-1 is fine) and removes a unix socket's file. Makes *fd -1.
void listen_close(const struct listen_address *address, int *fd);

// listen_format: the address, or with peer that of the other end of a connection, as it is written
// in the configuration and in log lines; into out; returns it.
const char *listen_format(const struct listen_address *address, char out[LISTEN_TEXT_MAX]);
// listen_name: the address at which the socket listens (the port that 0 became).
const char *listen_name(int fd, char out[LISTEN_TEXT_MAX]);
// listen_peer: the other end of a connection; "unix" and the process for a unix socket.
const char *listen_peer(int fd, char out[LISTEN_TEXT_MAX]);
