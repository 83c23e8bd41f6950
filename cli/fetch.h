/*
 * fetch.h: the entrance of `ferry URL...`.
 */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

/* Runs the command. Returns the exit status. */
int fetch_main(int argc, char **argv);

#endif
