#ifndef REPLICA_TEST_SUPPORT_STOCK_CONNECTION_HPP
#define REPLICA_TEST_SUPPORT_STOCK_CONNECTION_HPP

// A way to look at a database file past the broker, and to change it.

#include <replica/sqlite/chexor.hpp>

#include <boost/test/unit_test.hpp>

#include <sqlite3.h>

#include <string>

namespace replica::test {

/// A connection as a stock server has it: triggers run, chexor is known, nothing is checked.
class StockConnection {
public:
    /// `vfs` names SQLite's file system layer; empty: its usual one.
    explicit StockConnection(const std::string& path, const std::string& vfs = {}) {
        const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        BOOST_REQUIRE(sqlite3_open_v2(path.c_str(), &file_, flags,
                                      vfs.empty() ? nullptr : vfs.c_str()) == SQLITE_OK);
        BOOST_REQUIRE(sqlite::register_chexor(file_) == SQLITE_OK);
    }
    StockConnection(const StockConnection&) = delete;
    StockConnection& operator=(const StockConnection&) = delete;
    ~StockConnection() { sqlite3_close(file_); }

    void execute(const std::string& sql) {
        char* message = nullptr;
        const int code = sqlite3_exec(file_, sql.c_str(), nullptr, nullptr, &message);
        BOOST_REQUIRE_MESSAGE(code == SQLITE_OK, sql << ": " << (message ? message : ""));
    }

    /// All values of all rows, with bars between.
    [[nodiscard]] std::string rows(const std::string& sql) {
        std::string text;
        const auto add = [](void* into, int count, char** values, char**) {
            for (int i = 0; i < count; ++i) {
                static_cast<std::string*>(into)->append(values[i] ? values[i] : "null").append("|");
            }
            return 0;
        };
        BOOST_REQUIRE_MESSAGE(sqlite3_exec(file_, sql.c_str(), add, &text, nullptr) == SQLITE_OK,
                              sql << ": " << sqlite3_errmsg(file_));
        return text;
    }

    [[nodiscard]] sqlite3* get() const { return file_; }

private:
    sqlite3* file_ = nullptr;
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_STOCK_CONNECTION_HPP
