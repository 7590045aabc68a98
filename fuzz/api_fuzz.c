/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the API of a machine that is not started: the first byte says in how large pieces
 * the rest arrives.
 */
#include <stdlib.h>

#include "vmm/api/conn.h"

static void answer(struct api *api, struct http *request)
{
	struct reply reply = {0};

	route(api, request, &reply);
	free(reply.body);
	api->wish = API_WISH_NOTHING;
	http_begin(request, HTTP_BODY_MAX);
}

static void talk(struct api *api, const char *bytes, size_t len, size_t piece)
{
	static struct http request;
	enum http_result result = HTTP_MORE;

	http_begin(&request, HTTP_BODY_MAX);
	while (len > 0 && result != HTTP_BAD) {
		size_t used = http_feed(&request, bytes, MIN(len, piece), &result);

		if (result == HTTP_READY)
			answer(api, &request);
		bytes += used;
		len -= used;
	}
	http_end(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api api = {.fd = -1, .folder = -1};
	struct verr e = VERR_INIT;
	struct config config;

	if (size < 2 || loop_new(&api.loop, &e) < 0)
		return 0;
	config_init(&config);
	api.config = &config;
	talk(&api, (const char *)data + 1, size - 1, data[0] == 0 ? size : data[0]);
	config_deinit(&config);
	api.loop = loop_free(api.loop);
	return 0;
}
