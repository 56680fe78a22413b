/* The one error idiom: a value that is passed down and printed once, by main. */
#ifndef TARCAP_ERR_H
#define TARCAP_ERR_H

/* Exit statuses; see doc/ending.md. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,	 /* also: no such interface, no permission */
	STATUS_USAGE = 2,	 /* also: a bad filter */
	STATUS_READER = 3,	 /* the reader went away or did not take everything */
	STATUS_SURROUNDINGS = 4, /* the interface vanished with nothing captured */
};

struct err {
	enum status status; /* STATUS_OK: no error has been set */
	char text[500];	    /* one line, without the program's name */
};

/* Of a function whose failure nobody may overlook: what it returns has to be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Set *err unless it is set already: the first error is the one that explains. Always returns -1. */
int err_set(struct err *err, enum status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with STATUS_FAILED, and ": " and the text of errnum behind the message. */
int err_sys(struct err *err, int errnum, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * What a step that failed comes to: the status of its error, and never STATUS_OK. One that has set none is a mistake of
 * ours, which is said as an error and not taken for success.
 */
enum status err_status(struct err *err);

#endif
