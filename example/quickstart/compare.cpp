// Opens every replica on the nodes of quickstart.sh read-only, without the library's brokers, and
// compares everything. It shares no code with the replicators, except the ring and the hash that
// give a database its place. Prints "identical" and exits with 0 only if every database has all its
// replicas in their places, there is no other copy, and all replicas are equal.

#include "cluster.hpp"
#include <replica/account/kind.hpp>
#include <replica/container/kind.hpp>
#include <replica/sqlite/chexor.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace quickstart {

namespace fs = std::filesystem;

/// Columns by name, as text; numbers in decimal.
using Record = std::map<std::string, std::string>;

/// A database file, opened for reading only.
class File {
public:
    explicit File(const std::string& path) : path_(path) {
        sqlite3* file = nullptr;
        const int code = sqlite3_open_v2(path.c_str(), &file, SQLITE_OPEN_READONLY, nullptr);
        file_.reset(file);
        require(code);
        sqlite3_busy_timeout(file, 10'000); // a server may be using it
    }

    /// All rows of a query, in its order.
    [[nodiscard]] std::vector<Record> rows(const std::string& sql) const {
        sqlite3_stmt* prepared = nullptr;
        require(sqlite3_prepare_v2(file_.get(), sql.c_str(), -1, &prepared, nullptr));
        const std::unique_ptr<sqlite3_stmt, Finalize> statement(prepared);
        std::vector<Record> rows;
        int code = 0;
        while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
            Record& row = rows.emplace_back();
            for (int i = 0; i < sqlite3_column_count(prepared); ++i) {
                const auto* const text = sqlite3_column_text(prepared, i);
                const auto size = static_cast<std::size_t>(sqlite3_column_bytes(prepared, i));
                row[sqlite3_column_name(prepared, i)] =
                    text == nullptr ? "NULL"
                                    : std::string(reinterpret_cast<const char*>(text), size);
            }
        }
        require(code == SQLITE_DONE ? SQLITE_OK : code);
        return rows;
    }

private:
    struct Close {
        void operator()(sqlite3* file) const { sqlite3_close_v2(file); }
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };

    void require(int code) const {
        if (code != SQLITE_OK) {
            throw std::runtime_error(path_ + ": " + sqlite3_errmsg(file_.get()));
        }
    }

    std::string path_;
    std::unique_ptr<sqlite3, Close> file_;
};

/// The parts of a database that must be equal on all of its devices.
struct Replica {
    std::string path;
    Record info;
    std::vector<Record> rows;
    std::vector<Record> policies;
};

struct ContainerTables {
    using kind_type = replica::ContainerKind;
    static constexpr auto info = "SELECT * FROM container_info";
    static constexpr auto rows = "SELECT * FROM object ORDER BY storage_policy_index, name";
    static std::string state(const Record& row) { return row.at("created_at"); }
    static std::string name(const Record& info) {
        return '/' + info.at("account") + '/' + info.at("container");
    }
};

struct AccountTables {
    using kind_type = replica::AccountKind;
    static constexpr auto info = "SELECT * FROM account_stat";
    static constexpr auto rows = "SELECT * FROM container ORDER BY storage_policy_index, name";
    static std::string state(const Record& row) {
        return row.at("put_timestamp") + '-' + row.at("delete_timestamp") + '-' +
               row.at("object_count") + '-' + row.at("bytes_used");
    }
    static std::string name(const Record& info) { return '/' + info.at("account"); }
};

/// The problems found, and counts.
struct Report {
    std::vector<std::string> problems;
    std::set<std::size_t> replicas;
    std::int64_t databases = 0;
    std::int64_t rows = 0;

    void add(std::string problem) { problems.push_back(std::move(problem)); }
};

/// Reads a replica, without the values that each replica has of its own: the id and the ROWIDs are
/// its history, status_changed_at is when it learnt of a deletion, and reconciler_sync_point is one
/// of its ROWIDs.
template <class Tables>
[[nodiscard]] Replica read_replica(const std::string& path) {
    const File file(path);
    if (const auto check = file.rows("PRAGMA integrity_check").at(0).begin()->second;
        check != "ok") {
        throw std::runtime_error(path + ": integrity check: " + check);
    }
    Replica replica;
    replica.path = path;
    replica.info = file.rows(Tables::info).at(0);
    replica.info.erase("id");
    replica.info.erase("status_changed_at");
    replica.info.erase("reconciler_sync_point");
    replica.rows = file.rows(Tables::rows);
    for (Record& row : replica.rows) {
        row.erase("ROWID");
    }
    replica.policies = file.rows("SELECT * FROM policy_stat ORDER BY storage_policy_index");
    return replica;
}

/// The first difference between two records; empty if they are equal.
[[nodiscard]] std::string difference(const Record& a, const Record& b) {
    for (const auto& [column, value] : a) {
        const auto other = b.find(column);
        if (other == b.end() || other->second != value) {
            std::string text = column;
            text.append(": '").append(value).append("' and '");
            return text.append(other == b.end() ? "no such column" : other->second).append("'");
        }
    }
    return a.size() == b.size() ? "" : "other columns";
}

/// Compares two lists of records; `what` names a record in the text.
template <class What>
[[nodiscard]] std::string difference(const std::vector<Record>& a, const std::vector<Record>& b,
                                     What what) {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        if (const std::string found = difference(a[i], b[i]); !found.empty()) {
            return what(a[i]) + ": " + found;
        }
    }
    return a.size() == b.size()
               ? ""
               : std::to_string(a.size()) + " and " + std::to_string(b.size()) + " of them";
}

