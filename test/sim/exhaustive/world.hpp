#ifndef REPLICA_TEST_SIM_EXHAUSTIVE_WORLD_HPP
#define REPLICA_TEST_SIM_EXHAUSTIVE_WORLD_HPP

// Two nodes with one database, made again and again in the same state: an operation is cut at each
// of its calls, and each time the world is a new one.

#include "../../support/cluster.hpp"
#include "../../support/pending_entry.hpp"
#include "../../support/sqlite_store.hpp"
#include <replica/sim/survivors.hpp>
#include <replica/sim/vfs.hpp>

#include <sqlite3.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace replica::test {

/// A connection past the broker, as an operator has it.
class Tool {
public:
    Tool(const SimVfs& vfs, const std::string& path) {
        sqlite3* opened = nullptr;
        code_ = sqlite3_open_v2(path.c_str(), &opened,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, vfs.name().c_str());
        file_.reset(opened);
    }

    /// SQLite's code.
    int run(const char* sql) {
        return code_ != SQLITE_OK ? code_
                                  : sqlite3_exec(file_.get(), sql, nullptr, nullptr, nullptr);
    }

    /// All values of all rows, each with its length, since a name may hold any byte.
    int ask(const std::string& sql, std::string& all) {
        sqlite3_stmt* made = nullptr;
        int code = code_ != SQLITE_OK
                       ? code_
                       : sqlite3_prepare_v2(file_.get(), sql.c_str(), -1, &made, nullptr);
        while (code == SQLITE_OK || code == SQLITE_ROW) {
            code = sqlite3_step(made);
            for (int at = 0; code == SQLITE_ROW && at < sqlite3_column_count(made); ++at) {
                const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(made, at));
                const auto size = static_cast<std::size_t>(sqlite3_column_bytes(made, at));
                all += std::to_string(size) + ':';
                all += std::string(bytes == nullptr ? "" : bytes, bytes == nullptr ? 0 : size);
            }
            all += '\n';
        }
        sqlite3_finalize(made);
        return code == SQLITE_DONE ? SQLITE_OK : code;
    }

private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };

    std::unique_ptr<sqlite3, Close> file_;
    int code_ = 0;
};

/// Puts what was found into a disk that has only its mounts, and makes it durable.
inline void load(const SimDisk& disk, const SimImage& image) {
    for (const auto& [path, found] : image) {
        switch (found.kind) {
        case SimFound::Kind::directory:
            disk.make_directories(path);
            break;
        case SimFound::Kind::file:
            disk.write(path, found.bytes);
            break;
        case SimFound::Kind::link:
            static_cast<void>(disk.make_link(found.bytes, path));
            break;
        }
    }
    disk.settle();
}

/// What there is now, synced or not.
[[nodiscard]] inline SimImage image_of(const SimDisk& disk) {
    auto survivors = disk.survivors([](const std::string&) { return std::size_t{0}; });
    SimOdometer keeps(0, true);
    SimSurvivors::Survivor all;
    survivors.draw(keeps, all);
    return survivors.image(all);
}

/// A state of both nodes, and the time.
struct Moment {
    std::array<SimImage, 2> disks;
    Seconds passed{0};
};

/// How the nodes are set up.
struct Setup {
    std::size_t replicas = 2;
    std::int64_t per_diff = 1000;
    int rows_along = 0;
};

template <class Kind>
class World {
public:
    using Nodes = Cluster<Kind>;
    using Name = typename Nodes::Name;
    using Row = typename Kind::row_type;

    explicit World(const Setup& setup) : nodes(2, setup.replicas), name(owned(nodes)) {
        for (const std::size_t at : {0U, 1U}) {
            Settings settings = nodes.node(at).settings;
            settings.per_diff = setup.per_diff;
            settings.rows_along = setup.rows_along;
            nodes.restart(at, settings);
        }
    }

