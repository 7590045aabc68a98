/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/rtnl.h"

#include <linux/if_link.h>

#include "base/netlink.h"

int rtnl_add_macvtap(int rtnl, const char *name, unsigned parent, const uint8_t mac[static 6])
{
	struct ifinfomsg body = {0};
	uint32_t on = parent, mode = MACVLAN_MODE_BRIDGE;
	struct netlink_message m;
	size_t info, data;

	netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
	netlink_put_text(&m, IFLA_IFNAME, name);
	netlink_put(&m, IFLA_LINK, &on, sizeof(on));
	netlink_put(&m, IFLA_ADDRESS, mac, 6);
	info = netlink_open_nest(&m, IFLA_LINKINFO);
	netlink_put_text(&m, IFLA_INFO_KIND, "macvtap");
	data = netlink_open_nest(&m, IFLA_INFO_DATA);
	netlink_put(&m, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
	netlink_close_nest(&m, data);
	netlink_close_nest(&m, info);
	return netlink_ask(rtnl, &m);
}

int rtnl_delete(int rtnl, unsigned index)
{
	struct ifinfomsg body = {.ifi_index = (int)index};
	struct netlink_message m;

	netlink_begin(&m, RTM_DELLINK, 0, &body, sizeof(body));
	return netlink_ask(rtnl, &m);
}
