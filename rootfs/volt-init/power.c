/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/power.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "rootfs/volt-init/say.h"

void power_claim_keys(bool debug)
{
	if (reboot(RB_DISABLE_CAD) < 0)
		say_step(debug, "Ctrl-Alt-Del stays the kernel's: %s", strerror(errno));
}

enum ending power_possible(enum ending wanted)
{
	bool acpi = access("/sys/firmware/acpi", F_OK) == 0;
	bool known = access("/sys/firmware", F_OK) == 0;

	return wanted == ENDING_POWER_OFF && known && !acpi ? ENDING_RESTART : wanted;
}

void power_hush(void)
{
	int fd = open("/proc/sys/kernel/printk", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "0", 1) != 1)
		say("the kernel's last words stay: %s", strerror(errno));
	(void)close(fd);
}

_Noreturn void power_end(enum ending ending)
{
	if (ending == ENDING_RESTART)
		(void)reboot(RB_AUTOBOOT);
	else
		(void)reboot(RB_POWER_OFF);

	/* Still here: any other way to end, and if there is none, waiting is better than a panic.
	 */
	say("the kernel does not end the machine: %s", strerror(errno));
	(void)reboot(RB_AUTOBOOT);
	(void)reboot((int)RB_HALT_SYSTEM);
	for (;;)
		pause();
}
