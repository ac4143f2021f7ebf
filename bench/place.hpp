#ifndef REPLICA_BENCH_PLACE_HPP
#define REPLICA_BENCH_PLACE_HPP

// What the benchmarks of real database files share: a directory of their own that is removed at the
// end, rows to put into them, and a line of output that says whether a disk was measured or memory.

#include <replica/words/info.hpp>
#include <replica/words/md5.hpp>

#include <benchmark/benchmark.h>
#include <sys/vfs.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace replica::bench {

/// A directory below the system's for temporary files. The figures of a merge depend on what an
/// fsync costs there, so benchmarks print the kind of file system; TMPDIR chooses another.
class Place {
public:
    Place() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "replica-bench-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::system_error(errno, std::generic_category(), pattern);
        }
        path_ = pattern;
        benchmark::AddCustomContext("files in", path_ + (in_memory() ? ", tmpfs" : ", a disk"));
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    /// Where a broker may make the database `name`.
    [[nodiscard]] std::string database(const std::string& name) const {
        return path_ + '/' + name + '/' + name + ".db";
    }

private:
    [[nodiscard]] bool in_memory() const {
        constexpr auto tmpfs = 0x01021994;
        struct statfs status {};
        return ::statfs(path_.c_str(), &status) == 0 && status.f_type == tmpfs;
    }

    std::string path_;
};

/// Made before main(), since the context is printed before the first benchmark.
inline const Place place;

} // namespace replica::bench

#endif // REPLICA_BENCH_PLACE_HPP
