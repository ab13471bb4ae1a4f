// Everything is inline in the header, so that Swift can inline it; the package manager wants one source file.
#include "CScan.h"
