#include "archive/compress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* For contexts in memory of our own, and for buffers that zstd works on as they lie; linked statically, so it stays. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "base/pages.h"
#include "request/plan.h"

/* A multiple of zstd's blocks (128 KiB), so that nothing is left over between slices. */
#define SLICE ((size_t)1 << 20)

struct compress {
	ZSTD_CCtx *context; /* in memory */
	unsigned char *memory;
	unsigned char *output; /* in memory, behind the context */
	size_t largest;
	ZSTD_inBuffer input;
	ZSTD_outBuffer frame;
	size_t size; /* of the segment; input.size is how far slices have come */
	size_t most;
};

/*
 * Level 2 as it is for large inputs, for members of each size. The fast strategy is the only one that is linked in
 * (image/libraries); on packets the next level costs half as much again for 0 to 4 % in size.
 */
static const struct {
	ZSTD_cParameter name;
	int value;
} parameters[] = {
	{ZSTD_c_compressionLevel, COMPRESS_LEVEL},
	{ZSTD_c_strategy, ZSTD_fast},
	{ZSTD_c_windowLog, 20},
	{ZSTD_c_hashLog, 16},
	{ZSTD_c_minMatch, 6},
	{ZSTD_c_checksumFlag, 1},
	/* Neither is copied: the segment and the output stay where they are until the frame's end. */
	{ZSTD_c_stableInBuffer, 1},
	{ZSTD_c_stableOutBuffer, 1},
};

static bool set_parameters(ZSTD_CCtx *context)
{
	/* A static context has no defaults of its own: without this, frames would lack the content's size. */
	ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (ZSTD_isError(ZSTD_CCtx_setParameter(context, parameters[i].name, parameters[i].value)))
			return false;
	}
	return true;
}

/* A context takes no memory but that which it is given. */
static bool begin_anew(struct compress *compress)
{
	compress->context = ZSTD_initStaticCCtx(compress->memory, PLAN_COMPRESSOR_CONTEXT);
	return compress->context && set_parameters(compress->context);
}

struct compress *compress_open(size_t largest, struct err *err)
{
	struct compress *compress = calloc(1, sizeof(*compress));
	size_t size = (size_t)plan_compressor(largest);

	if (compress)
		compress->largest = largest;
	if (!compress || !(compress->memory = pages_take(size))) {
		compress_close(compress);
		err_sys(err, ENOMEM, "--compress: cannot have %zu bytes", size);
		return NULL;
	}
	compress->output = compress->memory + PLAN_COMPRESSOR_CONTEXT;
	if (begin_anew(compress))
		return compress;
	compress_close(compress);
	err_set(err, STATUS_FAILED, "--compress: zstd " ZSTD_VERSION_STRING " cannot do it");
	return NULL;
}

void compress_close(struct compress *compress)
{
	if (!compress)
		return;
	pages_give(compress->memory, (size_t)plan_compressor(compress->largest));
	free(compress);
}

void compress_begin(struct compress *compress, const unsigned char *data, size_t size, size_t most)
{
	ZSTD_CCtx_reset(compress->context, ZSTD_reset_session_only);
	ZSTD_CCtx_setPledgedSrcSize(compress->context, size);
	compress->input = (ZSTD_inBuffer){data, 0, 0};
	compress->frame = (ZSTD_outBuffer){compress->output, compress->largest, 0};
	compress->size = size;
	compress->most = most;
}

bool compress_next(struct compress *compress, const unsigned char **data, size_t *size)
{
	size_t rest = compress->size - compress->input.size, left;
	bool last = rest <= SLICE;

	compress->input.size += last ? rest : SLICE;
	left = ZSTD_compressStream2(compress->context, &compress->frame, &compress->input,
				    last ? ZSTD_e_end : ZSTD_e_continue);
	/* The only error there can be is that the output has no room, for a frame about as large as the largest
	 * segment. */
	if (ZSTD_isError(left) || compress->frame.pos > compress->most) {
		*data = compress->input.src;
		*size = compress->size;
		return true;
	}
	*data = compress->output;
	*size = compress->frame.pos;
	return last;
}

void compress_forget(struct compress *compress)
{
	memset(compress->memory, 0, PLAN_COMPRESSOR_CONTEXT + compress->frame.pos);
	(void)begin_anew(compress);
}
