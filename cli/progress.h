/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_CLI_PROGRESS_H
#define VOLT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* A bar on stderr, where that is a terminal, for work that takes a while. */
struct progress {
	const char *what; /* borrowed */
	uint64_t drawn_ns, started_ns;
	bool drawn;
};

void progress_begin(struct progress *p, const char *what);

/* Of `total` bytes (0: nobody knows) `done` are. `progress` is a struct progress. False: somebody has interrupted the work. */
bool progress_go_on(void *progress, uint64_t done, uint64_t total);

void progress_end(struct progress *p); /* takes the bar away */

#endif
