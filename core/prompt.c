#include "prompt.h"

#include <histedit.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_LINES 1000

struct prompt {
    EditLine *editor;
    History *history;
    char *path; /* of the history; NULL: it is not kept */
    const char *label;
    prompt_complete *complete;
    void *context;
};

static struct prompt *prompt_of(EditLine *editor)
{
    struct prompt *prompt = NULL;
    el_get(editor, EL_CLIENTDATA, &prompt);
    return prompt;
}

static char *label_of(EditLine *editor)
{
    union {
        const char *text;
        char *mutable; /* libedit's type: it does not write there */
    } label = {prompt_of(editor)->label};
    return label.mutable;
}

static unsigned char on_tab(EditLine *editor, int key)
{
    (void)key;
    const struct prompt *prompt = prompt_of(editor);
    const LineInfo *line = el_line(editor);
    char *before = strndup(line->buffer, (size_t)(line->cursor - line->buffer));
    struct prompt_completion found = {0};
    if (before)
        prompt->complete(prompt->context, before, &found);
    if (found.insert)
        el_insertstr(editor, found.insert);
    if (found.shown)
        printf("\n%s", found.shown);
    unsigned char action = CC_ERROR; /* a beep */
    if (found.shown)
        action = CC_REDISPLAY;
    else if (found.insert)
        action = CC_REFRESH;
    free(found.insert);
    free(found.shown);
    free(before);
    return action;
}

/* Ctrl-C: what was typed is forgotten. */
static unsigned char on_cancel(EditLine *editor, int key)
{
    (void)key;
    const LineInfo *line = el_line(editor);
    int all = (int)(line->lastchar - line->buffer);
    el_cursor(editor, (int)(line->lastchar - line->cursor));
    el_deletestr(editor, all);
    puts("^C");
    return CC_REDISPLAY;
}

static bool set_up(struct prompt *prompt)
{
    HistEvent event;
    EditLine *editor = prompt->editor;
    if (history(prompt->history, &event, H_SETSIZE, HISTORY_LINES) < 0)
        return false;
    history(prompt->history, &event, H_SETUNIQUE, 1);
    if (prompt->path)
        history(prompt->history, &event, H_LOAD, prompt->path);
    el_set(editor, EL_CLIENTDATA, prompt);
    el_set(editor, EL_PROMPT, label_of);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_SIGNAL, 1);
    el_set(editor, EL_HIST, history, prompt->history);
    el_set(editor, EL_ADDFN, "moonboot-complete", "completes what stands before the cursor",
           on_tab);
    el_set(editor, EL_BIND, "^I", "moonboot-complete", NULL);
    /* Not a signal: a person who takes a line back does not mean to leave. */
    el_set(editor, EL_SETTY, "-d", "-isig", NULL);
    el_set(editor, EL_ADDFN, "moonboot-cancel", "forgets the line", on_cancel);
    el_set(editor, EL_BIND, "^C", "moonboot-cancel", NULL);
    return true;
}

struct prompt *prompt_alloc(const char *history_path, prompt_complete *complete, void *context)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return NULL;
    setlocale(LC_CTYPE, "");
    struct prompt *prompt = calloc(1, sizeof *prompt);
    if (!prompt)
        return NULL;
    prompt->complete = complete;
    prompt->context = context;
    prompt->path = history_path ? strdup(history_path) : NULL;
    prompt->history = history_init();
    prompt->editor = el_init("moonboot", stdin, stdout, stderr);
    if (!prompt->editor || !prompt->history || !set_up(prompt)) {
        prompt_free(prompt);
        return NULL;
    }
    return prompt;
}

void prompt_free(struct prompt *prompt)
{
    if (!prompt)
        return;
    HistEvent event;
    if (prompt->path && prompt->history) {
        mode_t mask = umask(077);
        history(prompt->history, &event, H_SAVE, prompt->path);
        umask(mask);
    }
    if (prompt->editor)
        el_end(prompt->editor);
    if (prompt->history)
        history_end(prompt->history);
    free(prompt->path);
    free(prompt);
}

char *prompt_read(struct prompt *prompt, const char *label)
{
    int n = 0;
    HistEvent event;
    prompt->label = label;
    const char *line = el_gets(prompt->editor, &n);
    if (!line || n <= 0)
        return NULL;
    size_t len = strcspn(line, "\r\n");
    char *copy = strndup(line, len);
    if (copy && copy[strspn(copy, " \t")] != '\0')
        history(prompt->history, &event, H_ENTER, copy);
    return copy;
}
