#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
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

static struct tm broken_down(uint64_t real)
{
	time_t seconds = (time_t)(real / CLOCK_SECOND);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	return tm;
}

char *clock_rfc3339(uint64_t real, char text[CLOCK_TEXT_SIZE])
{
	struct tm tm = broken_down(real);
	size_t used = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(text + used, CLOCK_TEXT_SIZE - used, ".%09" PRIu64 "Z", real % CLOCK_SECOND);
	return text;
}

char *clock_compact(uint64_t real, char text[CLOCK_TEXT_SIZE])
{
	struct tm tm = broken_down(real);

	strftime(text, CLOCK_TEXT_SIZE, "%Y%m%d%H%M%S", &tm);
	return text;
}

char *clock_seconds(uint64_t nanoseconds, char text[CLOCK_TEXT_SIZE])
{
	snprintf(text, CLOCK_TEXT_SIZE, "%" PRIu64 ".%09" PRIu64, nanoseconds / CLOCK_SECOND,
		 nanoseconds % CLOCK_SECOND);
	return text;
}
