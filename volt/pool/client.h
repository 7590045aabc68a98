/* SPDX-License-Identifier: Apache-2.0 */
/* The other verbs' end of a pool's socket. */
#ifndef VOLT_VOLT_POOL_CLIENT_H
#define VOLT_VOLT_POOL_CLIENT_H

#include "volt/pool/request.h"

/* Connect to a pool; `path` NULL is a fault, too. Returns the descriptor, or -1. */
V_MUST_CHECK int client_connect(const char *path, struct verr *e);

/*
 * Send a request, which is given away, and wait for what the answer has under `key`: a new
 * reference, or NULL and a fault, which may be the pool's refusal.
 */
V_MUST_CHECK json_t *client_ask(int fd, json_t *request, const char *key, struct verr *e);

/* The same, with descriptors (borrowed) beside the request. */
V_MUST_CHECK json_t *client_pass(int fd, json_t *request, const int *fds, size_t count,
				 const char *key, struct verr *e);

#endif
