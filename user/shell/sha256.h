/* SPDX-License-Identifier: BSD-2-Clause */
/* sha256.h: the SHA-256 sum of a sequence of bytes that comes in pieces. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_BLOCK = 64, SHA256_TEXT = 2 * SHA256_BYTES + 1 };

struct sha256 { uint32_t state[8]; uint64_t length; uint8_t block[SHA256_BLOCK]; };

void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t size);
/* The sum as hexadecimal digits and a NUL. */
void sha256_end(struct sha256 *sha, char text[SHA256_TEXT]);
