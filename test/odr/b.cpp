#include "instances.hpp"

std::vector<const void*> instances_of_the_other_file();

std::vector<const void*> instances_of_the_other_file() {
    return instances();
}
