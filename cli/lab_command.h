/*
 * lab_command.h: the entrance of `ferry lab`.
 */
#ifndef CLI_LAB_COMMAND_H
#define CLI_LAB_COMMAND_H

/* Runs the command; argv[0] is "lab". Returns the exit status. */
int lab_main(int argc, char **argv);

#endif
