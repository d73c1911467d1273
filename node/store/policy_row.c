// policy_row.c: what stands in Redis of the policy set. Promises: every text that comes out of here is bounded and clean,
// every number within its range; nothing is taken from a row that is not wholly understood.
#include "node/store/policy_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/store/reply.h"
#include "proto/text.h"

enum { WORDS = 5, NODE_DIGITS = 8 };
// A version that a double holds exactly (metrics, JSON).
static const uint64_t VERSION_MAX = (1ULL << 53) - 1;

// ---- documents

const char *policy_key(char out[POLICY_KEY_MAX], enum document_place place, const char *document)
{
    (void)snprintf(out, POLICY_KEY_MAX, POLICY_KEY ":%s:%s",
                   place == DOCUMENT_STAGED ? "stage" : "doc", document);
    return out;
}

size_t policy_pieces(size_t len)
{
    return (len + POLICY_PIECE_BYTES - 1) / POLICY_PIECE_BYTES;
}

bool policy_head_read(const struct redisReply *reply, size_t *out)
{
    uint64_t bytes = 0;

    if (!reply_number(reply, &bytes) || bytes == 0 || bytes > STORE_DOCUMENT_BYTES)
        return false;
    *out = (size_t)bytes;
    return true;
}

// ---- versions

static const struct redisReply *field_of(const struct redisReply *fields, const char *name)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        const struct redisReply *key = fields->element[i];

        if (reply_is_text(key) && key->len == strlen(name) && memcmp(key->str, name, key->len) == 0)
            return fields->element[i + 1];
    }
    return NULL;
}

// A text that is whole, clean and not too long. What is not there is "".
static bool read_text(const struct redisReply *value, char *out, size_t max)
{
    out[0] = '\0';
    if (value == NULL)
        return true;
    if (!reply_is_text(value) || !text_is_clean(value->str, value->len, max))
        return false;
    memcpy(out, value->str, value->len);
    out[value->len] = '\0';
    return true;
}

static bool read_id(const struct redisReply *reply, uint64_t *out)
{
    char digits[TEXT_NUMBER_MAX];

    if (!reply_is_text(reply) || reply->len < 3 || reply->len - 2 >= sizeof(digits) ||
        memcmp(reply->str + reply->len - 2, "-0", 2) != 0)
        return false;
    memcpy(digits, reply->str, reply->len - 2);
    digits[reply->len - 2] = '\0';
    return reply_number_parse(digits, out) && *out > 0 && *out <= VERSION_MAX;
}

