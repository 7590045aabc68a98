/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/supervise.h"

#include "rootfs/volt-init/initctl.h"
#include "rootfs/volt-init/signals.h"

/* What one signal leads to; ENDING_NONE where life goes on. */
static enum ending act(struct run *run, int initctl, int signo)
{
	switch (signals_action(signo)) {
	case SIGNAL_REAP:
		(void)reap_all(run);
		return run->ended ? ENDING_POWER_OFF : ENDING_NONE;
	case SIGNAL_FORWARD:
		(void)kill(-run->pid, signo);
		return ENDING_NONE;
	case SIGNAL_POWER_OFF:
		return ENDING_POWER_OFF;
	case SIGNAL_RESTART:
		return ENDING_RESTART;
	case SIGNAL_INITCTL:
		return initctl_read(initctl);
	case SIGNAL_IGNORE:
		break;
	}
	return ENDING_NONE;
}

enum ending supervise(struct run *run, int initctl)
{
	enum ending ending;

	do
		ending = act(run, initctl, signals_wait());
	while (ending == ENDING_NONE);
	return ending;
}
