/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Linux guest's program for tests of NICs with several queues: prints each of its driver's
 * counters as NAME=VALUE, "rx_queue_0_packets" and so on among them.
 *
 *	queues INTERFACE
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int ask(int fd, const char *name, void *command)
{
	struct ifreq r = {0};

	strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
	r.ifr_data = command;
	return ioctl(fd, SIOCETHTOOL, &r);
}

int main(int argc, char **argv)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} sets = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_STATS}};
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc != 2 || fd < 0 || ask(fd, argv[1], &sets) < 0 || sets.count > 4096)
		return 1;
	names = calloc(1, sizeof(*names) + sets.count * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + sets.count * sizeof(uint64_t));
	if (names == NULL || values == NULL)
		return 1;
	*names = (struct ethtool_gstrings){
		.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = sets.count};
	*values = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = sets.count};
	if (ask(fd, argv[1], names) < 0 || ask(fd, argv[1], values) < 0)
		return 1;
	for (uint32_t i = 0; i < sets.count; i++)
		printf("%.*s=%llu\n", ETH_GSTRING_LEN, names->data + i * ETH_GSTRING_LEN,
		       (unsigned long long)values->data[i]);
	return 0;
}
