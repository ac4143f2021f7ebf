// `replica`, one tool for people who run the daemons: looks into databases and at nodes. Nothing
// that it does here changes a file or a node. Usage: replica --help

#include <replica/account/kind.hpp>
#include <replica/beast/ring_addresses.hpp>
#include <replica/daemon/config.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/daemon/swift_conf.hpp>
#include <replica/ring/any_ring.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/tool/info.hpp>
#include <replica/tool/node.hpp>
#include <replica/tool/status.hpp>
#include <replica/tool/text.hpp>
#include <replica/version.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <future>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace replica;

namespace {

enum Code {
    fine = 0,
    cannot = 1,
    usage = 2,
    trouble = 3,
    silent = 4
};

struct Options {
    bool json = false;
    std::string database;
    std::string swift_conf = "/etc/swift/swift.conf";
    tool::RowFilter rows;
    bool only_live = false;
    bool only_deleted = false;
    std::vector<std::string> hosts;
    std::string config;
    std::string port = "16201";
    double patience = 5;
};

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

int info(const Options& options) {
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

int rows(Options& options) {
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

/// The nodes of the ring that a configuration names, at its replica_port.
std::vector<std::string> nodes_of(const std::string& config) {
    const auto read = daemon::Config::read(std::filesystem::absolute(config));
    const std::string kind = read.has("container-replicator") ? "container" : "account";
    const auto settings = daemon::load_settings(read, kind + "-replicator").settings;
    if (settings.replica_port <= 0) {
        throw Failure(Error::bad_config,
                      config + ": replica_port is not set, so no node has a page");
    }
    AnyRing<> ring(daemon::ring_path(settings, kind), {}, {});
    std::set<std::string> nodes;
    for (const Device& device : ring.version().devices()) {
        nodes.insert(http::authority_of(device.replication_ip,
                                        static_cast<std::uint16_t>(settings.replica_port)));
    }
    return {nodes.begin(), nodes.end()};
}

int status(const Options& options) {
    const auto hosts = options.hosts.empty() ? nodes_of(options.config) : options.hosts;
    std::vector<std::future<tool::NodeStatus>> asked;
    for (const std::string& host : hosts) {
        asked.push_back(std::async(std::launch::async, [&options, host] {
            const auto node = tool::HostPort::of(host, options.port);
            tool::NodeStatus found{node.host + ':' + node.port, {}, {}};
            const auto reply = tool::get_page(node, "/status.json", Seconds(options.patience));
            if (!reply) {
                found.fault = reply.error().what;
                return found;
            }
            boost::system::error_code code;
            auto value = boost::json::parse(reply->body, code);
            if (reply->status == 200 && !code && value.is_object()) {
                found.status = std::move(value.get_object());
            } else {
                found.fault = "answered " + std::to_string(reply->status) +
                              " and no status: is it a server of ours, and of this version?";
            }
            return found;
        }));
    }
    std::vector<tool::NodeStatus> nodes;
    for (auto& each : asked) {
        nodes.push_back(each.get());
    }
    std::cout << (options.json ? boost::json::serialize(tool::status_object(nodes)) + '\n'
                               : tool::status_text(nodes));
    const auto health = tool::health_of(nodes);
    return health == tool::Health::well ? fine : health == tool::Health::trouble ? trouble : silent;
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{
        "Looks into replicated databases and at the nodes that keep them. Changes nothing."};
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    app.footer(
        "\nExit codes: 0 all is well; 1 it could not be done, and stderr says why; 2 a command "
        "line that\ncannot be read; 3 something is not as it should be; 4 a node does not "
        "answer.\n\nreplica COMMAND --help tells more of a command.");

    auto* const info_command = app.add_subcommand(
        "info", "Say what a database file is: times, sums, metadata, sync points, shard ranges");
    info_command->add_option("DB", options.database, "The file, <hash>.db")->required();
    info_command->add_option(
        "--swift-conf", options.swift_conf,
        "Where swift_hash_path_suffix is, to tell whether the file lies in its "
        "place. Usually /etc/swift/swift.conf; not told if it is not there");

    auto* const rows_command = app.add_subcommand(
        "rows", "Print the rows of a database, tombstones included, in the order of ROWIDs. Exit "
                "code 3 if the row of --name is not there");
    rows_command->add_option("DB", options.database, "The file, <hash>.db")->required();
    rows_command->add_option("--name", options.rows.name, "Only the row of this name");
    rows_command->add_option("--prefix", options.rows.prefix, "Only names that begin so");
    rows_command->add_option("--above", options.rows.above, "Only ROWIDs above this one");
    rows_command->add_option("--limit", options.rows.most, "At most so many rows");
    auto* const live = rows_command->add_flag("--live", options.only_live, "No tombstones");
    rows_command->add_flag("--deleted", options.only_deleted, "Only tombstones")->excludes(live);

    auto* const status_command = app.add_subcommand(
        "status",
        "Show nodes side by side: passes, devices, peers, lag, and what is wrong. Exit code "
        "3 if something is, 4 if a node does not answer");
    status_command->add_option("HOST", options.hosts,
                               "HOST or HOST:PORT of the nodes. None: all nodes of the ring that "
                               "--config names");
    status_command->add_option("--port", options.port, "Of hosts without one (default 16201)");
    status_command->add_option("--config", options.config,
                               "A daemon's configuration: its ring and its replica_port. Usually "
                               "/etc/swift/container-server.conf");
    status_command->add_option("--timeout", options.patience, "Seconds for each node (default 5)")
        ->check(CLI::Range(0.01, 86400.0));
    for (auto* const command : {info_command, rows_command, status_command}) {
        command->add_flag("--json", options.json, "For programs: JSON, one value a line");
    }

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? fine : usage;
    }
    if (options.config.empty()) {
        options.config = "/etc/swift/container-server.conf";
    }
    try {
        return info_command->parsed()   ? info(options)
               : rows_command->parsed() ? rows(options)
                                        : status(options);
    } catch (const std::exception& error) {
        std::cerr << "replica: " << error.what() << '\n';
        return cannot;
    }
}
