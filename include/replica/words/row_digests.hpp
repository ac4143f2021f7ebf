#ifndef REPLICA_WORDS_ROW_DIGESTS_HPP
#define REPLICA_WORDS_ROW_DIGESTS_HPP

// The rows of a database as digests, summed up so far that two nodes can find out which rows only
// one of them has, from one reading each and with few bytes. The digests are spread over groups of
// 64 buckets. A bucket is the XOR of its digests. Groups with an unlike bucket are resolved by
// their sketches (words/sketch.hpp). A sketch has room for differences in one of 25 rows. The
// number of unlike buckets tells how much of it is needed, so that little goes over for a few.
//
// What a sketch does not resolve is sent whole: the rows of the unlike buckets. So whatever goes
// wrong here makes more rows go over, not fewer, with one exception. Two rows with one digest hide
// each other, once in 2^64 pairs. The key is new for every comparison, so nobody can choose such
// rows, and the next comparison finds them.

#include <replica/words/sketch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace replica {

/// A group whose rows are not the same on both sides.
struct UnlikeGroup {
    std::size_t number = 0;
    std::uint64_t buckets = 0; ///< The unlike ones, a bit each.
    std::vector<Sketch::Cell> cells;

    friend bool operator==(const UnlikeGroup&, const UnlikeGroup&) = default;
};

/// Where a digest belongs.
struct DigestPlace {
    std::size_t group = 0;
    std::uint64_t bucket = 0; ///< One bit.

    /// `groups` is a power of two. The highest bits choose.
    [[nodiscard]] static constexpr DigestPlace of(std::uint64_t digest, std::size_t groups) {
        const auto at = static_cast<std::size_t>(digest >> (58 - std::countr_zero(groups)));
        return {at / 64, std::uint64_t{1} << at % 64};
    }
};

/// Rows to send, by their digests.
class RowChoice {
public:
    explicit RowChoice(std::size_t groups) : whole_(groups) {}

    void add(std::span<const std::uint64_t> digests) {
        digests_.insert(digests_.end(), digests.begin(), digests.end());
        std::ranges::sort(digests_);
    }

    /// All rows of some buckets of a group.
    void add_whole(std::size_t group, std::uint64_t buckets) { whole_[group] |= buckets; }

    [[nodiscard]] bool contains(std::uint64_t digest) const {
        const auto [group, bucket] = DigestPlace::of(digest, whole_.size());
        return (whole_[group] & bucket) != 0 || std::ranges::binary_search(digests_, digest);
    }

    [[nodiscard]] const std::vector<std::uint64_t>& digests() const { return digests_; }

    /// How many of so many rows are chosen, if the digests are spread evenly.
    [[nodiscard]] std::int64_t expected_of(std::int64_t rows) const {
        std::size_t buckets = 0;
        for (const std::uint64_t chosen : whole_) {
            buckets += static_cast<std::size_t>(std::popcount(chosen));
        }
        const double share =
            static_cast<double>(buckets) / (64.0 * static_cast<double>(whole_.size()));
        return static_cast<std::int64_t>(static_cast<double>(rows) * share) +
               static_cast<std::int64_t>(digests_.size());
    }

private:
    std::vector<std::uint64_t> digests_;
    std::vector<std::uint64_t> whole_;
};

/// At most 4 MiB, however many rows. Belongs to one task.
class RowDigests {
public:
    static constexpr std::size_t buckets = 64; ///< Of a group.
    static constexpr std::size_t cells = 1024; ///< Of a group, at most.
    static constexpr std::size_t most_groups = 256;

    /// As many groups as keep 16,384 rows in each, if there may be so many.
    [[nodiscard]] static constexpr std::size_t groups_for(std::int64_t rows) {
        std::size_t groups = 1;
        while (groups < most_groups && rows > static_cast<std::int64_t>(groups << 14U)) {
            groups *= 2;
        }
        return groups;
    }

    /// `groups`: a power of two.
    explicit RowDigests(std::size_t groups)
        : sums_(groups * buckets), sketches_(groups, Sketch(cells)) {}

    void add(std::uint64_t digest) {
        const auto [group, bucket] = DigestPlace::of(digest, groups());
        sums_[group * buckets + static_cast<std::size_t>(std::countr_zero(bucket))] ^= digest;
        sketches_[group].add(digest);
        ++rows_;
    }

    [[nodiscard]] std::size_t groups() const { return sketches_.size(); }
    [[nodiscard]] std::int64_t rows() const { return rows_; }
    [[nodiscard]] const std::vector<std::uint64_t>& sums() const { return sums_; }

    /// What the other side needs to find what only it has. `sums`: its own, of as many groups.
    [[nodiscard]] std::vector<UnlikeGroup> unlike(std::span<const std::uint64_t> sums) const {
        std::vector<UnlikeGroup> found;
        for (std::size_t group = 0; group < groups(); ++group) {
            std::uint64_t differ = 0;
            for (std::size_t bit = 0; bit < buckets; ++bit) {
                const std::size_t at = group * buckets + bit;
                differ |= (sums_[at] != sums[at] ? std::uint64_t{1} : 0U) << bit;
            }
            if (differ != 0) {
                const auto& all = sketches_[group].cells();
                const auto end = all.begin() + static_cast<std::ptrdiff_t>(cells_for(differ));
                found.push_back({group, differ, {all.begin(), end}});
            }
        }
        return found;
    }

    /// The rows here that the other side does not have. `theirs`: its answer, each group once.
    [[nodiscard]] RowChoice only_here(std::span<const UnlikeGroup> theirs) const {
        RowChoice choice(groups());
        for (const UnlikeGroup& group : theirs) {
            const auto& all = sketches_[group.number].cells();
            const auto end = all.begin() + static_cast<std::ptrdiff_t>(group.cells.size());
            const auto difference =
                Sketch::between(Sketch({all.begin(), end}), Sketch(group.cells));
            if (difference && explains(*difference, group)) {
                choice.add(difference->here);
            } else {
                choice.add_whole(group.number, group.buckets);
            }
        }
        return choice;
    }

private:
    /// How many cells are needed, so that one of some 2,000 sketches cannot be read: n unlike
    /// buckets mean about -64 ln(1 - n / 64) digests that only one side has.
    [[nodiscard]] static std::size_t cells_for(std::uint64_t differ) {
        const double like = static_cast<double>(buckets) - std::popcount(differ);
        if (like < 2) {
            return cells;
        }
        const double digests = -64 * std::log(like / static_cast<double>(buckets));
        const double wanted = 16 + 2.2 * digests + 6 * std::sqrt(digests);
        return std::min(cells, static_cast<std::size_t>(wanted));
    }

    /// Whether a difference lies in all unlike buckets of the group and in no other.
    [[nodiscard]] bool explains(const Sketch::Difference& difference,
                                const UnlikeGroup& group) const {
        std::uint64_t differ = 0;
        for (const auto* const side : {&difference.here, &difference.there}) {
            for (const std::uint64_t digest : *side) {
                const auto place = DigestPlace::of(digest, groups());
                if (place.group != group.number) {
                    return false;
                }
                differ |= place.bucket;
            }
        }
        return differ == group.buckets;
    }

    std::vector<std::uint64_t> sums_;
    std::vector<Sketch> sketches_;
    std::int64_t rows_ = 0;
};

/// All rows of a database, read from the first to the last.
struct RowScan {
    RowDigests digests;

    /// False if hash and sums of the database are not those of its rows. True also if that cannot
    /// be told, since somebody has written meanwhile.
    bool sound = true;
};

} // namespace replica

#endif // REPLICA_WORDS_ROW_DIGESTS_HPP
