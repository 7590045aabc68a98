/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's insides, for the files of this room only. All of it runs on one loop. */
#ifndef VOLT_VOLT_POOL_DAEMON_H
#define VOLT_VOLT_POOL_DAEMON_H

#include <limits.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/own.h"
#include "base/passed.h"
#include "volt/pool/link.h"
#include "volt/pool/pool.h"
#include "volt/pool/request.h"

/* Connections at a time; the next one is told so and closed. */
#define POOL_CONNECTIONS 128

/* From a request's first byte to its end; and until an answer is taken. */
#define POOL_TIMEOUT_MS 10000

#define POOL_MACHINES_MAX 4096

#define SOCKET_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

/* What the machines of a pool are made of. Texts are borrowed, and outlive the pool. */
struct pool_options {
	char vmm[PATH_MAX];       /* the program */
	const char *restore, *id; /* `restore` NULL: booted, as `more` says, and paused */
	const char **more;        /* `more_count` words for volt-vmm, behind our own */
	size_t more_count;
	unsigned size, most;
	char socket[SOCKET_PATH]; /* absolute */
};

enum slot_stage {
	SLOT_STARTING,
	SLOT_READY,
	SLOT_TAKEN,   /* by a claimer, who waits for it to run */
	SLOT_HELD,    /* it runs, and ends with the claimer's connection */
	SLOT_CLAIMED, /* it is somebody's */
	SLOT_ENDING,
};

struct conn;

/* A machine, in its place among the numbers. */
struct slot {
	struct pool *pool;
	struct slot *next;
	unsigned number;
	enum slot_stage stage;
	pid_t pid; /* 0: there is no process */
	char id[65];
	char path[SOCKET_PATH]; /* of its API */
	struct link link;
	struct loop_source said, patience;
	int said_fd; /* what it says on stderr */
	char line[256];
	size_t line_len;
	char last[256]; /* line that it said */
	struct conn *claimer;
	size_t step;       /* of the claim */
	bool gone;         /* its API is, before its process */
	bool keeping;      /* its claimer wants it, and it does not know yet */
	uint64_t since_ns; /* that it has been ready */
};

/* Somebody at the pool's socket. */
struct conn {
	struct pool *pool;
	int fd; /* -1: free */
	struct loop_source readable, writable, timeout;
	char *in; /* POOL_LINE_MAX bytes, `in_len` of them read */
	size_t in_len;
	char *out; /* out_at to out_len are not sent yet */
	size_t out_at, out_len;
	bool closing; /* once `out` is sent */
	bool busy;    /* its request is not answered yet; lines behind it wait */
	bool waits;   /* for a machine to be ready */
	bool stops;   /* for the pool's end */
	uint64_t turn;
	bool invalid; /* what is wrong is what it asks for, and not how things are */
	struct request request;
	struct passed passed; /* with its line */
	struct slot *slot;    /* taken or held for it */
};

struct pool {
	const struct pool_options *options;
	struct loop *loop;
	struct slot *slots;
	struct conn conns[POOL_CONNECTIONS];
	int fd, signals_fd, log_fd;
	uint64_t device, inode; /* of the socket */
	struct loop_source accepts, signals, refill;
	uint64_t turns, claims, lost;
	unsigned failures;   /* in a row */
	uint64_t retry_ns;   /* when the next start is tried; 0: at once */
	char why[VERR_TEXT]; /* the last start failed */
	struct verr *fault;  /* of the run: the first machine could not be started */
	int ready_fd;        /* whoever waits for the first machine; -1: nobody */
	bool was_ready, stopping;
};

/* daemon.c */

/* From the socket's making to its end; a fault also where the first machine does not start. */
V_MUST_CHECK int daemon_run(struct pool *pool, struct verr *e);
void daemon_init(struct pool *pool, const struct pool_options *options, int ready_fd);
void daemon_deinit(struct pool *pool);

/* Something has changed: hand out, start and end machines as it is due. */
void daemon_tend(struct pool *pool);
void daemon_stop(struct pool *pool);

/* A machine could not be started. */
void daemon_failed(struct pool *pool, const char *why);
void daemon_was_ready(struct pool *pool);

/* A line on stderr, if somebody takes it now. */
void daemon_say(const struct pool *pool, const char *fmt, ...) V_PRINTF(2, 3);

/* One that is ready must also be there: of one that starts, why it ends is not known yet. */
unsigned daemon_count(const struct pool *pool, enum slot_stage stage);

/* listen.c */
V_MUST_CHECK int daemon_listen(struct pool *pool, struct verr *e);
void daemon_unlisten(struct pool *pool);

/* A descriptor is free: what could not be accepted for want of one can be. */
void daemon_listen_again(struct pool *pool);

/* slot.c */

/* Is no machine of an earlier pool behind this number's socket? One that is left over is removed.
 */
bool slot_is_free(const struct pool *pool, unsigned number);
V_MUST_CHECK int slot_start(struct pool *pool, unsigned number, struct verr *e);

/* Whoever asked for it waits until it runs; the first request goes out at once. */
void slot_take(struct slot *s, struct conn *claimer);

/* It is its claimer's from here on. */
void slot_keep(struct slot *s);

/* A machine that nobody has: let it end, by force if it does not. */
void slot_end(struct slot *s);
void slot_end_now(struct slot *s);

/* Its process has ended. */
void slot_ended(struct slot *s, int status);

/* Close all that is the daemon's and forget it; the machine goes on if it is released. */
void slot_free(struct slot *s);
const char *slot_stage_name(enum slot_stage stage);

/* spawn.c: start its volt-vmm; `hold` and `said` are the machine's ends (borrowed). */
V_MUST_CHECK int spawn(const struct slot *s, int hold, int said, pid_t *pid, struct verr *e);

/* conn.c */
void conn_init(struct conn *c, struct pool *pool);
V_MUST_CHECK int conn_open(struct conn *c, int fd, struct verr *e); /* `fd` becomes its own */
void conn_close(struct conn *c);

/* Answer its request with an object, which is given away; the connection may be closed then. */
void conn_answer(struct conn *c, json_t *object);
void conn_refuse(struct conn *c, const char *fmt, ...) V_PRINTF(2, 3);

/* serve.c */
void serve(struct conn *c, const char *line, size_t len);
void serve_gone(struct conn *c);  /* it closes, whatever it was in the middle of */
void serve_ready(struct pool *p); /* a machine is: whoever waits longest gets it */
void serve_runs(struct conn *c);  /* the machine that was taken for it */
void serve_kept(struct conn *c);
void serve_lost(struct conn *c, const char *why); /* its machine cannot be had, or has ended */
json_t *serve_status(const struct pool *pool);

#endif
