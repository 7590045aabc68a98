/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters. A room declares a struct of `counter` fields and one constant table that names them;
 * whoever reports metrics walks groups of such tables. Any thread may add.
 */
#ifndef VOLT_BASE_METRICS_H
#define VOLT_BASE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint64_t counter;

static inline void counter_add(counter *c, uint64_t n)
{
	(void)atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

/* One counter of a struct: lower_case name, what it counts in which unit, offsetof(). */
struct metric_row {
	const char *name;
	const char *help;
	size_t offset;
};

/* One instance of a struct of counters. Everything is borrowed and outlives the group. */
struct metric_group {
	const char *name; /* "serial", "vcpu" */
	const struct metric_row *rows;
	size_t count;
	const void *base;
};

static inline uint64_t metric_value(const struct metric_group *g, size_t row)
{
	return counter_get(
		(const counter *)(const void *)((const char *)g->base + g->rows[row].offset));
}

#endif
