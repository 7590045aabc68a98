/* SPDX-License-Identifier: Apache-2.0 */
/* What one row of machine.def cannot say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/config/check_priv.h"
#include "vmm/config/config.h"
#include "vmm/config/cpuid.h"
#include "vmm/config/ip.h"
#include "vmm/config/mac.h"
#include "vmm/config/publish.h"

#define ID_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

static int check_console(const char *console, struct verr *e)
{
	if (strcmp(console, "stdio") == 0 || strcmp(console, "pty") == 0 ||
	    strcmp(console, "none") == 0)
		return 0;
	if (strncmp(console, "file=", 5) == 0 && console[5] != '\0')
		return 0;
	return verr_invalid(e, "--console %s: expected stdio, file=PATH, pty or none", console);
}

/* --rootfs is a disk like the others, and the first. */
static int add_root(struct config *c, struct verr *e)
{
	struct drive_config *d, root;

	if (c->rootfs == NULL)
		return 0;
	d = list_add(&c->drives, &drive_class, e);
	if (d == NULL)
		return verr_note(e, "--rootfs");
	d->path = ptr_take(c->rootfs);
	d->id = strdup(CONFIG_ROOTFS_ID);
	d->root = true;
	root = *d;
	memmove(config_drives(c) + 1, config_drives(c), (c->drives.count - 1) * sizeof(*d));
	*config_drives(c) = root;
	return root.id == NULL ? verr_host(e, "out of memory") : 0;
}

