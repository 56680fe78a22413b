/* The one place where the version stands. */
#ifndef TARCAP_VERSION_H
#define TARCAP_VERSION_H

#define VERSION_TEXT "0.1.0"

#endif
