/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an API is, apart from how its bytes come and go: its paths, the look of its answers, its
 * limits. The native one is in routes.c; vmm/firecracker/ brings another.
 */
#ifndef VOLT_VMM_API_PERSONALITY_H
#define VOLT_VMM_API_PERSONALITY_H

#include <jansson.h>

#include "base/compiler.h"
#include "base/verr.h"
#include "vmm/api/api.h"
#include "vmm/api/http.h"

/* "GET, PUT, PATCH, DELETE" and room. */
#define ALLOW_LEN 32

/* What a route answers. */
struct reply {
	int status;
	const char *type; /* of the body */
	char *body;       /* owned; NULL: none */
	size_t len;
	char allow[ALLOW_LEN]; /* of a 405 */
	bool deprecated;       /* what was asked for will not be there for ever: the head says so */
	bool stream;           /* the connection becomes one of events */
	bool later;            /* there is no answer yet */
	bool bare;             /* the head only: the answer to HEAD */
};

#define TYPE_JSON "application/json"
#define TYPE_PROMETHEUS "text/plain; version=0.0.4"
#define TYPE_EVENTS "application/x-ndjson"

struct api_personality {
	const char *server;  /* what the head calls it */
	bool no_reasons;     /* after the status' number nothing is said */
	size_t body_max;     /* a longer one is refused with 413 */
	const char *crowded; /* the JSON that a connection too many reads */

	void (*route)(struct api *api, const struct http *request, struct reply *reply);

	/* The answer to a start, which was asked for and has succeeded. */
	void (*started)(struct api *api, struct reply *reply);

	/* The status of what is no request, for the one that http.h has; NULL: that one. */
	int (*refusal)(int status);

	bool takes_descriptors; /* of a NIC's new host side */

	bool leaves_socket; /* its file stays when the process ends */

	void *arg;
};

extern const struct api_personality native_personality;

/* For routes. The machine is NULL until there is one; the configuration is the machine's then. */
struct config *api_config(const struct api *api);
struct machine *api_machine(const struct api *api);
void *api_arg(const struct api *api); /* the personality's */

/*
 * Ask for the start, or for the process's end, before there is a machine. False: somebody has asked
 * already. The answer to a start is `later`.
 */
bool api_ask(struct api *api, enum api_wish wish);

/*
 * Have a snapshot made; `answer` gives the reply once it is, or, with a fault, is not.
 */
struct snapshot_made;
struct snapshot_wish;
typedef void snapshot_answer_fn(struct reply *reply, const struct snapshot_made *made,
				const struct verr *fault);
V_MUST_CHECK int api_make_snapshot(struct api *api, const struct snapshot_wish *wish,
				   snapshot_answer_fn *answer, struct reply *reply, struct verr *e);
bool api_makes_snapshot(const struct api *api); /* now */

/* 200 with this JSON, which is given away; 503 without. */
void reply_text(struct reply *reply, char *json);

/* This status with an object, which is given away; 503 without. */
void reply_json(struct reply *reply, int status, json_t *object);

/* A reply with {"fault_message": "..."}. */
void reply_verr(struct reply *reply, int status, const struct verr *e);

#define reply_fault(reply, status, ...)                   \
	do {                                              \
		struct verr fault_ = VERR_INIT;           \
		(void)verr_invalid(&fault_, __VA_ARGS__); \
		reply_verr(reply, status, &fault_);       \
	} while (0)

#endif
