#include "summary/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/naming.h"
#include "request/number.h"
#include "summary/page_kernel.h"
#include "summary/page_recorder.h"
#include "summary/page_text.h"

#define INTERFACES 4
#define SENTENCE_SIZE 1000

static void write_span(struct page *page)
{
	const struct summary *summary = page->summary;
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE], span[CLOCK_TEXT_SIZE];

	if (summary->packets == summary->untimed) {
		page_fact(page, "span", "%s", summary->packets ? "unknown: no packet has a time" : "no packets");
		return;
	}
	clock_seconds(summary->last - summary->first, span);
	span[strlen(span) - 3] = '\0';
	page_fact(page, "span", "%s to %s UTC, %s s", page_time(summary->first, first), page_time(summary->last, last),
		  span);
	if (summary->untimed)
		page_fact(page, "", "without %" PRIu64 " packet%s that have no time, or none from 1970 to 2554",
			  summary->untimed, number_plural(summary->untimed));
}

static void write_amounts(struct page *page)
{
	const struct summary *summary = page->summary;
	const struct protocols *protocols = &summary->protocols;

	if (summary->archive)
		page_fact(page, "packets", "%" PRIu64 " packet%s in %" PRIu64 " file%s", summary->packets,
			  number_plural(summary->packets), summary->files, number_plural(summary->files));
	else
		page_fact(page, "packets", "%" PRIu64 " packet%s", summary->packets, number_plural(summary->packets));
	page_fact(page, "bytes", "%" PRIu64 " on the wire (%" PRIu64 " captured)", summary->bytes, summary->kept);
	if (protocols->tagged.packets || protocols->fragments.packets || protocols->version6.packets)
		page_fact(page, "of these",
			  "%" PRIu64 " packets of IPv4, %" PRIu64 " of IPv6, %" PRIu64 " with a VLAN tag, %" PRIu64
			  " fragments",
			  protocols->version4.packets, protocols->version6.packets, protocols->tagged.packets,
			  protocols->fragments.packets);
}

/* What the counters of a file of packets say, as far as it has any. */
static void write_counted_loss(struct page *page)
{
	const struct pcapng_read_loss *loss = &page->summary->loss;
	char known[80] = "";

	if (loss->counted < loss->interfaces)
		snprintf(known, sizeof(known), ", which are of %" PRIu64 " of %" PRIu64 " interfaces", loss->counted,
			 loss->interfaces);
	if (loss->counted == 0)
		page_fact(page, "lost", "unknown: this file of packets does not say");
	else if (loss->packets == 0)
		page_fact(page, "lost", "nothing, by the file's counters%s", known);
	else
		page_fact(page, "lost", "%" PRIu64 " packet%s, by the file's counters%s", loss->packets,
			  number_plural(loss->packets), known);
}

static void write_loss(struct page *page)
{
	const struct verify_told *told = page->summary->told;
	uint64_t lost = verify_lost(told);
	size_t shown = told->lossy_files < VERIFY_LOSSES ? (size_t)told->lossy_files : VERIFY_LOSSES;

	if (!page->summary->archive) {
		write_counted_loss(page);
	} else if (!told->cause[0]) {
		page_fact(page, "lost", "unknown: the manifest would say");
	} else if (lost == 0) {
		page_fact(page, "lost", "nothing");
	} else {
		int tenths = page_share(lost, lost + page->summary->packets);

		page_fact(page, "lost",
			  "%" PRIu64 " packets (%d.%d %%): %" PRIu64 " dropped by the kernel, %" PRIu64
			  " at the stop, %" PRIu64 " because the output failed",
			  lost, tenths / 10, tenths % 10, told->dropped_by_kernel, told->dropped_at_stop,
			  told->dropped_output_failed);
	}
	for (size_t i = 0; i < shown; i++)
		page_fact(page, "", "%" PRIu64 " before %s", told->losses[i].packets, told->losses[i].name);
	if (told->lossy_files > shown)
		page_fact(page, "", "and before %" PRIu64 " more files; %" PRIu64 " before files in all",
			  told->lossy_files - shown, told->lost_before_files);
}

