/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/beside.h"

#include <string.h>
#include <unistd.h>

int beside_folder(char *out, size_t size, struct verr *e)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	char *slash;

	if (n < 0)
		return verr_os(e, "find this program by /proc/self/exe");
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash != NULL)
		*slash = '\0';
	return 0;
}
