#ifndef REPLICA_TEST_FUZZ_JSON_RING_DOOR_HPP
#define REPLICA_TEST_FUZZ_JSON_RING_DOOR_HPP

// A JSON ring file. A ring that is accepted gives each partition its devices, no device twice, and
// has no shorter ring in it: a file that was cut off is refused.

#include "ring_door.hpp"
#include <replica/ring/json_ring.hpp>

#include <string>
#include <string_view>

namespace replica::fuzz {

struct JsonRingDoor {
    void operator()(std::string_view input) const {
        RingDoor<JsonRingVersion>()(input, "ring.json", input.find_last_not_of(" \t\r\n"));
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_JSON_RING_DOOR_HPP
