#ifndef REPLICA_TEST_SUPPORT_RING_TEXTS_HPP
#define REPLICA_TEST_SUPPORT_RING_TEXTS_HPP

// Texts of JSON rings, for tests of what reads them.

#include <string>

namespace replica::test {

/// 16 partitions, two replicas, and a fourth device that was removed.
inline const std::string ring_of_three = R"({"part_power": 4, "replicas": 2, "devices": [
    {"id": 0, "ip": "10.0.0.1", "port": 6201, "device": "sdb1"},
    null,
    {"id": 2, "region": 2, "zone": 3, "ip": "fe80::1", "port": 6201,
     "replication_ip": "node-2.example", "replication_port": 6301,
     "device": "sdc-1", "weight": 12.5, "meta": "rack é"},
    {"id": 7, "ip": "10.0.0.7", "port": 6201, "device": "sdb1", "weight": 0}]})";

/// Two partitions on three devices, with these further members.
inline std::string with_members(const std::string& members) {
    return R"({"part_power": 1, "devices": [)"
           R"({"id": 1, "ip": "a", "port": 1, "device": "d1"},)"
           R"({"id": 2, "ip": "a", "port": 1, "device": "d2"},)"
           R"({"id": 3, "ip": "a", "port": 1, "device": "d3"}], )" +
           members + "}";
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_RING_TEXTS_HPP
