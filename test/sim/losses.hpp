#ifndef REPLICA_TEST_SIM_LOSSES_HPP
#define REPLICA_TEST_SIM_LOSSES_HPP

// What stock programs of a simulated world have lost, version by version: a server puts a file in
// place of rows and keys that it does not have (defects 5, 6, 8 and 15), a replicator removes the
// only copy of some (2, 10 and 70) or forgets a deletion that others may bring undone (20), and
// points speak of rows that are not there (6 and 9). A checker excuses these and no others.

#include "autopsy.hpp"
#include "world.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace replica::test {

template <class Kind>
class Losses {
public:
    /// The file `old` has been replaced by the one at `path`.
    /// Whether it lacks anything.
    bool note(const SimDisk& disk, Timestamp now, const std::string& old, const std::string& path) {
        Examiner<Kind> examiner(disk, now,
                                [&](std::string_view file) { return file == old || file == path; });
        const Copy<Kind> before = examiner.read(old);
        const Copy<Kind> after = examiner.read(path);
        const std::size_t known = lost_.size();
        for (const auto where : all) {
            for (const auto& [name, version] : before.*where) {
                if (!has(after, where, name, version)) {
                    lost_.insert({hash_of(path), name, version.ticks});
                }
            }
        }
        return lost_.size() > known;
    }

    /// `copy` is removed, and `others` are those that stay. Whether nobody else has some of it.
    bool note_removal(const Copy<Kind>& copy, const std::vector<Copy<Kind>>& others) {
        const std::size_t known = lost_.size();
        for (const auto where : all) {
            for (const auto& [name, version] : copy.*where) {
                if (std::ranges::none_of(others,
                                         [&, &key = name, &held = version](const auto& other) {
                                             return has(other, where, key, held);
                                         })) {
                    lost_.insert({hash_of(copy.path), name, version.ticks});
                }
            }
        }
        return lost_.size() > known;
    }

    /// Deletions of `before` are forgotten `after`. Whether there are any.
    bool note_reclaim(const Copy<Kind>& before, const Copy<Kind>& after) {
        const std::size_t known = forgotten_.size();
        for (const auto where : all) {
            for (const auto& [name, version] : before.*where) {
                if (version.deleted && !has(after, where, name, version)) {
                    forgotten_.insert({hash_of(before.path), name, version.ticks});
                }
            }
        }
        return forgotten_.size() > known;
    }

    /// Points of `id` from `first` to `last` may speak of rows that are not there.
    void overstate(const std::string& id, std::int64_t first, std::int64_t last) {
        overstated_[id].emplace_back(first, last);
    }

    [[nodiscard]] bool is_overstated(const std::string& id, std::int64_t rowid) const {
        const auto found = overstated_.find(id);
        return found != overstated_.end() &&
               std::ranges::any_of(found->second, [&](const auto& range) {
                   return range.first <= rowid && rowid <= range.second;
               });
    }

    /// Peers may take what now stands at such points for known, and pass that on in points of their
    /// own for files of others.
    void note_overstated(const Copy<Kind>& copy) {
        for (const auto& row : copy.rows) {
            if (is_overstated(copy.info.id, row.rowid)) {
                assumed_.insert({hash_of(copy.path), key_of(row), version_of(row).ticks});
            }
        }
    }

    /// Whether a copy may lack this version because points speak of too much.
    [[nodiscard]] bool is_assumed(const std::string& path, const std::string& name,
                                  const Version& version) const {
        return assumed_.contains({hash_of(path), name, version.ticks});
    }

    /// Whether a stock replicator has forgotten this deletion.
    [[nodiscard]] bool forgot(const std::string& hash, const std::string& name,
                              const Version& deletion) const {
        return deletion.deleted && forgotten_.contains({hash, name, deletion.ticks});
    }

    [[nodiscard]] bool empty() const { return lost_.empty(); }

    [[nodiscard]] bool has(const std::string& hash, const std::string& name,
                           const Version& version) const {
        return lost_.contains({hash, name, version.ticks});
    }

private:
    using Versions = std::map<std::string, Version>;

    static constexpr Versions Copy<Kind>::*all[] = {&Copy<Kind>::versions, &Copy<Kind>::metadata,
                                                    &Copy<Kind>::ranges};

    [[nodiscard]] static bool has(const Copy<Kind>& copy, Versions Copy<Kind>::*where,
                                  const std::string& name, const Version& version) {
        const auto held = (copy.*where).find(name);
        return held != (copy.*where).end() && held->second.ticks >= version.ticks;
    }

    [[nodiscard]] static std::string hash_of(const std::string& path) {
        const std::size_t at = path.rfind('/') + 1;
        return path.substr(at, path.rfind('.') - at);
    }

    using Known = std::set<std::tuple<std::string, std::string, std::int64_t>>;

    Known lost_;
    Known forgotten_;
    Known assumed_;
    std::map<std::string, std::vector<std::pair<std::int64_t, std::int64_t>>>
        overstated_; ///< By id.
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_LOSSES_HPP
