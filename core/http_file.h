/* A response that is a file: validators, conditions, ranges. */
#ifndef MOONBOOT_HTTP_FILE_H
#define MOONBOOT_HTTP_FILE_H

#include <time.h>

#include "files.h"
#include "http.h"
#include "http_response.h"

/* Answers a GET or HEAD with a file that files_open opened, and owns its descriptor from
 * here on. `type` lives as long as the response. Small bodies are read at once, so that
 * they leave in one packet with their head; others are sent from the descriptor. */
struct http_response http_file_response(const struct http_head *head, const struct file *file,
                                        const char *type, time_t now);

/* The status for an errno of files_open. */
int http_file_status(int error);

#endif
