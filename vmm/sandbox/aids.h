/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes another program of volt-vmm than the one for production: aids_none.c, which is in that
 * one, has nothing; volt-debug and the tests' programs are linked with one of their own. So no
 * setting, variable or file can widen the filters of volt-vmm.
 */
#ifndef VOLT_VMM_SANDBOX_AIDS_H
#define VOLT_VMM_SANDBOX_AIDS_H

#include "vmm/sandbox/filter.h"

struct sandbox_aids {
	bool debuggable;                               /* may be traced, and may open files */
	const struct sandbox_filter *(*filters)(void); /* one a thread's profile */
	void (*begin)(void); /* in sandbox_begin(): the environment is still there */
	void (*entered)(enum sandbox_thread thread); /* in each thread, once it is confined */
};

extern const struct sandbox_aids sandbox_aids;

#endif
