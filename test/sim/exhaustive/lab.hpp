#ifndef REPLICA_TEST_SIM_EXHAUSTIVE_LAB_HPP
#define REPLICA_TEST_SIM_EXHAUSTIVE_LAB_HPP

// What SQLite makes of a database and the journal beside it after a power cut. Thousands of them
// end as the same file, so this comes before everything that costs more.

#include "world.hpp"
#include <replica/sim/disk.hpp>
#include <replica/sim/vfs.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace replica::test {

class Lab {
public:
    Lab() { static_cast<void>(number("none", {})); }

    /// A database after its journal was played back.
    struct Found {
        std::size_t file = 0;    ///< Number of the bytes of both files.
        std::size_t content = 0; ///< Number of what is in its tables; 0: no database.
    };

    /// `database`, `journal`: the bytes, nothing if there is no file.
    [[nodiscard]] Found restart(const std::optional<std::string>& database,
                                const std::optional<std::string>& journal) {
        ++restarts_;
        put(path, database);
        put(path + "-journal", journal);
        std::string complaint;
        if (database && journal) {
            const int code = Tool(vfs_, path).run("PRAGMA user_version"); // reads one page
            complaint = code == SQLITE_OK ? "" : std::string("restart: ") + sqlite3_errstr(code);
        }
        const std::string key = bytes(path) + '|' + journal_left() + complaint;
        const auto [place, is_new] = files_.emplace(key, files_.size());
        if (is_new) {
            contents_.push_back(content(complaint));
        }
        return {place->second, contents_[place->second]};
    }

    /// What is wrong with a content; empty if nothing is.
    [[nodiscard]] const std::string& complaint(std::size_t content) const {
        return complaints_[content];
    }

    [[nodiscard]] std::uint64_t restarts() const { return restarts_; }

private:
    inline static const std::string path = "/d/x.db";

    void put(const std::string& at, const std::optional<std::string>& bytes) {
        if (bytes) {
            disk_.write(at, *bytes);
        } else {
            disk_.remove(at);
        }
    }

    [[nodiscard]] std::string bytes(const std::string& at) const {
        const auto content = disk_.content(at);
        return content ? content->bytes : "none";
    }

    /// SQLite leaves a journal alone that is empty or begins with a zero: it is none, and is
    /// overwritten by the next. Its other bytes do not matter.
    [[nodiscard]] std::string journal_left() const {
        const std::string left = bytes(path + "-journal");
        return left.empty() || left.front() == '\0' ? "no journal" : left;
    }

    [[nodiscard]] std::size_t content(std::string complaint) {
        if (!disk_.content(path)) {
            return 0;
        }
        Tool tool(vfs_, path);
        std::string verdict;
        std::string tables;
        int code = tool.ask("PRAGMA integrity_check", verdict);
        code = code != SQLITE_OK ? code : tool.ask("SELECT * FROM sqlite_master", tables);
        for (const char* table :
             {"object", "container", "container_info", "account_stat", "policy_stat",
              "incoming_sync", "outgoing_sync", "shard_range", "sqlite_sequence"}) {
            std::string rows;
            if (tool.ask("SELECT rowid, * FROM " + std::string(table), rows) == SQLITE_OK) {
                tables += rows;
            }
        }
        if (complaint.empty() && code != SQLITE_OK) {
            complaint = std::string("cannot be read: ") + sqlite3_errstr(code);
        } else if (complaint.empty() && verdict.find("ok") == std::string::npos) {
            complaint = "integrity_check: " + verdict;
        }
        return number(tables, complaint);
    }

    [[nodiscard]] std::size_t number(const std::string& tables, const std::string& complaint) {
        const auto [place, is_new] = numbers_.emplace(tables + complaint, numbers_.size());
        if (is_new) {
            complaints_.push_back(complaint);
        }
        return place->second;
    }

    SimDisk disk_;
    SimVfs vfs_{"lab", disk_, 1};
    std::unordered_map<std::string, std::size_t> files_;
    std::vector<std::size_t> contents_; // of each file
    std::map<std::string, std::size_t> numbers_;
    std::vector<std::string> complaints_;
    std::uint64_t restarts_ = 0;
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_EXHAUSTIVE_LAB_HPP
