// `replica info` and `replica rows`: what a database file is, and what it holds.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_LOOKS_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_LOOKS_HPP

#include "options.hpp"
#include <replica/clock.hpp>
#include <replica/daemon/swift_conf.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/tool/info.hpp>
#include <replica/tool/text.hpp>
#include <replica/words/hash_path.hpp>

#include <boost/json/serialize.hpp>

#include <filesystem>
#include <iostream>
#include <optional>
#include <string>

namespace replica::commands {

/// Calls `use` with a broker that changes nothing and the open database.
template <class Use>
int with_database(const Options& options, Use use) {
    const std::string path =
        std::filesystem::absolute(options.database).lexically_normal().string();
    SqliteOptions only_look;
    only_look.migrate = false;
    const auto deadline = SystemClock().monotonic() + to_duration(Seconds(25));
    const auto open = [&](auto broker) {
        auto database = broker.open(path, deadline);
        return use(broker, database, path);
    };
    // By its place, and without one by its tables.
    if (path.find("/accounts/") != path.npos) {
        return open(AccountBroker(PosixDisk(), SystemClock(), only_look));
    }
    try {
        return open(ContainerBroker(PosixDisk(), SystemClock(), only_look));
    } catch (const Failure& failure) {
        if (failure.error() != Error::missing_table || path.find("/containers/") != path.npos) {
            throw;
        }
        return open(AccountBroker(PosixDisk(), SystemClock(), only_look));
    }
}

inline int info(const Options& options) {
    std::optional<HashPath> hash_path;
    if (std::filesystem::exists(options.swift_conf)) {
        const auto conf = daemon::read_swift_conf(options.swift_conf);
        hash_path = HashPath{conf.hash_path_prefix, conf.hash_path_suffix};
    }
    return with_database(options, [&](auto& broker, auto& database, const std::string& path) {
        const auto about = tool::info_of(broker, database, path, hash_path);
        std::cout << (options.json ? boost::json::serialize(about) + '\n' : tool::lines_of(about));
        return fine;
    });
}

inline int rows(Options& options) {
    options.rows.live = !options.only_deleted;
    options.rows.deleted = !options.only_live;
    return with_database(options, [&](auto&, auto& database, const std::string&) {
        bool first = true;
        const auto shown = tool::for_each_row(database, options.rows, [&](const auto& row) {
            const auto object = tool::object_of(row);
            if (options.json) {
                std::cout << boost::json::serialize(object) << '\n';
                return;
            }
            std::cout << (first ? "" : "\n") << tool::lines_of(object);
            first = false;
        });
        return shown > 0 || !options.rows.name ? fine : trouble;
    });
}

} // namespace replica::commands

#endif
