/* What every form program needs: the request body, url-encoded pairs, and text that is safe inside HTML. */
#ifndef FORM_H
#define FORM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A meta-variable, or "" when the gateway did not set it. */
static inline const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* The body as a string of its own, or NULL when it is longer than `limit` or does not arrive whole. */
static inline char *read_body(size_t limit)
{
    size_t length = strtoul(variable("CONTENT_LENGTH"), NULL, 10);
    if (length > limit)
        return NULL;
    char *body = malloc(length + 1);
    if (!body || fread(body, 1, length, stdin) != length)
        return NULL;
    body[length] = '\0';
    return body;
}

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place. A '%' that no two digits follow stays as it is; %00 would end the string, so it becomes '?'. */
static inline void url_decode(char *text)
{
    char *out = text;
    for (; *text; text++) {
        int high = -1, low = -1;
        if (*text == '%' && (high = hex_digit(text[1])) >= 0)
            low = hex_digit(text[2]);
        if (low >= 0) {
            char byte = (char)(high * 16 + low);
            *out++ = byte ? byte : '?';
            text += 2;
        } else {
            *out++ = *text == '+' ? ' ' : *text;
        }
    }
    *out = '\0';
}

/* Takes the next name=value off `*rest` and decodes both. Returns 0 at the end. */
static inline int next_pair(char **rest, char **name, char **value)
{
    while (**rest == '&')
        (*rest)++;
    if (!**rest)
        return 0;
    *name = *rest;
    *rest += strcspn(*rest, "&");
    if (**rest)
        *(*rest)++ = '\0';
    *value = strchr(*name, '=');
    if (*value)
        *(*value)++ = '\0';
    else
        *value = *name + strlen(*name);
    url_decode(*name);
    url_decode(*value);
    return 1;
}

/* Prints text so that it is text in HTML, between tags and within quoted attributes alike. */
static inline void put_escaped(const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': fputs("&amp;", stdout); break;
        case '<': fputs("&lt;", stdout); break;
        case '>': fputs("&gt;", stdout); break;
        case '"': fputs("&quot;", stdout); break;
        case '\'': fputs("&#39;", stdout); break;
        default: putchar(*text);
        }
}

#endif
