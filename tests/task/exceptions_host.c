/*
 * A program in C that uses ferry, and later loads a plugin in C++ for itself alone, whose tasks throw and
 * catch: exceptions_plugin.cc. (No cmocka: nothing that might bring a C++ runtime along.)
 */
#include <dlfcn.h>
#include <stdio.h>

#include <ferry.h>

int main(int argc, char **argv)
{
    ferry_sleep(1);
    void *plugin = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    int (*run)(void) = plugin != NULL ? (int (*)(void))dlsym(plugin, "run") : NULL;
    if (run == NULL) {
        fprintf(stderr, "the plugin cannot be loaded: %s\n", argc > 1 ? dlerror() : "none named");
        return 2;
    }
    return run();
}
