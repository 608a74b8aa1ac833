/* A guestbook that keeps its entries in one file, /data/guestbook.txt: one line each, name and message url-encoded.
 *
 * Many requests may write at once, each in an instance of its own. So an entry is added by a single write to a file
 * opened with O_APPEND: the kernel puts every such write behind the last one, and no entry ends up inside another. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/form.h"

#define BOOK "/data/guestbook.txt"
#define LONGEST_NAME 60
#define LONGEST_MESSAGE 500
#define FULL (256 * 1024)

static void answer(const char *status, const char *text)
{
    printf("Status: %s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\n", status, text);
}

static int is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Appends text to out, url-encoded, so that it holds neither space nor newline. Longer text is cut, between characters
 * of UTF-8. */
static char *encode(char *out, const char *text, size_t longest)
{
    size_t length = strlen(text);
    if (length > longest)
        for (length = longest; length && (text[length] & 0xc0) == 0x80; length--)
            ;
    for (size_t i = 0; i < length; i++)
        if (is_plain(text[i]))
            *out++ = text[i];
        else
            out += sprintf(out, "%%%02X", (unsigned char)text[i]);
    return out;
}

static int add(const char *name, const char *message)
{
    static char line[3 * (LONGEST_NAME + LONGEST_MESSAGE) + 8];
    char *end = encode(line, name, LONGEST_NAME);
    *end++ = ' ';
    end = encode(end, message, LONGEST_MESSAGE);
    *end++ = '\n';
    int book = open(BOOK, O_WRONLY | O_CREAT | O_APPEND, 0644);
    struct stat is;
    if (book < 0 || fstat(book, &is) != 0 || is.st_size > FULL)
        return 0;
    ssize_t written = write(book, line, (size_t)(end - line));
    close(book);
    return written == end - line;
}

static void sign(void)
{
    char *field, *value, *name = "", *message = "", *rest = read_body(16384);
    if (!rest) {
        answer("413 Content Too Large", "That is too much.");
        return;
    }
    while (next_pair(&rest, &field, &value))
        if (strcmp(field, "name") == 0)
            name = value;
        else if (strcmp(field, "message") == 0)
            message = value;
    if (!*name || !*message)
        answer("400 Bad Request", "A name and a message, please.");
    else if (!add(name, message))
        answer("503 Service Unavailable", "The guestbook is full, or /data cannot be written.");
    else /* 303: the browser fetches the page by GET, and a reload sends nothing twice. */
        printf("Status: 303 See Other\r\nLocation: %s\r\n\r\n", variable("SCRIPT_NAME"));
}

static void show(void)
{
    char line[4096];
    FILE *book = fopen(BOOK, "r");
    fputs("Content-Type: text/html; charset=utf-8\r\n\r\n<h1>Guestbook</h1>\n<ul>\n", stdout);
    while (book && fgets(line, sizeof line, book)) {
        char *message = strchr(line, ' ');
        if (!message)
            continue;
        *message++ = '\0';
        message[strcspn(message, "\n")] = '\0';
        url_decode(line);
        url_decode(message);
        fputs("<li><b>", stdout);
        put_escaped(line);
        fputs("</b>: ", stdout);
        put_escaped(message);
        fputs("</li>\n", stdout);
    }
    fputs("</ul>\n<form method=\"post\">\n"
          "<input name=\"name\" placeholder=\"Name\">\n"
          "<input name=\"message\" placeholder=\"Message\">\n"
          "<button>Sign</button>\n</form>\n", stdout);
}

int main(void)
{
    if (strcmp(variable("REQUEST_METHOD"), "POST") == 0)
        sign();
    else
        show();
    return 0;
}
