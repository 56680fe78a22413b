#include "record/area.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "request/options.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* linux/fcntl.h, since Linux 5.1 */
#endif

#define ALIGNMENT ((uint64_t)64)
#define TEXTS_SHARE 4	    /* at most a quarter of the area */
#define LOOKS 1000	    /* a millisecond apart */
#define USED_MOST (4 * GIB) /* bytes of a file: more than any segment has */

static const char magic[8] = "tarcapA";

/* Of the structs that two processes share. */
static uint64_t layout(void)
{
	return sizeof(struct area_header) << 40 ^ sizeof(struct area_series) << 24 ^ sizeof(struct area_entry) << 12 ^
	       sizeof(struct area_text);
}

static uint64_t aligned(uint64_t at)
{
	return (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* --- the recorder's side --- */

int area_create(uint64_t size, struct err *err)
{
	int fd = memfd_create(AREA_MEMFD, MFD_CLOEXEC | MFD_ALLOW_SEALING), errnum;

	if (fd < 0)
		return err_sys(err, errno, "--record: memfd_create");
	if (fchmod(fd, 0400) == 0 && fallocate(fd, 0, 0, (off_t)size) == 0)
		return fd;
	errnum = errno;
	close(fd);
	return err_sys(err, errnum, "--record: cannot have %llu bytes", (unsigned long long)size);
}

int area_map(struct area *area, int fd, struct err *err)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat status;
	void *mapped;

	*area = (struct area){0};
	if (fstat(fd, &status) < 0)
		return err_sys(err, errno, "--record");
	mapped = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return err_sys(err, errno, "--record: cannot map %lld bytes", (long long)status.st_size);
	area->memory = mapped;
	area->size = (size_t)status.st_size;
	(void)madvise(mapped, area->size, MADV_DONTDUMP);
	if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE) < 0 && fcntl(fd, F_ADD_SEALS, seals) < 0) {
		err_sys(err, errno, "--record: cannot seal the memory");
		area_unmap(area);
		return -1;
	}
	area->header = mapped;
	return 0;
}

bool area_is_read_only(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_FUTURE_WRITE);
}

void area_unmap(struct area *area)
{
	if (area->memory)
		munmap(area->memory, area->size);
	*area = (struct area){0};
}

void area_begin(struct area *area, unsigned series, uint64_t now)
{
	struct area_header *header = area->header;

	memset(header, 0, sizeof(*header));
	header->layout = layout();
	header->size = area->size;
	header->series_at = aligned(sizeof(*header));
	header->series = series;
	header->state = (struct area_state){.account = 1, .started = now, .phase = AREA_RECORDING};
	area->series = (struct area_series *)(void *)(area->memory + header->series_at);
	memset(area->series, 0, series * sizeof(*area->series));
	header->texts_at = header->entries_at = aligned(header->series_at + series * sizeof(*area->series));
}

bool area_add_text(struct area *area, const char *name, uint64_t time, const void *data, size_t size)
{
	struct area_header *header = area->header;
	struct area_text *text = (struct area_text *)(void *)(area->memory + header->entries_at);
	uint64_t end = aligned(header->entries_at + sizeof(*text) + size);

	if (size > area->size || end - header->texts_at > area->size / TEXTS_SHARE)
		return false;
	*text = (struct area_text){.time = time, .size = size};
	strncpy(text->name, name, sizeof(text->name) - 1);
	memcpy(text + 1, data, size);
	header->texts++;
	header->entries_at = end;
	return true;
}

void area_start(struct area *area)
{
	struct area_header *header = area->header;
	uint64_t left = area->size - header->entries_at;

	header->entries = left / (AREA_ENTRY_EVERY + sizeof(*area->entries));
	header->data_at = aligned(header->entries_at + header->entries * sizeof(*area->entries));
	header->data = area->size - header->data_at;
	area->entries = (struct area_entry *)(void *)(area->memory + header->entries_at);
	area->data = area->memory + header->data_at;
	area->room = header->data;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(header->magic, magic, sizeof(magic));
}

