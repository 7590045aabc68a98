/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/sys.h"
#include "volt/net/record.h"

#define MAC_TEXT 18

static const char *const means_names[] = {
	[NET_NETWORKD] = "systemd-networkd",
	[NET_NETLINK] = "netlink",
};

int net_check_name(const char *name, struct verr *e)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ)
		return verr_invalid(e, "%.40s: an interface's name has 1 to %d characters", name,
				    IFNAMSIZ - 1);
	if (strspn(name, plain) != len)
		return verr_invalid(e,
				    "%s: an interface's name has only A-Z a-z 0-9 . _ - in it "
				    "here",
				    name);
	if (name[0] == '.' || name[0] == '-' || strspn(name, "0123456789") == len ||
	    strcmp(name, "all") == 0 || strcmp(name, "default") == 0)
		return verr_invalid(e, "%s is no name for an interface; expected one such as volt0",
				    name);
	return 0;
}

const struct net_tap *net_find_tap(const struct net_setup *s, const char *name)
{
	for (size_t i = 0; s != NULL && i < s->taps_count; i++)
		if (strcmp(s->taps[i].name, name) == 0)
			return &s->taps[i];
	return NULL;
}

/* --- as JSON --- */

static json_t *encode_prefix(const struct prefix *p)
{
	char text[PREFIX_TEXT];

	return p->family == 0 ? json_null() : json_string(prefix_text(p, text));
}

static json_t *encode_taps(const struct net_setup *s)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->taps_count; i++)
		(void)json_array_append_new(
			all, json_pack("{s:s, s:I, s:s, s:b}", "name", s->taps[i].name, "owner",
				       (json_int_t)s->taps[i].owner, "user", s->taps[i].user,
				       "multi_queue", (int)s->taps[i].multi_queue));
	return all;
}

char *net_encode(const struct net_setup *s)
{
	char mac[MAC_TEXT];
	json_t *root;
	char *text;

	(void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", s->mac[0], s->mac[1],
		       s->mac[2], s->mac[3], s->mac[4], s->mac[5]);
	root = json_pack(
		"{s:i, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:b, s:b, s:{s:b, s:b, s:b, s:s}, "
		"s:o}",
		"version", 1, "means", means_names[s->means], "bridge", s->bridge, "mac", mac,
		"address", encode_prefix(&s->ipv4), "ipv6", encode_prefix(&s->ipv6), "uplink",
		s->uplink, "dns", s->dns, "dhcp", (int)s->dhcp, "masquerade", (int)s->masquerade,
		"former", "ip_forward", (int)s->former.forward4, "ipv6_forwarding",
		(int)s->former.forward6, "nat", (int)s->former.nat, "kept", s->former.kept, "taps",
		encode_taps(s));
	text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	return text;
}

static bool copy_text(char *out, size_t size, const char *text)
{
	return (size_t)snprintf(out, size, "%s", text) < size;
}

