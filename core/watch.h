/* Watching files for changes (inotify), through the directories that they are in: editors put
 * new files in the place of old ones. */
#ifndef MOONBOOT_WATCH_H
#define MOONBOOT_WATCH_H

#include <stdbool.h>
#include <time.h>

struct watch;

/* NULL with errno. */
struct watch *watch_open(void);
void watch_close(struct watch *watch);

/* Adds a file, which need not be there. False with errno. */
bool watch_add(struct watch *watch, const char *path);

/* To poll for reading. */
int watch_fd(const struct watch *watch);

/* Reads what has happened; the path of a watched file that has changed, NULL when none has. */
const char *watch_read(struct watch *watch);

/* The path of a watched file that was written at that time or later; NULL: none was. */
const char *watch_newer(const struct watch *watch, struct timespec since);

#endif
