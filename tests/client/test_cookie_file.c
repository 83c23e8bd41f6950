/*
 * The cookie jar's files, and its use from many threads.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pthread.h>
#include <cmocka.h>

#include <ferry.h>

#include "temp_dir.h"

static int make_dir(void **state)
{
    static char dir[TEMP_DIR_SIZE];
    *state = dir;
    return temp_dir_make(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    temp_dir_remove(*state);
    return 0;
}

static const char *path_in(void **state, const char *name)
{
    static char path[TEMP_DIR_SIZE + 32];
    snprintf(path, sizeof path, "%s/%s", (char *)*state, name);
    return path;
}

static void sends(ferry_cookie_jar *jar, const char *url, const char *wanted)
{
    char *got = ferry_cookie_jar_get(jar, url, NULL);
    assert_non_null(got);
    assert_string_equal(got, wanted);
    free(got);
}

static void test_save_and_load(void **state)
{
    const char *path = path_in(state, "cookies");
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_error err = {0};
    struct stat status;
    assert_non_null(jar);
    assert_int_equal(
        ferry_cookie_jar_set(jar, "https://www.host.test/a/b", "s=\"q t\"; secure", NULL), 0);
    assert_int_equal(ferry_cookie_jar_set(jar, "http://www.host.test/",
                                          "d=2; domain=host.test; httponly; "
                                          "expires=Thu, 01 Jan 2099 00:00:00 GMT",
                                          NULL),
                     0);
    assert_int_equal(ferry_cookie_jar_set(jar, "http://www.host.test/", "nameless", NULL), 0);
    assert_int_equal(ferry_cookie_jar_save(jar, path, &err), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    char *text = temp_file_read(path, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "\nwww.host.test\tFALSE\t/a\tTRUE\t0\ts\t\"q t\"\n"));
    assert_non_null(strstr(text, "\n#HttpOnly_.host.test\tTRUE\t/\tFALSE\t"));
    free(text);

    ferry_cookie_jar *other = ferry_cookie_jar_new();
    assert_non_null(other);
    assert_int_equal(ferry_cookie_jar_load(other, path, &err), 0);
    assert_int_equal(ferry_cookie_jar_count(other), 3);
    sends(other, "https://www.host.test/a/x", "s=\"q t\"; d=2; nameless");
    sends(other, "http://sub.host.test/", "d=2");
    ferry_cookie_jar_free(other);
    ferry_cookie_jar_free(jar);
}

static void test_odd_lines(void **state)
{
    static const char text[] = "# Netscape HTTP Cookie File\n"
                               "\n"
                               "not a cookie\n"
                               ".com\tTRUE\t/\tFALSE\t0\tsupper\t1\n"
                               "host.test\tFALSE\t/\tFALSE\t1\texpired\t1\n"
                               "host.test\tFALSE\tnopath\tFALSE\t0\ta\t1\n"
                               "host.test\tFALSE\t/\tFALSE\tsoon\ta\t1\n"
                               "host.test\tFALSE\t/\tFALSE\t0\t__Host-a\t1\n"
                               "host.test\tFALSE\t/\tFALSE\t0\ta;b\t1\n"
                               "10.0.0.1\tTRUE\t/\tFALSE\t0\tip\t1\n"
                               "host.test\tFALSE\t/\tFALSE\t0\tempty\n"
                               "host.test\ttrue\t/\ttrue\t0\tsafe\t1\n"
                               "HOST.test\tFALSE\t/\tFALSE\t0\tgood\tv\r\n"
                               "host.test\tFALSE\t/\tFALSE\t0\tlast\tx\ty";
    const char *path = path_in(state, "odd");
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_error err = {0};
    assert_non_null(jar);
    assert_true(temp_file_write(path, text, sizeof text - 1));
    assert_int_equal(ferry_cookie_jar_load(jar, path, &err), 0);
    sends(jar, "http://host.test/", "empty=; good=v; last=x\ty");
    sends(jar, "https://x.host.test/", "safe=1");
    sends(jar, "http://10.0.0.1/", "ip=1");
    sends(jar, "http://x.com/", "");
    ferry_cookie_jar_free(jar);
}

static void test_files_that_cannot_be(void **state)
{
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_error err = {0};
    assert_non_null(jar);
    assert_int_equal(ferry_cookie_jar_load(jar, path_in(state, "none"), &err), -1);
    assert_int_equal(err.code, FERRY_EREAD);
    assert_non_null(strstr(err.message, "no such file"));
    assert_int_equal(ferry_cookie_jar_save(jar, path_in(state, "none/cookies"), &err), -1);
    assert_int_equal(err.code, FERRY_EWRITE);
    ferry_cookie_jar_free(jar);
}

/* As root, a jar saved to /dev/null must not become /dev/null. */
static void test_what_is_no_file_is_written_to(void **state)
{
    static const char line[] = "\nhost.test\tFALSE\t/\tFALSE\t0\ta\t1\n";
    const char *path = path_in(state, "pipe");
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_error err = {0};
    struct stat status;
    char text[500] = "";
    assert_non_null(jar);
    assert_int_equal(ferry_cookie_jar_set(jar, "http://host.test/", "a=1", NULL), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(ferry_cookie_jar_save(jar, path, &err), 0);
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    assert_true(read(reader, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, line));
    close(reader);
    assert_int_equal(ferry_cookie_jar_save(jar, *state, &err), -1);
    assert_int_equal(err.code, FERRY_EWRITE);
    ferry_cookie_jar_free(jar);
}

static void test_a_link_stays_one(void **state)
{
    char link[TEMP_DIR_SIZE + 32];
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    ferry_error err = {0};
    struct stat status;
    assert_non_null(jar);
    assert_int_equal(ferry_cookie_jar_set(jar, "http://host.test/", "a=1", NULL), 0);
    snprintf(link, sizeof link, "%s", path_in(state, "link"));
    const char *path = path_in(state, "behind");
    assert_true(temp_file_write(path, "", 0));
    assert_int_equal(symlink("behind", link), 0);
    assert_int_equal(ferry_cookie_jar_save(jar, link, &err), 0);
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    char *text = temp_file_read(path, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "\nhost.test\tFALSE\t/\tFALSE\t0\ta\t1\n"));
    free(text);
    ferry_cookie_jar_free(jar);
}

