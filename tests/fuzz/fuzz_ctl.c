// fuzz_ctl.c: a line that somebody pasted from a mail log, into what `reevectl why` looks for in it
// (a ticket, addresses), and into a time, a word of a shell, a JSON text and a domain in a zone.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The pure parts, which are in no library.
#include "client/ctl/json.c"
#include "client/ctl/reputation/zone.c"
#include "client/ctl/ticket.c"
#include "client/ctl/when.c"
#include "client/ctl/words.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_ticket(const char *line)
{
    char ticket[TICKET_LEN + 1] = "", again[TICKET_LEN + 1] = "";
    char address[TICKET_ADDRESS_MAX];

    if (ticket_find(line, ticket)) {
        char labelled[64] = "ticket ";

        assert(ticket_is_valid(ticket));
        memcpy(labelled + strlen("ticket "), ticket, sizeof(ticket));
        assert(ticket_find(labelled, again) && strcmp(ticket, again) == 0);
    }
    if (ticket_find_address(line, "from", address))
        assert(strpbrk(address, ">\r\n") == NULL && strlen(address) < sizeof(address));
    (void)ticket_find_address(line, "to", address);
}

static void read_time(const char *line)
{
    char out[WHEN_MAX];
    uint64_t ms = 0, again = 0;

    if (!when_parse(line, 1795295581000ULL, &ms))
        return;
    assert(when_parse(when_format(ms, out), 0, &again));
    assert(again == ms / 1000 * 1000);
}

// quote: a shell would read back what was written.
static void quote(const char *line, size_t size)
{
    char *memory = malloc(4 * size + 8);
    struct text_buf out;

    text_buf_init(&out, memory, 4 * size + 8);
    words_quote(&out, line);
    assert(!out.full && out.used >= strlen(line));
    if (memory[0] != '\'')
        assert(strcmp(memory, line) == 0 && strpbrk(line, " \t\n$`\"'\\;&|<>()*?[]#~!{}") == NULL);
    free(memory);
}

static void write_json(const char *line)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct json json;

    json_init(&json, out);
    json_text(&json, NULL, line);
    (void)fclose(out);
    assert(size >= 3 && text[0] == '"' && text[size - 2] == '"' && text[size - 1] == '\n');
    assert(text_is_clean(text, size - 1, size) || !text_is_clean(line, strlen(line), SIZE_MAX));
    assert(text_is_utf8(text, size));
    free(text);
}

// write_zone: a domain that a sender chose makes no line but its own.
static void write_zone(const char *line)
{
    struct zone_entry entry = {
        .domain = line, .p = 1, .weight = 2, .reporters = 1, .is_listed = true};
    struct zone zone = {.entry = &entry,
                        .count = 1,
                        .origin = "bl.example",
                        .server = "",
                        .contact = "x.example",
                        .rater = "x.example",
                        .of_domains = true};
    const bool is_name = zone_is_name(line, strlen("bl.example") + strlen("*.."));
    char *text = NULL;
    size_t size = 0, lines = 0, left_out = 0;
    FILE *out = open_memstream(&text, &size);

    assert(zone_sort(&zone) == !is_name && zone.count == is_name);
    assert(zone_write_bind(&zone, out, &left_out) == zone.count && left_out == 0);
    assert(zone_write_rbldnsd(&zone, out) == zone.count);
    (void)fclose(out);
    for (const char *at = text; *at != '\0'; at++)
        lines += *at == '\n';
    assert(lines == (is_name ? 15 : 10));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);

    if (size > 0)
        memcpy(line, data, size);
    line[size] = '\0';
    find_ticket(line);
    read_time(line);
    quote(line, size);
    write_json(line);
    write_zone(line);
    free(line);
    return 0;
}
