// Fuzzes client/lib/endpoint.c: an endpoint as an operator writes it is refused with words, or it is
// an address that means itself, or a name that a resolver can be asked for.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void look_at_address(const struct endpoint *address)
{
    struct endpoint again = {.text = ""};
    struct endpoint_name name = {.host = "x"};

    expect(endpoint_parse(address->text, &again, &name, NULL) == ERR_NONE);
    expect(name.host[0] == '\0' && strcmp(again.text, address->text) == 0);
    expect(again.is_ipv6 == address->is_ipv6);
}

static void look_at_name(const struct endpoint_name *name)
{
    size_t len = strlen(name->host);

    expect(len < sizeof(name->host) && name->host[0] != '.' && strstr(name->host, "..") == NULL);
    expect(strpbrk(name->host, " /:[]*\t\r\n") == NULL);
    expect(atoi(name->port) >= 1 && atoi(name->port) <= 65535);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct endpoint address = {.text = "untouched"};
    struct endpoint_name name = {.host = "untouched"};
    struct err_detail detail = {.text = ""};
    char *text = calloc(1, size + 1);
    enum err err;

    if (size > 0)
        memcpy(text, data, size);
    err = endpoint_parse(text, &address, &name, &detail);
    expect((err == ERR_NONE) == (detail.text[0] == '\0'));
    if (err != ERR_NONE)
        expect(strcmp(address.text, "untouched") == 0 && strcmp(name.host, "untouched") == 0);
    else if (name.host[0] != '\0')
        look_at_name(&name);
    else
        look_at_address(&address);
    free(text);
    return 0;
}
