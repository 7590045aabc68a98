/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/networkd.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "volt/program.h"

#define NETWORKD "org.freedesktop.network1"
#define DHCP_SERVER "org.freedesktop.network1.DHCPServer"
#define BUS "org.freedesktop.DBus"
#define ANSWER_BYTES MIB(1)

/* One that lives in another network namespace, as the host's does for a container, is not ours. */
static bool is_in_our_network(unsigned long pid)
{
	char path[PATH_MAX];
	struct stat theirs, ours;

	(void)snprintf(path, sizeof(path), "/proc/%lu/ns/net", pid);
	if (stat("/proc/self/ns/net", &ours) < 0)
		return false;
	/* An ordinary user may not look, and changes nothing. */
	if (stat(path, &theirs) < 0)
		return errno == EACCES || errno == EPERM;
	return theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

bool networkd_runs(void)
{
	static const char *const argv[] = {"busctl",
					   "--system",
					   "call",
					   BUS,
					   "/org/freedesktop/DBus",
					   BUS,
					   "GetConnectionUnixProcessID",
					   "s",
					   NETWORKD,
					   NULL};
	struct verr e = VERR_INIT;
	char answer[64];

	/* The answer has its type in front: "u 1234". */
	return program_run(argv, NULL, answer, sizeof(answer), &e) == 0 &&
	       strncmp(answer, "u ", 2) == 0 && is_in_our_network(strtoul(answer + 2, NULL, 10));
}

int networkd_reload(struct verr *e)
{
	static const char *const argv[] = {"networkctl", "reload", NULL};
	char answer[64];

	return program_run(argv, NULL, answer, sizeof(answer), e);
}

int networkd_reconfigure(const char *interface, struct verr *e)
{
	const char *const argv[] = {"networkctl", "reconfigure", interface, NULL};
	char answer[64];

	return program_run(argv, NULL, answer, sizeof(answer), e);
}

/* What a program says, as JSON; NULL: nothing of the kind. */
static json_t *ask(const char *const argv[])
{
	auto_free char *answer = malloc(ANSWER_BYTES);
	struct verr e = VERR_INIT;

	if (answer == NULL || program_run(argv, NULL, answer, ANSWER_BYTES, &e) < 0)
		return NULL;
	return json_loads(answer, 0, NULL);
}

bool networkd_file(const char *interface, char *out, size_t size)
{
	const char *const argv[] = {"networkctl", "--json=short", "status", interface, NULL};
	json_t *answer = ask(argv);
	const char *file = json_string_value(json_object_get(answer, "NetworkFile"));
	bool found = file != NULL && (size_t)snprintf(out, size, "%s", file) < size;

	json_decref(answer);
	return found;
}

/* An array of numbers of one byte each. */
static bool read_bytes(json_t *from, uint8_t *out, size_t size)
{
	if (json_array_size(from) < size)
		return false;
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)json_integer_value(json_array_get(from, i));
	return true;
}

/* A row of the property Leases, a(uayayayayt): family, client's id, address, gateway, MAC, expiry.
 */
static bool read_lease(json_t *row, struct lease *l)
{
	uint8_t address[4], m[6];

	if (json_integer_value(json_array_get(row, 0)) != AF_INET ||
	    !read_bytes(json_array_get(row, 2), address, sizeof(address)) ||
	    !read_bytes(json_array_get(row, 4), m, sizeof(m)) ||
	    inet_ntop(AF_INET, address, l->address, sizeof(l->address)) == NULL)
		return false;
	(void)snprintf(l->mac, sizeof(l->mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
		       m[3], m[4], m[5]);
	return true;
}

size_t networkd_leases(unsigned index, struct lease *out, size_t max)
{
	char digits[16], object[64];
	const char *const argv[] = {"busctl",       "--system", "--json=short",
				    "get-property", NETWORKD,   object,
				    DHCP_SERVER,    "Leases",   NULL};
	json_t *answer, *rows;
	size_t count = 0;

	/* A path's element that begins with a digit has it as its code. */
	(void)snprintf(digits, sizeof(digits), "%u", index);
	(void)snprintf(object, sizeof(object), "/org/freedesktop/network1/link/_%02x%s",
		       (unsigned)digits[0], digits + 1);
	answer = ask(argv);
	rows = json_object_get(answer, "data");
	for (size_t i = 0; i < json_array_size(rows) && count < max; i++)
		count += read_lease(json_array_get(rows, i), &out[count]);
	json_decref(answer);
	return count;
}
