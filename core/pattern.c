#include "pattern.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MAX 200 /* of C's stack */
#define ESCAPE    '%'

/* What one byte of the text is held against: where that stands in the pattern. */
struct item {
    enum { ITEM_BYTE, ITEM_ANY, ITEM_CLASS, ITEM_SET } kind;
    unsigned char byte;        /* itself, or the letter of a class */
    const char *set, *set_end; /* what is between "[" or "[^" and "]" */
    bool negated;
    const char *next;
};

static const char *run(struct pattern *p, const char *at, const char *rest);

static const char *fail(struct pattern *p, const char *problem)
{
    if (!p->problem)
        p->problem = problem;
    return NULL;
}

/* Whether to go no further. */
static bool over(struct pattern *p)
{
    if (p->stop && *p->stop)
        p->stopped = true;
    return p->stopped || p->problem;
}

/* --- single bytes ------------------------------------------------------------------------------
 */

/* %a and its like; an upper-case letter is the opposite, and what is no letter stands for
 * itself. */
static bool in_class(unsigned char byte, unsigned char letter)
{
    bool in;
    switch (tolower(letter)) {
    case 'a':
        in = isalpha(byte);
        break;
    case 'c':
        in = iscntrl(byte);
        break;
    case 'd':
        in = isdigit(byte);
        break;
    case 'g':
        in = isgraph(byte);
        break;
    case 'l':
        in = islower(byte);
        break;
    case 'p':
        in = ispunct(byte);
        break;
    case 's':
        in = isspace(byte);
        break;
    case 'u':
        in = isupper(byte);
        break;
    case 'w':
        in = isalnum(byte);
        break;
    case 'x':
        in = isxdigit(byte);
        break;
    case 'z':
        in = byte == '\0';
        break;
    default:
        return byte == letter;
    }
    return in != (isupper(letter) != 0);
}

static bool in_set(unsigned char byte, const char *set, const char *end)
{
    while (set < end) {
        unsigned char first = (unsigned char)*set++;
        if (first == ESCAPE) { /* the last one too, as there is a "]" behind it */
            if (in_class(byte, (unsigned char)*set++))
                return true;
        } else if (end - set >= 2 && *set == '-') {
            if (first <= byte && byte <= (unsigned char)set[1])
                return true;
            set += 2;
        } else if (first == byte) {
            return true;
        }
    }
    return false;
}

static bool fits(const struct item *item, unsigned char byte)
{
    switch (item->kind) {
    case ITEM_ANY:
        return true;
    case ITEM_CLASS:
        return in_class(byte, item->byte);
    case ITEM_SET:
        return in_set(byte, item->set, item->set_end) != item->negated;
    case ITEM_BYTE:
        break;
    }
    return byte == item->byte;
}

/* Reads a set from its "[" on. */
static bool read_set(struct pattern *p, const char *at, struct item *item)
{
    item->kind = ITEM_SET;
    at++;
    item->negated = at < p->pattern_end && *at == '^';
    at += item->negated;
    item->set = at;
    /* A "]" that comes first is a member. */
    do {
        if (at == p->pattern_end)
            return fail(p, "malformed pattern (missing ']')");
        if (*at++ == ESCAPE && at < p->pattern_end)
            at++;
    } while (at == p->pattern_end || *at != ']');
    item->set_end = at;
    item->next = at + 1;
    return true;
}

/* Reads what stands for one byte. */
static bool read_item(struct pattern *p, const char *at, struct item *item)
{
    item->byte = (unsigned char)*at;
    item->next = at + 1;
    item->kind = ITEM_BYTE;
    if (*at == '[')
        return read_set(p, at, item);
    if (*at == '.')
        item->kind = ITEM_ANY;
    if (*at != ESCAPE)
        return true;
    if (at + 1 == p->pattern_end)
        return fail(p, "malformed pattern (ends with '%')");
    item->kind = ITEM_CLASS;
    item->byte = (unsigned char)at[1];
    item->next = at + 2;
    return true;
}

