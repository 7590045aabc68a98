/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to Firecracker's API of a machine that is not started, and the configuration that comes
 * of them: the first byte says in how large pieces the rest arrives.
 */
#include <stdlib.h>

#include "vmm/api/conn.h"
#include "vmm/firecracker/firecracker.h"

static void answer(struct api *api, struct http *request)
{
	struct reply reply = {.status = 500};

	api->personality->route(api, request, &reply);
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

static void configure(const struct firecracker *f)
{
	struct verr e = VERR_INIT;
	struct config config;

	config_init(&config);
	if (firecracker_configure(f, &config, &e) == 0)
		(void)!config_check(&config, &e);
	config_deinit(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct firecracker_options options = {.id = "fuzz"};
	struct api api = {.fd = -1, .folder = -1};
	struct firecracker *f = NULL;
	struct verr e = VERR_INIT;
	struct config config;

	if (size < 2 || loop_new(&api.loop, &e) < 0)
		return 0;
	config_init(&config);
	if (firecracker_new(&options, &f, &e) == 0) {
		api.config = &config;
		api.personality = firecracker_personality(f);
		talk(&api, (const char *)data + 1, size - 1, data[0] == 0 ? size : data[0]);
		configure(f);
	}
	f = firecracker_free(f);
	config_deinit(&config);
	api.loop = loop_free(api.loop);
	return 0;
}
