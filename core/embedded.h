/* The Lua half, the policies to build on, and the site that `moonboot init` writes, carried inside
 * the program (tests/embed.sh writes the table). */
#ifndef MOONBOOT_EMBEDDED_H
#define MOONBOOT_EMBEDDED_H

struct embedded {
    const char *name; /* as `require` takes it: "engine", "render.ipxe", "policies.default"; of the
                       * starter site "starter/" and the file's name */
    const char *start;
    const char *end;
};

/* Ends with an entry whose name is NULL. */
extern const struct embedded embedded[];

#endif
