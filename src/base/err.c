#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct err *err, enum status status, const char *format, va_list args)
{
	err->status = status;
	vsnprintf(err->text, sizeof(err->text), format, args);
}

int err_set(struct err *err, enum status status, const char *format, ...)
{
	va_list args;

	if (err->status != STATUS_OK)
		return -1;
	va_start(args, format);
	fill(err, status, format, args);
	va_end(args);
	return -1;
}

int err_sys(struct err *err, int errnum, const char *format, ...)
{
	va_list args;
	size_t used;

	if (err->status != STATUS_OK)
		return -1;
	va_start(args, format);
	fill(err, STATUS_FAILED, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(errnum));
	return -1;
}

enum status err_status(struct err *err)
{
	if (err->status == STATUS_OK)
		err_set(err, STATUS_FAILED, "a step failed and did not say why, which is a mistake in tarcap");
	return err->status;
}
