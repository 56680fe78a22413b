/* Numbers as typed: any text of any kind; and every number, printed and read back. */
#include "fuzz.h"

#include "base/clock.h"
#include "request/number.h"

#define KINDS 5
#define MILLISECOND (CLOCK_SECOND / 1000)

static void read_back(enum number_kind kind, uint64_t value)
{
	/* A size is printed as one, also where a bare number is typed in other units. */
	struct number_range range = {kind == NUMBER_MILLIONS ? NUMBER_SIZE : kind, 0, UINT64_MAX, 0};
	char text[NUMBER_TEXT_SIZE];
	struct err err = {0};
	uint64_t again = ~value;

	PROMISE(number_format(kind, value, text) == text && strlen(text) < sizeof(text));
	PROMISE(number_parse("-x", text, &range, &again, &err) == 0 && again == value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;
	uint64_t given[3] = {0};

	if (size < sizeof(given))
		return 0;
	memcpy(given, data, sizeof(given));
	text = calloc(1, size - sizeof(given) + 1);
	memcpy(text, data + sizeof(given), size - sizeof(given));
	for (int kind = 0; kind < KINDS; kind++) {
		struct number_range range = {(enum number_kind)kind, given[0], given[1], (int)(given[2] & 1)};
		struct err err = {0};
		uint64_t value = given[2];
		int result = number_parse("--flag", text, &range, &value, &err);

		fuzz_result(result, &err);
		PROMISE(result < 0 ? value == given[2]
				   : (value >= range.min && value <= range.max) || (!value && range.zero_is_none));
		if (result == 0)
			read_back(range.kind, value);
		read_back(range.kind, kind == NUMBER_DURATION ? given[2] / MILLISECOND * MILLISECOND : given[2]);
	}
	free(text);
	return 0;
}
