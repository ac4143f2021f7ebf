// Writes rows into the containers of one node, as its server would, and says how long it takes
// until each row is in the files of all other replicas. For bench/lag.sh. Replicas are read with
// SQLite alone.

#include "../../test/support/pending_entry.hpp"
#include "cluster.hpp"
#include <replica/disk/descriptor.hpp>
#include <replica/disk/posix.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/random.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

namespace quickstart {

using replica::ContainerKind;
using replica::Device;
using replica::Instant;
using replica::ObjectRow;

/// What to write and how fast.
struct Wish {
    std::string root;
    bool fill = false;
    std::uint64_t databases = 1000;
    std::uint64_t writes = 200;
    std::int64_t pause_ms = 50;
    int busy = 0;
    std::int64_t patience_s = 60;
};

class Lag {
public:
    explicit Lag(Wish wish) : wish_(std::move(wish)), cluster_(wish_.root) {}

    /// Makes the containers, empty, on all of their devices.
    void fill() {
        for (std::uint64_t number = 0; number < wish_.databases; ++number) {
            replica::ContainerInfo info;
            info.account = account;
            info.container = name(number);
            info.put_timestamp = "1700000000.00000";
            const std::string hash = hash_of(number);
            for (const Device& device : cluster_.primaries(hash)) {
                broker_.create(cluster_.path_of(device, hash), info);
            }
        }
    }

    /// Half of the rows are committed at once, half wait in .pending, as stock servers leave them.
    void run() {
        replica::Random random(1);
        for (std::uint64_t i = 0; i < wish_.writes; ++i) {
            for (int row = 0; row < wish_.busy; ++row) {
                put(0, "busy " + std::to_string(i) + ' ' + std::to_string(row), false);
            }
            const std::uint64_t number = 1 + random.next() % (wish_.databases - 1);
            const std::string row = "row " + clock_.now().internal();
            put(number, row, i % 2 == 1);
            wait_for(number, row);
            clock_.sleep_until(clock_.monotonic() + std::chrono::milliseconds(wish_.pause_ms),
                               std::stop_token());
        }
        std::ranges::sort(lags_);
        std::cout << "p50 " << at(0.5) << " ms, p99 " << at(0.99) << " ms, max " << lags_.back()
                  << " ms, " << lags_.size() << " writes\n";
    }

private:
    static constexpr auto account = "AUTH_lag";

    [[nodiscard]] static std::string name(std::uint64_t number) {
        const std::string digits = std::to_string(number);
        return "lag-" + std::string(7 - digits.size(), '0') + digits;
    }
    [[nodiscard]] std::string hash_of(std::uint64_t number) const {
        return cluster_.hash(std::string("/") + account + '/' + name(number));
    }
    [[nodiscard]] std::string path_on(bool first, const Device& device,
                                      const std::string& hash) const {
        return (device.replication_ip == first_node) == first ? cluster_.path_of(device, hash) : "";
    }

    /// On the first node.
    void put(std::uint64_t number, const std::string& name, bool pending) {
        const std::string hash = hash_of(number);
        ObjectRow row;
        row.name = name;
        row.created_at = clock_.now().internal();
        row.content_type = "text/plain";
        row.etag = "etag";
        for (const Device& device : cluster_.primaries(hash)) {
            const std::string path = path_on(true, device, hash);
            if (path.empty()) {
                continue;
            }
            const Instant soon = clock_.monotonic() + std::chrono::seconds(30);
            if (!pending) {
                broker_.open(path, soon).put(row);
                continue;
            }
            const auto lock = replica::storage::lock_directory(
                disk_, clock_, replica::storage::parent(path), soon);
            const std::string entry = replica::test::pending_entry(row);
            const auto file =
                replica::Descriptor::open(path + ".pending", O_WRONLY | O_APPEND | O_CREAT);
            if (!file || ::write(file.get(), entry.data(), entry.size()) !=
                             static_cast<ssize_t>(entry.size())) {
                replica::throw_errno(errno, "write", path + ".pending");
            }
        }
    }

    void wait_for(std::uint64_t number, const std::string& row) {
        const Instant start = clock_.monotonic();
        const std::string hash = hash_of(number);
        for (const Device& device : cluster_.primaries(hash)) {
            const std::string path = path_on(false, device, hash);
            while (!path.empty() && !has(path, row)) {
                if (clock_.monotonic() > start + std::chrono::seconds(wish_.patience_s)) {
                    throw std::runtime_error(path + " does not get the row");
                }
                clock_.sleep_until(clock_.monotonic() + std::chrono::milliseconds(2),
                                   std::stop_token());
            }
        }
        lags_.push_back(
            std::chrono::duration_cast<std::chrono::milliseconds>(clock_.monotonic() - start)
                .count());
    }

    [[nodiscard]] static bool has(const std::string& path, const std::string& row) {
        sqlite3* opened = nullptr;
        const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
        const std::unique_ptr<sqlite3, int (*)(sqlite3*)> file(opened, sqlite3_close_v2);
        sqlite3_stmt* made = nullptr;
        if (code != SQLITE_OK ||
            sqlite3_prepare_v2(file.get(), "SELECT 1 FROM object WHERE name = ? AND deleted = 0",
                               -1, &made, nullptr) != SQLITE_OK) {
            return false;
        }
        const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> query(made, sqlite3_finalize);
        sqlite3_bind_text(query.get(), 1, row.c_str(), -1, SQLITE_STATIC);
        return sqlite3_step(query.get()) == SQLITE_ROW;
    }

    [[nodiscard]] std::int64_t at(double share) const {
        return lags_[static_cast<std::size_t>(static_cast<double>(lags_.size() - 1) * share)];
    }

    Wish wish_;
    Cluster<ContainerKind> cluster_;
    replica::SystemClock clock_;
    replica::PosixDisk disk_;
    replica::ContainerBroker broker_;
    std::vector<std::int64_t> lags_;
};

} // namespace quickstart

int main(int argc, char** argv) {
    CLI::App app{"Says how long rows take from one node to all replicas."};
    quickstart::Wish wish;
    app.add_option("ROOT", wish.root, "Directory of the nodes")->required();
    app.add_flag("--fill", wish.fill, "Make the containers first");
    app.add_option("--databases", wish.databases, "How many")->check(CLI::Range(1, 9'999'999));
    app.add_option("--writes", wish.writes, "How many; 0: none");
    app.add_option("--pause", wish.pause_ms, "ms between writes")->check(CLI::NonNegativeNumber);
    app.add_option("--busy", wish.busy, "Rows that go to one other container before each write");
    app.add_option("--patience", wish.patience_s, "s that a row may take");
    CLI11_PARSE(app, argc, argv);
    try {
        quickstart::Lag lag(wish);
        if (wish.fill) {
            lag.fill();
        }
        if (wish.writes > 0 && wish.databases < 2) {
            throw std::runtime_error("--databases 1: writes need two");
        }
        if (wish.writes > 0) {
            lag.run();
        }
    } catch (const std::exception& error) {
        std::cerr << "quickstart.lag: " << error.what() << '\n';
        return 1;
    }
}
