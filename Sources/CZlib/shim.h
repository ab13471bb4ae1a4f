#include <zlib.h>

/* deflateInit2 is a macro, which Swift cannot import. 15 + 16 window bits ask for a gzip wrapper. */
static inline int czlib_gzip_init(z_streamp stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
