/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked of a pool: one JSON object with one key, which says what (docs/pool.md). */
#ifndef VOLT_VOLT_POOL_REQUEST_H
#define VOLT_VOLT_POOL_REQUEST_H

#include <jansson.h>
#include <stddef.h>

#include "base/verr.h"

#define POOL_WAIT_MAX_MS 3600000
#define POOL_NETS_MAX 16

enum request_kind { REQUEST_CLAIM, REQUEST_KEEP, REQUEST_STATUS, REQUEST_STOP };

struct request {
	enum request_kind kind;
	json_t *claim; /* owned; of a claim: {"id", "nets": [{"id", ...}]}, shapes checked */
	unsigned wait_ms;
	size_t fds; /* descriptors that come with its line: those of its nets, in their order */
};

#define REQUEST_INIT          \
	{                     \
		.claim = NULL \
	}

/* A line without its newline. */
V_MUST_CHECK int pool_request_parse(struct request *request, const char *line, size_t len,
				    struct verr *e);
void request_deinit(struct request *request);

/* How many of these descriptors are the NIC's. */
static inline size_t request_fds(const json_t *net)
{
	return (size_t)json_integer_value(json_object_get(net, "fds"));
}

/* An owner of JSON. */
static inline void own_json(json_t **json)
{
	json_decref(*json);
}

#define auto_json __attribute__((cleanup(own_json))) json_t

#endif
