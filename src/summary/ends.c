#include "summary/ends.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

char *ends_address(uint8_t version, const struct dissect_end *end, char text[ENDS_TEXT_SIZE])
{
	const uint8_t *bytes = end->address;

	if (version)
		inet_ntop(version == 4 ? AF_INET : AF_INET6, bytes, text, ENDS_TEXT_SIZE);
	else
		snprintf(text, ENDS_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
			 bytes[4], bytes[5]);
	return text;
}

char *ends_text(uint8_t version, bool ports, const struct dissect_end *end, char text[ENDS_TEXT_SIZE])
{
	char address[ENDS_TEXT_SIZE];

	ends_address(version, end, address);
	if (!ports)
		memcpy(text, address, sizeof(address));
	else if (version == 4)
		snprintf(text, ENDS_TEXT_SIZE, "%.40s:%d", address, end->port);
	else
		snprintf(text, ENDS_TEXT_SIZE, "[%.46s]:%d", address, end->port);
	return text;
}

char *ends_filter(uint8_t version, const struct dissect_end *end, char text[ENDS_FILTER_SIZE])
{
	static const char *const fields[] = {[0] = "eth.addr", [4] = "ip.addr", [6] = "ipv6.addr"};
	char address[ENDS_TEXT_SIZE];

	snprintf(text, ENDS_FILTER_SIZE, "%s == %.46s", fields[version == 4 || version == 6 ? version : 0],
		 ends_address(version, end, address));
	return text;
}