uint64_t area_count(const struct area *area)
{
	return area->header->state.end - area->header->state.first;
}

bool area_can_have(const struct area *area, uint64_t stored)
{
	return stored <= area->header->data && area->header->entries > 0;
}

bool area_has_room(const struct area *area, uint64_t stored)
{
	return stored <= area->room && area_count(area) < area->header->entries;
}

static struct area_entry *entry_of(const struct area *area, uint64_t number)
{
	return &area->entries[number % area->header->entries];
}

const struct area_entry *area_oldest(const struct area *area)
{
	return area_count(area) > 0 ? entry_of(area, area->header->state.first) : NULL;
}

const struct area_entry *area_newest(const struct area *area)
{
	return area_count(area) > 0 ? entry_of(area, area->header->state.end - 1) : NULL;
}

void area_change(struct area *area)
{
	__atomic_store_n(&area->header->sequence, area->header->sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

void area_changed(struct area *area)
{
	__atomic_store_n(&area->header->sequence, area->header->sequence + 1, __ATOMIC_RELEASE);
}

const struct area_entry *area_drop_oldest(struct area *area)
{
	struct area_entry *entry = entry_of(area, area->header->state.first);
	struct overwritten *stored = &area->series[entry->place].stored;

	__atomic_store_n(&entry->sequence, 0, __ATOMIC_RELAXED);
	stored->files--;
	stored->packets -= entry->packets;
	stored->bytes -= entry->used;
	stored->dropped -= entry->dropped;
	area->header->state.first++;
	area->room += entry->stored;
	return entry;
}

/* How much of what begins at offset lies before the end of the data. */
static uint64_t before_end(uint64_t data, uint64_t offset, uint64_t size)
{
	return size < data - offset ? size : data - offset;
}

void area_wipe(struct area *area, const struct area_entry *dropped)
{
	uint64_t front = before_end(area->header->data, dropped->offset, dropped->stored);

	__atomic_thread_fence(__ATOMIC_RELEASE);
	memset(area->data + dropped->offset, 0, front);
	memset(area->data, 0, dropped->stored - front);
}

void area_copy_in(struct area *area, const unsigned char *data, uint64_t stored)
{
	uint64_t front = before_end(area->header->data, area->room_at, stored);

	/* Before a byte of it changes, everybody has to see that what lay here is dropped. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(area->data + area->room_at, data, front);
	memcpy(area->data, data + front, stored - front);
}

/* Of several interfaces one may fill its files while another's is open: nothing waits behind what is younger. */
static void age(struct area *area, uint64_t since)
{
	for (uint64_t n = area->header->state.end; n-- > area->header->state.first;) {
		struct area_entry *entry = entry_of(area, n);

		if (entry->since <= since)
			return;
		entry->since = since;
	}
}

void area_enter(struct area *area, const struct segment *segment, uint32_t place, uint64_t since)
{
	struct overwritten *stored = &area->series[place].stored;
	uint64_t number = area->header->state.end;
	struct area_entry *entry = entry_of(area, number);

	age(area, since);
	*entry = (struct area_entry){
		.offset = area->room_at,
		.since = since,
		.first = segment->first,
		.last = segment->last,
		.packets = segment->packets,
		.dropped = segment->dropped,
		.used = segment->used,
		.stored = segment->stored,
		.place = place,
		.number = segment->number,
	};
	__atomic_store_n(&entry->sequence, number + 1, __ATOMIC_RELEASE);
	stored->files++;
	stored->packets += segment->packets;
	stored->bytes += segment->used;
	stored->dropped += segment->dropped;
	area->header->state.end++;
	area->room -= segment->stored;
	area->room_at = (area->room_at + segment->stored) % area->header->data;
}

const unsigned char *area_piece(const struct area *area, const struct area_entry *entry)
{
	bool whole = entry->stored <= area->header->data - entry->offset;

	return whole ? area->data + entry->offset : NULL;
}

static void copy_out(const unsigned char *data, uint64_t size, const struct area_entry *entry, unsigned char *to)
{
	uint64_t front = before_end(size, entry->offset, entry->stored);

	memcpy(to, data + entry->offset, front);
	memcpy(to + front, data, entry->stored - front);
}

void area_copy_out(const struct area *area, const struct area_entry *entry, unsigned char *to)
{
	copy_out(area->data, area->header->data, entry, to);
}

void area_answer(struct area *area, pid_t asker)
{
	struct area_header *header = area->header;

	__atomic_store_n(&header->answered[header->answers % AREA_ASKERS], asker, __ATOMIC_RELAXED);
	__atomic_store_n(&header->answers, header->answers + 1, __ATOMIC_RELEASE);
}

/* --- a reader's side --- */

/* Do so many of such a size lie within size, from where on, at an address for numbers? */
static bool lies_within(uint64_t at, uint64_t count, uint64_t each, uint64_t size)
{
	return at % ALIGNMENT == 0 && at <= size && count <= (size - at) / each;
}

/* It was copied, so it cannot change between a look and the use. */
static bool is_ours(const struct area_header *header, uint64_t size)
{
	return memcmp(header->magic, magic, sizeof(magic)) == 0 && header->layout == layout() && header->size == size &&
	       header->series > 0 && header->series <= INTERFACES_MAX && header->entries > 0 && header->data > 0 &&
	       lies_within(header->series_at, header->series, sizeof(struct area_series), size) &&
	       lies_within(header->entries_at, header->entries, sizeof(struct area_entry), size) &&
	       lies_within(header->data_at, header->data, 1, size) && header->texts_at <= header->entries_at &&
	       header->texts_at % ALIGNMENT == 0 && header->series_at >= sizeof(*header);
}

/* Sealed against another size. */
static bool stays(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK);
}

int area_open(struct area_view *view, int fd, struct err *err)
{
	struct stat status;
	void *mapped;

	*view = (struct area_view){0};
	if (fstat(fd, &status) < 0)
		return err_sys(err, errno, "the recorder's memory");
	if (!stays(fd) || status.st_size < (off_t)sizeof(view->header))
		return err_set(err, STATUS_FAILED, "the recorder's memory is not what it should be");
	mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return err_sys(err, errno, "the recorder's memory");
	view->memory = mapped;
	memcpy(&view->header, mapped, sizeof(view->header));
	if (!is_ours(&view->header, (uint64_t)status.st_size)) {
		munmap(mapped, (size_t)status.st_size);
		*view = (struct area_view){0};
		return err_set(err, STATUS_FAILED, "the recorder has not begun, or is of another version");
	}
	view->series = calloc(view->header.series, sizeof(*view->series));
	if (!view->series) {
		munmap(mapped, (size_t)status.st_size);
		*view = (struct area_view){0};
		return err_sys(err, ENOMEM, "memory for the recorder's account");
	}
	return 0;
}

void area_close(struct area_view *view)
{
	if (view->memory)
		munmap((void *)view->memory, view->header.size);
	free(view->series);
	*view = (struct area_view){0};
}

static const struct area_header *live(const struct area_view *view)
{
	return (const struct area_header *)(const void *)view->memory;
}

/* Names end, and numbers of series are as many as there are. */
static void tame(struct area_view *view)
{
	for (uint64_t i = 0; i < view->header.series; i++) {
		view->series[i].name[sizeof(view->series[i].name) - 1] = '\0';
		view->series[i].interface[sizeof(view->series[i].interface) - 1] = '\0';
	}
	for (unsigned i = 0; i < MANIFEST_LEFT_OUT; i++) {
		struct left_out *left_out = &view->left_out.list[i];

		left_out->name[sizeof(left_out->name) - 1] = left_out->why[sizeof(left_out->why) - 1] = '\0';
	}
	view->state.event.what[AREA_EVENT_SIZE - 1] = '\0';
	if (view->state.event.place >= view->header.series)
		view->state.event.packet = view->state.event.place = 0;
}

static bool look_once(struct area_view *view)
{
	uint64_t before = __atomic_load_n(&live(view)->sequence, __ATOMIC_ACQUIRE), after;

	if (before % 2)
		return false;
	view->state = live(view)->state;
	memcpy(&view->left_out, &live(view)->left_out, sizeof(view->left_out));
	memcpy(view->series, view->memory + view->header.series_at, view->header.series * sizeof(*view->series));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	after = __atomic_load_n(&live(view)->sequence, __ATOMIC_RELAXED);
	return after == before;
}

int area_look(struct area_view *view, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	unsigned looks = 0;

	while (!look_once(view)) {
		if (++looks == LOOKS)
			return err_set(err, STATUS_FAILED, "the recorder's account does not keep still");
		nanosleep(&pause, NULL);
	}
	tame(view);
	if (view->state.end - view->state.first > view->header.entries)
		return err_set(err, STATUS_FAILED, "the recorder's memory is not what it should be");
	return 0;
}

uint64_t area_answers(const struct area_view *view)
{
	return __atomic_load_n(&live(view)->answers, __ATOMIC_ACQUIRE);
}

bool area_has_answered(const struct area_view *view, uint64_t since, pid_t asker)
{
	uint64_t now = area_answers(view);

	for (uint64_t i = since; i != now && now - since < AREA_ASKERS; i++) {
		if (__atomic_load_n(&live(view)->answered[i % AREA_ASKERS], __ATOMIC_RELAXED) == asker)
			return true;
	}
	return now - since >= AREA_ASKERS; /* what is no longer told apart is older than all that is */
}

bool area_text(const struct area_view *view, uint64_t number, struct area_text *text, const char **data)
{
	uint64_t at = view->header.texts_at, end = view->header.entries_at;

	if (number >= view->header.texts)
		return false;
	for (uint64_t i = 0; i <= number; i++) {
		if (at > end || end - at < sizeof(*text))
			return false;
		memcpy(text, view->memory + at, sizeof(*text));
		at += sizeof(*text);
		if (text->size > end - at)
			return false;
		*data = (const char *)view->memory + at;
		at = aligned(at + text->size);
	}
	text->name[sizeof(text->name) - 1] = '\0';
	return true;
}

static uint64_t sequence_of(const struct area_view *view, uint64_t number, int order)
{
	const struct area_entry *entries =
		(const struct area_entry *)(const void *)(view->memory + view->header.entries_at);
	const uint64_t *sequence = &entries[number % view->header.entries].sequence;

	return order == __ATOMIC_ACQUIRE ? __atomic_load_n(sequence, __ATOMIC_ACQUIRE)
					 : __atomic_load_n(sequence, __ATOMIC_RELAXED);
}

static bool is_sound(const struct area_view *view, const struct area_entry *entry)
{
	const struct area_header *header = &view->header;

	return entry->place < header->series && entry->offset < header->data && entry->stored <= header->data &&
	       entry->stored > 0 && entry->stored <= entry->used && entry->used <= USED_MOST;
}

bool area_find(const struct area_view *view, uint64_t number, struct area_entry *entry)
{
	uint64_t slot = number % view->header.entries;

	if (sequence_of(view, number, __ATOMIC_ACQUIRE) != number + 1)
		return false;
	memcpy(entry, view->memory + view->header.entries_at + slot * sizeof(*entry), sizeof(*entry));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	entry->sequence = number + 1;
	return sequence_of(view, number, __ATOMIC_RELAXED) == number + 1 && is_sound(view, entry);
}

bool area_copy(const struct area_view *view, const struct area_entry *entry, unsigned char *to)
{
	uint64_t number = entry->sequence - 1;

	copy_out(view->memory + view->header.data_at, view->header.data, entry, to);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return sequence_of(view, number, __ATOMIC_RELAXED) == number + 1;
}
