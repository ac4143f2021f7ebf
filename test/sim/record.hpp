#ifndef REPLICA_TEST_SIM_RECORD_HPP
#define REPLICA_TEST_SIM_RECORD_HPP

// What clients of a simulated world were told. It knows nothing of replication: a checker compares
// it with what the disks hold.

#include <replica/record/row.hpp>
#include <replica/words/info.hpp>
#include <replica/words/timestamp.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// Something that must not happen has happened.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The state of a row or of a metadata key as a client wrote it.
struct Version {
    std::int64_t ticks = 0;
    bool deleted = false;
    std::string value;

    friend bool operator==(const Version&, const Version&) = default;

    [[nodiscard]] std::string text() const {
        return std::string(deleted ? "deleted" : "written") + " at " +
               Timestamp{ticks, 0}.normal() + " as '" + value + '\'';
    }
};

/// The state of a row that clients see: of an object its times, of a container the newer of both.
[[nodiscard]] inline Version version_of(const ObjectRow& row) {
    return {timestamp_or_zero(row.created_at).ticks, row.deleted != 0, std::to_string(row.size)};
}

[[nodiscard]] inline Version version_of(const ContainerRow& row) {
    const auto put = timestamp_or_zero(row.put_timestamp).ticks;
    const auto gone = timestamp_or_zero(row.delete_timestamp).ticks;
    return {std::max(put, gone), row.deleted != 0, std::to_string(row.bytes_used)};
}

[[nodiscard]] inline Version version_of(const RecordRow& row) {
    return {timestamp_or_zero(row.changed_at).ticks, row.deleted != 0, row.record};
}

/// The name of a row in the record. An object may have a row under each policy.
[[nodiscard]] inline std::string key_of(const ObjectRow& row) {
    return row.storage_policy_index == 0
               ? row.name
               : row.name + " of policy " + std::to_string(row.storage_policy_index);
}

[[nodiscard]] inline std::string key_of(const ContainerRow& row) {
    return row.name;
}

[[nodiscard]] inline std::string key_of(const RecordRow& row) {
    return row.name;
}

[[nodiscard]] inline Version version_of(const ShardRange& range) {
    return {timestamp_or_zero(range.timestamp).ticks, range.deleted != 0,
            std::to_string(range.object_count)};
}

/// The writes of one name. Of several with one time one counts, whatever the order in which they
/// come: a deletion, then the greater size. In an account the PUT counts, and its figures may be
/// those of either.
class Writes {
public:
    /// These are writes to an account.
    void let_puts_win() { puts_win_ = true; }

    /// The time of the newest that was tried, if there is any.
    [[nodiscard]] std::optional<std::int64_t> last_time() const {
        return all_.empty()
                   ? std::nullopt
                   : std::optional(std::ranges::max_element(all_, {}, &Version::ticks)->ticks);
    }

    /// `late`: older than the age at which deletions are forgotten.
    void attempt(const Version& version, bool late = false) {
        all_.push_back(version);
        if (late) {
            late_.insert(version.ticks);
        }
    }

    void acknowledge(const Version& version) {
        if (!told_ || is_before(*told_, version)) {
            told_ = version;
        }
    }

    /// The newest that a client was told.
    [[nodiscard]] const std::optional<Version>& told() const { return told_; }

    /// No copy is left that could hold it: a disk was lost, or a server had not synced it.
    void forgive() { told_.reset(); }

    /// The newest deletion that was tried, after what was told: it may have come to pass although
    /// nobody was told, or be on its way though it is forgiven.
    [[nodiscard]] std::optional<Version> untold_deletion() const {
        std::optional<Version> newest;
        for (const Version& version : all_) {
            if (version.deleted && told_ && is_before(*told_, version) &&
                (!newest || newest->ticks < version.ticks)) {
                newest = version;
            }
        }
        return newest;
    }

    /// Whether a deletion after `first` and before `last` was tried; both in ticks.
    [[nodiscard]] bool deleted_between(std::int64_t first, std::int64_t last) const {
        return std::ranges::any_of(all_, [&](const Version& version) {
            return version.deleted && first < version.ticks && version.ticks < last;
        });
    }

    [[nodiscard]] bool was_written(const Version& version) const {
        const auto at = [&](auto Version::*part) {
            return std::ranges::any_of(all_, [&](const Version& each) {
                return each.ticks == version.ticks && each.*part == version.*part;
            });
        };
        return std::ranges::find(all_, version) != all_.end() ||
               (puts_win_ && at(&Version::deleted) && at(&Version::value));
    }

    /// Whether `version`, or none, is what a client must now see.
    /// `forgets`: deletions may be gone without a trace.
    [[nodiscard]] std::optional<std::string> fault(const std::optional<Version>& version,
                                                   bool forgets) const {
        if (version && !was_written(*version)) {
            return version->text() + ", which nobody wrote";
        }
        if (!told_ || (version && !is_before(*version, *told_))) {
            return std::nullopt;
        }
        if (!version) {
            return told_->deleted && forgets ? std::nullopt
                                             : std::optional("missing, though " + told_->text());
        }
        if (told_->deleted && forgets && late_.contains(version->ticks)) {
            return std::nullopt; // came when the deletion could already be gone
        }
        return version->text() + ", though " + told_->text();
    }

private:
    /// Whether `one` has to give way to `other`.
    [[nodiscard]] bool is_before(const Version& one, const Version& other) const {
        if (one.ticks != other.ticks || one.deleted != other.deleted) {
            return std::pair(one.ticks, one.deleted != puts_win_) <
                   std::pair(other.ticks, other.deleted != puts_win_);
        }
        const auto is_number = [](const std::string& text) {
            return text.find_first_not_of("0123456789") == std::string::npos;
        };
        return !puts_win_ && is_number(one.value) && is_number(other.value) &&
               std::pair(one.value.size(), one.value) < std::pair(other.value.size(), other.value);
    }

    bool puts_win_ = false;
    std::vector<Version> all_;
    std::set<std::int64_t> late_;
    std::optional<Version> told_;
};

/// The writes of one database.
struct DatabaseRecord {
    std::map<std::string, Writes> rows;
    std::map<std::string, Writes> metadata;
    std::map<std::string, Writes> ranges; ///< Of shards.
    std::int64_t dropped = 0; ///< The newest DELETE of the database that was tried, in ticks.
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_RECORD_HPP
