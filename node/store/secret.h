// secret.h: small files that hold secrets: the password and the cluster's secret.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/core/key.h"
#include "proto/err.h"

// A secret_file: a line of 32 hexadecimal digits; for a rotation more such lines, each followed by
// the moment from which new slices use it, as Unix ms or RFC 3339 ("2027-01-31T00:00:00Z"), in
// rising order. Empty lines and lines that start with # do not count.
struct secret_file {
    const char *path;
    unsigned count; // 0 = there is no such file
    struct secret_line {
        uint8_t secret[KEY_SECRET_BYTES];
        uint64_t since_ms;
    } line[KEY_EPOCH_MAX];
};

// secret_file_read: ERR_SYSTEM if it cannot be read, ERR_CONFIG with file:line and what was
// expected. Warns if the world may read it. The path is borrowed.
MUST_USE enum err secret_file_read(const char *path, struct secret_file *out,
                                   struct err_detail *detail);

// secret_password_read: the first line of a file, on the heap. ERR_CONFIG if it is empty.
MUST_USE enum err secret_password_read(const char *path, char **out, struct err_detail *detail);

void secret_to_hex(const uint8_t secret[KEY_SECRET_BYTES], char out[2 * KEY_SECRET_BYTES + 1]);
// secret_from_hex: false unless it is exactly 32 hexadecimal digits.
MUST_USE bool secret_from_hex(const char *text, uint8_t out[KEY_SECRET_BYTES]);
