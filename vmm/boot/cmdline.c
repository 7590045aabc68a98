/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot/cmdline.h"

#include <stdio.h>
#include <string.h>

#include "vmm/arch/x86_64/layout.h"

/*
 * A panic resets at once, so that it ends the machine; the probes that are left out look for a
 * PCI bus, a mouse port and multiplexers that are not there, each some milliseconds of the start.
 * loglevel=3 keeps the complaint that there is no PCI bus off the console; a panic is always shown.
 */
#define DEFAULT_BASE "loglevel=3 panic=-1 reboot=k pci=off i8042.noaux i8042.nomux i8042.dumbkbd"
#define DEFAULT_CONSOLE "console=ttyS0 "

/* Counts on past the end, so that the fault can say how long the line would have been. */
struct writer {
	struct cmdline *line;
	size_t wanted;
};

static void put_byte(struct writer *w, char c)
{
	if (w->wanted < sizeof(w->line->text) - 1)
		w->line->text[w->wanted] = c;
	w->wanted++;
}

static void put_text(struct writer *w, const char *text)
{
	for (; *text != '\0'; text++)
		put_byte(w, *text);
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(VOLT_WORKLOAD_PLAIN, c) != NULL);
}

static void put_encoded(struct writer *w, const char *arg)
{
	char hex[4];

	for (; *arg != '\0'; arg++) {
		if (is_plain(*arg)) {
			put_byte(w, *arg);
			continue;
		}
		(void)snprintf(hex, sizeof(hex), "%%%02X", (unsigned char)*arg);
		put_text(w, hex);
	}
}

static void put_workload(struct writer *w, char *const *workload)
{
	put_text(w, " -- ");
	for (; *workload != NULL; workload++) {
		put_encoded(w, *workload);
		if (workload[1] != NULL)
			put_text(w, "%00");
	}
}

/* Does the user's own line already hand words to init? */
static bool has_separator(const char *base)
{
	size_t len = strlen(base);

	return strstr(base, " -- ") != NULL || strncmp(base, "-- ", 3) == 0 ||
	       (len >= 3 && strcmp(base + len - 3, " --") == 0);
}

int cmdline_build(const struct cmdline_parts *parts, struct cmdline *out, struct verr *e)
{
	struct writer w = {.line = out};

	*out = (struct cmdline){0};
	if (parts->base != NULL && parts->workload != NULL && has_separator(parts->base))
		return verr_invalid(e, "--cmdline: has a \"--\" of its own beside a COMMAND");
	if (parts->base != NULL && !parts->acpi && has_separator(parts->base))
		return verr_invalid(e, "--cmdline: --acpi off cannot add acpi=off behind \"--\"");
	if (parts->base == NULL && parts->console)
		put_text(&w, DEFAULT_CONSOLE);
	put_text(&w, parts->base != NULL ? parts->base : DEFAULT_BASE);
	if (!parts->acpi)
		put_text(&w, w.wanted > 0 ? " acpi=off" : "acpi=off");
	if (parts->workload != NULL)
		put_workload(&w, parts->workload);
	if (w.wanted > sizeof(out->text) - 1)
		return verr_invalid(e, "the kernel command line is %zu bytes long, at most %zu",
				    w.wanted, sizeof(out->text) - 1);
	out->len = (uint32_t)w.wanted;
	return 0;
}

int cmdline_load(struct mem *mem, const struct cmdline *line, uint32_t kernel_max, struct verr *e)
{
	if (line->len > kernel_max)
		return verr_invalid(
			e, "the kernel command line is %u bytes long, this kernel takes %u",
			line->len, kernel_max);
	return mem_write(mem, LAYOUT_CMDLINE, line->text, line->len + 1ULL, e);
}
