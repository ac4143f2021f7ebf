// build error: assignment of read-only variable|cannot assign to variable
#include <replica/version.hpp>

int main() {
#ifdef FIXED
    return replica::version_major;
#else
    replica::version_major = 1;
#endif
}
