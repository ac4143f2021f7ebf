#ifndef REPLICA_TEST_SUPPORT_KEPT_LINES_HPP
#define REPLICA_TEST_SUPPORT_KEPT_LINES_HPP

// A log that a test reads.

#include <spdlog/sinks/base_sink.h>

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

namespace support {

/// Keeps lines as "level: text".
class Kept final : public spdlog::sinks::base_sink<std::mutex> {
public:
    std::vector<std::string> lines{};

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        constexpr std::array names{"debug", "info", "notice", "warning", "error", "critical"};
        lines.push_back(std::string(names[static_cast<std::size_t>(message.level)]) + ": " +
                        std::string(message.payload.data(), message.payload.size()));
    }
    void flush_() override {}
};

} // namespace support

#endif // REPLICA_TEST_SUPPORT_KEPT_LINES_HPP
