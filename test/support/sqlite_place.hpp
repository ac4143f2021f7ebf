#ifndef REPLICA_TEST_SUPPORT_SQLITE_PLACE_HPP
#define REPLICA_TEST_SUPPORT_SQLITE_PLACE_HPP

// A directory of its own for real database files, and a broker whose time passes only when
// somebody waits.

#include "stock_connection.hpp"
#include <replica/disk/posix.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/sqlite/schema.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace replica::test {

/// A directory below the system's for temporary files, removed with the value.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "replica-sqlite-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, std::string_view content) {
    std::ofstream(path, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
}

/// Every file below a directory, by path, with all its bytes. Directories have none.
inline std::map<std::string, std::string> files_below(const std::string& directory) {
    std::map<std::string, std::string> files;
    for (const auto& each : std::filesystem::recursive_directory_iterator(directory)) {
        files[each.path().string()] = each.is_regular_file() ? read_file(each.path().string()) : "";
    }
    return files;
}

/// The call fails with this error, its message has `part` (a file's name, if nothing else) in it,
/// and every file below `directory` is afterwards what it was before, byte for byte.
template <class Call>
void require_refused(Error error, const std::string& part, const TemporaryDirectory& directory,
                     Call&& call) {
    const auto before = files_below(directory.path());
    BOOST_CHECK_EXCEPTION(static_cast<void>(call()), Failure, [&](const Failure& failure) {
        const std::string what = failure.what();
        BOOST_TEST_MESSAGE("  " << what);
        return failure.error() == error && what.find(part) != std::string::npos;
    });
    BOOST_TEST((files_below(directory.path()) == before), part << ": a file has changed");
}

/// A file with a schema and nothing else.
template <class S>
struct Fresh {
    explicit Fresh(const sqlite::NewDatabase& wanted) {
        sqlite::make_schema<S>(connection, wanted);
    }

    TemporaryDirectory directory;
    std::string path = directory.path() + "/h.db";
    sqlite::Connection connection{path, sqlite::Connection::Mode::create, {}, Instant()};
};

template <class Call>
[[nodiscard]] Error error_of(Call&& call) {
    try {
        static_cast<void>(call());
    } catch (const Failure& failure) {
        BOOST_TEST_MESSAGE("  " << failure.what());
        return failure.error();
    }
    return Error{};
}

inline ObjectRow object(const std::string& name, const std::string& created_at,
                        std::int64_t size = 1, std::int64_t policy = 0) {
    return {-1, name, created_at, size, "text/plain", "etag", 0, policy};
}

inline ObjectRow tombstone(const std::string& name, const std::string& created_at) {
    return {-1, name, created_at, 0, "application/deleted", "noetag", 1, 0};
}

inline ContainerInfo container_info() {
    ContainerInfo info;
    info.account = "a";
    info.container = "c";
    return info;
}

using SimTimedContainers = BasicContainerBroker<PosixDisk, SimClock>;
using SimTimedAccounts = BasicAccountBroker<PosixDisk, SimClock>;

/// Containers under a directory as a device has it.
class ContainerPlace {
public:
    explicit ContainerPlace(SqliteOptions options = {}) : broker(PosixDisk(), clock, options) {}

    using Database = SimTimedContainers::database_type;

    [[nodiscard]] std::string path(const std::string& name = "h") const {
        return directory.path() + "/sdb1/containers/1/abc/" + name + '/' + name + ".db";
    }
    [[nodiscard]] Instant soon() const { return clock.monotonic() + std::chrono::seconds(5); }
    Database create(const std::string& name = "h") {
        return broker.create(path(name), container_info(), soon());
    }
    [[nodiscard]] Database open(const std::string& name = "h") {
        return broker.open(path(name), soon());
    }

    TemporaryDirectory directory;
    SimClock clock;
    SimTimedContainers broker;
};

inline std::vector<std::string> names_of(const std::vector<ObjectRow>& rows) {
    std::vector<std::string> names;
    for (const ObjectRow& row : rows) {
        names.push_back(row.name);
    }
    return names;
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_SQLITE_PLACE_HPP
