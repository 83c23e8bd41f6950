/* Temporary directories go, with all that is in them, even if the test did not come to remove them. */
#include "bytes.h"
#include "temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void files_are_written_and_read(void **state)
{
    char directory[TEMP_DIR_SIZE];
    char other[TEMP_DIR_SIZE];
    char path[TEMP_DIR_SIZE + 16];
    char *content;
    size_t len;

    (void)state;
    assert_true(temp_dir_make(directory));
    assert_true(temp_dir_make(other));
    assert_string_not_equal(directory, other);
    snprintf(path, sizeof(path), "%s/a/b/file", directory);
    assert_true(temp_file_write(path, BYTES("one\0two")));
    content = temp_file_read(path, &len);
    assert_int_equal(len, 7);
    assert_memory_equal(content, "one\0two", 8);
    free(content);
    assert_true(temp_file_write(path, "", 0));
    content = temp_file_read(path, NULL);
    assert_string_equal(content, "");
    free(content);

    temp_dir_remove(directory);
    temp_dir_remove(other);
    temp_dir_remove("");
    assert_int_equal(access(directory, F_OK), -1);
    assert_null(temp_file_read(path, NULL));
}

static void what_is_left_goes_with_the_process(void **state)
{
    char kept[TEMP_DIR_SIZE];
    char made[TEMP_DIR_SIZE] = "";
    int pipes[2];
    int status;
    pid_t pid;

    (void)state;
    assert_true(temp_dir_make(kept));
    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        if (!temp_dir_make(made) || write(pipes[1], made, sizeof(made)) != (ssize_t)sizeof(made))
            _exit(1);
        exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(pipes[0], made, sizeof(made)), sizeof(made));
    assert_int_equal(access(made, F_OK), -1);
    assert_int_equal(access(kept, F_OK), 0);
    temp_dir_remove(kept);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_written_and_read),
        cmocka_unit_test(what_is_left_goes_with_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
