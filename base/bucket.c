/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bucket.h"

#include "base/compiler.h"

#define NS_PER_S 1000000000ULL

/* Tokens and debts stay below this, so that sums of them do not overflow. */
#define TOKENS_MAX (1ULL << 60)

void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, uint64_t now_ns)
{
	*b = (struct bucket){.rate = MIN(rate, TOKENS_MAX),
			     .burst = MIN(burst > 0 ? burst : rate, TOKENS_MAX),
			     .filled_ns = now_ns};
	b->level = (int64_t)b->burst;
}

void bucket_give_once(struct bucket *b, uint64_t tokens)
{
	b->once = MIN(tokens, TOKENS_MAX);
}

static void fill(struct bucket *b, uint64_t now_ns)
{
	__uint128_t tokens;

	if (now_ns <= b->filled_ns)
		return;
	tokens = (__uint128_t)(now_ns - b->filled_ns) * b->rate / NS_PER_S;
	/* Time that is not worth a token yet is kept for the next time. */
	if (tokens == 0)
		return;
	if (tokens >= (__uint128_t)((int64_t)b->burst - b->level)) {
		b->level = (int64_t)b->burst;
		b->filled_ns = now_ns;
		return;
	}
	b->level += (int64_t)tokens;
	b->filled_ns += (uint64_t)(tokens * NS_PER_S / b->rate);
}

uint64_t bucket_wait_ns(struct bucket *b, uint64_t now_ns)
{
	__uint128_t ns;

	if (b->rate == 0)
		return 0;
	if (b->once > 0) {
		b->filled_ns = now_ns;
		return 0;
	}
	fill(b, now_ns);
	if (b->level > 0)
		return 0;
	ns = ((__uint128_t)(1 - b->level) * NS_PER_S + b->rate - 1) / b->rate;
	return (uint64_t)MIN(ns, (__uint128_t)UINT64_MAX);
}

void bucket_take(struct bucket *b, uint64_t tokens)
{
	uint64_t once = MIN(tokens, b->once);

	if (b->rate == 0)
		return;
	b->once -= once;
	tokens -= once;
	b->level -= (int64_t)MIN(tokens, TOKENS_MAX);
	if (b->level < -(int64_t)TOKENS_MAX)
		b->level = -(int64_t)TOKENS_MAX;
}
