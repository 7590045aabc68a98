/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives made in memory, good and bad ones. */
#ifndef VOLT_ROOTDISK_TAR_TEST_H
#define VOLT_ROOTDISK_TAR_TEST_H

#include <stdio.h>

#include "base/test_files.h"

#define TAR_BLOCK 512

struct test_tar {
	size_t len;
	char bytes[64 * TAR_BLOCK];
};

/* One field of a header, octal. */
static inline void tar_number(char *field, size_t size, unsigned long long n)
{
	(void)snprintf(field, size, "%0*llo", (int)size - 1, n);
}

static inline void tar_sum(char *head)
{
	unsigned sum = 0;

	memset(head + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)head[i];
	(void)snprintf(head + 148, 8, "%06o", sum);
}

/* An entry of POSIX's ustar; its header, to be changed and summed again. */
static inline char *tar_add(struct test_tar *t, char type, const char *name, const char *link,
			    const char *content)
{
	char *head = t->bytes + t->len;
	size_t len = strlen(content);

	assert_true(t->len + (2 + len / TAR_BLOCK) * TAR_BLOCK <= sizeof(t->bytes));
	(void)snprintf(head, 100, "%s", name);
	tar_number(head + 100, 8, type == '5' ? 0755 : 0640);
	tar_number(head + 108, 8, 1000);
	tar_number(head + 116, 8, 100);
	tar_number(head + 124, 12, len);
	tar_number(head + 136, 12, 1234567890);
	head[156] = type;
	(void)snprintf(head + 157, 100, "%s", link);
	memcpy(head + 257, "ustar\00000", 8);
	tar_sum(head);
	memcpy(head + TAR_BLOCK, content, len);
	t->len += (1 + (len + TAR_BLOCK - 1) / TAR_BLOCK) * TAR_BLOCK;
	return head;
}

/* Pax records ("LENGTH KEY=VALUE\n") for the entry that follows; keys and values by turns. */
static inline void tar_add_pax(struct test_tar *t, const char *const *pairs)
{
	char text[512] = "";
	size_t used = 0;

	for (; *pairs != NULL; pairs += 2) {
		int len = 0, digits = 1;

		for (int wanted = -1; wanted != len; digits += wanted != len) {
			wanted = digits + (int)strlen(pairs[0]) + (int)strlen(pairs[1]) + 3;
			len = snprintf(text + used, sizeof(text) - used, "%d %s=%s\n", wanted,
				       pairs[0], pairs[1]);
		}
		used += (size_t)len;
	}
	(void)tar_add(t, 'x', "pax", "", text);
}

static inline void tar_end(struct test_tar *t)
{
	t->len += 2 * TAR_BLOCK;
	assert_true(t->len <= sizeof(t->bytes));
}

#endif
