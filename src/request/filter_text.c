#include "request/filter_text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "request/options.h"

int filter_text_from_file(const char *path, char *filter, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 1;

	if (fd < 0)
		return err_sys(err, errno, "-F %.200s", path);
	while (used <= FILTER_MAX_LENGTH && n > 0) {
		n = read(fd, filter + used, FILTER_MAX_LENGTH + 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (n < 0) {
		int errnum = errno;
		close(fd);
		return err_sys(err, errnum, "-F %.200s", path);
	}
	close(fd);
	if (used > FILTER_MAX_LENGTH)
		return err_set(err, STATUS_USAGE, "-F %.200s: a filter has at most %d bytes", path, FILTER_MAX_LENGTH);
	filter[used] = '\0';
	for (char *p = strchr(filter, '#'); p; p = strchr(p, '#'))
		memset(p, ' ', strcspn(p, "\n"));
	return 0;
}

int filter_text_from_words(char *const *words, char *filter, struct err *err)
{
	size_t used = 0;

	for (; *words; words++) {
		size_t length = strlen(*words);

		if (used + length + 1 > FILTER_MAX_LENGTH)
			return err_set(err, STATUS_USAGE, "the filter: at most %d bytes; use fewer terms",
				       FILTER_MAX_LENGTH);
		if (used)
			filter[used++] = ' ';
		memcpy(filter + used, *words, length);
		used += length;
	}
	filter[used] = '\0';
	return 0;
}
