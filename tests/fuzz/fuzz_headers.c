// fuzz_headers.c: any bytes as the message that `reevectl sent` reads.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The pure part, which is in no library.
#include "client/ctl/headers.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reeve_header header[HEADERS_MAX];
    char *bytes = malloc(size + 1);

    memcpy(bytes, data, size);
    for (size_t i = 0, count = headers_pick(bytes, size, header); i < count; i++) {
        const char *value = header[i].value;

        assert(strlen(header[i].name) > 0);
        assert(value >= bytes && value + strlen(value) <= bytes + size);
        assert(value[strcspn(value, "\r\n\t")] == '\0');
    }
    free(bytes);
    return 0;
}
