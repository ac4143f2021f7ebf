#ifndef REPLICA_ROWS_METADATA_HPP
#define REPLICA_ROWS_METADATA_HPP

// The metadata of a database is one JSON text: {"X-Container-Meta-Color": ["blue", "1402464677"]}.
// Each key has the time of its value; an empty value means a deleted key. Metadata is merged key by
// key, and written byte for byte as Swift's Python writes it.

#include <replica/error.hpp>
#include <replica/words/info.hpp>
#include <replica/words/json.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <concepts>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace replica {

/// A key with its value, and the value's time in its stored form.
struct MetadataItem {
    std::string key;
    std::string value; ///< Empty: deleted.
    std::string time;

    friend bool operator==(const MetadataItem&, const MetadataItem&) = default;
};

/// All metadata of a database, in the order in which the keys were first set.
class Metadata {
public:
    /// Limit for a text to parse: 25,000 items, in memory 6 MB. Swift takes 90 items from a client.
    static constexpr std::size_t most_values = 100'000;

    /// Reads {key: [value, time]}. An empty text means no metadata. Throws bad_request that names
    /// the key for any other text (defect 55).
    [[nodiscard]] static Metadata parse(std::string_view text) {
        Metadata result;
        if (text.empty()) {
            return result;
        }
        const auto parsed = json::parse(text, most_values);
        const auto* const object = parsed.if_object();
        if (object == nullptr) {
            throw Failure(Error::bad_request, "metadata must be an object");
        }
        for (const auto& [key, value] : *object) {
            const auto* const pair = value.if_array();
            MetadataItem item{std::string(key.data(), key.size()), {}, {}};
            const std::string what = "metadata '" + item.key + "'";
            if (pair == nullptr || pair->size() != 2) {
                throw Failure(Error::bad_request, what + " must be [value, time]");
            }
            json::read((*pair)[0], item.value, what + "'s value");
            json::read((*pair)[1], item.time, what + "'s time");
            if (!Timestamp::parse(item.time)) {
                throw Failure(Error::bad_request,
                              what + " has no usable time: '" + item.time + "'");
            }
            result.items_.push_back(std::move(item));
        }
        return result;
    }

    /// Stored metadata, to read only. Text that cannot be read counts as none.
    [[nodiscard]] static Metadata parse_stored(std::string_view text) {
        try {
            return parse(text);
        } catch (const Failure&) {
            return {};
        }
    }

    /// Stored metadata, to be written back with changes. Throws bad_request for text that cannot be
    /// read: Python takes more than we do (half a surrogate pair), so a Swift server may have
    /// values in it, and a person can mend it.
    [[nodiscard]] static Metadata parse_to_change(std::string_view text) {
        try {
            return parse(text);
        } catch (const Failure& failure) {
            throw Failure(failure.error(),
                          std::string("what is stored stays as it is: ") + failure.what());
        }
    }

    [[nodiscard]] const std::vector<MetadataItem>& items() const { return items_; }

    /// The value of a key, if it has one and is not deleted.
    [[nodiscard]] std::optional<std::string> find(std::string_view key) const {
        const auto found = std::ranges::find(items_, key, &MetadataItem::key);
        return found != items_.end() && !found->value.empty() ? std::optional(found->value)
                                                              : std::nullopt;
    }

    /// Takes over a value if it is newer. Of two values with one time a deletion wins, then the
    /// greater text, so that the order of merging does not matter. True if something changed.
    bool set(const MetadataItem& item) {
        const auto found = std::ranges::find(items_, item.key, &MetadataItem::key);
        if (found == items_.end()) {
            items_.push_back(item);
            return true;
        }
        if (!(rank(*found) < rank(item))) {
            return false;
        }
        *found = item;
        return true;
    }

    /// Calls set() for each of `others`, but not for a deletion older than `forgotten` of a key
    /// that is not here. That was dropped here or never needed, and would go round for ever (defect
    /// 75).
    bool merge(const Metadata& others, Timestamp forgotten = {}) {
        bool changed = false;
        for (const MetadataItem& item : others.items_) {
            const bool old = item.value.empty() && timestamp_or_zero(item.time) < forgotten;
            if (!old || std::ranges::find(items_, item.key, &MetadataItem::key) != items_.end()) {
                changed = set(item) || changed;
            }
        }
        return changed;
    }

    /// Drops keys deleted before `age`, if `confirmed` has the same deletion. True if any went.
    bool reclaim(Timestamp age, const Metadata& confirmed) {
        return std::erase_if(items_, [&](const MetadataItem& item) {
                   return item.value.empty() && timestamp_or_zero(item.time) < age &&
                          std::ranges::find(confirmed.items_, item) != confirmed.items_.end();
               }) != 0;
    }

    /// The time of the oldest deletion of a key; `none` if no key is deleted.
    [[nodiscard]] Timestamp oldest_deletion(Timestamp none) const {
        Timestamp oldest = none;
        for (const MetadataItem& item : items_) {
            oldest = item.value.empty() ? std::min(oldest, timestamp_or_zero(item.time)) : oldest;
        }
        return oldest;
    }

    /// The items whose time is `limit` or later.
    [[nodiscard]] Metadata since(Timestamp limit) const {
        Metadata result;
        std::ranges::copy_if(
            items_, std::back_inserter(result.items_),
            [&](const MetadataItem& item) { return timestamp_or_zero(item.time) >= limit; });
        return result;
    }

    /// The metadata as text: ASCII, with ", " and ": ".
    [[nodiscard]] std::string text() const {
        std::string out = "{";
        for (const MetadataItem& item : items_) {
            out += out.size() > 1 ? ", " : "";
            json::append(out, item.key);
            out += ": [";
            json::append(out, item.value);
            out += ", ";
            json::append(out, item.time);
            out += ']';
        }
        return out + '}';
    }

    /// Whether both have the same keys with the same values and times, in whatever order.
    [[nodiscard]] bool is_same(const Metadata& other) const {
        return items_.size() == other.items_.size() &&
               std::ranges::is_permutation(items_, other.items_);
    }

    friend bool operator==(const Metadata&, const Metadata&) = default;

private:
    using Rank = std::tuple<Timestamp, bool, std::string_view, std::string_view>;

    [[nodiscard]] static Rank rank(const MetadataItem& item) {
        return {timestamp_or_zero(item.time), item.value.empty(), item.value, item.time};
    }

    std::vector<MetadataItem> items_;
};

/// Whether the times and the metadata of two replicas are the same.
template <std::derived_from<Info> I>
[[nodiscard]] bool is_same_beside_rows(const I& a, const I& b) {
    return a.timestamps() == b.timestamps() &&
           (a.metadata == b.metadata ||
            Metadata::parse_stored(a.metadata).is_same(Metadata::parse_stored(b.metadata)));
}

} // namespace replica

#endif // REPLICA_ROWS_METADATA_HPP
