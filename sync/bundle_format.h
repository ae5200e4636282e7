/* Numbers of the stream inside the seal (FORMAT.md §3); only sync/bundle_*.c read this. */
#ifndef SPOKE_SYNC_BUNDLE_FORMAT_H
#define SPOKE_SYNC_BUNDLE_FORMAT_H

#include "sync/bundle.h"

#define BUNDLE_WINDOW_LOG  21          /* a reader's memory: 2 MiB of history */
#define BUNDLE_RATIO_FREE  (64u << 10) /* plain bytes of a frame that are let pass whatever their ratio */
#define BUNDLE_FRAME_MAGIC 0xFD2FB528u /* RFC 8878 §3.1.1 */
#define BUNDLE_PAD_MAGIC   0x184D2A50u /* RFC 8878 §3.1.2, the first of the skippable sixteen */
#define BUNDLE_PAD_HEAD    8u          /* magic and length, both little-endian */

#endif
