/* What the guest's own requests consist of: filled in by outgoing.c, sent by outbound.c, or refused
 * by refuse.c. */
#pragma once

#include "adapter.h"

typedef struct {
    Named method, scheme;
    Text target, authority;
    bool has_scheme, has_target, has_authority, has_body;
    Fields *headers;
    Handle native; /* the host's own request, once there is one */
} Outgoing;

typedef struct {
    bool set;
    uint64_t nanoseconds;
} Timeout;

typedef struct {
    Timeout connect, first_byte, between_bytes;
} Options;

Handle outbound_body(Outgoing *request); /* the host's body of a request; 0 where there is none */
