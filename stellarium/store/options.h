/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file `format`: seal "STELSTOR", then fields of u16 tag, u16 length and value:
 *
 *	1  cutting   u8 method, u32 min, u32 average, u32 max
 *	2  codec     u8 codec, u8 level
 */
#ifndef STELLARIUM_STORE_OPTIONS_H
#define STELLARIUM_STORE_OPTIONS_H

#include "stellarium/include/stellarium.h"
#include "stellarium/store/seal.h"

#define OPTIONS_CUTTING 13 /* bytes of it */
#define OPTIONS_FILE 128   /* at most */

/* Are they possible? */
V_MUST_CHECK int options_check(const struct stel_options *o, struct verr *e);

size_t options_put(uint8_t out[OPTIONS_FILE], const struct seal_store *store,
		   const struct stel_options *o);
V_MUST_CHECK int options_get(struct bytes file, struct seal_store *store, struct stel_options *o,
			     struct verr *e);

/* The cutting alone, as images have it, too. */
void options_put_cutting(uint8_t out[OPTIONS_CUTTING], const struct stel_cutting *cut);
V_MUST_CHECK int options_get_cutting(const uint8_t in[OPTIONS_CUTTING], struct stel_cutting *cut,
				     struct verr *e);

#endif
