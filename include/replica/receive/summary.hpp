#ifndef REPLICA_RECEIVE_SUMMARY_HPP
#define REPLICA_RECEIVE_SUMMARY_HPP

// Answers `summary` (words/summary.hpp) from what the replicator of this node knows.

#include <replica/receive/answer.hpp>
#include <replica/transport.hpp>
#include <replica/words/message.hpp>
#include <replica/words/summary.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace replica {

/// The summary of what a device of this node, by its name, has at rest together with the device of
/// the ring with this id, in so many cells; nothing if that is not known. Called from any thread.
using Summarise = std::function<std::optional<Summary>(const std::string& device, std::int64_t peer,
                                                       std::size_t cells)>;

/// 200 with the summary; 404 if there is none.
[[nodiscard]] inline Reply answer_summary(const message::Call& call, const std::string& device,
                                          const Summarise& summarise) {
    const auto ask = message::decode_ask_summary(call);
    const auto summary = summarise
                             ? summarise(device, ask.device, static_cast<std::size_t>(ask.cells))
                             : std::nullopt;
    return summary ? answer::text(200, message::encode(*summary)) : answer::not_found();
}

} // namespace replica

#endif // REPLICA_RECEIVE_SUMMARY_HPP
