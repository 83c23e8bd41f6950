/*
 * Something to do for a scheduler that a host loop drives: tasks that send each other messages over
 * sockets, and tasks that sleep. For test_host_loop.c and test_host_loop_glib.c.
 */
#ifndef TESTS_TASK_TRAFFIC_H
#define TESTS_TASK_TRAFFIC_H

#include <stdbool.h>

/* Starts the tasks on this thread; returns how many. */
int traffic_start(void);

/* How many of them are over. */
int traffic_over(void);

#endif
