// document.c: the bytes of a policy set. Promises: what is compiled is exactly what was given.
#include "node/keeper/document.h"

#include <string.h>

#include "node/policy/set.h"
#include "proto/base/mem.h"

struct document *document_new(const void *bytes, size_t len)
{
    struct document *document = mem_new(sizeof(*document) + len);

    document->users = 1;
    document->len = len;
    memcpy(document->bytes, bytes, len);
    store_document_name(document->bytes, len, document->name);
    return document;
}

struct document *document_hold(struct document *document)
{
    document->users++;
    return document;
}

void document_release(struct document **document)
{
    if (*document != NULL && --(*document)->users == 0)
        mem_free(*document);
    *document = NULL;
}

// As bundle_unpack takes them: plain, or what zlib begins with (RFC 1950, 2.2).
static bool is_bundle(const struct document *document)
{
    static const char plain[] = "reeve-bundle ";
    const unsigned char *bytes = (const unsigned char *)document->bytes;

    if (document->len >= sizeof(plain) - 1 && memcmp(bytes, plain, sizeof(plain) - 1) == 0)
        return true;
    return document->len >= 2 && (bytes[0] & 0x0f) == 8 && (bytes[0] << 8 | bytes[1]) % 31 == 0;
}

enum err document_compile(const struct document *document, struct policy **out,
                          struct err_detail *detail)
{
    if (is_bundle(document))
        return policy_parse_bundle(document->bytes, document->len, out, detail);
    return policy_parse("policy.yaml", document->bytes, document->len, out, detail);
}
