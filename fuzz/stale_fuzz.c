/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames to and from a guest that has gone on elsewhere, each behind a byte with its direction and its length:
 * an answer is a reset that turns the frame's addresses round, and what has begun since never gets one.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/virtio_fuzz.h"
#include "vmm/devices/net/stale.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TO_GUEST 0x80
#define TCP_LEN 20

static struct stale stale;

static void check_answer(const uint8_t *frame)
{
	const uint8_t *answer = stale.answer, *tcp;

	CHECK(stale.len == 14 + 20 + TCP_LEN || stale.len == 14 + 40 + TCP_LEN);
	CHECK(memcmp(answer, frame + 6, 6) == 0 && memcmp(answer + 6, frame, 6) == 0);
	CHECK(memcmp(answer + 12, frame + 12, 2) == 0);
	tcp = answer + stale.len - TCP_LEN;
	CHECK(tcp[13] == 0x04);
	stale.len = 0;
	/* Once its connection is begun from there, the same frame is of a new one. */
	stale.answer[tcp - answer + 13] = 0x02;
	stale_note(&stale, answer, (size_t)(tcp - answer) + TCP_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&stale, 0, sizeof(stale));
	while (size > 1) {
		size_t len = MIN((size_t)(data[0] & ~TO_GUEST), size - 1);
		uint8_t *frame = malloc(MAX(len, 1)); /* of its own, to notice what reads past it */

		CHECK(frame != NULL);
		memcpy(frame, data + 1, len);
		if (data[0] & TO_GUEST) {
			stale_note(&stale, frame, len);
		} else if (stale_check(&stale, frame, len) && stale.len > 0) {
			check_answer(frame);
			CHECK(!stale_check(&stale, frame, len));
		}
		free(frame);
		data += 1 + len;
		size -= 1 + len;
	}
	return 0;
}
