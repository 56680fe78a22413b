/* The one place where the versions stand: the program's, and that of what it writes. */
#ifndef TARCAP_VERSION_H
#define TARCAP_VERSION_H

#define VERSION_TEXT "0.1.0"

/* Of capture.json and manifest.json: raised when a reader of the old one would misread the new. */
#define MANIFEST_VERSION 1

#endif
