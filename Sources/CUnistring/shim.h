#include <stddef.h>
#include <stdint.h>
#include <unicase.h>
#include <uninorm.h>
#include <uniwbrk.h>

// The library names its forms by macros, which Swift does not see.
static inline uint8_t *cunistring_nfkc(const uint8_t *text, size_t count, size_t *result_count) {
  return u8_normalize(UNINORM_NFKC, text, count, NULL, result_count);
}

static inline uint8_t *cunistring_casefold_nfkc(const uint8_t *text, size_t count, size_t *result_count) {
  return u8_casefold(text, count, NULL, UNINORM_NFKC, NULL, result_count);
}
