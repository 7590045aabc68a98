/* SPDX-License-Identifier: Apache-2.0 */
/* CPU templates: what of them Volt has (CPUID), in its own words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/config/cpuid.h"
#include "vmm/firecracker/priv.h"

/* Nothing that would be more than one number or bitmap in our words. */
static bool is_word(const char *text)
{
	return text[strspn(text, "0123456789abcdefABCDEFx_")] == '\0';
}

static int put_register(FILE *out, const json_t *leaf, const json_t *change, struct verr *e)
{
	const char *words[] = {body_text(leaf, "leaf"), body_text(leaf, "subleaf"),
			       body_text(change, "register"), body_text(change, "bitmap")};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (i != 2 && !is_word(words[i]))
			return verr_invalid(e, "%.80s: expected a number or a bitmap", words[i]);
	fprintf(out, "%s%s:%s:%s=%s", ftell(out) > 0 ? "+" : "", words[0], words[1], words[2],
		words[3]);
	return 0;
}

static int put_leaf(FILE *out, const json_t *leaf, struct verr *e)
{
	const json_t *list = json_object_get(leaf, "modifiers");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (put_register(out, leaf, json_array_get(list, i), e) < 0)
			return -1;
	return 0;
}

int cpu_changes(const json_t *cpu, char **text, struct verr *e)
{
	const json_t *list = json_object_get(cpu, "cpuid_modifiers");
	struct cpuid_change changes[CPUID_CHANGES_MAX];
	char *buffer = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&buffer, &len);
	int r = 0;

	if (out == NULL)
		return verr_host(e, "out of memory");
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = put_leaf(out, json_array_get(list, i), e);
	(void)fclose(out);
	if (r == 0 && len > 0)
		r = cpuid_parse(buffer, changes, e) < 0 ? -1 : 0;
	if (r < 0 || len == 0) {
		free(buffer);
		buffer = NULL;
	}
	*text = buffer;
	return r < 0 ? verr_note(e, "cpuid_modifiers") : 0;
}
