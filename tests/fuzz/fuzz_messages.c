// fuzz_messages.c: any bytes as a file of messages, as reeve-load replay reads them.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/ip.h"
#include "proto/mail.h"
#include "proto/text.h"

// The parts of reeve-load that read.
#include "client/ctl/import/csv.c"
#include "client/ctl/import/lines.c"
#include "client/load/messages.c"
#include "client/load/messages_fields.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t max)
{
    assert(text_is_clean(text, strlen(text), max));
}

// A node would judge it.
static void check_sender(const char *sender)
{
    unsigned char memory[4096];
    struct mail_address address;
    struct arena arena;

    check_text(sender, MSG_ADDRESS_MAX);
    arena_init(&arena, memory, sizeof(memory));
    assert(mail_parse(sender, &arena, &address) == ERR_NONE);
    assert(address.flaw == MAIL_OK && address.ascii);
}

static void check_message(const struct messages *messages, size_t i)
{
    const struct message *message = &messages->item[i];
    struct ip ip;

    assert(i == 0 || messages->item[i - 1].at_ms <= message->at_ms);
    assert(message->at_ms > 0 && message->at_ms <= AT_MAX_MS);
    assert(ip_parse(message->ip, &ip) && message->is_ipv4 == (ip.family == 4));
    assert(strlen(message->country) == 0 || strlen(message->country) == 2);
    assert(message->address < messages->addresses);
    check_sender(message->sender);
    check_text(message->helo, MSG_HELO_MAX);
    check_text(message->recipient, MSG_ADDRESS_MAX);
    check_text(message->spf_domain, MSG_HELO_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct messages messages;
    struct err_detail detail = {""};
    char path[64];
    int fd = memfd_create("messages", 0);

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    bool skip_bad = size > 0 && data[size - 1] % 2 == 0;

    if (messages_read(&messages, path, skip_bad, &detail) == ERR_NONE) {
        assert(messages.count > 0 && messages.spam <= messages.count);
        assert(messages.addresses > 0 && messages.addresses <= messages.count);
        for (size_t i = 0; i < messages.count; i++)
            check_message(&messages, i);
        messages_clear(&messages);
    } else {
        assert(detail.text[0] != '\0' &&
               text_is_clean(detail.text, strlen(detail.text), sizeof(detail.text)));
    }
    (void)close(fd);
    return 0;
}
