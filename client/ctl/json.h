// json.h: a writer of JSON (RFC 8259), one document a line.
//
// Values stand in an array, members (with a key) in an object; key NULL = no key. Texts may hold
// any bytes: what is not UTF-8 becomes U+FFFD, control characters are escaped.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH_MAX = 16 };

struct json {
    FILE *out; // borrowed
    unsigned depth;
    bool has_items[JSON_DEPTH_MAX];
};

void json_init(struct json *json, FILE *out);
void json_open(struct json *json, const char *key, char bracket); // '{' or '['
// json_close: at the outermost level the line is ended and written out.
void json_close(struct json *json, char bracket);                     // '}' or ']'
void json_text(struct json *json, const char *key, const char *text); // NULL = null
void json_count(struct json *json, const char *key, uint64_t value);
void json_number(struct json *json, const char *key, double value); // no number = null
void json_bool(struct json *json, const char *key, bool value);
