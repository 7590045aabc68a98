/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the sandbox's settings. */
#include <string.h>
#include <unistd.h>

#include "vmm/config/check_priv.h"

static const char *const names[] = {
	[SANDBOX_SECCOMP] = "seccomp",
	[SANDBOX_LANDLOCK] = "landlock",
	[SANDBOX_CAPABILITIES] = "capabilities",
	[SANDBOX_NAMESPACES] = "namespaces",
	[SANDBOX_LIMITS] = "limits",
};
_Static_assert(ARRAY_LEN(names) == SANDBOX_LAYERS, "every layer has a name");

const char *config_layer_name(enum sandbox_layer layer)
{
	return names[layer];
}

bool config_layers(const char *text, unsigned *layers, const char **bad, int *len)
{
	*layers = 0;
	while (text != NULL) {
		size_t n = strcspn(text, ","), i = 0;

		while (i < SANDBOX_LAYERS &&
		       (strlen(names[i]) != n || strncmp(names[i], text, n) != 0))
			i++;
		if (i == SANDBOX_LAYERS) {
			*bad = text;
			*len = (int)n;
			return false;
		}
		*layers |= 1U << i;
		text = text[n] == ',' ? text + n + 1 : NULL;
	}
	return true;
}

static int take_layers(const char *flag, const char *text, unsigned *layers, struct verr *e)
{
	const char *bad;
	int len;

	if (config_layers(text, layers, &bad, &len))
		return 0;
	return verr_invalid(e,
			    "%s: unknown layer \"%.*s\"; expected some of seccomp, landlock, "
			    "capabilities, namespaces, limits",
			    flag, len > 40 ? 40 : len, bad);
}

static int check_layers(const struct config *c, struct verr *e)
{
	unsigned skip, require, both;

	if (take_layers("--sandbox-skip", c->sandbox_skip, &skip, e) < 0 ||
	    take_layers("--sandbox-require", c->sandbox_require, &require, e) < 0)
		return -1;
	if (!c->sandbox && (skip != 0 || require != 0))
		return verr_invalid(e,
				    "--sandbox off: there are no layers to %s then; expected one "
				    "of --sandbox off and --sandbox-%s",
				    require != 0 ? "require" : "skip",
				    require != 0 ? "require" : "skip");
	both = skip & require;
	for (size_t i = 0; i < SANDBOX_LAYERS; i++)
		if ((both >> i & 1) != 0)
			return verr_invalid(e,
					    "%s is in --sandbox-skip and in --sandbox-require; "
					    "expected it in one of them",
					    names[i]);
	return 0;
}

#define CGROUP_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:@\\"

/* Every component is a name: nobody climbs out of the subtree he was given. */
static bool is_cgroup_path(const char *path)
{
	size_t n;

	path += *path == '/' ? 1 : 0;
	do {
		n = strspn(path, CGROUP_CHARS);
		if (n == 0 || (n == 1 && *path == '.') || (n == 2 && strncmp(path, "..", 2) == 0))
			return false;
		path += n;
	} while (*path == '/' && *++path != '\0');
	return *path == '\0';
}

static bool skip_number(const char **text)
{
	size_t n = strspn(*text, "0123456789");

	*text += n;
	return n > 0 && n < 20;
}

/* The kernel's "8:16 rbps=1048576 wiops=120", with commas. */
static bool is_io_max(const char *text)
{
	static const char *const keys[] = {",rbps=", ",wbps=", ",riops=", ",wiops="};

	if (!skip_number(&text) || *text++ != ':' || !skip_number(&text) || *text == '\0')
		return false;
	while (*text != '\0') {
		size_t i = 0;

		while (i < ARRAY_LEN(keys) && strncmp(text, keys[i], strlen(keys[i])) != 0)
			i++;
		if (i == ARRAY_LEN(keys))
			return false;
		text += strlen(keys[i]);
		if (!skip_number(&text))
			return false;
	}
	return true;
}

static int check_cgroup(const struct config *c, struct verr *e)
{
	const char *limit = c->cpu_quota != 0    ? "--cpu-quota"
			    : c->memory_max != 0 ? "--memory-max"
			    : c->io_max != NULL  ? "--io-max"
			    : c->pids_max != 0   ? "--pids-max"
						 : NULL;

	if (c->io_max != NULL && !is_io_max(c->io_max))
		return verr_invalid(e,
				    "--io-max %s: expected MAJOR:MINOR,KEY=N..., such as "
				    "8:16,rbps=10485760,wiops=1000",
				    c->io_max);
	if (c->cgroup == NULL && limit != NULL)
		return verr_invalid(e,
				    "%s: expected --cgroup NAME beside it, for it is the cgroup's "
				    "limit",
				    limit);
	if (c->cgroup != NULL && !is_cgroup_path(c->cgroup))
		return verr_invalid(e,
				    "--cgroup %s: expected a name, or a path from / without . "
				    "and ..",
				    c->cgroup);
	if (c->memory_max != 0 && c->memory_max < c->memory)
		return verr_invalid(e, "--memory-max: less than the guest's memory; expected more "
				       "than --memory");
	return 0;
}

static int check_user(const struct config *c, struct verr *e)
{
	const char *flag = c->uid != 0 ? "--uid" : "--gid";

	if (c->uid == 0 && c->gid == 0)
		return 0;
	if (!c->sandbox)
		return verr_invalid(e, "%s: expected --sandbox on, which it is part of", flag);
	if (geteuid() != 0)
		return verr_invalid(e, "%s: only root can become another user", flag);
	/* A user that keeps root's group reaches what that may. */
	if (c->gid == 0)
		return verr_invalid(e, "--uid %u: expected --gid, too", c->uid);
	return 0;
}

/* The process that removes a macvtap would be ended with all others of the namespace. */
static int check_pid_namespace(const struct config *c, struct verr *e)
{
	for (size_t i = 0; c->new_pid_ns && i < c->nets.count; i++)
		if (config_nets(c)[i].parent != NULL)
			return verr_invalid(e,
					    "--new-pid-ns: --net parent=%s: a macvtap that is made "
					    "could not be removed after an end by force; expected "
					    "one that is there, by tap=",
					    config_nets(c)[i].parent);
	return 0;
}

int config_check_sandbox(const struct config *c, struct verr *e)
{
	return check_layers(c, e) < 0 || check_cgroup(c, e) < 0 || check_user(c, e) < 0
		       ? -1
		       : check_pid_namespace(c, e);
}
