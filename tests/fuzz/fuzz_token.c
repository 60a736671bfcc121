/* libFuzzer entry for tokens and the files of their keys: no text is good for a claim but the
 * one that was made for it. The first byte cuts the rest into a token and a name. */
#include <stdlib.h>
#include <string.h>

#include "token.h"

#define NOW 1790000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check(const struct token_rules *rules, struct bytes text, struct bytes name)
{
    struct token_claim claim = {
        .purpose = "config", .machine = {(const uint8_t *)"~mac=1", 6}, .name = name};
    char own[TOKEN_TEXT];
    require(token_problem(rules, &claim, NOW, text) != NULL);
    token_make(rules, &claim, NOW, own);
    struct bytes good = {(const uint8_t *)own, TOKEN_TEXT - 1};
    require(token_problem(rules, &claim, NOW, good) == NULL);
    char single[TOKEN_SINGLE_TEXT], id[TOKEN_ID_TEXT];
    time_t end = 0;
    token_make_single(rules, &claim, NOW, single);
    struct bytes once = {(const uint8_t *)single, TOKEN_SINGLE_TEXT - 1};
    require(token_problem(rules, &claim, NOW, once) == NULL && token_is_single(once, id, &end));
    require(!token_is_single(good, id, &end));
    token_is_single(text, id, &end);
    good.len = text.len < good.len ? text.len : good.len - 1;
    require(token_problem(rules, &claim, NOW, good) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct token_rules rules = {.lifetime = 86400};
    unsigned line = 0;
    if (!rules.keys)
        rules.keys = token_keys_random();
    require(rules.keys != NULL);
    if (len == 0)
        return 0;
    size_t cut = data[0] < len - 1 ? data[0] : len - 1;
    check(&rules, (struct bytes){data + 1, cut}, (struct bytes){data + 1 + cut, len - 1 - cut});
    token_keys_free(token_keys_parse((const char *)data, len, &line));
    return 0;
}
