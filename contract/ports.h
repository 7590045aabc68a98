/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I/O ports between a guest and volt-vmm that are Volt's own. One byte wide, write only; reads
 * give 0xff. Nothing that a guest writes here is trusted: it is a report, never an instruction.
 */
#ifndef VOLT_CONTRACT_PORTS_H
#define VOLT_CONTRACT_PORTS_H

/*
 * The workload's exit status, as a shell has it: 0-124 and 128+signal. The last byte written
 * counts. Writing it ends nothing: the guest still powers off.
 */
#define VOLT_PORT_STATUS 0x0604

/* A mark on the start-up time line; the first write of each value is kept with its time. */
#define VOLT_PORT_MARK 0x0605

enum volt_mark {
	VOLT_MARK_INIT = 1, /* PID 1 runs its first instructions */
	VOLT_MARK_WORKLOAD, /* the workload is about to be executed */
	VOLT_MARK_DONE,     /* the workload has ended; shutdown begins */
	VOLT_MARK_COUNT,
};

#endif
