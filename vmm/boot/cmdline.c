/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot/cmdline.h"

#include <stdio.h>
#include <string.h>

#include "vmm/arch/x86_64/layout.h"
#include "vmm/config/ip.h"

/*
 * A panic resets at once, so that it ends the machine; the probes that are left out look for a
 * PCI bus, a mouse port and multiplexers that are not there, each some milliseconds of the start.
 * loglevel=3 keeps the complaint that there is no PCI bus off the console; a panic is always shown.
 */
#define DEFAULT_BASE "loglevel=3 panic=-1 reboot=k pci=off i8042.noaux i8042.nomux i8042.dumbkbd"
#define DEFAULT_CONSOLE "console=ttyS0 "

/* The first disk. */
#define CMDLINE_ROOT "/dev/vda"

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

/* Where the words for init begin: at the first "--" that stands alone. NULL: nowhere. */
static const char *find_separator(const char *line)
{
	for (const char *at = line; (at = strstr(at, "--")) != NULL; at += 2)
		if ((at == line || at[-1] == ' ') && (at[2] == ' ' || at[2] == '\0'))
			return at;
	return NULL;
}

static void put_word(struct writer *w, const char *word)
{
	if (w->wanted > 0 && w->line->text[MIN(w->wanted, sizeof(w->line->text)) - 1] != ' ')
		put_byte(w, ' ');
	put_text(w, word);
}

/* Has the line, as far as it is written, a word that is `word` or, ending in "=", begins so? */
static bool has_word(const struct writer *w, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = w->line->text; (at = strstr(at, word)) != NULL; at += len)
		if ((at == w->line->text || at[-1] == ' ') &&
		    (word[len - 1] == '=' || at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static void put_root(struct writer *w, const struct cmdline_parts *parts)
{
	if (!has_word(w, "root="))
		put_word(w, "root=" CMDLINE_ROOT);
	if (!has_word(w, "ro") && !has_word(w, "rw"))
		put_word(w, parts->root_readonly ? "ro" : "rw");
	if (parts->init != NULL && !has_word(w, "init=")) {
		put_word(w, "init=");
		put_text(w, parts->init);
	}
}

/* Linux names virtio NICs in their order. Other inits, and the kernel, pass such words over. */
static int put_ips(struct writer *w, const struct cmdline_parts *parts, struct verr *e)
{
	char values[IP_WORDS_MAX][IP_WORD_LEN], name[32], word[IP_WORD_LEN + 32];

	for (size_t i = 0; i < parts->nips; i++) {
		int count = ip_parse(parts->ips[i], values, e);

		if (count < 0)
			return -1;
		(void)snprintf(name, sizeof(name), "volt.ip.eth%zu=", i);
		if (has_word(w, name) || (i == 0 && has_word(w, "volt.ip=")))
			continue;
		for (int k = 0; k < count; k++) {
			(void)snprintf(word, sizeof(word), "%s%s", name, values[k]);
			put_word(w, word);
		}
	}
	return 0;
}

static void put_devices(struct writer *w, const struct platform *platform)
{
	char word[80];

	for (size_t i = 0; platform != NULL && i < platform->ndevices; i++) {
		const struct platform_device *d = &platform->devices[i];

		if (d->mmio_len == 0)
			continue;
		(void)snprintf(word, sizeof(word), "virtio_mmio.device=%uK@%#llx:%u",
			       d->mmio_len / 1024, (unsigned long long)d->mmio, d->gsi);
		put_word(w, word);
	}
}

int cmdline_build(const struct cmdline_parts *parts, struct cmdline *out, struct verr *e)
{
	const char *base = parts->base != NULL ? parts->base : DEFAULT_BASE;
	const char *separator = find_separator(base);
	struct writer w = {.line = out};

	*out = (struct cmdline){0};
	if (separator != NULL && parts->workload != NULL)
		return verr_invalid(e, "--cmdline: has a \"--\" of its own beside a COMMAND");
	if (parts->base == NULL && parts->console)
		put_text(&w, DEFAULT_CONSOLE);
	for (const char *at = base; *at != '\0' && at != separator; at++)
		put_byte(&w, *at);
	if (!parts->acpi) {
		if (!has_word(&w, "acpi=off"))
			put_word(&w, "acpi=off");
		put_devices(&w, parts->platform);
	}
	if (parts->root)
		put_root(&w, parts);
	if (put_ips(&w, parts, e) < 0)
		return -1;
	/* Linux hands a word that it does not know to init, as environment. */
	if (parts->workload != NULL && parts->unattended && !has_word(&w, "PAGER="))
		put_word(&w, "PAGER=cat");
	if (separator != NULL)
		put_word(&w, separator);
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
