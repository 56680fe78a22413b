#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

json_t *json_text(const char *text)
{
	json_t *value;
	char *copy;

	if (!text)
		return json_null();
	value = json_string(text);
	if (value)
		return value;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	value = json_string(copy);
	free(copy);
	return value;
}

json_t *json_time(uint64_t real)
{
	char text[CLOCK_TEXT_SIZE];

	return json_string(clock_rfc3339(real, text));
}

json_t *json_seconds(uint64_t nanoseconds)
{
	char text[CLOCK_TEXT_SIZE];

	return json_string(clock_seconds(nanoseconds, text));
}

/* jansson takes the value in any case, and refuses NULL on either side. */
static void keep(json_t **whole, int result)
{
	if (result == 0)
		return;
	json_decref(*whole);
	*whole = NULL;
}

void json_put(json_t **object, const char *name, json_t *value)
{
	keep(object, json_object_set_new(*object, name, value));
}

void json_append(json_t **list, json_t *value)
{
	keep(list, json_array_append_new(*list, value));
}

void json_put_known(json_t **object, const char *name, json_t *value)
{
	if (value)
		json_put(object, name, value);
}

void json_put_text(json_t **object, const char *name, const char *text)
{
	json_put(object, name, json_text(text));
}

void json_put_number(json_t **object, const char *name, uint64_t value)
{
	json_put(object, name, json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX));
}

void json_put_flag(json_t **object, const char *name, bool value)
{
	json_put(object, name, json_boolean(value));
}

void json_put_numbers(json_t **object, const struct json_field *fields, const void *values)
{
	for (; fields->name; fields++) {
		uint64_t value;

		memcpy(&value, (const char *)values + fields->offset, sizeof(value));
		json_put_number(object, fields->name, value);
	}
}

json_t *json_numbers(const struct json_field *fields, const void *values)
{
	json_t *object = json_object();

	json_put_numbers(&object, fields, values);
	return object;
}

bool json_get_number(const json_t *object, const char *name, uint64_t *value)
{
	const json_t *found = json_object_get(object, name);

	if (!json_is_integer(found) || json_integer_value(found) < 0)
		return false;
	*value = (uint64_t)json_integer_value(found);
	return true;
}

bool json_get_text(const json_t *object, const char *name, const char **value)
{
	*value = json_string_value(json_object_get(object, name));
	return *value != NULL;
}

const char *json_library(void)
{
	return "jansson " JANSSON_VERSION;
}
