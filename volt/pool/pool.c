/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/pool/pool.h"

static const struct verb *const verbs[] = {
	&pool_start_verb,
	&pool_claim_verb,
	&pool_status_verb,
	&pool_stop_verb,
};

const struct verb pool_verb = {
	.name = "pool",
	.summary = "keep machines ready, and hand them out",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};
