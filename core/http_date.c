#include "http_date.h"

#include <stdio.h>
#include <string.h>

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* IMF-fixdate, RFC 850 and asctime. The letters stand for parts, see take_part; all
 * else for itself. */
static const char *const forms[] = {"a, d b Y H:M:S GMT", "A, d-b-y H:M:S GMT", "a b e H:M:S Y"};

bool http_date_format(time_t when, char out[HTTP_DATE_TEXT])
{
    struct tm tm;
    if (!gmtime_r(&when, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
        return false;
    return snprintf(out, HTTP_DATE_TEXT, "%.3s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
                    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                    tm.tm_sec) == HTTP_DATE_TEXT - 1;
}

static bool take_number(const char **at, int digits, int *value)
{
    *value = 0;
    for (; digits > 0; digits--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

/* `len` 0: the whole name. */
static bool take_name(const char **at, const char *const *names, int n, size_t len, int *index)
{
    for (int i = 0; i < n; i++) {
        size_t wanted = len ? len : strlen(names[i]);
        if (!strncmp(*at, names[i], wanted)) {
            *at += wanted;
            *index = i;
            return true;
        }
    }
    return false;
}

static bool take_part(char part, const char **at, struct tm *tm)
{
    int value;
    switch (part) {
    case 'a':
        return take_name(at, days, 7, 3, &tm->tm_wday);
    case 'A':
        return take_name(at, days, 7, 0, &tm->tm_wday);
    case 'b':
        return take_name(at, months, 12, 3, &tm->tm_mon);
    case 'd':
        return take_number(at, 2, &tm->tm_mday);
    case 'e': /* a space for its first digit */
        if (**at != ' ')
            return take_number(at, 2, &tm->tm_mday);
        ++*at;
        return take_number(at, 1, &tm->tm_mday);
    case 'H':
        return take_number(at, 2, &tm->tm_hour);
    case 'M':
        return take_number(at, 2, &tm->tm_min);
    case 'S':
        return take_number(at, 2, &tm->tm_sec);
    case 'Y':
        if (!take_number(at, 4, &value))
            return false;
        tm->tm_year = value - 1900;
        return true;
    case 'y':
        return take_number(at, 2, &tm->tm_year);
    default:
        return *(*at)++ == part;
    }
}

static bool take_form(const char *form, const char *at, struct tm *tm)
{
    size_t literal = strcspn(form, "G");
    for (size_t i = 0; form[i]; i++) {
        if (i == literal)
            return !strcmp(at, "GMT");
        if (!take_part(form[i], &at, tm))
            return false;
    }
    return *at == '\0';
}

/* The year with these last two digits that is at most 50 years ahead. */
static int full_year(int year, time_t now)
{
    struct tm today;
    if (!gmtime_r(&now, &today))
        return year;
    year += today.tm_year / 100 * 100;
    return year > today.tm_year + 50 ? year - 100 : year;
}

bool http_date_parse(const char *text, time_t now, time_t *when)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        if (!take_form(forms[i], text, &tm))
            continue;
        if (i == 1)
            tm.tm_year = full_year(tm.tm_year, now);
        int day = tm.tm_mday;
        if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
            return false;
        int leap_second = tm.tm_sec == 60;
        tm.tm_sec -= leap_second;
        *when = timegm(&tm) + leap_second;
        return tm.tm_mday == day;
    }
    return false;
}