static bool fits_here(const struct pattern *p, const struct item *item, const char *at)
{
    return at < p->text_end && fits(item, (unsigned char)*at);
}

/* --- repetitions -------------------------------------------------------------------------------
 */

/* As many as there are, then one less each time: `*`, and `+` when one is a must. */
static const char *run_greedy(struct pattern *p, const struct item *item, const char *at,
                              const char *rest, size_t least)
{
    size_t n = 0;
    while (fits_here(p, item, at + n) && !over(p))
        n++;
    while (n >= least && !over(p)) {
        const char *end = run(p, at + n, rest);
        if (end || n == 0)
            return end;
        n--;
    }
    return NULL;
}

/* As few as will do: `-`. */
static const char *run_lazy(struct pattern *p, const struct item *item, const char *at,
                            const char *rest)
{
    while (!over(p)) {
        const char *end = run(p, at, rest);
        if (end)
            return end;
        if (!fits_here(p, item, at))
            break;
        at++;
    }
    return NULL;
}

/* --- captures ----------------------------------------------------------------------------------
 */

static const char *run_open(struct pattern *p, const char *at, const char *rest)
{
    bool position = rest < p->pattern_end && *rest == ')';
    if (p->n_captures == PATTERN_CAPTURES)
        return fail(p, "too many captures");
    p->captures[p->n_captures++] =
        (struct pattern_capture){at, 0, position ? PATTERN_POSITION : PATTERN_OPEN};
    const char *end = run(p, at, position ? rest + 1 : rest);
    if (!end)
        p->n_captures--;
    return end;
}

static const char *run_close(struct pattern *p, const char *at, const char *rest)
{
    size_t i = p->n_captures;
    while (i > 0 && p->captures[i - 1].kind != PATTERN_OPEN)
        i--;
    if (i == 0)
        return fail(p, "invalid pattern capture");
    struct pattern_capture *capture = &p->captures[i - 1];
    capture->kind = PATTERN_CLOSED;
    capture->len = (size_t)(at - capture->start);
    const char *end = run(p, at, rest);
    if (!end)
        capture->kind = PATTERN_OPEN;
    return end;
}

/* %1 to %9: the same text again; where that ends, or NULL. */
static const char *again(struct pattern *p, const char *at, char digit)
{
    size_t i = (size_t)(digit - '1');
    if (digit == '0' || i >= p->n_captures || p->captures[i].kind == PATTERN_OPEN)
        return fail(p, "invalid capture index");
    const struct pattern_capture *capture = &p->captures[i];
    if (capture->kind == PATTERN_POSITION) /* it has no text */
        return NULL;
    if ((size_t)(p->text_end - at) < capture->len || memcmp(at, capture->start, capture->len) != 0)
        return NULL;
    return at + capture->len;
}

/* --- %b and %f ---------------------------------------------------------------------------------
 */

/* Where the text that begins with `open` and is balanced ends; NULL when it is not. */
static const char *balanced(struct pattern *p, const char *at, char open, char close)
{
    size_t depth = 1;
    if (at == p->text_end || *at != open)
        return NULL;
    while (++at < p->text_end && !over(p)) {
        if (*at == close) {
            if (--depth == 0)
                return at + 1;
        } else if (*at == open) {
            depth++;
        }
    }
    return NULL;
}

static bool frontier(const struct pattern *p, const struct item *item, const char *at)
{
    unsigned char before = at == p->text ? 0 : (unsigned char)at[-1];
    unsigned char behind = at == p->text_end ? 0 : (unsigned char)*at;
    return !fits(item, before) && fits(item, behind);
}

/* --- the whole ---------------------------------------------------------------------------------
 */

/* What a "%" begins that is more than one byte: moves both on and returns true, or false, with
 * `at` NULL when it does not match. `*other`: it is no such thing. */
