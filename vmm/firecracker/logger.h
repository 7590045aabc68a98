/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log as Firecracker's clients ask for it. The lines are base/log.h's; here is where they go
 * and which there are: stdout, from Info on, until somebody says otherwise. The log is the
 * process's, so there is one of these, and it stays until the process ends.
 */
#ifndef VOLT_VMM_FIRECRACKER_LOGGER_H
#define VOLT_VMM_FIRECRACKER_LOGGER_H

#include "vmm/firecracker/firecracker.h"

struct fc_logger;

/* One that would write to stdout; the log is as it was. `id` is borrowed. Before any second thread
 * exists, as is what follows. */
V_MUST_CHECK int fc_logger_new(const char *id, struct fc_logger **out, struct verr *e);

/* From here on the log is this one's. */
void fc_logger_begin(const struct fc_logger *logger);

/* One that has not begun. Returns NULL. */
struct fc_logger *fc_logger_free(struct fc_logger *logger);

/* Is there such a level? */
V_MUST_CHECK int fc_logger_check_level(const char *text, struct verr *e);

/*
 * As PUT /logger has it: a path and a module that are not named stay, all else is set anew, and the
 * log is this one's. After a fault all stays.
 */
V_MUST_CHECK int fc_logger_set(struct fc_logger *logger, const struct firecracker_logger *want,
			       struct verr *e);

#endif
