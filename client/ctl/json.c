// json.c: see json.h. Promises: what comes out is valid JSON whatever the texts hold.
#include "client/ctl/json.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "proto/text.h"

void json_init(struct json *json, FILE *out)
{
    *json = (struct json){.out = out};
}

// utf8_length: of the sequence at the start of text; 0 if there is none.
static size_t utf8_length(const char *text)
{
    for (size_t len = 1; len <= 4; len++) {
        if (memchr(text, '\0', len) != NULL)
            return 0;
        if (text_is_utf8(text, len))
            return len;
    }
    return 0;
}

static void write_char(FILE *out, const char *text, size_t len)
{
    unsigned char byte = (unsigned char)text[0];

    if (len == 0)
        (void)fputs("\\ufffd", out);
    else if (len > 1)
        (void)fwrite(text, 1, len, out);
    else if (byte == '"' || byte == '\\')
        (void)fprintf(out, "\\%c", byte);
    else if (byte < ' ' || byte == 0x7f)
        (void)fprintf(out, "\\u%04x", byte);
    else
        (void)fputc(byte, out);
}

static void write_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    while (*text != '\0') {
        size_t len = utf8_length(text);

        write_char(out, text, len);
        text += len == 0 ? 1 : len;
    }
    (void)fputc('"', out);
}

// begin: the comma and the key before a value.
static void begin(struct json *json, const char *key)
{
    if (json->has_items[json->depth])
        (void)fputc(',', json->out);
    json->has_items[json->depth] = true;
    if (key == NULL)
        return;
    write_string(json->out, key);
    (void)fputc(':', json->out);
}

static void end(struct json *json)
{
    if (json->depth > 0)
        return;
    json->has_items[0] = false;
    (void)fputc('\n', json->out);
    (void)fflush(json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
    assert(json->depth + 1 < JSON_DEPTH_MAX);
    begin(json, key);
    (void)fputc(bracket, json->out);
    json->has_items[++json->depth] = false;
}

void json_close(struct json *json, char bracket)
{
    assert(json->depth > 0);
    (void)fputc(bracket, json->out);
    json->depth--;
    end(json);
}

void json_text(struct json *json, const char *key, const char *text)
{
    begin(json, key);
    if (text == NULL)
        (void)fputs("null", json->out);
    else
        write_string(json->out, text);
    end(json);
}

void json_count(struct json *json, const char *key, uint64_t value)
{
    begin(json, key);
    (void)fprintf(json->out, "%llu", (unsigned long long)value);
    end(json);
}

void json_number(struct json *json, const char *key, double value)
{
    begin(json, key);
    if (isfinite(value))
        (void)fprintf(json->out, "%.17g", value);
    else
        (void)fputs("null", json->out);
    end(json);
}

void json_bool(struct json *json, const char *key, bool value)
{
    begin(json, key);
    (void)fputs(value ? "true" : "false", json->out);
    end(json);
}