struct threads {
    ferry_cookie_jar *jar;
    const char *path;
    int number;
};

static void *use_jar(void *arg)
{
    struct threads *mine = arg;
    for (int i = 0; i < 300; i++) {
        char text[64];
        snprintf(text, sizeof text, "c%d=%d; domain=host.test; max-age=%d", i % 50, mine->number,
                 i % 7 == 0 ? 0 : 100);
        (void)ferry_cookie_jar_set(mine->jar, "http://www.host.test/", text, NULL);
        free(ferry_cookie_jar_get(mine->jar, "http://a.host.test/", NULL));
        (void)ferry_cookie_jar_count(mine->jar);
        if (i % 100 == 99) {
            (void)ferry_cookie_jar_save(mine->jar, mine->path, NULL);
            (void)ferry_cookie_jar_load(mine->jar, mine->path, NULL);
        }
        if (i == 150) {
            ferry_cookie_jar_clear(mine->jar);
        }
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    pthread_t threads[4];
    struct threads each[4];
    ferry_cookie_jar *jar = ferry_cookie_jar_new();
    const char *path = path_in(state, "shared");
    assert_non_null(jar);
    for (int i = 0; i < 4; i++) {
        each[i] = (struct threads){jar, path, i};
        assert_int_equal(pthread_create(&threads[i], NULL, use_jar, &each[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(ferry_cookie_jar_count(jar) > 0 && ferry_cookie_jar_count(jar) <= 50);
    ferry_cookie_jar_free(jar);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_odd_lines),
        cmocka_unit_test(test_files_that_cannot_be),
        cmocka_unit_test(test_what_is_no_file_is_written_to),
        cmocka_unit_test(test_a_link_stays_one),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
