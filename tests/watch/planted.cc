// planted.c, as C++.
#include "planted.c"
