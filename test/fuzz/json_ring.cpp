#include "json_ring_door.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    replica::fuzz::JsonRingDoor()(replica::fuzz::bytes_of(data, size));
    return 0;
}
