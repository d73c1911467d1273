// policy_row.h: what stands in Redis of the policy set, as text and back. Pure; whatever stands there, reading it says no or
// gives something sound.
//
//     policy:{p}             stream; an entry a version, id `<version>-0`; fields at, by, note, document, bytes, hash, policies
//     policy:{p}:doc:<name>  hash: field `head` = bytes, fields 0, 1, 2 ... = pieces of POLICY_PIECE_BYTES; for good
//     policy:{p}:stage:<name>  the same, for an hour
//     nodes:{p}              hash: field = `<8 hex digits> <name>`, value = `<seen> <version> <document> <state> <ready>,<ready> <error>`
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

#include "node/store/resp.h"
#include "node/store/store.h"

enum {
    POLICY_PIECE_BYTES = 256 << 10,
    POLICY_PIECES_MAX = (STORE_DOCUMENT_BYTES + POLICY_PIECE_BYTES - 1) / POLICY_PIECE_BYTES,
    POLICY_KEY_MAX = 64,
    POLICY_NODE_VALUE_MAX = STORE_NODE_ERROR_MAX + STORE_NODE_READY_MAX * STORE_DOCUMENT_NAME + 128,
};
#define POLICY_KEY   "policy:{p}"
#define POLICY_NODES "nodes:{p}"

// Where a document is kept.
enum document_place { DOCUMENT_STAGED, DOCUMENT_KEPT };
const char *policy_key(char out[POLICY_KEY_MAX], enum document_place place, const char *document);

// policy_pieces: how many a document of so many bytes has.
size_t policy_pieces(size_t len);
// policy_head_read: the bytes of a document, from its field `head`. False: there is none, or it is no number within bounds.
bool policy_head_read(const struct redisReply *reply, size_t *out);

// policy_row_read: an element of XRANGE. False: it is no version of ours.
bool policy_row_read(const struct redisReply *row, struct store_version *out);
// policy_row_put: the XADD of that version.
void policy_row_put(struct resp *resp, const struct store_version *row);
// policy_row_is_same: the same version of the same document, said by the same one at the same time.
bool policy_row_is_same(const struct store_version *one, const struct store_version *other);

// policy_node_field: number is the node's own, new at each start: two of one name are two.
enum { POLICY_NODE_FIELD_MAX = STORE_NODE_MAX + 10 };
void policy_node_field(uint32_t number, const char *name, char out[POLICY_NODE_FIELD_MAX]);
bool policy_node_read(const struct redisReply *field, const struct redisReply *value,
                      struct store_node *out);
void policy_node_format(const struct store_node *node, char out[POLICY_NODE_VALUE_MAX]);