static bool decode_mac(uint8_t mac[6], const char *text)
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(text) != MAC_TEXT - 1)
		return false;
	for (size_t i = 0; i < 6; i++) {
		const char *high = strchr(digits, text[3 * i]);
		const char *low = strchr(digits, text[3 * i + 1]);

		if (high == NULL || low == NULL || (i < 5 && text[3 * i + 2] != ':'))
			return false;
		mac[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

static bool decode_tap(struct net_tap *tap, json_t *from)
{
	struct verr ignored = VERR_INIT;
	const char *name, *user;
	json_int_t owner;
	int multi_queue;

	if (json_unpack(from, "{s:s, s:I, s:s, s:b}", "name", &name, "owner", &owner, "user", &user,
			"multi_queue", &multi_queue) != 0 ||
	    net_check_name(name, &ignored) < 0 || owner < 0 || owner > UINT32_MAX)
		return false;
	tap->owner = (uint32_t)owner;
	tap->multi_queue = multi_queue != 0;
	return copy_text(tap->name, sizeof(tap->name), name) &&
	       copy_text(tap->user, sizeof(tap->user), user);
}

static bool decode_taps(struct net_setup *s, json_t *from)
{
	size_t count = json_array_size(from);

	if (!json_is_array(from) || count > NET_TAPS_MAX)
		return false;
	for (; s->taps_count < count; s->taps_count++)
		if (!decode_tap(&s->taps[s->taps_count], json_array_get(from, s->taps_count)))
			return false;
	return true;
}

static bool decode(struct net_setup *s, json_t *root)
{
	const char *means, *bridge, *mac, *address, *uplink, *dns, *kept, *ipv6 = NULL;
	int version, dhcp, masquerade, forward4, forward6, nat;
	struct verr ignored = VERR_INIT;
	json_t *taps;

	if (json_unpack(
		    root,
		    "{s:i, s:s, s:s, s:s, s:s, s?s, s:s, s:s, s:b, s:b, s:{s:b, s:b, s:b, s:s}, "
		    "s:o}",
		    "version", &version, "means", &means, "bridge", &bridge, "mac", &mac, "address",
		    &address, "ipv6", &ipv6, "uplink", &uplink, "dns", &dns, "dhcp", &dhcp,
		    "masquerade", &masquerade, "former", "ip_forward", &forward4, "ipv6_forwarding",
		    &forward6, "nat", &nat, "kept", &kept, "taps", &taps) != 0 ||
	    version != 1)
		return false;
	s->means = strcmp(means, means_names[NET_NETLINK]) == 0 ? NET_NETLINK : NET_NETWORKD;
	s->dhcp = dhcp != 0;
	s->masquerade = masquerade != 0;
	s->former.forward4 = forward4 != 0;
	s->former.forward6 = forward6 != 0;
	s->former.nat = nat != 0;
	return net_check_name(bridge, &ignored) == 0 && strcmp(means, means_names[s->means]) == 0 &&
	       copy_text(s->bridge, sizeof(s->bridge), bridge) && decode_mac(s->mac, mac) &&
	       prefix_parse(&s->ipv4, address) && s->ipv4.family == AF_INET &&
	       (ipv6 == NULL || (prefix_parse(&s->ipv6, ipv6) && s->ipv6.family == AF_INET6)) &&
	       copy_text(s->uplink, sizeof(s->uplink), uplink) &&
	       copy_text(s->dns, sizeof(s->dns), dns) &&
	       copy_text(s->former.kept, sizeof(s->former.kept), kept) && decode_taps(s, taps);
}

int net_decode(struct net_setup *s, const char *text, struct verr *e)
{
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	bool good;

	*s = (struct net_setup){0};
	if (root != NULL && json_is_null(json_object_get(root, "ipv6")))
		(void)json_object_del(root, "ipv6");
	good = root != NULL && decode(s, root);
	json_decref(root);
	return good ? 0
		    : verr_corrupt(e, "the record of \"volt net setup\" is damaged; remove what it "
				      "made by hand");
}

/* --- as files --- */

void net_record_path(const struct net_setup *s, char *out, size_t size)
{
	if (s->means == NET_NETWORKD)
		(void)snprintf(out, size, NET_UNIT_FOLDER "/10-volt-%s.network", s->bridge);
	else
		(void)snprintf(out, size, NET_RUN_FOLDER "/%s.json", s->bridge);
}

/* The text up to the line's end after the mark, or from the beginning where there needs no mark. */
static char *find_record(char *text, const char *mark)
{
	char *at = text;

	if (*mark != '\0') {
		at = strstr(text, mark);
		if (at == NULL || (at != text && at[-1] != '\n'))
			return NULL;
		at += strlen(mark);
	}
	at[strcspn(at, "\n")] = '\0';
	return at;
}

/* The record in this file; false without a fault: there is none. */
static bool read_record(const char *path, struct net_setup *s, struct verr *e)
{
	bool unit = strncmp(path, NET_UNIT_FOLDER, strlen(NET_UNIT_FOLDER)) == 0;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[NET_RECORD_MAX], expected[PATH_MAX], *record;
	ssize_t n;

	if (fd < 0) {
		if (errno != ENOENT)
			(void)verr_os(e, "open %s", path);
		return false;
	}
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		(void)verr_os(e, "read %s", path);
		return false;
	}
	text[n] = '\0';
	record = find_record(text, unit ? NET_RECORD_MARK : "");
	if (record == NULL)
		return false;
	if (net_decode(s, record, e) < 0) {
		(void)verr_note(e, "%s", path);
		return false;
	}
	net_record_path(s, expected, sizeof(expected));
	return strcmp(path, expected) == 0;
}

int net_find(const char *bridge, struct net_setup *s, bool *found, struct verr *e)
{
	static const enum net_means means[] = {NET_NETWORKD, NET_NETLINK};
	char path[PATH_MAX];

	*found = false;
	for (size_t i = 0; i < ARRAY_LEN(means) && !*found && e->kind == VERR_NONE; i++) {
		*s = (struct net_setup){.means = means[i]};
		(void)snprintf(s->bridge, sizeof(s->bridge), "%s", bridge);
		net_record_path(s, path, sizeof(path));
		*found = read_record(path, s, e);
	}
	return e->kind == VERR_NONE ? 0 : -1;
}

/* Where records are, by name: "10-volt-volt0.network.d" is a folder for more of the unit. */
struct place {
	const char *folder, *begin, *end;
};

static bool is_for(const struct place *p, const char *name)
{
	size_t len = strlen(name), end = strlen(p->end);

	return len >= end && strncmp(name, p->begin, strlen(p->begin)) == 0 &&
	       strcmp(name + len - end, p->end) == 0;
}

static int find_in(const struct place *p, struct net_setup **out, size_t *count, struct verr *e)
{
	DIR *dir = opendir(p->folder);
	const struct dirent *entry;
	char path[PATH_MAX];

	while (dir != NULL && e->kind == VERR_NONE && (entry = readdir(dir)) != NULL) {
		struct net_setup *more, one;

		(void)snprintf(path, sizeof(path), "%s/%s", p->folder, entry->d_name);
		if (!is_for(p, entry->d_name) || !read_record(path, &one, e))
			continue;
		more = reallocarray(*out, *count + 1, sizeof(*more));
		if (more == NULL) {
			(void)verr_host(e, "out of memory");
			break;
		}
		*out = more;
		more[(*count)++] = one;
	}
	if (dir != NULL)
		(void)closedir(dir);
	return e->kind == VERR_NONE ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct net_setup *)a)->bridge, ((const struct net_setup *)b)->bridge);
}

int net_find_all(struct net_setup **out, size_t *count, struct verr *e)
{
	static const struct place units = {NET_UNIT_FOLDER, "10-volt-", ".network"};
	static const struct place run = {NET_RUN_FOLDER, "", ".json"};

	*out = NULL;
	*count = 0;
	if (find_in(&units, out, count, e) < 0 || find_in(&run, out, count, e) < 0) {
		free(ptr_take(*out));
		return -1;
	}
	if (*count > 1)
		qsort(*out, *count, sizeof(**out), by_name);
	return 0;
}