    /// New processes in a state. They draw other names and ids than those before them did: `life`
    /// is another number then.
    World(const Setup& setup, const Moment& moment, std::uint64_t life) : World(setup) {
        nodes.clock().advance(moment.passed); // first, or the files would be old
        for (const std::size_t at : {0U, 1U}) {
            load(disk(at), moment.disks.at(at));
            Settings settings = nodes.node(at).settings;
            settings.seed += 100 * life;
            nodes.restart(at, settings);
        }
        SimVfs("seeds", disk(0), 100 * life).seed_sqlite();
    }

    [[nodiscard]] const SimDisk& disk(std::size_t at) { return nodes.node(at).disk; }
    [[nodiscard]] std::string path() const { return nodes.path(name); }

    [[nodiscard]] Moment moment() {
        return {{image_of(disk(0)), image_of(disk(1))},
                Seconds(nodes.clock().monotonic() - SimClock().monotonic())};
    }

    /// A client's row waits beside the database.
    void put_pending(std::size_t at, const std::string& row_name) {
        const Row row = nodes.next_row(row_name, 1, false);
        std::string fields = pickled(row.name);
        if constexpr (requires { row.created_at; }) {
            fields += pickled(row.created_at) + pickled(1) + pickled(row.content_type) +
                      pickled(row.etag);
        } else {
            fields += pickled(row.put_timestamp) + pickled(row.delete_timestamp) + pickled(1) +
                      pickled(1);
        }
        fields += pickled(0) + pickled(0);
        disk(at).write(path() + ".pending", pending_entry(fields));
    }

    /// Runs statements on the database of a node as an operator would.
    void run(std::size_t at, const char* sql) {
        const SimVfs vfs("tool", disk(at), 1);
        if (const int code = Tool(vfs, path()).run(sql); code != SQLITE_OK) {
            throw std::runtime_error(std::string(sql) + ": " + sqlite3_errstr(code));
        }
    }

    /// Pages as small as a sector: then a transaction changes few sectors, and all subsets of them
    /// can be gone through.
    void use_pages(int size) {
        const std::string sql = "PRAGMA page_size = " + std::to_string(size) + "; VACUUM";
        for (const std::size_t at : {0U, 1U}) {
            if (nodes.has(at, name)) {
                run(at, sql.c_str());
            }
        }
    }

    /// The power of node `at` goes before the n-th call of its disk; 0: it stays. A node without
    /// power neither sends nor answers.
    void cut_power(std::size_t at, std::uint64_t n) {
        if (n == 0) {
            return;
        }
        const SimDisk where = disk(at);
        const std::string ip = nodes.node(at).ip;
        where.halt_at(n);
        const auto require_power = [where] {
            if (!where.fault_pending()) {
                throw Failure(Error::connection_lost, "the power is off");
            }
        };
        nodes.network().serve(
            ip, Nodes::port,
            [require_power, server = nodes.node(at).server](const Request& request) mutable {
                require_power();
                Reply reply = server.handle(request);
                require_power();
                return reply;
            });
        nodes.network().before([require_power, ip](const SimExchange& exchange, const Request&) {
            if (exchange.from == ip) {
                require_power();
            }
        });
        nodes.files().on_transfer([require_power, ip](const std::string&, const Upload& upload) {
            if (upload.target.replication_ip != ip) {
                require_power();
            }
        });
    }

    /// The programs of a node start anew, with other random numbers. Holds on it are over.
    void power_is_back(std::size_t at) {
        nodes.network().before(nullptr);
        nodes.files().on_transfer(nullptr);
        Settings settings = nodes.node(at).settings;
        settings.seed += 1000;
        nodes.restart(at, settings);
        nodes.clock().advance(Seconds(600));
    }

    /// Something that was done here has been told to somebody.
    void told() const {
        if (on_told) {
            on_told();
        }
    }

    Nodes nodes;
    Name name;
    std::function<void()> on_told;

private:
    /// The first name whose first primary is node 0. The handoff, if there is one, is node 1.
    [[nodiscard]] static Name owned(Nodes& nodes) {
        for (char letter = 'a';; ++letter) {
            auto name = nodes.name(std::string(1, letter));
            if (nodes.primaries(name).front() == 0) {
                return name;
            }
        }
    }
};

} // namespace replica::test

#endif // REPLICA_TEST_SIM_EXHAUSTIVE_WORLD_HPP
