/* What a hold says of its recorder, in the container's log. */
#ifndef TARCAP_RECORDER_SAID_H
#define TARCAP_RECORDER_SAID_H

#include <stdint.h>

#include "record/channel.h"

/* A line for what it has told, where there is one. Boot time until which what is frozen is kept; UINT64_MAX: for ever.
 */
void recorder_say(const struct channel_message *message, uint64_t kept_until);

#endif
