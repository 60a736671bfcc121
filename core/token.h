/* Tokens: what makes a URL one machine's own. A token is a keyed BLAKE2b hash (libsodium) over
 * a claim: for what it is, who the machine is, of which name, until when, and, if wanted, from
 * which address. Nothing is remembered of it: whoever has the key can check it.
 *
 * As text it is TOKEN_TEXT - 1 digits, 0-9 and a-f: the key's id (4 bytes), the time it ends
 * (4), how far it reaches (1), and the hash (16). One that is good once has TOKEN_SINGLE_TEXT - 1
 * digits: before the hash are 8 bytes that no other has; that it was used is for others to
 * remember (lua/spent.lua). */
#ifndef MOONBOOT_TOKEN_H
#define MOONBOOT_TOKEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "bytes.h"

#define TOKEN_KEY_LEN  32
#define TOKEN_KEYS_MAX 8
#define TOKEN_LEN      25
#define TOKEN_TEXT     (2 * TOKEN_LEN + 1)

#define TOKEN_SINGLE_LEN  (TOKEN_LEN + 8)
#define TOKEN_SINGLE_TEXT (2 * TOKEN_SINGLE_LEN + 1)
#define TOKEN_ID_TEXT     33

/* Keys in locked memory: the first makes tokens, all of them check. */
struct token_keys;

/* One key that nobody else has. NULL when memory is out. */
struct token_keys *token_keys_random(void);

/* The keys of a text, one a line in hexadecimal, the current one first; what follows a # is a
 * remark. NULL: `line` is wrong, or 0 when there is no key or no memory. */
struct token_keys *token_keys_parse(const char *text, size_t len, unsigned *line);

struct token_keys *token_keys_copy(const struct token_keys *keys);
void token_keys_free(struct token_keys *keys);

/* What a site wants of its tokens. */
struct token_rules {
    struct token_keys *keys;
    bool required;     /* what has no token is refused; else what has a wrong one */
    bool pin;          /* they are good for the address that was told them alone */
    unsigned lifetime; /* seconds, at least; a sixteenth more at most */
    unsigned grace;    /* seconds that one that is good once is good again for who used it */
};

struct token_claim {
    const char *purpose;   /* "config", "event" */
    struct bytes machine;  /* who it is, as its URL says so */
    struct bytes name;     /* made for "x/", it is good for all beneath x; for "", for all */
    struct in_addr client; /* who is told, or asks; INADDR_ANY: not known */
};

void token_make(const struct token_rules *rules, const struct token_claim *claim, time_t now,
                char text[TOKEN_TEXT]);

/* One that is good once: another one each time. */
void token_make_single(const struct token_rules *rules, const struct token_claim *claim, time_t now,
                       char text[TOKEN_SINGLE_TEXT]);

/* Of a token that is good: whether it is so once alone, what it is remembered by, and when it
 * ends. */
bool token_is_single(struct bytes text, char id[TOKEN_ID_TEXT], time_t *end);

/* NULL: the token is good for this claim. Else why it is not, for a log; who asks is to
 * learn no more than that. Takes the same time for every wrong hash. */
const char *token_problem(const struct token_rules *rules, const struct token_claim *claim,
                          time_t now, struct bytes text);

#endif
