/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/firewall.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "volt/program.h"

#define LISTING_BYTES MIB(1)

static bool drops(json_t *chain)
{
	const char *hook = json_string_value(json_object_get(chain, "hook"));
	const char *policy = json_string_value(json_object_get(chain, "policy"));

	return hook != NULL && policy != NULL && strcmp(hook, "forward") == 0 &&
	       strcmp(policy, "drop") == 0;
}

bool firewall_find_drop(const char *listing, char *chain, size_t size)
{
	json_t *root = json_loads(listing, 0, NULL), *all = json_object_get(root, "nftables");
	bool found = false;

	for (size_t i = 0; i < json_array_size(all) && !found; i++) {
		json_t *c = json_object_get(json_array_get(all, i), "chain");
		const char *family, *table, *name;

		found = drops(c) && json_unpack(c, "{s:s, s:s, s:s}", "family", &family, "table",
						&table, "name", &name) == 0;
		if (found)
			(void)snprintf(chain, size, "%s %s %s", family, table, name);
	}
	json_decref(root);
	return found;
}

bool firewall_drops(char *chain, size_t size)
{
	static const char *const argv[] = {"nft", "-j", "list", "chains", NULL};
	auto_free char *listing = malloc(LISTING_BYTES);
	struct verr e = VERR_INIT;

	return listing != NULL && program_run(argv, NULL, listing, LISTING_BYTES, &e) == 0 &&
	       firewall_find_drop(listing, chain, size);
}
