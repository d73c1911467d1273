// fuzz_copy.c: a node's own copy of the policy set: any bytes as the file, and as what stands behind a checksum that fits.
// What is read is written again as it was.
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "node/keeper/copy.h"
#include "proto/base/mem.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sound(const struct copy *copy, const void *bytes, size_t len)
{
    size_t again_len = 0;
    char *again = copy_format(copy, &again_len);

    assert(copy->version.version > 0 && store_is_document_name(copy->document->name));
    assert(text_is_clean(copy->version.by, strlen(copy->version.by), STORE_BY_MAX));
    assert(copy->was_count <= STORE_VERSIONS_MAX && copy->since_count <= COPY_SINCE_MAX);
    assert(copy->was_count == 0 || copy->was[0].version < copy->version.version);
    // A number may have been written with zeros in front, and lists mixed: never shorter than we do.
    assert(again_len <= len && (again_len < len || copy->was_count * copy->since_count > 0 ||
                                memcmp(again, bytes, len) == 0));
    mem_free(again);
}

static void try_copy(const void *bytes, size_t len)
{
    struct err_detail detail = {""};
    struct copy *copy = NULL;
    enum err err = copy_parse(bytes, len, &copy, &detail);

    assert((err == ERR_NONE) == (copy != NULL) && (err == ERR_NONE) == (detail.text[0] == '\0'));
    if (copy != NULL)
        check_sound(copy, bytes, len);
    copy_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *sealed = mem_new(COPY_HEAD_BYTES + size + 1);

    try_copy(data, size);
    memcpy(sealed + COPY_HEAD_BYTES, data, size);
    copy_seal(sealed, COPY_HEAD_BYTES + size);
    try_copy(sealed, COPY_HEAD_BYTES + size);
    mem_free(sealed);
    return 0;
}
