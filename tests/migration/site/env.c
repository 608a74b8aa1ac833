/* The variables that a program goes by. */
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {
    "AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "GATEWAY_INTERFACE", "HTTP_ACCEPT", "HTTP_COOKIE", "HTTP_HOST",
    "HTTP_USER_AGENT", "HTTP_X_ONE", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_USER", "REQUEST_METHOD",
    "REQUEST_SCHEME", "REQUEST_URI", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE",
};

int main(void) {
    while (getchar() != EOF) /* mod_cgid breaks an answer off where the body is not read */
        ;
    puts("Content-Type: text/plain\n");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        printf("%s=%s\n", names[i], value && *value ? value : "-");
    }
    return 0;
}
