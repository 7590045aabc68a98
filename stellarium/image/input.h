/* SPDX-License-Identifier: Apache-2.0 */
/* What an image is made of: a file with holes, a device, or a stream. */
#ifndef STELLARIUM_IMAGE_INPUT_H
#define STELLARIUM_IMAGE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"

struct input {
	int fd;        /* borrowed */
	bool stream;   /* its size is not known */
	uint64_t unit; /* holes begin and end at multiples of this, but for the last */
	uint64_t size, at;
	uint64_t data_end; /* there is data up to here */
};

V_MUST_CHECK int input_open(struct input *in, int fd, uint64_t unit, struct verr *e);

enum input_result {
	INPUT_DATA, /* `*len` bytes, at most `room`, were read */
	INPUT_HOLE, /* `*len` bytes are zero */
	INPUT_END,
	INPUT_FAULT,
};

enum input_result input_next(struct input *in, uint8_t *out, size_t room, uint64_t *len,
			     struct verr *e);

#endif
