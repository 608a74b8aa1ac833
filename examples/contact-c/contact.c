/* A form mailer as they have always been: the message goes to sendmail. The address that it is for is the program's own,
 * and what the client sends goes into the body, or into a field only if it is one line. */
#include "../lib/form.h"

#define MOST 16384 /* bytes of body */
#define TO "office@site.example"

static void page(const char *status, const char *text)
{
    printf("Status: %s\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>%s</p>\n", status, text);
}

static int is_address(const char *text)
{
    const char *at = strchr(text, '@');
    return at && at > text && at[1] && !text[strcspn(text, " \t\r\n,;<>()\"")];
}

int main(void)
{
    char *name, *value, *rest, *from = "", *message = "";
    if (strcmp(variable("REQUEST_METHOD"), "POST") != 0) {
        page("200 OK", "<form method=\"post\"><input name=\"from\"><textarea name=\"message\"></textarea>"
                       "<button>Send</button></form>");
        return 0;
    }
    if (!(rest = read_body(MOST))) {
        page("413 Content Too Large", "That is too much.");
        return 0;
    }
    while (next_pair(&rest, &name, &value))
        if (strcmp(name, "from") == 0)
            from = value;
        else if (strcmp(name, "message") == 0)
            message = value;
    if (!is_address(from) || !*message) {
        page("400 Bad Request", "Your address and a message, please.");
        return 0;
    }
    FILE *mail = popen("/usr/sbin/sendmail -t -oi", "w");
    if (mail)
        fprintf(mail, "To: " TO "\nReply-To: %s\nSubject: A message from the site\n\n%s\n", from, message);
    if (!mail || pclose(mail) != 0) {
        page("503 Service Unavailable", "The message could not be sent. Please try again later.");
        return 0;
    }
    page("200 OK", "Thank you.");
    return 0;
}
