// wire_guard.h: the look at a frame before protobuf-c sees it. Private to wire*.c.
//
// protobuf-c allocates for every field that it meets, so two bytes of frame can cost a hundred of
// memory, and an empty repeated message much more. The guard walks over the frame by the contract's
// own descriptors, allocates nothing, and refuses what no honest peer sends. What passes needs
// memory in proportion to the limits of msg.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

struct ProtobufCMessageDescriptor;

// wire_guard: checks len bytes that claim to be a message of the type. A NUL inside a text becomes
// 0x01, in place, so that C strings keep their length and whoever cleans the text sees the damage.
// ERR_SYNTAX: malformed, or a group. ERR_LIMIT: too deep, more of a repeated field than its limit,
// a single field again and again, or too many fields that nobody knows.
MUST_USE enum err wire_guard(void *bytes, size_t len, const struct ProtobufCMessageDescriptor *type,
                             struct err_detail *detail);

// wire_guard_id: field 1 of a frame, as far as the frame is readable; 0 if there is none. Request
// and Reply have their id there.
uint64_t wire_guard_id(void *bytes, size_t len);
