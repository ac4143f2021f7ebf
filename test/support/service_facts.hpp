// What tests of the facts of a service share: times, devices, a ring of a few devices, and an
// observer that counts.
#ifndef TEST_SUPPORT_SERVICE_FACTS_HPP
#define TEST_SUPPORT_SERVICE_FACTS_HPP

#include <replica/ring.hpp>
#include <replica/words/timestamp.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// `seconds` after the tests begin.
[[nodiscard]] inline replica::Timestamp at(double seconds) {
    return replica::Timestamp::from_seconds(1'700'000'000 + seconds);
}

[[nodiscard]] inline replica::Device device(const std::string& ip, const std::string& name) {
    replica::Device made;
    made.ip = made.replication_ip = ip;
    made.port = made.replication_port = 6201;
    made.device = name;
    return made;
}

/// The version of a ring with one partition, which lies on all its devices.
struct OnAll {
    struct Handoffs {
        [[nodiscard]] std::optional<replica::Device> next() { return std::nullopt; }
    };

    std::vector<replica::Device> all;

    [[nodiscard]] const std::vector<replica::Device>& devices() const { return all; }
    [[nodiscard]] std::uint32_t partition_count() const { return 1; }
    [[nodiscard]] std::uint32_t partition(std::string_view /*hash*/) const { return 0; }
    [[nodiscard]] std::vector<replica::Device> primaries(std::uint32_t /*partition*/) const {
        return all;
    }
    [[nodiscard]] Handoffs handoffs(std::uint32_t /*partition*/) const { return {}; }
};

/// Counts events; copies count together.
struct Counting {
    std::shared_ptr<int> heard = std::make_shared<int>(0);
    void operator()(const auto& /*event*/) const { ++*heard; }
};

} // namespace support

#endif // TEST_SUPPORT_SERVICE_FACTS_HPP
