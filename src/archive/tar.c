#include "archive/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct tar {
	struct archive *archive;
	struct archive_entry *entry;
	struct outbox *outbox;
	const char *prefix;
};

static la_ssize_t to_outbox(struct archive *archive, void *context, const void *data, size_t size)
{
	struct tar *tar = context;
	struct err failure = {0};

	/* See drop(). */
	if (!tar->outbox)
		return (la_ssize_t)size;
	if (outbox_put(tar->outbox, data, size, &failure) < 0) {
		archive_set_error(archive, ENOBUFS, "%s", failure.text);
		return -1;
	}
	return (la_ssize_t)size;
}

static int tar_failed(struct tar *tar, const char *what, struct err *err)
{
	const char *text = archive_error_string(tar->archive);

	return err_set(err, STATUS_FAILED, "%s: %s", what, text ? text : "out of memory");
}

static int begin_archive(struct tar *tar, struct err *err)
{
	if (!(tar->archive = archive_write_new()))
		return err_sys(err, ENOMEM, "the archive");
	if (archive_write_set_format_ustar(tar->archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(tar->archive, 0) != ARCHIVE_OK ||
	    archive_write_open(tar->archive, tar, NULL, to_outbox, NULL) != ARCHIVE_OK)
		return tar_failed(tar, "the archive", err);
	return 0;
}

/*
 * libarchive ends the archive when it is freed. One that was cut must not be ended: the reader has to see it.
 * (archive_write_fail() would keep it from that, but leaks.)
 */
static void drop(struct tar *tar)
{
	struct outbox *outbox = tar->outbox;

	tar->outbox = NULL;
	archive_write_free(tar->archive);
	tar->archive = NULL;
	tar->outbox = outbox;
}

struct tar *tar_open(struct outbox *outbox, const char *prefix, struct err *err)
{
	struct tar *tar = calloc(1, sizeof(*tar));

	if (!tar || !(tar->entry = archive_entry_new())) {
		err_sys(err, ENOMEM, "the archive");
		tar_close(tar);
		return NULL;
	}
	tar->outbox = outbox;
	tar->prefix = prefix;
	if (begin_archive(tar, err) < 0) {
		tar_close(tar);
		return NULL;
	}
	return tar;
}

void tar_close(struct tar *tar)
{
	if (!tar)
		return;
	archive_entry_free(tar->entry);
	drop(tar);
	free(tar);
}

int tar_go_on(struct tar *tar, struct err *err)
{
	drop(tar);
	return begin_archive(tar, err);
}

int tar_member(struct tar *tar, const char *name, uint64_t mtime, const void *data, size_t size, struct err *err)
{
	struct archive_entry *entry = archive_entry_clear(tar->entry);
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", tar->prefix, name);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_mtime(entry, (time_t)mtime, 0);
	archive_entry_set_size(entry, (la_int64_t)size);
	outbox_set_body(tar->outbox, data, size);
	if (archive_write_header(tar->archive, entry) != ARCHIVE_OK ||
	    archive_write_data(tar->archive, data, size) != (la_ssize_t)size ||
	    archive_write_finish_entry(tar->archive) != ARCHIVE_OK)
		return tar_failed(tar, path, err);
	return 0;
}

int tar_end(struct tar *tar, struct err *err)
{
	if (archive_write_close(tar->archive) != ARCHIVE_OK)
		return tar_failed(tar, "the archive's end", err);
	return 0;
}

const char *tar_library(void)
{
	return archive_version_string();
}
