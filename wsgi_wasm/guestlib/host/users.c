/* Users and groups, from /etc/passwd and /etc/group where the route grants them: else there are
 * none, as for a number that no system has given out. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))
enum { MOST = 1024, MEMBERS = 64 };

static FILE *users, *groups;

/* Cuts a line into its fields; false where there are fewer. */
static int cut(char *line, char **fields, int count)
{
    line[strcspn(line, "\r\n")] = 0;
    for (int i = 0; i < count; i++)
        if (!(fields[i] = strsep(&line, ":")))
            return 0;
    return 1;
}

static struct passwd *next_user(FILE *file)
{
    static char line[MOST];
    static struct passwd user;
    char *fields[7];
    while (file && fgets(line, sizeof line, file))
        if (cut(line, fields, 7)) {
            user.pw_name = fields[0], user.pw_passwd = fields[1];
            user.pw_uid = (uid_t)strtoul(fields[2], NULL, 10), user.pw_gid = (gid_t)strtoul(fields[3], NULL, 10);
            user.pw_gecos = fields[4], user.pw_dir = fields[5], user.pw_shell = fields[6];
            return &user;
        }
    return NULL;
}

static struct group *next_group(FILE *file)
{
    static char line[MOST], *members[MEMBERS + 1];
    static struct group group;
    char *fields[4];
    while (file && fgets(line, sizeof line, file))
        if (cut(line, fields, 4)) {
            int count = 0;
            for (char *member; count < MEMBERS && (member = strsep(&fields[3], ","));)
                if (*member)
                    members[count++] = member;
            members[count] = NULL;
            group.gr_name = fields[0], group.gr_passwd = fields[1];
            group.gr_gid = (gid_t)strtoul(fields[2], NULL, 10), group.gr_mem = members;
            return &group;
        }
    return NULL;
}

/* That a file is not there is no error: nobody is in it. */
static FILE *opened(const char *path)
{
    int saved = errno;
    FILE *file = fopen(path, "r");
    errno = saved;
    return file;
}

WEAK struct passwd *getpwent(void) { return next_user(users ? users : (users = opened("/etc/passwd"))); }
WEAK void endpwent(void) { users = users ? fclose(users), NULL : NULL; }
WEAK void setpwent(void) { endpwent(); }
WEAK struct group *getgrent(void) { return next_group(groups ? groups : (groups = opened("/etc/group"))); }
WEAK void endgrent(void) { groups = groups ? fclose(groups), NULL : NULL; }
WEAK void setgrent(void) { endgrent(); }

/* The one of this number, or of this name where `number` is NULL. */
static struct passwd *find_user(const char *name, const uid_t *number)
{
    FILE *file = opened("/etc/passwd");
    struct passwd *user;
    while ((user = next_user(file)) && (number ? user->pw_uid != *number : strcmp(user->pw_name, name)))
        ;
    if (file)
        fclose(file);
    return user;
}

static struct group *find_group(const char *name, const gid_t *number)
{
    FILE *file = opened("/etc/group");
    struct group *group;
    while ((group = next_group(file)) && (number ? group->gr_gid != *number : strcmp(group->gr_name, name)))
        ;
    if (file)
        fclose(file);
    return group;
}

WEAK struct passwd *getpwnam(const char *name) { return find_user(name, NULL); }
WEAK struct passwd *getpwuid(uid_t number) { return find_user(NULL, &number); }
WEAK struct group *getgrnam(const char *name) { return find_group(name, NULL); }
WEAK struct group *getgrgid(gid_t number) { return find_group(NULL, &number); }
