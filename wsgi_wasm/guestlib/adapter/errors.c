/* The cases of `error-code` by number, for the log. */
#include "adapter.h"

static const Text names[] = {
    WORD("DNS-timeout"),
    WORD("DNS-error"),
    WORD("destination-not-found"),
    WORD("destination-unavailable"),
    WORD("destination-IP-prohibited"),
    WORD("destination-IP-unroutable"),
    WORD("connection-refused"),
    WORD("connection-terminated"),
    WORD("connection-timeout"),
    WORD("connection-read-timeout"),
    WORD("connection-write-timeout"),
    WORD("connection-limit-reached"),
    WORD("TLS-protocol-error"),
    WORD("TLS-certificate-error"),
    WORD("TLS-alert-received"),
    WORD("HTTP-request-denied"),
    WORD("HTTP-request-length-required"),
    WORD("HTTP-request-body-size"),
    WORD("HTTP-request-method-invalid"),
    WORD("HTTP-request-URI-invalid"),
    WORD("HTTP-request-URI-too-long"),
    WORD("HTTP-request-header-section-size"),
    WORD("HTTP-request-header-size"),
    WORD("HTTP-request-trailer-section-size"),
    WORD("HTTP-request-trailer-size"),
    WORD("HTTP-response-incomplete"),
    WORD("HTTP-response-header-section-size"),
    WORD("HTTP-response-header-size"),
    WORD("HTTP-response-body-size"),
    WORD("HTTP-response-trailer-section-size"),
    WORD("HTTP-response-trailer-size"),
    WORD("HTTP-response-transfer-coding"),
    WORD("HTTP-response-content-coding"),
    WORD("HTTP-response-timeout"),
    WORD("HTTP-upgrade-failed"),
    WORD("HTTP-protocol-error"),
    WORD("loop-detected"),
    WORD("configuration-error"),
    WORD("internal-error"),
};

Text error_name(uint32_t code) {
    return code < sizeof names / sizeof *names ? names[code] : WORD("unknown");
}
