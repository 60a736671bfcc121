/* Signs what is served, and remembers for an hour what was signed for whom: a signature is asked
 * for after what it is of, perhaps of another worker, and must be of the bytes that were sent, not
 * of what would be sent now. What is remembered lies in memory that all workers share. */
#ifndef MOONBOOT_SIGNER_H
#define MOONBOOT_SIGNER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "cms.h"
#include "minisign.h"

#define SIGNER_MACHINE_MAX 64

struct signer_board; /* what is remembered */
struct signer;

/* Lives as long as the service. NULL when memory is out. */
struct signer_board *signer_board_alloc(void);

/* Takes key and `cms` over, either of which may be NULL: then there are no such signatures. NULL
 * when memory is out: then it does not. */
struct signer *signer_open(struct minisign_key *key, struct cms *cms, struct signer_board *board);
void signer_close(struct signer *signer);

/* NULL: there are no CMS signatures; false: there are none of minisign's kind. */
struct cms *signer_cms(const struct signer *signer);
bool signer_has_key(const struct signer *signer);

/* Who asked for what. */
struct signer_target {
    struct in_addr client;
    const char *path;
    size_t path_len;
    const char *query; /* NULL: none */
};

struct signer_signature {
    time_t at;
    char machine[SIGNER_MACHINE_MAX]; /* whom it was made for; "": anybody */
    uint8_t digest[CMS_DIGEST_LEN];   /* of the bytes, which CMS signs */
    uint8_t raw[MINISIGN_LEN];        /* over the bytes */
    uint8_t hashed[MINISIGN_LEN];     /* over their hash, as minisign's */
};

/* Signs and remembers. `machine` NULL: it is for anybody. */
void signer_sign(struct signer *signer, const struct signer_target *target, const char *machine,
                 const void *data, size_t len, time_t now, struct signer_signature *signature);

/* What was signed last for that target; false: nothing that is remembered. */
bool signer_recall(const struct signer *signer, const struct signer_target *target, time_t now,
                   struct signer_signature *signature);

/* The signature's file in minisign's format. Its comment has the time, the path as it was asked
 * for, but for its token, and the machine. The length of the text. */
size_t signer_text(const struct signer *signer, const struct signer_target *target,
                   const struct signer_signature *signature, char text[MINISIGN_SIGNATURE_TEXT]);

#endif
