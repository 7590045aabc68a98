/* SPDX-License-Identifier: Apache-2.0 */
/* A line at a pool's socket: refused with a reason, or with nothing in it that a path cannot have.
 */
#include <stdlib.h>
#include <string.h>

#include "volt/pool/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_id(const json_t *id, size_t most)
{
	const char *text = json_string_value(id);

	if (text == NULL || *text == '\0' || strlen(text) > most ||
	    strpbrk(text, "/.\"\\ \r\n%?") != NULL)
		abort();
}

static void check(const struct request *r)
{
	const json_t *nets = json_object_get(r->claim, "nets");

	if ((r->kind == REQUEST_CLAIM) != (r->claim != NULL) || r->wait_ms > POOL_WAIT_MAX_MS)
		abort();
	if (json_object_get(r->claim, "id") != NULL)
		check_id(json_object_get(r->claim, "id"), 64);
	for (size_t i = 0; i < json_array_size(nets); i++)
		check_id(json_object_get(json_array_get(nets, i), "id"), 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request = REQUEST_INIT;
	struct verr e = VERR_INIT;

	if (pool_request_parse(&request, (const char *)data, size, &e) == 0)
		check(&request);
	else if (e.kind != VERR_INVALID || e.text[0] == '\0')
		abort();
	request_deinit(&request);
	return 0;
}
