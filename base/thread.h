/* SPDX-License-Identifier: Apache-2.0 */
/* Threads beside the main one: small stacks, and no signal but those they are meant to get. */
#ifndef VOLT_BASE_THREAD_H
#define VOLT_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

#include "base/verr.h"

struct thread_options {
	void *(*main)(void *arg);
	void *arg;
	size_t stack; /* bytes */
	int signal;   /* the one signal, beside faults of its own, that it takes; 0: none */
};

/* Start a thread; the caller joins it. */
V_MUST_CHECK int thread_start(pthread_t *out, const struct thread_options *options, struct verr *e);

/* Name the calling thread, for ps and debuggers and the log; 15 bytes of it. */
void thread_set_name(const char *name);

/* The calling thread's; "main" until it has one. */
const char *thread_name(void);

#endif
