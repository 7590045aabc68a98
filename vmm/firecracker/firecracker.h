/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firecracker's API in place of our own, so that its clients need not know. Theory of operation.
 *
 * Each resource is kept as the JSON object that a request has put there, checked and with its
 * defaults filled in. The start makes a configuration of them (configure.c) and asks for a machine
 * as our own API does. Afterwards requests change the machine, and the objects with it.
 *
 * What there is to ask for stands in two tables, and nowhere else: bodies.def has each object and
 * its fields, endpoints.def each method and path, when it may be used, and what answers. What Volt
 * does not have is in them, too, and answers 400 with words that say so. From the tables come the
 * routes, the checks (check.c), and docs/firecracker-openapi.json, by which the tests go.
 */
#ifndef VOLT_VMM_FIRECRACKER_FIRECRACKER_H
#define VOLT_VMM_FIRECRACKER_FIRECRACKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"
#include "vmm/api/personality.h"

/* The release whose API this is. */
#define FIRECRACKER_VERSION "1.16.1"

#define FIRECRACKER_DEFAULT_ID "anonymous-instance"

struct firecracker;

/* What PUT /logger and PUT /metrics ask for. Texts are borrowed for the call; NULL: not named. */
struct firecracker_logger {
	const char *path, *level, *module;
	bool show_level, show_origin;
};

struct firecracker_metrics {
	const char *path;
	bool emit_id;
	const json_t *properties; /* an object of strings, or NULL */
};

/* A request that has an endpoint, and its answer; the start is answered later. */
struct firecracker_done {
	const char *method, *path; /* as endpoints.def has them */
	bool failed, deprecated;
	uint64_t ns; /* how long it took */
};

/* What requests ask of the process; a fault is the answer. All may be NULL: see configure.c. */
struct firecracker_process {
	int (*set_logger)(void *arg, const struct firecracker_logger *logger, struct verr *e);
	int (*set_metrics)(void *arg, const struct firecracker_metrics *metrics, struct verr *e);
	int (*flush_metrics)(void *arg, struct verr *e);
	void (*done)(void *arg, const struct firecracker_done *done);
	void *arg;
};

struct firecracker_options {
	const char *id;  /* copied; NULL: FIRECRACKER_DEFAULT_ID */
	size_t body_max; /* bytes of a request's body; 0: HTTP_BODY_MAX */
	struct firecracker_process process;
};

V_MUST_CHECK int firecracker_new(const struct firecracker_options *options,
				 struct firecracker **out, struct verr *e);
struct firecracker *firecracker_free(struct firecracker *f); /* accepts NULL, returns NULL */

/* For api_new(). Borrowed. */
const struct api_personality *firecracker_personality(const struct firecracker *f);

/* Before the start: what PUT does. A configuration file is a series of them. `body` is borrowed. */
V_MUST_CHECK int firecracker_put(struct firecracker *f, const char *path, const json_t *body,
				 struct verr *e);

/* Put into `config`, which is not checked yet, what requests have said. */
V_MUST_CHECK int firecracker_configure(const struct firecracker *f, struct config *config,
				       struct verr *e);

/*
 * The start goes on from a snapshot, config->restore: the file of its memory, borrowed; NULL: it
 * does not. And what else requests have said, once the snapshot's configuration is in `config`.
 */
const char *firecracker_memory(const struct firecracker *f);
V_MUST_CHECK int firecracker_restored(struct firecracker *f, struct config *config, struct verr *e);

#endif
