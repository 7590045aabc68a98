/* SPDX-License-Identifier: Apache-2.0 */
/* The layers, for the files of this room only: each in one file, in the order of sandbox_enter().
 */
#ifndef VOLT_VMM_SANDBOX_LAYERS_H
#define VOLT_VMM_SANDBOX_LAYERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "vmm/sandbox/sandbox.h"

/* What a layer is made of: bits, so that a host which lacks some is told from one that has all. */
enum sandbox_part {
	PART_SECCOMP,
	PART_LANDLOCK,
	PART_NO_NEW_PRIVS,
	PART_CAPABILITIES, /* effective, permitted, inheritable and ambient sets are empty */
	PART_BOUNDING,
	PART_SECUREBITS,
	PART_USER,
	PART_MOUNT,
	PART_NET,
	PART_IPC,
	PART_UTS,
	PART_CGROUP,
	PART_PID,
	PART_ROOT, /* an empty, read-only one */
	PART_LIMITS,
	PART_UNDUMPABLE,
	PART_ENVIRONMENT,
	PARTS,
};

#define PART(name) (1U << PART_##name)

/* Namespaces that every sandbox has, in the order of their parts. */
#define NAMESPACES 7

/* What is open: the next number, and the size of the largest disk. */
struct open_files {
	int next;
	int nothing; /* what takes the place of folders; -1 but while they are looked for */
	rlim_t largest;
};

#define LIVE_FOLDERS_MAX 16

/* A folder of --live-dir, or of --snapshot-dir. */
struct live_folder {
	char *path;
	char *real; /* without links and not relative; of snapshots only */
	int fd;
	bool detached;
	bool snapshots;
};

struct sandbox {
	const struct config *config;
	bool forked;     /* --new-pid-ns has been done */
	bool no_seccomp; /* the host has no filters */
	bool entered;    /* no path leads anywhere any more */
	struct live_folder live[LIVE_FOLDERS_MAX];
	size_t nlive;
	char *cwd;        /* what relative paths of snapshots are relative to */
	char *own_cgroup; /* the one it came from; NULL: not asked for yet */
	int remove_fd;    /* borrowed: files may be removed from it; -1 */
	bool remove_detached;
	unsigned reserve;   /* descriptors that will be needed later */
	unsigned layers;    /* wanted: bits of enum sandbox_layer */
	unsigned required;  /* likewise */
	unsigned parts;     /* in force, as the kernel says */
	int landlock_abi;   /* of the rules in force */
	int refused[PARTS]; /* errno, of what was tried and is not in force */
	pid_t pid;
	int status_fd;            /* /proc/self/status, -1: there is none */
	ino_t before[NAMESPACES]; /* the namespaces it came from; 0: unknown */
	int namespaces_fd;        /* /proc/self/ns, likewise */
	struct open_files open_files;
	atomic_uint filtered; /* threads with a filter */
};

static inline bool sandbox_wants(const struct sandbox *s, enum sandbox_layer layer)
{
	return (s->layers >> layer & 1) != 0;
}

/* The profile of the calling thread, for the log. */
const char *sandbox_thread_name(void);

/* A part that was tried and refused with errno. */
void sandbox_refused(struct sandbox *s, enum sandbox_part part);

/* cgroup.c */
V_MUST_CHECK int cgroup_join(struct sandbox *s, struct verr *e);

/* pidns.c: as sandbox_begin() */
V_MUST_CHECK int pidns_enter(int *status, struct verr *e);

/* In the child: end when the one outside does. To be said again after a change of user. */
void pidns_end_with_parent(void);

/* folders.c */
V_MUST_CHECK int folders_open(struct sandbox *s, struct verr *e);
void folders_close(struct sandbox *s);
/*
 * What is held gets a mount of its own, at which ".." ends. Before root becomes somebody else, and
 * for others once there is a mount namespace of theirs; what the kernel refuses stays as it is.
 */
void folders_detach(struct sandbox *s);
/* Once the root is an empty one: later mounts of the host's in the live folders come through. */
void folders_attach(const struct sandbox *s);

/* namespaces.c */
V_MUST_CHECK int netns_enter(const char *path, struct verr *e);
void namespaces_remember(struct sandbox *s);
void namespaces_enter(struct sandbox *s);
void namespaces_read_back(struct sandbox *s);

/* landlock.c */
void landlock_enter(struct sandbox *s);

/* privileges.c */
V_MUST_CHECK int privileges_become(const struct config *c, struct verr *e);

/* What became of --uid's capabilities, where no layer drops them. */
V_MUST_CHECK int privileges_forget(const struct config *c, struct verr *e);
V_MUST_CHECK int privileges_renounce(struct sandbox *s, struct verr *e);
void privileges_drop(struct sandbox *s);
void privileges_read_back(struct sandbox *s);

/* limits.c */
/* While there are paths: what is open is looked at, strays are closed, folders replaced. */
void limits_measure(struct sandbox *s);
void limits_enter(struct sandbox *s);

/* seccomp.c */
V_MUST_CHECK int seccomp_probe(struct sandbox *s);
V_MUST_CHECK int seccomp_install(const struct sandbox *s, enum sandbox_thread thread);

#endif
