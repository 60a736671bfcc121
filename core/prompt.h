/* A line of text from a person at a terminal: editing, history and completion, by libedit. */
#ifndef MOONBOOT_PROMPT_H
#define MOONBOOT_PROMPT_H

struct prompt;

/* What a tab does; both are allocated and freed by the prompt, and may be NULL. */
struct prompt_completion {
    char *insert; /* goes to where the cursor is */
    char *shown;  /* what there is to choose from, whole lines */
};

/* Completes what stands before the cursor. */
typedef void prompt_complete(void *context, const char *before, struct prompt_completion *result);

/* On standard input and output. NULL: no terminal, or no memory. `history`: a file, or NULL;
 * one that cannot be read is empty. */
struct prompt *prompt_alloc(const char *history, prompt_complete *complete, void *context);

/* Writes the history back. */
void prompt_free(struct prompt *prompt);

/* A line without its end, to be freed; NULL when there are no more. */
char *prompt_read(struct prompt *prompt, const char *label);

#endif
