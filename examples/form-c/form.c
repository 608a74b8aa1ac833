/* A form and its answer. GET shows the form, POST shows what was sent: text of strangers, so it is escaped. */
#include "../lib/form.h"

#define MOST 65536 /* bytes of body */

static void head(const char *status)
{
    printf("Status: %s\r\nContent-Type: text/html; charset=utf-8\r\n\r\n", status);
}

static void show_form(void)
{
    head("200 OK");
    fputs("<form method=\"post\" action=\"", stdout);
    put_escaped(variable("SCRIPT_NAME"));
    fputs("\">\n"
          "<label>Name <input name=\"name\"></label>\n"
          "<label>Message <input name=\"message\"></label>\n"
          "<button>Send</button>\n"
          "</form>\n", stdout);
}

static void show_answer(void)
{
    char *name, *value, *rest;
    if (strncmp(variable("CONTENT_TYPE"), "application/x-www-form-urlencoded", 33) != 0) {
        head("415 Unsupported Media Type");
        puts("<p>Send a form.</p>");
        return;
    }
    if (!(rest = read_body(MOST))) {
        head("413 Content Too Large");
        puts("<p>That is too much.</p>");
        return;
    }
    head("200 OK");
    puts("<dl>");
    while (next_pair(&rest, &name, &value)) {
        fputs("<dt>", stdout);
        put_escaped(name);
        fputs("</dt><dd>", stdout);
        put_escaped(value);
        puts("</dd>");
    }
    puts("</dl>");
}

int main(void)
{
    if (strcmp(variable("REQUEST_METHOD"), "POST") == 0)
        show_answer();
    else
        show_form();
    return 0;
}
