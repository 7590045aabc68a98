/* SPDX-License-Identifier: Apache-2.0 */
/* volt pool stop */
#include "base/own.h"
#include "volt/pool/client.h"
#include "volt/pool/pool.h"

enum { O_SOCKET };

static const struct verb_option options[] = {
	[O_SOCKET] = POOL_SOCKET_OPTION,
};

static int run(const struct verb_args *args, struct verr *e)
{
	auto_fd fd = client_connect(args->options[O_SOCKET], e);
	auto_json *stopped = NULL;

	if (fd < 0)
		return -1;
	stopped = client_ask(fd, json_pack("{s:b}", "stop", 1), "stopped", e);
	return stopped != NULL ? STATUS_OK : -1;
}

const struct verb pool_stop_verb = {
	.name = "stop",
	.summary = "end a pool, and all its machines that nobody has claimed",
	.about = "Returns when they have ended, and the socket is gone.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
