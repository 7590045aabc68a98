/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/pool/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define MARK "{n}"

char *template_fill(const char *text, unsigned number)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (f == NULL)
		return NULL;
	for (const char *at; (at = strstr(text, MARK)) != NULL; text = at + strlen(MARK))
		fprintf(f, "%.*s%u", (int)(at - text), text, number);
	fputs(text, f);
	if (fclose(f) != 0)
		free(ptr_take(out));
	return out;
}

bool template_varies(const char *text)
{
	return strstr(text, MARK) != NULL;
}
