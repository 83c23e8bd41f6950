/*
 * lab_page.h: the files of lab_page/, as CMake has put them into the command.
 */
#ifndef CLI_LAB_PAGE_H
#define CLI_LAB_PAGE_H

#include "extra.h"

extern const unsigned char lab_template[]; /* intro.html, with a NUL behind it */
extern const size_t lab_template_len;
extern const struct fy_page_file lab_files[];
extern const size_t lab_file_count;

#endif
