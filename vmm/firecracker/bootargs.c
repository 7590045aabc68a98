/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/firecracker/bootargs.h"

#include <stdio.h>
#include <string.h>

#include "vmm/firecracker/priv.h"

/* What Firecracker's guests get where nobody says anything else: no console, a reset on panic. */
#define DEFAULT_ARGS                                                                       \
	"reboot=k panic=1 nomodule 8250.nr_uarts=0 i8042.noaux i8042.nomux i8042.dumbkbd " \
	"swiotlb=noforce"

/* There is no PCI bus to look for. */
#define NO_PCI "pci=off"

/* How much of the line is for the kernel: up to a "--" that stands alone. */
static size_t kernel_part(const char *line)
{
	for (const char *at = line; (at = strstr(at, "--")) != NULL; at += 2)
		if ((at == line || at[-1] == ' ') && (at[2] == ' ' || at[2] == '\0'))
			return (size_t)(at - line);
	return strlen(line);
}

char *bootargs(const char *args, const json_t *root)
{
	const char *line = args != NULL ? args : DEFAULT_ARGS;
	const char *partuuid = body_text(root, "partuuid");
	size_t len = kernel_part(line), end = len;
	char device[96] = "", *out;

	if (root != NULL)
		(void)snprintf(device, sizeof(device), " root=%s%.64s %s",
			       partuuid != NULL ? "PARTUUID=" : "/dev/vda",
			       partuuid != NULL ? partuuid : "",
			       body_true(root, "is_read_only") ? "ro" : "rw");
	while (end > 0 && line[end - 1] == ' ')
		end--;
	if (asprintf(&out, "%.*s%s" NO_PCI "%s%s%s", (int)end, line, end > 0 ? " " : "", device,
		     line[len] != '\0' ? " " : "", line + len) < 0)
		return NULL;
	return out;
}
