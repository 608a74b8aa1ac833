/* `growth NAME LENGTH`: has one function of libc work over a text of this length, from its beginning
 * to its end. `growth.inc` is written by the test, from the names of the functions here. */
#define _GNU_SOURCE
#include <ctype.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

static size_t length;
static char *text, *other;
static wchar_t *wide;
static int *numbers;
static volatile size_t sink;

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Forms: `a=1&a=1&...`; a program takes them apart field by field. */
static void do_strtok(void) { for (char *p = strtok(text, "&"); p; p = strtok(NULL, "&")) sink++; }
static void do_strtok_r(void) { char *rest; for (char *p = strtok_r(text, "&;", &rest); p; p = strtok_r(NULL, "&;", &rest)) sink++; }
static void do_strsep(void) { char *rest = text; while (strsep(&rest, "&")) sink++; }
static void do_strcspn(void) { for (char *p = text; *p; p += strcspn(p, "&=")) p++, sink++; }
static void do_strspn(void) { for (char *p = text; *p; p++) sink += strspn(p, "a"); }
static void do_strpbrk(void) { for (char *p = text; (p = strpbrk(p, "&;")); p++) sink++; }
static void do_strchr(void) { for (char *p = text; (p = strchr(p, '&')); p++) sink++; }
static void do_index(void) { for (char *p = text; (p = index(p, '&')); p++) sink++; }
static void do_strchrnul(void) { for (char *p = text; *(p = strchrnul(p, '&')); p++) sink++; }
static void do_memchr(void) { for (char *p = text; (p = memchr(p, '&', length - (size_t)(p - text))); p++) sink++; }
static void do_memccpy(void) { for (char *p = text; p; p = memccpy(other, p, '&', 8) ? p + 4 : NULL) if (!*p) break; }
static void do_strstr(void) { for (char *p = text; (p = strstr(p, "&a")); p++) sink++; }
static void do_strstr_long(void) { for (char *p = text; (p = strstr(p, "&a=1&a=1")); p++) sink++; }
static void do_strcasestr(void) { for (char *p = text; (p = strcasestr(p, "&A")); p++) sink++; }
static void do_memmem(void) { for (char *p = text; (p = memmem(p, length - (size_t)(p - text), "&a", 2)); p++) sink++; }
static void do_strncmp(void) { for (char *p = text; *p; p++) sink += !strncmp(p, "a=1", 3); }
static void do_strcmp(void) { for (char *p = text; *p; p++) sink += !strcmp(p, "a=1"); }
static void do_strcasecmp(void) { for (char *p = text; *p; p++) sink += !strcasecmp(p, "A=1"); }
static void do_strncasecmp(void) { for (char *p = text; *p; p++) sink += !strncasecmp(p, "A=1", 3); }
static void do_strcoll(void) { for (char *p = text; *p; p++) sink += !strcoll(p, "a=1"); }
static void do_strnlen(void) { for (char *p = text; *p; p++) sink += strnlen(p, 3); }
static void do_strncpy(void) { char b[4]; for (char *p = text; *p; p++) { strncpy(b, p, 4); sink += (size_t)b[0]; } }
static void do_stpncpy(void) { char b[4]; for (char *p = text; *p; p++) { stpncpy(b, p, 4); sink += (size_t)b[0]; } }
static void do_strncat(void) { char b[8]; for (char *p = text; *p; p++) { *b = 0; strncat(b, p, 4); sink += (size_t)b[0]; } }
static void do_strndup(void) { for (char *p = text; *p; p++) free(strndup(p, 4)); }
static void do_strtol(void) { for (char *p = text; *p; p++) sink += (size_t)strtol(p, NULL, 10); }
static void do_strtoul(void) { for (char *p = text; *p; p++) sink += strtoul(p, NULL, 16); }
static void do_strtoll(void) { for (char *p = text; *p; p++) sink += (size_t)strtoll(p, NULL, 0); }
static void do_atoi(void) { for (char *p = text; *p; p++) sink += (size_t)atoi(p); }
static void do_strtod(void) { for (char *p = text; *p; p++) sink += (size_t)strtod(p, NULL); }
static void do_atof(void) { for (char *p = text; *p; p++) sink += (size_t)atof(p); }
static void do_sscanf(void) { int n; for (char *p = text; *p; p += 4) { sink += (size_t)sscanf(p, "a=%d", &n); if (p + 4 > text + length) break; } }
static void do_sscanf_set(void) { char b[8]; for (char *p = text; *p; p += 4) { sink += (size_t)sscanf(p, "%7[^&]", b); if (p + 4 > text + length) break; } }
static void do_snprintf(void) { char b[8]; for (char *p = text; *p; p++) sink += (size_t)snprintf(b, 8, "%.3s", p); }
static void do_sprintf(void) { char *out = other; for (size_t i = 0; i < length / 8; i++) out += sprintf(out, "%d,", (int)i % 10); }
static void do_qsort(void) { for (size_t i = 0; i < length; i++) numbers[i] = (int)(i * 7919 % length); qsort(numbers, length, sizeof(int), by_value); }
static void do_qsort_sorted(void) { for (size_t i = 0; i < length; i++) numbers[i] = (int)i; qsort(numbers, length, sizeof(int), by_value); }
static void do_qsort_reverse(void) { for (size_t i = 0; i < length; i++) numbers[i] = (int)(length - i); qsort(numbers, length, sizeof(int), by_value); }
static void do_qsort_equal(void) { for (size_t i = 0; i < length; i++) numbers[i] = 7; qsort(numbers, length, sizeof(int), by_value); }
static void do_qsort_organ(void) { for (size_t i = 0; i < length; i++) numbers[i] = (int)(i < length / 2 ? i : length - i); qsort(numbers, length, sizeof(int), by_value); }
static void do_qsort_text(void) { char **all = malloc(length / 4 * sizeof *all); for (size_t i = 0; i < length / 4; i++) all[i] = text + i * 4; for (size_t i = 0; i < length; i++) if (text[i] == '&') text[i] = 0; qsort(all, length / 4, sizeof *all, by_text); free(all); }
static void do_bsearch(void) { for (size_t i = 0; i < length; i++) numbers[i] = (int)i; for (int i = 0; i < (int)length; i++) sink += bsearch(&i, numbers, length, sizeof(int), by_value) != NULL; }
static void do_tsearch(void) { void *root = NULL; for (size_t i = 0; i < length; i++) { numbers[i] = (int)i; tsearch(&numbers[i], &root, by_value); } }
static void do_wcschr(void) { for (wchar_t *p = wide; (p = wcschr(p, L'&')); p++) sink++; }
static void do_wcspbrk(void) { for (wchar_t *p = wide; (p = wcspbrk(p, L"&;")); p++) sink++; }
static void do_wcscspn(void) { for (wchar_t *p = wide; *p; p += wcscspn(p, L"&=")) p++, sink++; }
static void do_wcsspn(void) { for (wchar_t *p = wide; *p; p++) sink += wcsspn(p, L"a"); }
static void do_wcsstr(void) { for (wchar_t *p = wide; (p = wcsstr(p, L"&a")); p++) sink++; }
static void do_wcstok(void) { wchar_t *rest; for (wchar_t *p = wcstok(wide, L"&", &rest); p; p = wcstok(NULL, L"&", &rest)) sink++; }
static void do_wcsncmp(void) { for (wchar_t *p = wide; *p; p++) sink += !wcsncmp(p, L"a=1", 3); }
static void do_wcsnlen(void) { for (wchar_t *p = wide; *p; p++) sink += wcsnlen(p, 3); }
static void do_wcstol(void) { for (wchar_t *p = wide; *p; p++) sink += (size_t)wcstol(p, NULL, 10); }
static void do_mbstowcs(void) { sink += mbstowcs(wide, text, length); }
static void do_fputs(void) { FILE *f = fopen("/dev/null", "w"); for (size_t i = 0; i < length / 4; i++) fputs("a=1&", stdout); if (f) fclose(f); }
static void do_putchar(void) { for (size_t i = 0; i < length; i++) putchar(text[i]); }
static void do_fwrite(void) { for (size_t i = 0; i < length; i++) fwrite(text + i, 1, 1, stdout); }
static void do_printf(void) { for (size_t i = 0; i < length; i++) printf("%.3s", text + i); }
static void do_malloc(void) { void **all = (void **)numbers; for (size_t i = 0; i < length; i++) all[i] = malloc(i % 100); for (size_t i = 0; i < length; i++) free(all[i * 7919 % length]), all[i * 7919 % length] = NULL; }
static void do_realloc(void) { char *all = NULL; for (size_t i = 1; i < length; i++) all = realloc(all, i); free(all); }
static void do_getenv(void) { for (size_t i = 0; i < length; i++) sink += getenv("NONE") != NULL; }
static void do_strcpy(void) { strcpy(other, text); }
static void do_strdup(void) { free(strdup(text)); }
static void do_strlen(void) { sink += strlen(text); }
static void do_strrchr(void) { sink += strrchr(text, '#') != NULL; }
static void do_memcpy(void) { memcpy(other, text, length); }
static void do_memmove(void) { memmove(text + 1, text, length - 1); }
static void do_memset(void) { memset(other, 'x', length); }
/* Texts that are made to be slow: `aaa...` against `aaa...b`, a third as long. */
static void do_worst_strstr(void) { memset(text, 'a', length); memset(other, 'a', length / 3); other[length / 3] = 'b'; other[length / 3 + 1] = 0; sink += strstr(text, other) != NULL; }
static void do_worst_memmem(void) { memset(text, 'a', length); memset(other, 'a', length / 3); other[0] = 'b'; sink += memmem(text, length, other, length / 3) != NULL; }

/* For the test of the test. */
static void quadratic(void) { for (char *p = text; *p; p++) sink += strlen(p); }

static const struct { const char *name; void (*run)(void); } cases[] = {
#define CASE(name) {#name, do_##name},
#include "growth.inc"
    {"quadratic", quadratic},
};

int main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    length = (size_t)atol(arguments[2]);
    text = malloc(length + 16), other = malloc(length + 16);
    wide = malloc((length + 16) * sizeof *wide), numbers = malloc((length + 1) * sizeof *numbers);
    for (size_t i = 0; i < length; i++)
        wide[i] = text[i] = "a=1&"[i % 4];
    text[length] = 0, wide[length] = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(arguments[1], cases[i].name)) {
            cases[i].run();
            return 0;
        }
    return strcmp(arguments[1], "nothing") != 0;
}
