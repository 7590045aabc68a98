/* SPDX-License-Identifier: Apache-2.0 */
/* The API's insides, for the files of this room only. */
#ifndef VOLT_VMM_API_CONN_H
#define VOLT_VMM_API_CONN_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/compiler.h"
#include "vmm/api/personality.h"

/* What a subscriber may leave unread. */
#define EVENTS_UNREAD_MAX KIB(64)

#define CONN_INPUT KIB(4)

struct conn {
	struct api *api;
	int fd; /* -1: free */
	struct loop_source readable, writable, timeout;
	struct http http;
	char in[CONN_INPUT]; /* in_at to in_len are not parsed yet */
	size_t in_at, in_len;
	char *out; /* out_at to out_len are not sent yet */
	size_t out_at, out_len;
	bool closing;    /* once the reply is sent */
	bool draining;   /* it is, and the client has not closed yet */
	bool holds;      /* its end is the machine's */
	bool subscribed; /* it gets events until it ends */
	bool waiting;    /* for the start, or the snapshot, that it asked for */
};

struct api {
	const struct api_personality *personality;
	struct loop *loop;
	struct config *config;
	struct machine *machine;     /* NULL until there is one */
	struct snapshots *snapshots; /* NULL: none can be made */
	bool saving;                 /* one is being made */
	snapshot_answer_fn *answer;  /* to who asked for it */
	enum api_wish wish;
	int fd, folder; /* the socket; the folder that it is in, O_PATH */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* the socket's */
	uint64_t device, inode;
	struct loop_source accepts;
	struct conn conns[API_CONNECTIONS];
};

/* routes.c */
void route(struct api *api, const struct http *request, struct reply *reply);

void reply_state(struct reply *reply, const struct api *api);

/* One request; `id` is the object's that its path names, or NULL. */
struct call {
	struct api *api;
	const struct http *request;
	const char *id;
};

typedef void route_fn(const struct call *call, struct reply *reply);

/* objects.c */
route_fn list_drives, get_drive, put_drive, patch_drive, delete_drive;
route_fn list_volumes, get_volume, put_volume, patch_volume, delete_volume;
route_fn list_nets, get_net, put_net, patch_net, delete_net;

/* Descriptors that one request may bring, and no other at the time. */
size_t most_descriptors(const struct api_personality *personality, const struct config *config);

/* What HTTP says to a fault of this kind. */
int status_of(const struct verr *e);

/* End the machine, or the process where there is none yet. */
void end_machine(struct api *api);

/* conn.c */
void conn_init(struct conn *c, struct api *api);                    /* free */
V_MUST_CHECK int conn_open(struct conn *c, int fd, struct verr *e); /* `fd` becomes its own */

/* Send bytes behind what is there; false: out of memory, and the connection is closed. */
bool conn_put(struct conn *c, const void *bytes, size_t len);

/* Send what the client takes now; the rest waits. May close the connection. */
void conn_flush(struct conn *c);
void conn_close(struct conn *c);

/* Answer who waits for the start, and go on with what he sent meanwhile. */
void conns_answer_start(struct api *api, const struct verr *fault);

/* Answer who waits for the snapshot that was made, if he is still there; takes the reply's body. */
void conns_answer_snapshot(struct api *api, struct reply *reply);

/* snapshots.c */
route_fn put_snapshot;

/* events.c */
void events_subscribe(struct conn *c);
void events_tell(void *api, enum machine_event event, const char *device);

#endif