void compare(const Replica& first, const Replica& other, Report& report) {
    const auto differ = [&](const std::string& what, const std::string& found) {
        if (!found.empty()) {
            report.add(first.path + " and " + other.path + " differ: " + what + found);
        }
    };
    differ("info: ", difference(first.info, other.info));
    differ("rows: ", difference(first.rows, other.rows,
                                [](const Record& row) { return "'" + row.at("name") + "'"; }));
    differ("policies: ", difference(first.policies, other.policies, [](const Record& policy) {
               return policy.at("storage_policy_index");
           }));
}

/// Checks that the stored hash is the hash of the rows.
template <class Tables>
void check_hash(const Replica& replica, Report& report) {
    replica::sqlite::Chexor hash;
    for (const Record& row : replica.rows) {
        hash.toggle(row.at("name"), Tables::state(row));
    }
    if (hash.text() != replica.info.at("hash")) {
        report.add(replica.path + ": its hash is not that of its rows");
    }
}

/// All databases of one kind on all nodes: hash -> paths.
template <class Kind>
[[nodiscard]] std::map<std::string, std::set<std::string>> find(const Cluster<Kind>& cluster,
                                                                Report& report) {
    std::map<std::string, std::set<std::string>> found;
    for (const replica::Device& device : cluster.devices()) {
        const std::string root = cluster.path_of(device);
        const fs::path shelf = fs::path(root) / "quarantined" / Kind::datadir;
        if (fs::exists(shelf) && !fs::is_empty(shelf)) {
            report.add(shelf.string() + ": is not empty");
        }
        const fs::path databases = fs::path(root) / Kind::datadir;
        if (!fs::exists(databases)) {
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator(databases)) {
            const fs::path& path = entry.path();
            if (entry.is_regular_file() && path.extension() == ".db") {
                found[path.stem().string()].insert(path.string());
            } else if (entry.is_regular_file() && path.filename() != ".lock") {
                report.add(path.string() + ": is no database");
            }
        }
    }
    return found;
}

template <class Tables>
void compare_all(const std::string& root, Report& report) {
    const Cluster<typename Tables::kind_type> cluster(root);
    for (const auto& [hash, paths] : find(cluster, report)) {
        std::set<std::string> wanted;
        for (const replica::Device& device : cluster.primaries(hash)) {
            wanted.insert(cluster.path_of(device, hash));
        }
        for (const std::string& path : wanted) {
            if (!paths.contains(path)) {
                report.add(path + ": missing");
            }
        }
        for (const std::string& path : paths) {
            if (!wanted.contains(path)) {
                report.add(path + ": does not belong there");
            }
        }
        std::vector<Replica> replicas;
        for (const std::string& path : paths) {
            replicas.push_back(read_replica<Tables>(path));
            check_hash<Tables>(replicas.back(), report);
            if (cluster.hash(Tables::name(replicas.back().info)) != hash) {
                report.add(path + ": is the database of " + Tables::name(replicas.back().info));
            }
            if (replicas.size() > 1) {
                compare(replicas.front(), replicas.back(), report);
            }
        }
        ++report.databases;
        report.rows += static_cast<std::int64_t>(replicas.front().rows.size());
        report.replicas.insert(replicas.size());
    }
}

/// Prints the state of each replica of a container.
void show(const std::string& root, const std::string& container) {
    const Cluster<replica::ContainerKind> cluster(root);
    const std::string hash = cluster.hash(container);
    for (const replica::Device& device : cluster.devices()) {
        const std::string path = cluster.path_of(device, hash);
        if (!fs::exists(path)) {
            continue;
        }
        const auto replica = read_replica<ContainerTables>(path);
        const auto gone = std::ranges::count_if(
            replica.rows, [](const Record& row) { return row.at("deleted") == "1"; });
        const auto live = std::ssize(replica.rows) - gone;
        const bool deleted =
            live == 0 && replica.info.at("delete_timestamp") > replica.info.at("put_timestamp");
        std::cout << "  " << device.replication_ip << '/' << device.device << ": " << live
                  << " files, " << gone << " tombstones, put " << replica.info.at("put_timestamp")
                  << ", deleted " << replica.info.at("delete_timestamp") << ": "
                  << (deleted ? "DELETED" : "in use") << '\n';
    }
}

/// Prints the problems, or the verdict. Returns the exit code.
[[nodiscard]] int conclude(const Report& report) {
    constexpr std::size_t most = 20;
    for (std::size_t i = 0; i < std::min(most, report.problems.size()); ++i) {
        std::cout << "  " << report.problems[i] << '\n';
    }
    if (!report.problems.empty() || report.databases == 0 || report.replicas.size() != 1) {
        std::cout << report.databases << " databases, " << report.problems.size()
                  << " problems: NOT identical\n";
        return 1;
    }
    std::cout << report.databases << " databases, " << report.rows << " rows, "
              << *report.replicas.begin() << " replicas each: identical\n";
    return 0;
}

} // namespace quickstart

int main(int argc, char** argv) {
    CLI::App app{"Compares all replicas on the nodes that quickstart.sh made."};
    std::string root;
    std::string container;
    app.add_option("ROOT", root, "Directory of the nodes")->required();
    app.add_option("--show", container, "Only say how the replicas of /account/container are");
    CLI11_PARSE(app, argc, argv);
    try {
        if (!container.empty()) {
            quickstart::show(root, container);
            return 0;
        }
        quickstart::Report report;
        quickstart::compare_all<quickstart::AccountTables>(root, report);
        quickstart::compare_all<quickstart::ContainerTables>(root, report);
        return quickstart::conclude(report);
    } catch (const std::exception& error) {
        std::cerr << "quickstart.compare: " << error.what() << '\n';
        return 1;
    }
}
