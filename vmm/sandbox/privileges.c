/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids and capabilities (capabilities(7)). By system call: libcap-ng looks for its ways in /proc,
 * and brings functions that a static program cannot have.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/sandbox/layers.h"

/* Every bit with its lock, but for "keep capabilities", whose lock is enough: it is clear. */
#define SECUREBITS                                                                               \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                         \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

struct caps {
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static int get_caps(struct caps *caps)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capget, &head, caps->data);
}

static int set_caps(const struct caps *caps)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capset, &head, caps->data);
}

/* The capabilities stay until they are dropped: namespaces may need one. */
int privileges_become(const struct config *c, struct verr *e)
{
	struct caps caps;

	if (c->uid == 0 && c->gid == 0)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    (c->gid != 0 && setresgid(c->gid, c->gid, c->gid) < 0) ||
	    (c->uid != 0 && setresuid(c->uid, c->uid, c->uid) < 0) || get_caps(&caps) < 0)
		return verr_os(e, "cannot become user %u of group %u (--uid, --gid)", c->uid,
			       c->gid);
	for (size_t i = 0; i < ARRAY_LEN(caps.data); i++)
		caps.data[i].effective = caps.data[i].permitted;
	return set_caps(&caps) < 0 ? verr_os(e, "keep capabilities over --uid") : 0;
}

/* What --uid has kept for the namespaces, and nobody drops as a layer. */
int privileges_forget(const struct config *c, struct verr *e)
{
	const struct caps none = {{{0}}};

	if (c->uid == 0)
		return 0;
	return set_caps(&none) < 0 ? verr_os(e, "drop capabilities after --uid") : 0;
}

int privileges_renounce(struct sandbox *s, struct verr *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return verr_os(e, "set no_new_privs");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		s->parts |= PART(NO_NEW_PRIVS);
	return 0;
}

void privileges_drop(struct sandbox *s)
{
	const struct caps none = {{{0}}};
	int cap = 0;

	while (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
		cap++;
	if (errno != EINVAL) /* that it says of the first number that is no capability's */
		sandbox_refused(s, PART_BOUNDING);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) < 0)
		sandbox_refused(s, PART_SECUREBITS);
	if (set_caps(&none) < 0)
		sandbox_refused(s, PART_CAPABILITIES);
}

static bool has_none(void)
{
	struct caps caps;
	uint32_t any = 0;

	if (get_caps(&caps) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(caps.data); i++)
		any |= caps.data[i].effective | caps.data[i].permitted | caps.data[i].inheritable;
	return any == 0;
}

void privileges_read_back(struct sandbox *s)
{
	int cap = 0;

	if (has_none())
		s->parts |= PART(CAPABILITIES);
	while (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 0)
		cap++;
	if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) < 0)
		s->parts |= PART(BOUNDING);
	if (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) == (int)SECUREBITS)
		s->parts |= PART(SECUREBITS);
}
