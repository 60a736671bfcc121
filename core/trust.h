/* The keys of a generation: read by the supervisor, who may, and inherited by its processes. */
#ifndef MOONBOOT_TRUST_H
#define MOONBOOT_TRUST_H

#include <stdbool.h>

#include "config.h"
#include "problems.h"
#include "seal.h"
#include "signer.h"
#include "state.h"
#include "tls.h"
#include "token.h"

struct trust {
    struct token_rules tokens;
    struct seal_keys *seals; /* NULL: what is sealed stays shut */
    struct tls *tls;         /* NULL: HTTPS is not served */
    struct state_trust state;
    struct signer *signer;      /* NULL: nothing is signed */
    struct signer_board *board; /* the signer's, and its successors' */
    bool own_tokens;            /* their key is in no file: the next generation goes on with it */
};

/* Reads what `config` names; `previous` (NULL: none) lends the key that is in no file. What is
 * wrong is added to `problems`. */
void trust_open(struct trust *trust, const struct config *config, const struct trust *previous,
                struct problems *problems);

/* The same, but for what `state` names. */
void trust_read(struct trust *trust, const struct config *config, const struct trust *previous,
                struct problems *problems);

/* The keys that open what is sealed, of the files that `config` names; NULL when it names none, or
 * after adding to `problems` what is wrong. */
struct seal_keys *trust_seals(const struct config *config, struct problems *problems);

/* Wipes the keys. */
void trust_close(struct trust *trust);

#endif
