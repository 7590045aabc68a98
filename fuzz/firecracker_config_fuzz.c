/* SPDX-License-Identifier: Apache-2.0 */
/* Firecracker's configuration file, from its text to a machine's configuration. */
#include "vmm/config/config.h"
#include "vmm/firecracker/config_file.h"
#include "vmm/firecracker/firecracker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct firecracker_options options = {.id = NULL};
	struct firecracker *f = NULL;
	struct verr e = VERR_INIT;
	struct config config;

	if (firecracker_new(&options, &f, &e) < 0)
		return 0;
	config_init(&config);
	if (fc_config_file_parse(f, (const char *)data, size, &e) == 0 &&
	    firecracker_configure(f, &config, &e) == 0)
		(void)config_check(&config, &e);
	config_deinit(&config);
	(void)firecracker_free(f);
	return 0;
}
