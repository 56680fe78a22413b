#include "read/decompress.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define OUTPUT_SIZE ((size_t)128 << 10)

struct decompress {
	ZSTD_DStream *stream;
	ZSTD_inBuffer input;
	size_t pending; /* what zstd said last: 0 when a frame has ended, and all of it is out */
	bool damaged;
	bool flushed; /* nothing waits in zstd */
	unsigned char output[OUTPUT_SIZE];
};

bool decompress_begins(const unsigned char *data, size_t size)
{
	uint32_t magic;

	if (size < DECOMPRESS_LOOK)
		return false;
	memcpy(&magic, data, sizeof(magic));
	return magic == ZSTD_MAGICNUMBER;
}

struct decompress *decompress_open(struct err *err)
{
	struct decompress *expand = calloc(1, sizeof(*expand));

	/* Without that bound a member would say how much memory it takes. */
	if (expand && (expand->stream = ZSTD_createDStream()) &&
	    !ZSTD_isError(ZSTD_DCtx_setParameter(expand->stream, ZSTD_d_windowLogMax, DECOMPRESS_WINDOW_LOG)))
		return expand;
	err_sys(err, ENOMEM, "memory for zstd");
	decompress_close(expand);
	return NULL;
}

void decompress_close(struct decompress *expand)
{
	if (!expand)
		return;
	ZSTD_freeDStream(expand->stream);
	free(expand);
}

void decompress_begin(struct decompress *expand)
{
	ZSTD_DCtx_reset(expand->stream, ZSTD_reset_session_only);
	expand->input = (ZSTD_inBuffer){0};
	expand->pending = 1;
	expand->damaged = false;
	expand->flushed = true;
}

void decompress_feed(struct decompress *expand, const unsigned char *data, size_t size)
{
	expand->input = (ZSTD_inBuffer){data, size, 0};
}

enum decompress_event decompress_next(struct decompress *expand, const unsigned char **data, size_t *size)
{
	ZSTD_outBuffer output = {expand->output, OUTPUT_SIZE, 0};

	while (!expand->damaged && output.pos == 0) {
		if (expand->input.pos == expand->input.size && expand->flushed)
			return DECOMPRESS_MORE;
		expand->pending = ZSTD_decompressStream(expand->stream, &output, &expand->input);
		expand->damaged = ZSTD_isError(expand->pending);
		/* At a frame's end nothing does, though the output be full: asked again, it begins another. */
		expand->flushed = output.pos < output.size || expand->pending == 0;
	}
	if (expand->damaged)
		return DECOMPRESS_DAMAGED;
	*data = expand->output;
	*size = output.pos;
	return DECOMPRESS_SOME;
}

bool decompress_complete(const struct decompress *expand)
{
	return !expand->damaged && expand->pending == 0 && expand->input.pos == expand->input.size;
}

const char *decompress_library(void)
{
	return "zstd " ZSTD_VERSION_STRING;
}