bool policy_row_read(const struct redisReply *row, struct store_version *out)
{
    struct store_version read = {.version = 0};

    if (!reply_is_array(row, 2) || !read_id(row->element[0], &read.version) ||
        row->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    const struct redisReply *fields = row->element[1];

    if (!reply_number(field_of(fields, "at"), &read.at_ms) ||
        !reply_number(field_of(fields, "bytes"), &read.bytes) ||
        read.bytes > STORE_DOCUMENT_BYTES || !reply_number(field_of(fields, "hash"), &read.hash) ||
        !reply_number(field_of(fields, "policies"), &read.policies) ||
        !read_text(field_of(fields, "by"), read.by, STORE_BY_MAX) ||
        !read_text(field_of(fields, "note"), read.note, STORE_NOTE_MAX) ||
        !read_text(field_of(fields, "document"), read.document, STORE_DOCUMENT_NAME - 1) ||
        !store_is_document_name(read.document))
        return false;
    *out = read;
    return true;
}

static void put_number(struct resp *resp, const char *field, uint64_t number)
{
    resp_text(resp, field);
    resp_number(resp, number);
}

void policy_row_put(struct resp *resp, const struct store_version *row)
{
    char id[TEXT_NUMBER_MAX + 2];

    (void)snprintf(id, sizeof(id), "%" PRIu64 "-0", row->version);
    resp_begin(resp, "XADD");
    resp_text(resp, POLICY_KEY);
    resp_text(resp, id);
    put_number(resp, "at", row->at_ms);
    resp_text(resp, "by");
    resp_text(resp, row->by);
    resp_text(resp, "note");
    resp_text(resp, row->note);
    resp_text(resp, "document");
    resp_text(resp, row->document);
    put_number(resp, "bytes", row->bytes);
    put_number(resp, "hash", row->hash);
    put_number(resp, "policies", row->policies);
}

bool policy_row_is_same(const struct store_version *one, const struct store_version *other)
{
    return one->version == other->version && one->at_ms == other->at_ms &&
           strcmp(one->document, other->document) == 0 && strcmp(one->by, other->by) == 0;
}

// ---- nodes

// A word of a row has no blank.
static void swap_all(char *text, char from, char to)
{
    for (; *text != '\0'; text++)
        if (*text == from)
            *text = to;
}

// The next word of a text, cut out of it; NULL if there is none. "-" is the empty one.
static char *next_word(char **at)
{
    char *word = *at;
    char *end = word != NULL ? strchr(word, ' ') : NULL;

    if (word == NULL || word[0] == '\0')
        return NULL;
    *at = end != NULL ? end + 1 : NULL;
    if (end != NULL)
        *end = '\0';
    if (strcmp(word, "-") == 0)
        word[0] = '\0';
    return word;
}

static bool read_document(const char *word, char out[STORE_DOCUMENT_NAME])
{
    if (word[0] != '\0' && !store_is_document_name(word))
        return false;
    (void)snprintf(out, STORE_DOCUMENT_NAME, "%s", word);
    return true;
}

static bool read_ready(char *word, struct store_node *out)
{
    for (size_t i = 0; word != NULL && word[0] != '\0'; i++) {
        char *comma = strchr(word, ',');

        if (comma != NULL)
            *comma = '\0';
        if (i == STORE_NODE_READY_MAX || !read_document(word, out->ready[i]))
            return false;
        word = comma != NULL ? comma + 1 : NULL;
    }
    return true;
}

void policy_node_field(uint32_t number, const char *name, char out[POLICY_NODE_FIELD_MAX])
{
    (void)snprintf(out, POLICY_NODE_FIELD_MAX, "%08" PRIx32 " %.*s", number, STORE_NODE_MAX, name);
}

static bool read_field(const struct redisReply *field, char name[STORE_NODE_MAX + 1])
{
    char text[POLICY_NODE_FIELD_MAX];

    if (field == NULL || !read_text(field, text, sizeof(text) - 1) ||
        strspn(text, "0123456789abcdef") != NODE_DIGITS || text[NODE_DIGITS] != ' ' ||
        text[NODE_DIGITS + 1] == '\0')
        return false;
    (void)snprintf(name, STORE_NODE_MAX + 1, "%s", text + NODE_DIGITS + 1);
    return true;
}

bool policy_node_read(const struct redisReply *field, const struct redisReply *value,
                      struct store_node *out)
{
    char text[POLICY_NODE_VALUE_MAX];
    char *word[WORDS];
    char *rest = text;

    *out = (struct store_node){.version = 0};
    if (!read_field(field, out->name) || value == NULL || !read_text(value, text, sizeof(text) - 1))
        return false;
    for (size_t i = 0; i < WORDS; i++) {
        word[i] = next_word(&rest);
        if (word[i] == NULL)
            return false;
    }
    if (!reply_number_parse(word[0], &out->seen_ms) ||
        !reply_number_parse(word[1], &out->version) || out->version > VERSION_MAX ||
        !read_document(word[2], out->document) || strlen(word[3]) >= sizeof(out->state) ||
        !read_ready(word[4], out) || (rest != NULL && strlen(rest) > STORE_NODE_ERROR_MAX))
        return false;
    (void)snprintf(out->state, sizeof(out->state), "%s", word[3]);
    swap_all(out->state, '_', ' ');
    (void)snprintf(out->error, sizeof(out->error), "%s", rest != NULL ? rest : "");
    return true;
}

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

void policy_node_format(const struct store_node *node, char out[POLICY_NODE_VALUE_MAX])
{
    struct text_buf text;
    char state[sizeof(node->state)];
    bool has_ready = false;

    memcpy(state, node->state, sizeof(state));
    swap_all(state, ' ', '_');
    text_buf_init(&text, out, POLICY_NODE_VALUE_MAX);
    text_buf_add(&text, "%" PRIu64 " %" PRIu64 " %s %s ", node->seen_ms, node->version,
                 or_dash(node->document), or_dash(state));
    for (size_t i = 0; i < STORE_NODE_READY_MAX; i++) {
        if (node->ready[i][0] == '\0')
            continue;
        text_buf_add(&text, "%s%s", has_ready ? "," : "", node->ready[i]);
        has_ready = true;
    }
    text_buf_add(&text, "%s %s", has_ready ? "" : "-", node->error);
}
