/* Sockets between programs of one user on one computer (unix(7)). */
#ifndef SPOKE_BASE_LOCAL_H
#define SPOKE_BASE_LOCAL_H

/* connect or bind at a path of any length (the kernel takes 107 bytes). What is bound is for its user alone. 0, or -1
 * with errno. */
int local_at(int fd, const char *path, int (*call)(int fd, const char *path));
int local_connect(int fd, const char *path);
int local_bind(int fd, const char *path);
int local_bind_group(int fd, const char *path); /* for its group too */

#endif