static const char *run_special(struct pattern *p, const char *at, const char **rest, bool *other)
{
    const char *here = *rest;
    struct item item;
    char next = here + 1 < p->pattern_end ? here[1] : '\0';
    *other = false;
    if (next >= '0' && next <= '9') {
        *rest = here + 2;
        return again(p, at, next);
    }
    if (next == 'b') {
        if (p->pattern_end - here < 4)
            return fail(p, "unbalanced pattern (two characters are missing behind %b)");
        *rest = here + 4;
        return balanced(p, at, here[2], here[3]);
    }
    if (next == 'f') {
        if (here + 2 >= p->pattern_end || here[2] != '[')
            return fail(p, "missing '[' after '%f' in pattern");
        if (!read_set(p, here + 2, &item))
            return NULL;
        *rest = item.next;
        return frontier(p, &item, at) ? at : NULL;
    }
    *other = true;
    return at;
}

/* Matches what is left of the pattern at `at`: where that ends, or NULL. */
static const char *go(struct pattern *p, const char *at, const char *rest)
{
    while (rest < p->pattern_end && !over(p)) {
        struct item item;
        bool other = true;
        if (*rest == '(')
            return run_open(p, at, rest + 1);
        if (*rest == ')')
            return run_close(p, at, rest + 1);
        if (*rest == '$' && rest + 1 == p->pattern_end)
            return at == p->text_end ? at : NULL;
        if (*rest == ESCAPE)
            at = run_special(p, at, &rest, &other);
        if (!at)
            return NULL;
        if (!other)
            continue;
        if (!read_item(p, rest, &item))
            return NULL;
        char repeat = item.next < p->pattern_end ? *item.next : '\0';
        switch (repeat) {
        case '*':
            return run_greedy(p, &item, at, item.next + 1, 0);
        case '+':
            return run_greedy(p, &item, at, item.next + 1, 1);
        case '-':
            return run_lazy(p, &item, at, item.next + 1);
        case '?': {
            const char *end = fits_here(p, &item, at) ? run(p, at + 1, item.next + 1) : NULL;
            if (end)
                return end;
            rest = item.next + 1;
            continue;
        }
        default:
            if (!fits_here(p, &item, at))
                return NULL;
            at++;
            rest = item.next;
        }
    }
    return over(p) ? NULL : at;
}

static const char *run(struct pattern *p, const char *at, const char *rest)
{
    if (p->depth == DEPTH_MAX)
        return fail(p, "pattern too complex");
    p->depth++;
    const char *end = go(p, at, rest);
    p->depth--;
    return end;
}

enum pattern_result pattern_at(struct pattern *p, const char *at)
{
    p->n_captures = 0;
    p->depth = 0;
    p->problem = NULL;
    p->stopped = false;
    p->start = at;
    p->end = run(p, at, p->pattern);
    if (p->stopped)
        return PATTERN_STOPPED;
    if (p->problem)
        return PATTERN_BAD;
    return p->end ? PATTERN_FOUND : PATTERN_NONE;
}

/* Whether every match begins with a byte that fits one item of the pattern, which is that. */
static bool first_item(struct pattern *p, struct item *item)
{
    const char *at = p->pattern;
    if (at == p->pattern_end || *at == '(' || *at == ')' || *at == '$')
        return false;
    if (*at == ESCAPE && at + 1 < p->pattern_end &&
        (isdigit((unsigned char)at[1]) || at[1] == 'b' || at[1] == 'f'))
        return false;
    return read_item(p, at, item) &&
           (item->next == p->pattern_end || !memchr("*-?", *item->next, 3));
}

/* Where nothing of the pattern but that item need be looked at, nothing else is. */
enum pattern_result pattern_search(struct pattern *p, const char *at)
{
    enum pattern_result result = PATTERN_NONE;
    struct item first;
    p->problem = NULL;
    p->stopped = false;
    bool known = first_item(p, &first);
    for (; at <= p->text_end && result == PATTERN_NONE; at++) {
        while (known && at < p->text_end && !fits(&first, (unsigned char)*at) && !over(p))
            at++;
        result = pattern_at(p, at);
    }
    return result;
}

bool pattern_is_special(const char *pattern, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (memchr("^$*+?.([%-", pattern[i], 10))
            return true;
    }
    return false;
}
