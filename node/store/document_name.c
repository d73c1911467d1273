// document_name.c: what a document of the policy set is called: its bytes, hashed. Whoever has the bytes can check the name.
#include <sodium.h>
#include <string.h>

#include "node/store/store.h"

enum { NAME_BYTES = (STORE_DOCUMENT_NAME - 1) / 2 };

void store_document_name(const void *bytes, size_t len, char out[STORE_DOCUMENT_NAME])
{
    unsigned char hash[NAME_BYTES];

    (void)crypto_generichash(hash, sizeof(hash), bytes, len, NULL, 0);
    (void)sodium_bin2hex(out, STORE_DOCUMENT_NAME, hash, sizeof(hash));
}

bool store_is_document_name(const char *text)
{
    return strlen(text) == STORE_DOCUMENT_NAME - 1 &&
           strspn(text, "0123456789abcdef") == STORE_DOCUMENT_NAME - 1;
}
