/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of `volt doctor`: each tries one thing that Volt uses of a host, for real and without
 * leaving a trace, and says what it means and what would help. doctor.c has the list.
 */
#ifndef VOLT_VOLT_CHECK_H
#define VOLT_VOLT_CHECK_H

#include <stdbool.h>

#include "vmm/kvm/kvm.h"

enum check_status {
	CHECK_OK,
	CHECK_LIMITED, /* Volt works, with less */
	CHECK_MISSING,
};

#define CHECK_TEXT 320

struct finding {
	enum check_status status;
	char what[CHECK_TEXT];   /* what is so, and what that means */
	char remedy[CHECK_TEXT]; /* "" when there is nothing to do */
};

/* What checks hand on to later ones. */
struct check_context {
	struct kvm kvm;
	struct kvm_vm vm; /* fd -1: there is no usable KVM */
};

typedef void check_fn(struct check_context *c, struct finding *f);

/* Say what is so; one of these is called once by every check. */
void check_ok(struct finding *f, const char *what, ...) V_PRINTF(2, 3);
void check_limited(struct finding *f, const char *remedy, const char *what, ...) V_PRINTF(3, 4);
void check_missing(struct finding *f, const char *remedy, const char *what, ...) V_PRINTF(3, 4);

/* The first `size` - 1 bytes of a small file, as text; false when it cannot be read. */
bool check_read_file(const char *path, char *out, size_t size);

/* check_kvm.c: the first one opens what the others use */
check_fn check_kvm, check_kvm_extensions, check_tsc_deadline, check_linux;

/* check_sandbox.c */
check_fn check_landlock, check_seccomp, check_user_namespaces, check_sandbox;

/* check_cgroup.c */
check_fn check_cgroup;

/* The path in the line of cgroup v2 ("0::/PATH") of /proc/self/cgroup; false when there is none. */
bool check_cgroup_path(const char *text, char *out, size_t size);

/* check_memory.c */
check_fn check_hugetlb, check_thp, check_userfaultfd;

/* The choice in brackets, as "madvise" of "always [madvise] never"; false when there is none. */
bool check_bracketed(const char *text, char *out, size_t size);

/* check_io.c */
check_fn check_tun, check_vhost_net, check_passt, check_io_uring, check_pty;

#endif