static void write_end(struct page *page)
{
	const struct summary *summary = page->summary;
	const struct verify_told *told = summary->told;
	char sentence[SENTENCE_SIZE];

	if (told->cause[0])
		page_fact(page, "ended by", "%s%s%s%s", told->cause, told->detail[0] ? " (" : "", told->detail,
			  told->detail[0] ? ")" : "");
	if (defects_any(summary->defects))
		page_fact(page, defects_unverified(summary->defects) ? "UNVERIFIED" : "INCOMPLETE", "%s",
			  defects_sentence(summary->defects, sentence, sizeof(sentence)));
	else
		page_fact(page, "complete", "%s",
			  !summary->archive ? "the file ends with a whole packet"
			  : told->reordered
				  ? "yes (matches the manifest); its files stand in another order than written"
				  : "yes (matches the manifest)");
	if (summary->junk || summary->trailing)
		page_fact(page, "ignored", "%" PRIu64 " bytes before the archive, %" PRIu64 " behind it", summary->junk,
			  summary->trailing);
}

static void write_request(struct page *page)
{
	const struct verify_told *told = page->summary->told;

	if (told->name[0])
		page_fact(page, "capture", "%s%s%s", told->name, told->filter[0] ? ", filter: " : ", no filter",
			  told->filter);
	if (told->reason[0])
		page_fact(page, "reason", "%s", told->reason);
	if (told->request_unread)
		page_fact(page, "capture", "capture.json cannot be read: %s", told->request_unread);
}

static const struct verify_loss *loss_of(const struct verify_told *told, const char *name)
{
	for (size_t i = 0; i < told->interface_count; i++) {
		if (naming_is_series(name, told->interfaces[i].name))
			return &told->interfaces[i];
	}
	return NULL;
}

static void write_interface(struct page *page, const struct summary_interface *interface)
{
	const struct verify_loss *loss = loss_of(page->summary->told, interface->name);
	const char *name = dissect_link_name(interface->link_type);
	char link[48] = "several link types, which are not looked into", lost[40] = "";

	if (!name && interface->link_type != LINK_SEVERAL)
		snprintf(link, sizeof(link), "link type %" PRIu32 ", which is not looked into", interface->link_type);
	if (loss)
		snprintf(lost, sizeof(lost), ", %" PRIu64 " lost", loss->packets);
	page_fact(page, "interface", "%s%s%s, %" PRIu64 " packet%s, %" PRIu64 " bytes%s", interface->name,
		  interface->name[0] ? ": " : "", name ? name : link, interface->packets,
		  number_plural(interface->packets), interface->bytes, lost);
}

static bool has_packets(const struct summary *summary, const char *account)
{
	for (size_t i = 0; i < summary->interface_count; i++) {
		if (naming_is_series(summary->interfaces[i].name, account))
			return true;
	}
	return false;
}

/* Those that were captured, too, and on which nothing came. */
static void write_silent_interfaces(struct page *page)
{
	const struct verify_told *told = page->summary->told;
	char names[SENTENCE_SIZE / 2] = "";
	size_t used = 0, count = 0;

	for (size_t i = 0; i < told->interface_count; i++) {
		if (has_packets(page->summary, told->interfaces[i].name))
			continue;
		if (used < sizeof(names) / 2)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%.60s", count ? ", " : "",
						 told->interfaces[i].name);
		count++;
	}
	if (count)
		page_fact(page, "interface", "%s: 0 packets", names);
}

static void write_interfaces(struct page *page)
{
	const struct summary *summary = page->summary;
	uint64_t more = summary->interfaces[SUMMARY_INTERFACES].packets;

	for (size_t i = 0; i < summary->interface_count; i++) {
		if (i < INTERFACES)
			write_interface(page, &summary->interfaces[i]);
		else
			more += summary->interfaces[i].packets;
	}
	if (more)
		page_fact(page, "", "and %" PRIu64 " packets on others: see --json", more);
	write_silent_interfaces(page);
}

static void write_file(struct page *page)
{
	const struct summary *summary = page->summary;

	page_fact(page, "file", "%s%s, %" PRIu64 " bytes%s", summary->format,
		  summary->nanoseconds ? " in nanoseconds" : "", summary->file_bytes,
		  summary->expanded ? ", compressed by zstd" : "");
}

int page_write(const struct summary *summary, const char *name, struct output *output, struct err *err)
{
	struct page page = {summary, output, err, 0};

	page_line(&page, "%.60s: summary of %s", name, summary->archive ? "a tarcap archive" : "a file of packets");
	page_findings(&page);
	write_file(&page);
	write_request(&page);
	write_span(&page);
	write_amounts(&page);
	write_interfaces(&page);
	write_loss(&page);
	page_kernel(&page);
	page_recorder(&page);
	write_end(&page);
	page_names(&page);
	page_protocols(&page);
	page_lists(&page);
	return err->status ? -1 : 0;
}
