// A foreign project: the smallest program that includes and links the library.
#include <replica/version.hpp>

#include <iostream>

int main() {
    std::cout << replica::version_major << '.' << replica::version_minor << '.'
              << replica::version_patch << '\n';
}
