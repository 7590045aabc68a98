/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/stale.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define MAC_LEN 6
#define TYPE 12
#define IPV4_LEN 20
#define IPV6_LEN 40
#define TCP_LEN 20

/* Places in a header of TCP, and its flags. */
#define SEQUENCE 4
#define ACKNOWLEDGED 8
#define DATA_OFFSET 12
#define FLAGS 13
#define CHECKSUM 16
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

/* A segment of TCP within a frame. */
struct segment {
	const uint8_t *from, *to; /* addresses */
	size_t address_len;
	const uint8_t *tcp;
};

static bool parse_ipv4(const uint8_t *ip, size_t len, struct segment *s)
{
	size_t header;

	if (len < IPV4_LEN || ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP)
		return false;
	header = (size_t)(ip[0] & 0xF) * 4;
	/* Not the first of several fragments, and no other. */
	if (header < IPV4_LEN || len < header + TCP_LEN || (ip[6] & 0x3F) != 0 || ip[7] != 0)
		return false;
	*s = (struct segment){ip + 12, ip + 16, 4, ip + header};
	return true;
}

static bool parse_ipv6(const uint8_t *ip, size_t len, struct segment *s)
{
	if (len < IPV6_LEN + TCP_LEN || ip[0] >> 4 != 6 || ip[6] != IPPROTO_TCP)
		return false;
	*s = (struct segment){ip + 8, ip + 24, 16, ip + IPV6_LEN};
	return true;
}

static bool parse(const uint8_t *frame, size_t len, struct segment *s)
{
	uint16_t type = 0;

	if (len >= ETH_HLEN)
		type = (uint16_t)(frame[TYPE] << 8 | frame[TYPE + 1]);
	if (type == ETH_P_IP)
		return parse_ipv4(frame + ETH_HLEN, len - ETH_HLEN, s);
	return type == ETH_P_IPV6 && parse_ipv6(frame + ETH_HLEN, len - ETH_HLEN, s);
}

/* --- which are new --- */

/* FNV-1a, 32 bits. */
static uint32_t hash(uint32_t h, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * 0x01000193;
	return h;
}

/* The bit of a connection: the guest's port, the other's address and port. */
static uint16_t bit_of(const struct segment *s, bool from_guest)
{
	const uint8_t *guest = from_guest ? s->tcp : s->tcp + 2;
	const uint8_t *other = from_guest ? s->tcp + 2 : s->tcp;
	uint32_t h = hash(0x811C9DC5, guest, 2);

	h = hash(h, other, 2);
	h = hash(h, from_guest ? s->to : s->from, s->address_len);
	return (uint16_t)(h ^ h >> 16);
}

static bool begins(const struct segment *s)
{
	return (s->tcp[FLAGS] & (SYN | ACK)) == SYN;
}

static void note(struct stale *stale, uint16_t bit)
{
	stale->fresh[bit / 8] |= (uint8_t)(1 << bit % 8);
}

void stale_note(struct stale *stale, const uint8_t *frame, size_t len)
{
	struct segment s;

	if (parse(frame, len, &s) && begins(&s))
		note(stale, bit_of(&s, false));
}

/* --- the answer --- */

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The sum of 16-bit words, of an even number of bytes. */
static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

/* The Internet checksum (RFC 1071). */
static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xFFFF) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The header, zero before; returns where TCP's is to be. */
static uint8_t *put_ipv4(uint8_t *ip, const struct segment *s)
{
	ip[0] = 0x45;
	put16(ip + 2, IPV4_LEN + TCP_LEN);
	ip[6] = 0x40; /* not to be fragmented */
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, s->to, 4);
	memcpy(ip + 16, s->from, 4);
	put16(ip + 10, checksum(add_words(0, ip, IPV4_LEN)));
	return ip + IPV4_LEN;
}

static uint8_t *put_ipv6(uint8_t *ip, const struct segment *s)
{
	ip[0] = 0x60;
	put16(ip + 4, TCP_LEN);
	ip[6] = IPPROTO_TCP;
	ip[7] = 64;
	memcpy(ip + 8, s->to, 16);
	memcpy(ip + 24, s->from, 16);
	return ip + IPV6_LEN;
}

/* From the other side, with the number that the guest expects next: any other it would not believe. */
static void make_answer(struct stale *stale, const uint8_t *frame, const struct segment *s)
{
	uint8_t *answer = stale->answer, *tcp;
	uint32_t sum = IPPROTO_TCP + TCP_LEN;

	memset(answer, 0, sizeof(stale->answer));
	memcpy(answer, frame + MAC_LEN, MAC_LEN);
	memcpy(answer + MAC_LEN, frame, MAC_LEN);
	memcpy(answer + TYPE, frame + TYPE, 2);
	tcp = (s->address_len == 4 ? put_ipv4 : put_ipv6)(answer + ETH_HLEN, s);
	memcpy(tcp, s->tcp + 2, 2);
	memcpy(tcp + 2, s->tcp, 2);
	memcpy(tcp + SEQUENCE, s->tcp + ACKNOWLEDGED, 4);
	tcp[DATA_OFFSET] = TCP_LEN / 4 << 4;
	tcp[FLAGS] = RST;
	sum = add_words(sum, s->from, s->address_len);
	sum = add_words(sum, s->to, s->address_len);
	put16(tcp + CHECKSUM, checksum(add_words(sum, tcp, TCP_LEN)));
	stale->len = (size_t)(tcp + TCP_LEN - answer);
}

bool stale_check(struct stale *stale, const uint8_t *frame, size_t len)
{
	struct segment s;
	uint16_t bit;

	if (!parse(frame, len, &s))
		return false;
	bit = bit_of(&s, true);
	if (begins(&s))
		note(stale, bit);
	if ((stale->fresh[bit / 8] >> bit % 8 & 1) != 0)
		return false;
	if ((s.tcp[FLAGS] & (RST | ACK)) == ACK && stale->len == 0)
		make_answer(stale, frame, &s);
	return true;
}
