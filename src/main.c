#include "command.h"
#include "err.h"
#include "say.h"

int main(int argc, char **argv)
{
	struct err err = {0};
	enum status status = command_capture(argc, argv, &err);

	if (err.status)
		say("%s", err.text);
	return (int)status;
}
