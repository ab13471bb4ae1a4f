#ifndef CSCAN_H
#define CSCAN_H

// Byte scanning for JSON text: sixteen bytes at a time where SSE2 exists, eight at a time elsewhere.
// Swift's own SIMD types are not used for this because their `any` reduction was measured far slower.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// Tells whether a byte ends or interrupts the plain run of a JSON string.
static inline int cscan_is_string_stop(uint8_t byte) {
  return byte == '"' || byte == '\\' || byte < 0x20;
}

/// Returns the first index in [from, count) holding `"`, `\` or a control character, or count.
static inline size_t cscan_string_stop(const uint8_t *bytes, size_t from, size_t count) {
  size_t i = from;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i lastControl = _mm_set1_epi8(0x1f);
  while (i + 16 <= count) {
    __m128i chunk = _mm_loadu_si128((const __m128i *)(bytes + i));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(chunk, lastControl), chunk);
    __m128i hit = _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(chunk, quote), _mm_cmpeq_epi8(chunk, backslash)));
    int mask = _mm_movemask_epi8(hit);
    if (mask != 0) return i + (size_t)__builtin_ctz((unsigned)mask);
    i += 16;
  }
#else
  const uint64_t ones = 0x0101010101010101ull;
  const uint64_t highs = 0x8080808080808080ull;
  while (i + 8 <= count) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    uint64_t quoted = word ^ (ones * '"');
    uint64_t slashed = word ^ (ones * '\\');
    // A bit of a byte's top may be set wrongly only above a true hit, so "any" is exact.
    uint64_t hit = ((word - ones * 0x20) & ~word) | ((quoted - ones) & ~quoted) | ((slashed - ones) & ~slashed);
    if ((hit & highs) != 0) break;
    i += 8;
  }
#endif
  while (i < count && !cscan_is_string_stop(bytes[i])) i += 1;
  return i;
}

/// Returns the first index in [from, count) holding a byte of 0x80 or more, or count.
static inline size_t cscan_non_ascii(const uint8_t *bytes, size_t from, size_t count) {
  size_t i = from;
#if defined(__SSE2__)
  while (i + 16 <= count) {
    int mask = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(bytes + i)));
    if (mask != 0) return i + (size_t)__builtin_ctz((unsigned)mask);
    i += 16;
  }
#else
  while (i + 8 <= count) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    if ((word & 0x8080808080808080ull) != 0) break;
    i += 8;
  }
#endif
  while (i < count && bytes[i] < 0x80) i += 1;
  return i;
}

static inline int cscan_is_continuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

/// Returns the length of the well-formed UTF-8 sequence at `bytes[i]`, or 0 (RFC 3629: no surrogates, no overlong forms).
static inline size_t cscan_utf8_sequence(const uint8_t *bytes, size_t i, size_t count) {
  uint8_t first = bytes[i];
  size_t left = count - i;
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return left >= 2 && cscan_is_continuation(bytes[i + 1]) ? 2 : 0;
  if (first < 0xf0) {
    if (left < 3 || !cscan_is_continuation(bytes[i + 1]) || !cscan_is_continuation(bytes[i + 2])) return 0;
    if (first == 0xe0 && bytes[i + 1] < 0xa0) return 0;
    if (first == 0xed && bytes[i + 1] >= 0xa0) return 0;
    return 3;
  }
  if (first > 0xf4 || left < 4) return 0;
  if (!cscan_is_continuation(bytes[i + 1]) || !cscan_is_continuation(bytes[i + 2])) return 0;
  if (!cscan_is_continuation(bytes[i + 3])) return 0;
  if (first == 0xf0 && bytes[i + 1] < 0x90) return 0;
  if (first == 0xf4 && bytes[i + 1] >= 0x90) return 0;
  return 4;
}

/// Returns the offset of the first byte that is not part of well-formed UTF-8, or count.
static inline size_t cscan_utf8_valid_prefix(const uint8_t *bytes, size_t count) {
  size_t i = 0;
  for (;;) {
    i = cscan_non_ascii(bytes, i, count);
    if (i == count) return count;
    while (i < count && bytes[i] >= 0x80) {
      size_t length = cscan_utf8_sequence(bytes, i, count);
      if (length == 0) return i;
      i += length;
    }
  }
}

// The header declares it only with _GNU_SOURCE, which a module cannot define for others.
extern void *memmem(const void *text, size_t count, const void *part, size_t part_count);

/// Whether some bytes stand in others one after the other; takes time linear in both.
static inline int cscan_contains(const uint8_t *text, size_t count, const uint8_t *part, size_t part_count) {
  return memmem(text, count, part, part_count) != NULL;
}

#endif
