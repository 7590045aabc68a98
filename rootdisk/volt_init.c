/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/volt_init.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/beside.h"

/* As built (build/bin, build/volt), and as installed ($PREFIX/bin). */
static const char *const places[] = {
	"/volt-init",
	"/../rootfs/volt-init/volt-init",
	"/../lib/volt/volt-init",
};

int volt_init_find(char *out, size_t size, struct verr *e)
{
	char own[PATH_MAX];

	if (beside_folder(own, sizeof(own), e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if ((size_t)snprintf(out, size, "%s%s", own, places[i]) < size &&
		    access(out, R_OK) == 0)
			return 0;
	return verr_not_found(e,
			      "volt-init is neither in %s nor in %s/../lib/volt: install Volt, or "
			      "make build",
			      own, own);
}
