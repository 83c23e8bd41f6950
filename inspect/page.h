/*
 * The files of page/, as CMake has put them into the library.
 */
#ifndef INSPECT_PAGE_H
#define INSPECT_PAGE_H

#include "extra.h"

extern const unsigned char page_template[];
extern const size_t page_template_len;
extern const struct fy_page_file page_files[];
extern const size_t page_file_count;

#endif