static char *copy_text(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

/* --volume is a disk like the others; before them, in the order of the command line. */
static int add_volume(struct config *c, size_t at, struct volume_config *v, struct verr *e)
{
	struct drive_config *d = list_add(&c->drives, &drive_class, e), added;

	if (d == NULL)
		return verr_note(e, "--volume");
	d->volume = ptr_take(v->path);
	d->image = ptr_take(v->image);
	d->id = ptr_take(v->id);
	d->readonly = v->readonly;
	d->chunk_cache = v->chunk_cache;
	added = *d;
	d = config_drives(c) + at;
	memmove(d + 1, d, (c->drives.count - 1 - at) * sizeof(*d));
	*d = added;
	if (d->volume == NULL)
		return verr_invalid(e, "--volume: expected the folder of a volume");
	if (d->id == NULL && asprintf(&d->id, "volume%zu", at) < 0)
		return verr_host(e, "--volume: out of memory");
	return 0;
}

static bool has_root(const struct config *c)
{
	for (size_t i = 0; i < c->drives.count; i++)
		if (config_drives(c)[i].root)
			return true;
	return c->rootfs != NULL;
}

static int add_volumes(struct config *c, struct verr *e)
{
	bool root = has_root(c);

	for (size_t i = 0; i < c->volumes.count; i++)
		if (add_volume(c, i, &config_volumes(c)[i], e) < 0)
			return -1;
	if (c->volumes.count > 0 && !root)
		config_drives(c)->root = true;
	while (c->volumes.count > 0)
		list_drop_last(&c->volumes, &volume_class);
	return 0;
}

/* The guest names disks by their order: the root disk's is the first, whatever the user's order. */
static int put_root_first(struct config *c, struct verr *e)
{
	struct drive_config *d = config_drives(c), root;
	size_t at = 0, roots = 0;

	for (size_t i = 0; i < c->drives.count; i++)
		if (d[i].root) {
			at = roots == 0 ? i : at;
			roots++;
		}
	if (roots > 1)
		return verr_invalid(e,
				    "--drive: %zu root disks; at most one has root=on, or is "
				    "--rootfs",
				    roots);
	if (at > 0) {
		root = d[at];
		memmove(d + 1, d, at * sizeof(*d));
		d[0] = root;
	}
	return 0;
}

/* A disk of a store. */
static int check_image(struct drive_config *d, const char *cas_store, struct verr *e)
{
	if (d->volume == NULL && d->image == NULL)
		return verr_invalid(e, "path: missing; expected path=FILE, volume=DIR or "
				       "image=NAME");
	if (d->volume != NULL && d->overlay != NULL)
		return verr_invalid(e, "overlay=%.80s: a volume has its own", d->overlay);
	if (d->volume == NULL && d->overlay == NULL)
		return verr_invalid(e, "overlay: missing; expected overlay=FILE, none or discard");
	if (d->store == NULL)
		d->store = copy_text(cas_store);
	if (d->store == NULL)
		return verr_invalid(e, "store: missing; expected --cas-store STORE or store=STORE");
	if (d->engine == DISK_ENGINE_IO_URING)
		return verr_invalid(e, "engine=io_uring: only files are served by it");
	if (d->overlay != NULL && strcmp(d->overlay, "none") == 0)
		d->readonly = true;
	return 0;
}

static int check_drive(struct drive_config *d, size_t index, const char *cas_store, struct verr *e)
{
	if (d->path != NULL &&
	    (d->volume != NULL || d->store != NULL || d->image != NULL || d->overlay != NULL))
		return verr_invalid(e, "path=%.80s: a file, or something of a store, not both",
				    d->path);
	if (d->path == NULL && check_image(d, cas_store, e) < 0)
		return -1;
	if (d->id == NULL && asprintf(&d->id, "disk%zu", index) < 0)
		return verr_host(e, "out of memory");
	if (strspn(d->id, ID_CHARS "_") != strlen(d->id) || strlen(d->id) < 1 || strlen(d->id) > 64)
		return verr_invalid(e, "id=%.80s: expected 1 to 64 of A-Z a-z 0-9 _ -", d->id);
	if (d->private && (d->readonly || d->path == NULL))
		return verr_invalid(e, "private=on: expected path=FILE, and not readonly=on");
	if (d->private && d->engine == DISK_ENGINE_IO_URING)
		return verr_invalid(e, "engine=io_uring: a private disk is served by threads");
	if (d->iothreads > d->queues)
		return verr_invalid(e, "iothreads=%u: expected at most one a queue, queues=%u",
				    d->iothreads, d->queues);
	return 0;
}

static int note_drive(const struct drive_config *d, struct verr *e)
{
	if (d->volume != NULL)
		return verr_note(e, "--volume %s", d->volume);
	if (d->image != NULL)
		return verr_note(e, "--drive image=%s", d->image);
	return verr_note(e, "--drive %s", d->path != NULL ? d->path : "");
}

static bool has_volume(const struct config *c)
{
	for (size_t i = 0; i < c->drives.count; i++)
		if (drive_is_volume(&config_drives(c)[i]))
			return true;
	return false;
}

static int check_drives(struct config *c, struct verr *e)
{
	struct drive_config *d;

	if (add_volumes(c, e) < 0 || add_root(c, e) < 0 || put_root_first(c, e) < 0)
		return -1;
	d = config_drives(c);
	for (size_t i = 0; i < c->drives.count; i++) {
		if (check_drive(&d[i], i, c->cas_store, e) < 0)
			return note_drive(&d[i], e);
		for (size_t k = 0; k < i; k++)
			if (strcmp(d[i].id, d[k].id) == 0)
				return verr_invalid(e, "--drive id=%s: two disks have this name",
						    d[i].id);
	}
	if (c->cas_store != NULL && c->restore == NULL && !has_volume(c))
		return verr_invalid(e,
				    "--cas-store %s: expected a --volume, or a --drive with "
				    "volume= or image=, of it",
				    c->cas_store);
	return 0;
}

/* --- NICs --- */

static int check_interface(const char *key, const char *name, struct verr *e)
{
	if (name == NULL)
		return 0;
	/* What the kernel takes, but for the "%d" that it would put a number in place of. */
	if (strlen(name) < 1 || strlen(name) > 15 || strpbrk(name, "/:% \t") != NULL ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return verr_invalid(
			e, "%s=%.40s: expected the name of an interface, 1 to 15 characters", key,
			name);
	return 0;
}

/* The first NIC that is passt's; NULL: there is none. */
static struct net_config *passt_net(const struct config *c)
{
	for (size_t i = 0; i < c->nets.count; i++)
		if (config_nets(c)[i].backend == NET_BACKEND_PASST)
			return &config_nets(c)[i];
	return NULL;
}

/* --tap, --net-bridge and --net-backend passt are a NIC like the others, and the first. */
static int add_short_net(struct config *c, struct verr *e)
{
	const char *flag = c->tap != NULL          ? "--tap"
			   : c->net_bridge != NULL ? "--net-bridge"
						   : "--net-backend";
	struct net_config *n, short_one;

	if (c->tap == NULL && c->net_bridge == NULL) {
		/* A port to publish is reason enough. */
		if (c->publish != NULL && passt_net(c) == NULL)
			c->net_backend = NET_BACKEND_PASST;
		if (c->net_backend != NET_BACKEND_PASST)
			return 0;
	}
	if (check_interface("--tap", c->tap, e) < 0 ||
	    check_interface("--net-bridge", c->net_bridge, e) < 0)
		return -1;
	n = list_add(&c->nets, &net_class, e);
	if (n == NULL)
		return verr_note(e, "%s", flag);
	n->backend = c->net_backend;
	c->net_backend = NET_BACKEND_TAP;
	n->tap = ptr_take(c->tap);
	n->bridge = ptr_take(c->net_bridge);
	short_one = *n;
	memmove(config_nets(c) + 1, config_nets(c), (c->nets.count - 1) * sizeof(*n));
	*config_nets(c) = short_one;
	return 0;
}

/* Ports of --publish are the first NIC's that can have some. */
static int add_ports(struct config *c, struct verr *e)
{
	struct publish ports[PUBLISH_MAX];
	struct net_config *n = passt_net(c);
	char *joined;

	if (c->publish == NULL)
		return 0;
	if (publish_parse(c->publish, ports, e) < 0)
		return verr_note(e, "--publish");
	if (n == NULL)
		return verr_invalid(e,
				    "--publish %.60s: only passt publishes ports; expected "
				    "--net-backend passt in place of a TAP device or bridge",
				    c->publish);
	if (asprintf(&joined, "%s%s%s", n->publish != NULL ? n->publish : "",
		     n->publish != NULL ? "+" : "", c->publish) < 0)
		return verr_host(e, "out of memory");
	free(n->publish);
	n->publish = joined;
	free(ptr_take(c->publish));
	return 0;
}

/* passt 2023-03, Debian 12's, loses answers to the host itself where that is out of the guest's
 * reach. */
static int check_ports(const struct net_config *n, struct verr *e)
{
	struct publish ports[PUBLISH_MAX];
	int count = publish_parse(n->publish, ports, e);

	for (int i = 0; i < count && !n->loopback; i++)
		if (ports[i].udp && (strncmp(ports[i].address, "127.", 4) == 0 ||
				     strcmp(ports[i].address, "::1") == 0))
			return verr_invalid(e,
					    "UDP port %u of %s: answers to the host itself need "
					    "loopback=on",
					    ports[i].host, ports[i].address);
	return count < 0 ? -1 : 0;
}

static int check_passt(struct net_config *n, struct verr *e)
{

	if (n->tap != NULL || n->fd != NULL || n->bridge != NULL || n->parent != NULL)
		return verr_invalid(e, "backend=passt has no TAP device; expected no tap=, fd=, "
				       "bridge= or parent=");
	if (n->queues > 1)
		return verr_invalid(e, "queues=%u: passt has one pair", n->queues);
	if (n->mtu > 65520)
		return verr_invalid(e, "mtu=%u: expected at most 65520 with passt", n->mtu);
	if (n->socket != NULL && (n->publish != NULL || n->loopback))
		return verr_invalid(e,
				    "socket=%.60s: publish= and loopback= are for a passt that "
				    "is started; give that one its options",
				    n->socket);
	if (n->ip == NULL && (n->ip = strdup("dhcp")) == NULL)
		return verr_host(e, "out of memory");
	return check_ports(n, e) < 0 ? verr_note(e, "publish") : 0;
}

static int check_ip(const char *text, struct verr *e)
{
	char words[IP_WORDS_MAX][IP_WORD_LEN];

	return ip_parse(text, words, e) < 0 ? verr_note(e, "ip") : 0;
}

static int check_mac(const char *text, struct verr *e)
{
	uint8_t mac[MAC_LEN];

	if (text == NULL)
		return 0;
	if (!mac_parse(text, mac))
		return verr_invalid(e, "mac=%.40s: expected six bytes such as 02:00:00:00:00:01",
				    text);
	if (!mac_is_unicast(mac))
		return verr_invalid(
			e,
			"mac=%s: a group's address, or none; expected one machine's, such "
			"as 02:00:00:00:00:01",
			text);
	return 0;
}

/* What the host's kernel does not do. */
static int check_vhost(const struct net_config *n, struct verr *e)
{
	if (n->rx_rate != 0 || n->rx_packets != 0 || n->tx_rate != 0 || n->tx_packets != 0)
		return verr_invalid(e, "backend=vhost-net knows no rates; expected "
				       "backend=virtio-net with them");
	if (n->iothreads != 0)
		return verr_invalid(e,
				    "iothreads=%u: backend=vhost-net has the kernel's threads; "
				    "expected 0",
				    n->iothreads);
	return 0;
}

/* What names the interface on the host. */
static int check_host_side(const struct net_config *n, struct verr *e)
{
	if (n->backend == NET_BACKEND_TAP && n->parent != NULL)
		return verr_invalid(e,
				    "parent=%.40s: a macvtap's; expected backend=macvtap or "
				    "backend=vhost-net",
				    n->parent);
	if (n->bridge != NULL && (n->backend == NET_BACKEND_MACVTAP || n->parent != NULL))
		return verr_invalid(
			e, "bridge=%.40s: a macvtap is on no bridge; expected parent=", n->bridge);
	if (n->fd != NULL && n->parent != NULL)
		return verr_invalid(e, "fd=%.40s and parent=%.40s; expected one of them", n->fd,
				    n->parent);
	if (n->tap != NULL || n->fd != NULL || n->bridge != NULL || n->parent != NULL)
		return 0;
	return verr_invalid(
		e, n->backend == NET_BACKEND_MACVTAP
			   ? "expected parent=INTERFACE, tap=INTERFACE or fd=N"
			   : "expected tap=INTERFACE, fd=N, bridge=INTERFACE or backend=passt");
}

/* Where its frames go. */
static int check_backend(struct net_config *n, struct verr *e)
{
	if (n->backend == NET_BACKEND_PASST)
		return check_passt(n, e);
	if (n->socket != NULL || n->publish != NULL || n->loopback)
		return verr_invalid(e, "socket=, publish= and loopback= are passt's; expected "
				       "backend=passt");
	if (check_host_side(n, e) < 0)
		return -1;
	if (n->tap != NULL && n->fd != NULL)
		return verr_invalid(e, "tap=%.40s and fd=%.40s; expected one of them", n->tap,
				    n->fd);
	return n->backend == NET_BACKEND_VHOST ? check_vhost(n, e) : 0;
}

static int check_net(struct net_config *n, size_t index, struct verr *e)
{
	if (n->id == NULL && asprintf(&n->id, "net%zu", index) < 0)
		return verr_host(e, "out of memory");
	if (strspn(n->id, ID_CHARS "_") != strlen(n->id) || strlen(n->id) < 1 || strlen(n->id) > 64)
		return verr_invalid(e, "id=%.80s: expected 1 to 64 of A-Z a-z 0-9 _ -", n->id);
	if (check_backend(n, e) < 0 || check_ip(n->ip, e) < 0)
		return -1;
	if (n->mtu != 0 && n->mtu < 68)
		return verr_invalid(e, "mtu=%u: expected at least 68", n->mtu);
	if (n->iothreads > n->queues)
		return verr_invalid(
			e, "iothreads=%u: expected at most one a pair of queues, queues=%u",
			n->iothreads, n->queues);
	return check_interface("tap", n->tap, e) < 0 ||
			       check_interface("bridge", n->bridge, e) < 0 ||
			       check_interface("parent", n->parent, e) < 0
		       ? -1
		       : check_mac(n->mac, e);
}

/* What two NICs may not share. */
static int check_two_nets(const struct net_config *a, const struct net_config *b, struct verr *e)
{
	uint8_t mac_a[MAC_LEN], mac_b[MAC_LEN];

	if (strcmp(a->id, b->id) == 0)
		return verr_invalid(e, "--net id=%s: two NICs have this name", a->id);
	if (a->tap != NULL && b->tap != NULL && strcmp(a->tap, b->tap) == 0)
		return verr_invalid(e, "--net tap=%s: two NICs have this TAP device", a->tap);
	if (a->mac != NULL && b->mac != NULL && mac_parse(a->mac, mac_a) &&
	    mac_parse(b->mac, mac_b) && memcmp(mac_a, mac_b, MAC_LEN) == 0)
		return verr_invalid(e, "--net mac=%s: two NICs have this address", a->mac);
	return 0;
}

static int check_nets(struct config *c, struct verr *e)
{
	struct net_config *n;

	if (add_short_net(c, e) < 0 || add_ports(c, e) < 0)
		return -1;
	n = config_nets(c);
	for (size_t i = 0; i < c->nets.count; i++) {
		if (check_net(&n[i], i, e) < 0)
			return verr_note(e, "--net %s", n[i].id != NULL ? n[i].id : "");
		for (size_t k = 0; k < i; k++)
			if (check_two_nets(&n[k], &n[i], e) < 0)
				return -1;
	}
	return 0;
}

/* Is `word` one of the blank-separated words of `line`? */
static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = line; (at = strstr(at, word)) != NULL; at += len)
		if ((at == line || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static int check_cpuid(const char *text, struct verr *e)
{
	struct cpuid_change changes[CPUID_CHANGES_MAX];

	return cpuid_parse(text, changes, e) < 0 ? verr_note(e, "--cpuid") : 0;
}

int config_check_id(const char *id, struct verr *e)
{
	if (id != NULL && (strspn(id, ID_CHARS) != strlen(id) || strlen(id) < 1 || strlen(id) > 64))
		return verr_invalid(e, "--id %.80s: expected 1 to 64 of A-Z a-z 0-9 -", id);
	return 0;
}

int config_check(struct config *c, struct verr *e)
{
	if (c->restore == NULL && (c->paused || c->clock != RESTORE_CLOCK_ADVANCE))
		return verr_invalid(e, "%s: expected --restore DIR beside it",
				    c->paused ? "--paused" : "--clock");
	if (c->paused && c->api_socket == NULL)
		return verr_invalid(e,
				    "--paused: expected --api-socket PATH beside it, by which it "
				    "is resumed");
	if (c->kernel == NULL && c->restore == NULL)
		return verr_invalid(e,
				    "--kernel: missing; expected the path of a vmlinux or bzImage");
	if (c->memory % (c->huge_pages == MEM_HUGE_OFF ? MIB(1) : MIB(2)) != 0)
		return verr_invalid(e, "--memory: expected a multiple of 2M, or of 1M with "
				       "--huge-pages off");
	if (config_check_id(c->id, e) < 0)
		return -1;
	if (c->cmdline != NULL && strpbrk(c->cmdline, "\n\r") != NULL)
		return verr_invalid(e, "--cmdline: expected one line");
	if (strcmp(c->init, "none") != 0 &&
	    (*c->init != '/' || strpbrk(c->init, " \t\n\r") != NULL))
		return verr_invalid(e,
				    "--init %.80s: expected PATH|none, the path from / and without "
				    "blanks",
				    c->init);
	/*
	 * A guest that does not look at ACPI finds its devices by the command line. So does one
	 * that leaves the I/O APIC alone: by our tables there is no other interrupt controller.
	 */
	if (c->cmdline != NULL &&
	    (has_word(c->cmdline, "acpi=off") || has_word(c->cmdline, "noapic")))
		c->acpi = false;
	if (check_cpuid(c->cpuid, e) < 0 || check_drives(c, e) < 0 || check_nets(c, e) < 0 ||
	    check_console(c->console, e) < 0)
		return -1;
	return config_check_sandbox(c, e);
}
