/* HTTP's dates (RFC 9110, section 5.6.7). */
#ifndef MOONBOOT_HTTP_DATE_H
#define MOONBOOT_HTTP_DATE_H

#include <stdbool.h>
#include <time.h>

#define HTTP_DATE_TEXT 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" and its NUL */

/* False when the year does not have four digits. */
bool http_date_format(time_t when, char out[HTTP_DATE_TEXT]);

/* Any of the three forms that a recipient must accept. `now` places the two-digit
 * years of RFC 850: none is more than 50 years ahead. */
bool http_date_parse(const char *text, time_t now, time_t *when);

#endif
