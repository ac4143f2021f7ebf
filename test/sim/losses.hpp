#ifndef REPLICA_TEST_SIM_LOSSES_HPP
#define REPLICA_TEST_SIM_LOSSES_HPP

// What stock servers of a simulated world have lost, version by version: they put a file in place
// of rows and keys that it does not have (defects 5, 8 and 15). A checker excuses these and no
// others.

#include "autopsy.hpp"
#include "world.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

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
        for (const auto where :
             {&Copy<Kind>::versions, &Copy<Kind>::metadata, &Copy<Kind>::ranges}) {
            for (const auto& [name, version] : before.*where) {
                const auto kept = (after.*where).find(name);
                if (kept == (after.*where).end() || kept->second.ticks < version.ticks) {
                    lost_.insert({hash_of(path), name, version.ticks});
                }
            }
        }
        return lost_.size() > known;
    }

    [[nodiscard]] bool empty() const { return lost_.empty(); }

    [[nodiscard]] bool has(const std::string& hash, const std::string& name,
                           const Version& version) const {
        return lost_.contains({hash, name, version.ticks});
    }

private:
    [[nodiscard]] static std::string hash_of(const std::string& path) {
        const std::size_t at = path.rfind('/') + 1;
        return path.substr(at, path.rfind('.') - at);
    }

    std::set<std::tuple<std::string, std::string, std::int64_t>> lost_;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_LOSSES_HPP
