// pipeline.c: what Redis alone can do: sends recorded lookups over one connection, so many under
// way, and prints how many a second were answered.
//
//      pipeline SOCKET FILE WINDOW COUNT
//
// FILE holds lookups one after the other: the number of its commands and the number of its bytes
// (each 32 bits, little-endian), then the bytes as the node sent them. After the last comes the
// first again. Prints one JSON object. Exit code 1: it cannot, and why.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <hiredis/read.h>

#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum { READ_BYTES = 1 << 16, SEND_BYTES = 1 << 20 };

struct lookup {
    uint32_t commands, len;
    const unsigned char *bytes;
};

struct pipeline {
    int fd;
    redisReader *reader;
    struct lookup *lookup;
    size_t lookups;
    unsigned char *file;
    uint64_t sent, done, count;
    uint32_t replies; // of the oldest lookup under way
    unsigned char out[SEND_BYTES];
    size_t out_len;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "pipeline: %s\n", what);
    exit(1);
}

// ---- the recording

static uint32_t read_u32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void load(struct pipeline *pipeline, const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = file != NULL && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
    size_t at = 0;

    if (size <= 0)
        die("no recording");
    rewind(file);
    pipeline->file = mem_new((size_t)size);
    if (fread(pipeline->file, 1, (size_t)size, file) != (size_t)size)
        die("cannot read the recording");
    (void)fclose(file);
    while (at + 8 <= (size_t)size) {
        struct lookup one = {read_u32(pipeline->file + at), read_u32(pipeline->file + at + 4),
                             pipeline->file + at + 8};

        at += 8 + one.len;
        if (at > (size_t)size || one.commands == 0)
            die("the recording is damaged");
        pipeline->lookup = mem_grow(pipeline->lookup, pipeline->lookups + 1, sizeof(one));
        pipeline->lookup[pipeline->lookups++] = one;
    }
}

// ---- playing

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        die("cannot connect");
    return fd;
}

static void add(struct pipeline *pipeline)
{
    const struct lookup *lookup = &pipeline->lookup[pipeline->sent++ % pipeline->lookups];

    if (pipeline->out_len + lookup->len > sizeof(pipeline->out))
        die("a window of more than a megabyte");
    memcpy(pipeline->out + pipeline->out_len, lookup->bytes, lookup->len);
    pipeline->out_len += lookup->len;
}

static void flush(struct pipeline *pipeline)
{
    for (size_t at = 0; at < pipeline->out_len;) {
        ssize_t put = write(pipeline->fd, pipeline->out + at, pipeline->out_len - at);

        if (put <= 0)
            die("cannot write");
        at += (size_t)put;
    }
    pipeline->out_len = 0;
}

// Takes what has come; a reader without functions builds nothing.
static void take(struct pipeline *pipeline)
{
    static char bytes[READ_BYTES];
    ssize_t got = read(pipeline->fd, bytes, sizeof(bytes));
    void *reply = NULL;

    if (got <= 0 || redisReaderFeed(pipeline->reader, bytes, (size_t)got) != REDIS_OK)
        die("the server hung up");
    while (redisReaderGetReply(pipeline->reader, &reply) == REDIS_OK && reply != NULL) {
        if ((size_t)reply == REDIS_REPLY_ERROR)
            die("the server answered an error: is this its recording?");
        if (++pipeline->replies < pipeline->lookup[pipeline->done % pipeline->lookups].commands)
            continue;
        pipeline->replies = 0;
        pipeline->done++;
        if (pipeline->sent < pipeline->count)
            add(pipeline);
    }
}

int main(int argc, char **argv)
{
    struct pipeline *pipeline = mem_new(sizeof(*pipeline));

    if (argc != 5)
        die("usage: pipeline SOCKET FILE WINDOW COUNT");
    load(pipeline, argv[2]);
    pipeline->fd = connect_to(argv[1]);
    pipeline->reader = redisReaderCreateWithFunctions(NULL);
    pipeline->count = strtoull(argv[4], NULL, 10);
    uint64_t window = strtoull(argv[3], NULL, 10);
    uint64_t began_us = clock_mono_us();

    while (pipeline->sent < window && pipeline->sent < pipeline->count)
        add(pipeline);
    while (pipeline->done < pipeline->count) {
        flush(pipeline);
        take(pipeline);
    }
    double seconds = (double)(clock_mono_us() - began_us) / 1e6;

    (void)printf("{\"lookups\": %" PRIu64 ", \"per_second\": %.1f}\n", pipeline->count,
                 (double)pipeline->count / seconds);
    return 0;
}
