/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image's own wishes, /etc/volt/init.json; every key may be absent:
 *
 *	{
 *		"command": ["/usr/bin/server", "--port", "80"],
 *		"env": {"LANG": "C.UTF-8"},
 *		"user": "www-data",		a name, UID or UID:GID
 *		"cwd": "/srv",
 *		"hostname": "web"
 *	}
 */
#ifndef VOLT_INIT_CONFIG_H
#define VOLT_INIT_CONFIG_H

#include <stddef.h>

#include "rootfs/volt-init/workload.h"

#define CONFIG_PATH "/etc/volt/init.json"
#define CONFIG_SIZE_MAX ((size_t)64 << 10)

struct config {
	struct workload *workload;
	const char *hostname; /* NULL where it has none */
};

/*
 * Reads "text" into a workload that has no environment yet. Strings go to "room", "size" bytes,
 * which must live as long as the workload. Where the workload has a command already (it came with
 * this start), the image's is checked and dropped.
 */
int config_parse(struct config *config, const char *text, size_t size, char *room, struct why *why);

/* The same from a file; one that is not there is an empty one. */
int config_load(struct config *config, const char *path, struct why *why);

#endif
