/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's devices: made, put on the bus and in the device map, connected to interrupts. */
#include <string.h>
#include <sys/eventfd.h>

#include "base/own.h"
#include "contract/ports.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/machine/internal.h"

static void on_poweroff(void *arg)
{
	(void)machine_set_end(arg, MACHINE_POWEROFF);
}

/* A reset line: run.c ends the machine once the access that pulled it is done. */
static void on_reset(void *arg)
{
	struct machine *m = arg;

	atomic_store_explicit(&m->reset, true, memory_order_relaxed);
}

/* The kernel may still print and will reset if told to (panic=): the loop gives it a moment. */
static void on_panic(void *arg, enum pvpanic_event event)
{
	struct machine *m = arg;

	if (event == PVPANIC_PANICKED && !atomic_exchange(&m->panicked, true))
		loop_wake(&m->panic);
}

static void on_quit(void *arg)
{
	machine_stop(arg);
}

static enum console_kind kind_of_console(const char *name)
{
	if (strcmp(name, "stdio") == 0)
		return CONSOLE_STDIO;
	if (strcmp(name, "pty") == 0)
		return CONSOLE_PTY;
	return strcmp(name, "none") == 0 ? CONSOLE_NONE : CONSOLE_FILE;
}

int devices_open(struct machine *m, struct verr *e)
{
	const char *name = m->config->console, *equals = strchr(name, '=');
	struct console_options options = {.kind = kind_of_console(name),
					  .path = equals != NULL ? equals + 1 : NULL,
					  .quit = on_quit,
					  .arg = m};

	if (console_new(m->loop, &options, &m->console, e) < 0)
		return verr_note(e, "--console %s", name);
	return 0;
}

void announce(struct machine *m, const struct platform_device *device)
{
	m->platform_devices[m->platform.ndevices++] = *device;
}

static int create_legacy(struct machine *m, struct verr *e)
{
	struct serial_options serial = {.irq = m->serial_irq,
					.send = console_send,
					.room = console_room,
					.arg = m->console};
	struct i8042_options i8042 = {.irq = m->i8042_irq, .reset = on_reset, .arg = m};

	if (serial_new(&serial, &m->serial, e) < 0 || i8042_new(&i8042, &m->i8042, e) < 0)
		return -1;
	bus_attach(&m->ports, LAYOUT_PORT_COM1, SERIAL_PORTS, &serial_pio, m->serial);
	bus_attach(&m->ports, LAYOUT_PORT_I8042_DATA, 1, &i8042_data_pio, m->i8042);
	bus_attach(&m->ports, LAYOUT_PORT_I8042_COMMAND, 1, &i8042_command_pio, m->i8042);
	announce(m, &(struct platform_device){.name = "COM1",
					      .hid = "PNP0501",
					      .ports = {{LAYOUT_PORT_COM1, SERIAL_PORTS}},
					      .gsi = LAYOUT_GSI_COM1});
	announce(m, &(struct platform_device){
			    .name = "KBD_",
			    .hid = "PNP0303",
			    .ports = {{LAYOUT_PORT_I8042_DATA, 1}, {LAYOUT_PORT_I8042_COMMAND, 1}},
			    .gsi = LAYOUT_GSI_I8042});
	return 0;
}

static int create_power(struct machine *m, struct verr *e)
{
	struct power_options power = {.off = on_poweroff, .reset = on_reset, .arg = m};
	struct pvpanic_options panic = {.event = on_panic, .arg = m};

	if (power_new(&power, &m->power, e) < 0 || pvpanic_new(&panic, &m->pvpanic, e) < 0 ||
	    report_new(&m->report, e) < 0)
		return -1;
	bus_attach(&m->ports, LAYOUT_PORT_SLEEP_CONTROL, POWER_PORTS, &power_pio, m->power);
	bus_attach(&m->ports, LAYOUT_PORT_PVPANIC, PVPANIC_PORTS, &pvpanic_pio, m->pvpanic);
	bus_attach(&m->ports, VOLT_PORT_STATUS, REPORT_PORTS, &report_pio, m->report);
	announce(m, &(struct platform_device){.name = "PEVT",
					      .hid = "QEMU0001",
					      .ports = {{LAYOUT_PORT_PVPANIC, PVPANIC_PORTS}},
					      .gsi = PLATFORM_NO_GSI});
	return 0;
}

static int make_irq(int *fd, struct verr *e)
{
	*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return *fd < 0 ? verr_os(e, "create an eventfd") : 0;
}

int devices_create(struct machine *m, struct verr *e)
{
	if (make_irq(&m->serial_irq, e) < 0 || make_irq(&m->i8042_irq, e) < 0)
		return -1;
	return create_legacy(m, e) < 0 || create_power(m, e) < 0 ? -1 : 0;
}

int devices_connect(struct machine *m, struct verr *e)
{
	if (kvm_vm_irqfd(&m->vm, m->serial_irq, LAYOUT_GSI_COM1, e) < 0)
		return -1;
	if (kvm_vm_irqfd(&m->vm, m->i8042_irq, LAYOUT_GSI_I8042, e) < 0)
		return -1;
	return virtio_connect(m, e);
}

void devices_free(struct machine *m)
{
	virtio_free(m);
	/* The console first: it flushes and restores the terminal, and feeds the UART. */
	m->console = console_free(m->console);
	m->serial = serial_free(m->serial);
	m->i8042 = i8042_free(m->i8042);
	m->power = power_free(m->power);
	m->pvpanic = pvpanic_free(m->pvpanic);
	m->report = report_free(m->report);
	fd_close(&m->serial_irq);
	fd_close(&m->i8042_irq);
}
