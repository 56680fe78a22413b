/*
 * JSON objects, built member by member and read back. The only part that sees <jansson.h>.
 *
 * An object or a list is NULL once there was no memory for a part of it; what is put into it then is released, so that
 * only the whole needs to be looked at.
 */
#ifndef TARCAP_JSON_H
#define TARCAP_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number of a struct, and what it is called. */
struct json_field {
	const char *name;
	size_t offset; /* of a uint64_t */
};

/* Bytes that are no ASCII become '?' where text is no UTF-8; NULL is null. */
json_t *json_text(const char *text);

/* RFC 3339, UTC; ns since the epoch. */
json_t *json_time(uint64_t real);

/* Seconds as text: a double has no room for nanoseconds since 1970. */
json_t *json_seconds(uint64_t nanoseconds);

/* value becomes the object's or the list's. NULL stands for no memory. */
void json_put(json_t **object, const char *name, json_t *value);
void json_append(json_t **list, json_t *value);

/* The same where NULL says that there is no value: it is left out. */
void json_put_known(json_t **object, const char *name, json_t *value);

void json_put_text(json_t **object, const char *name, const char *text);

/* Beyond what JSON has numbers for here, the largest of these: 2^63 - 1. */
void json_put_number(json_t **object, const char *name, uint64_t value);
void json_put_flag(json_t **object, const char *name, bool value);

/* Each of the fields, up to one without a name, as it is in values. */
void json_put_numbers(json_t **object, const struct json_field *fields, const void *values);

/* A new object of them. */
json_t *json_numbers(const struct json_field *fields, const void *values);

/* False when the object has no such number of 0 or more, or no such text (which then is NULL). The object may be NULL.
 */
bool json_get_number(const json_t *object, const char *name, uint64_t *value);
bool json_get_text(const json_t *object, const char *name, const char **value);

/* The library's name and version. */
const char *json_library(void);

#endif
