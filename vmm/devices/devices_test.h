/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests of this room share: interrupt edges counted through an eventfd. */
#ifndef VOLT_VMM_DEVICES_DEVICES_TEST_H
#define VOLT_VMM_DEVICES_DEVICES_TEST_H

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/test.h"

static inline int irq_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

/* The edges since the last call. */
static inline uint64_t irq_edges(int fd)
{
	uint64_t edges = 0;

	return read(fd, &edges, sizeof(edges)) == (ssize_t)sizeof(edges) ? edges : 0;
}

static inline uint64_t metric_named(struct metric_group g, const char *name)
{
	for (size_t i = 0; i < g.count; i++)
		if (strcmp(g.rows[i].name, name) == 0)
			return metric_value(&g, i);
	fail_msg("%s has no counter %s", g.name, name);
	return 0;
}

#endif
