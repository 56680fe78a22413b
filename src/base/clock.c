#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t get(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * CLOCK_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t clock_boot(void)
{
	return get(CLOCK_BOOTTIME);
}

uint64_t clock_real(void)
{
	return get(CLOCK_REALTIME);
}

/* Returns what is behind them. */
static char *put_digits(char *text, unsigned digits, uint64_t value)
{
	for (unsigned i = digits; i-- > 0; value /= 10)
		text[i] = (char)('0' + value % 10);
	return text + digits;
}

/* Each file has five times or so, and for each strftime() takes 9,000 instructions. Returns what is behind them. */
static char *put_seconds(char *text, uint64_t real)
{
	time_t seconds = (time_t)(real / CLOCK_SECOND);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	text = put_digits(text, 4, (uint64_t)tm.tm_year + 1900);
	text = put_digits(text, 2, (uint64_t)tm.tm_mon + 1);
	text = put_digits(text, 2, (uint64_t)tm.tm_mday);
	text = put_digits(text, 2, (uint64_t)tm.tm_hour);
	text = put_digits(text, 2, (uint64_t)tm.tm_min);
	return put_digits(text, 2, (uint64_t)tm.tm_sec);
}

char *clock_rfc3339(uint64_t real, char text[CLOCK_TEXT_SIZE])
{
	static const char form[] = "0000-00-00T00:00:00.000000000Z";
	char digits[CLOCK_TEXT_SIZE], *next = digits;

	put_digits(put_seconds(digits, real), 9, real % CLOCK_SECOND);
	memcpy(text, form, sizeof(form));
	for (size_t i = 0; i < sizeof(form); i++) {
		if (form[i] == '0')
			text[i] = *next++;
	}
	return text;
}

char *clock_compact(uint64_t real, char text[CLOCK_TEXT_SIZE])
{
	*put_seconds(text, real) = '\0';
	return text;
}

char *clock_seconds(uint64_t nanoseconds, char text[CLOCK_TEXT_SIZE])
{
	snprintf(text, CLOCK_TEXT_SIZE, "%" PRIu64 ".%09" PRIu64, nanoseconds / CLOCK_SECOND,
		 nanoseconds % CLOCK_SECOND);
	return text;
}
