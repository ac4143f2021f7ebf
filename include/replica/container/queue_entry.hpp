#ifndef REPLICA_CONTAINER_QUEUE_ENTRY_HPP
#define REPLICA_CONTAINER_QUEUE_ENTRY_HPP

// What Swift's reconciler daemon is told of an object that lies under another storage policy than
// its container has: the name of a queue, which is a container, and a row in the queue. The daemon
// parses both, so every character is Swift's (test/swift compares).

#include <replica/rows/metadata.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace replica::reconciler {

/// The account of all queues.
inline constexpr std::string_view account = ".misplaced_objects";

/// The queue of a row: the time of its last change, rounded down to the hour. Nothing if created_at
/// is no time.
[[nodiscard]] inline std::optional<std::string> queue_name(std::string_view created_at) {
    constexpr std::int64_t hour = 3600;
    const auto times = RowTimes::decode(created_at);
    if (!times) {
        return std::nullopt;
    }
    return std::to_string(times->metadata.ticks / Timestamp::ticks_per_second / hour * hour);
}

/// "%C3%A9" -> "é". Any other text stays as it is, as in Python's unquote.
[[nodiscard]] inline std::string unquoted(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool escape = text[at] == '%' && at + 2 < text.size() &&
                            digits.find(text[at + 1]) != digits.npos &&
                            digits.find(text[at + 2]) != digits.npos;
        if (!escape) {
            result += text[at];
            continue;
        }
        result +=
            static_cast<char>(digits.find(text[at + 1]) % 16 * 16 + digits.find(text[at + 2]) % 16);
        at += 2;
    }
    return result;
}

/// "account/container" of the container whose objects these rows are; for a shard, of its root.
/// Nothing if the metadata names a root in another form.
[[nodiscard]] inline std::optional<std::string> root_path(const ContainerInfo& info) {
    const auto metadata = Metadata::parse_stored(info.metadata);
    auto root = metadata.find("X-Container-Sysmeta-Shard-Quoted-Root");
    root = root ? unquoted(*root) : metadata.find("X-Container-Sysmeta-Shard-Root");
    if (!root) {
        return info.account + '/' + info.container;
    }
    const std::size_t slash = root->find('/');
    if (slash == 0 || slash == root->npos || slash + 1 == root->size() ||
        root->find('/', slash + 1) != root->npos) {
        return std::nullopt;
    }
    return root;
}

/// The row to queue for a misplaced row. Equal rows give equal queue rows, so to queue a row twice,
/// or on two nodes, changes nothing.
[[nodiscard]] inline ObjectRow queue_row(const ObjectRow& row, const std::string& root) {
    ObjectRow queued;
    queued.name = std::to_string(row.storage_policy_index) + ":/" + root + '/' + row.name;
    queued.created_at = row.created_at;
    queued.content_type = row.deleted != 0 ? "application/x-delete" : "application/x-put";
    queued.etag = row.created_at;
    return queued;
}

} // namespace replica::reconciler

#endif // REPLICA_CONTAINER_QUEUE_ENTRY_HPP
