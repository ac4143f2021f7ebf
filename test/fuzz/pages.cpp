#include "pages_door.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    replica::fuzz::PagesDoors()(replica::fuzz::bytes_of(data, size));
    return 0;
}
