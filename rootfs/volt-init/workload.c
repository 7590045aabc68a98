/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/workload.h"

#include <stdio.h>
#include <string.h>

void workload_init(struct workload *workload)
{
	workload->argc = 0;
	workload->envc = 0;
	workload->user = NULL;
	workload->cwd = NULL;
	workload->shell = false;
	workload->argv[0] = NULL;
	workload->envp[0] = NULL;
}

int workload_add_arg(struct workload *workload, char *arg, struct why *why)
{
	if (workload->argc == WORKLOAD_ARGS)
		return why_set(why, "more than %d arguments", WORKLOAD_ARGS);
	workload->argv[workload->argc++] = arg;
	workload->argv[workload->argc] = NULL;
	return 0;
}

/* Where the variable stands that "entry" names; envc where it does not. */
static size_t find_env(const struct workload *workload, const char *entry)
{
	size_t name = strcspn(entry, "=") + 1;
	size_t i = 0;

	while (i < workload->envc && strncmp(workload->envp[i], entry, name) != 0)
		i++;
	return i;
}

bool workload_has_env(const struct workload *workload, const char *entry)
{
	return find_env(workload, entry) < workload->envc;
}

int workload_put_env(struct workload *workload, char *entry, struct why *why)
{
	size_t place = find_env(workload, entry);

	if (place == WORKLOAD_ENV)
		return why_set(why, "more than %d environment variables", WORKLOAD_ENV);
	workload->envp[place] = entry;
	if (place == workload->envc)
		workload->envp[++workload->envc] = NULL;
	return 0;
}

int workload_put_environ(struct workload *workload, char **environment, struct why *why)
{
	for (; *environment; environment++) {
		if (strcmp(*environment, "HOME=/") == 0 || strcmp(*environment, "TERM=linux") == 0)
			continue;
		if (workload_put_env(workload, *environment, why) < 0)
			return -1;
	}
	return 0;
}

int workload_add_defaults(struct workload *workload, struct workload_defaults *defaults,
			  const char *home, struct why *why)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	/* What every serial terminal understands. */
	static char term[] = "TERM=vt220";
	char *const entries[] = {path, defaults->home, term};

	(void)snprintf(defaults->home, sizeof(defaults->home), "HOME=%s", home);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		if (!workload_has_env(workload, entries[i]) &&
		    workload_put_env(workload, entries[i], why) < 0)
			return -1;
	}
	return 0;
}

int workload_add_shell(struct workload *workload, struct why *why)
{
	/* The dash asks for a login shell, so that /etc/profile sets up what a person expects. */
	static char name[] = "-sh";

	workload->shell = true;
	return workload_add_arg(workload, name, why);
}
