/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/net.h"

static const struct verb *const verbs[] = {
	&net_setup_verb,
	&net_teardown_verb,
	&net_status_verb,
};

const struct verb net_verb = {
	.name = "net",
	.summary = "give guests a bridge of the host's",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};
